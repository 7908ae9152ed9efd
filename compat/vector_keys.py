"""The key files of the vectors: made once, kept under version control, in every form."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

EC_CURVES = {
    "ES256": ("p256", ec.SECP256R1),
    "ES256K": ("secp256k1", ec.SECP256K1),
    "ES384": ("p384", ec.SECP384R1),
    "ES512": ("p521", ec.SECP521R1),
}
RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]

# Fixed, so that the tokens made with them are the same on every run.
SECRETS = {
    "HS256": "an-hmac-secret-of-the-test-vectors-with-sixty-four-bytes-or-more-0",
    "HS384": "an-hmac-secret-of-the-test-vectors-with-sixty-four-bytes-or-more-1",
    "HS512": "an-hmac-secret-of-the-test-vectors-with-sixty-four-bytes-or-more-2",
}


def new_keys():
    keys = {"rsa": rsa.generate_private_key(65537, 2048), "ed25519": ed25519.Ed25519PrivateKey.generate()}
    for name, curve in EC_CURVES.values():
        keys[name] = ec.generate_private_key(curve())
    return keys


def certificate(name, key):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"simplejwt vectors {name}")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    signed_with = None if name == "ed25519" else hashes.SHA256()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=36500))
        .sign(key, signed_with)
        .public_bytes(Encoding.PEM)
    )


def private_forms(name):
    if name == "rsa":
        return {"pkcs8": PrivateFormat.PKCS8, "pkcs1": PrivateFormat.TraditionalOpenSSL}
    if name == "ed25519":
        return {"pkcs8": PrivateFormat.PKCS8}
    return {"pkcs8": PrivateFormat.PKCS8, "sec1": PrivateFormat.TraditionalOpenSSL}


def public_forms(name, key):
    public = key.public_key()
    forms = {"spki": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)}
    if name == "rsa":
        forms["pkcs1-public"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    if name != "secp256k1":  # OpenSSH has no such curve.
        forms["openssh"] = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n"
    forms["certificate"] = certificate(name, key)
    return forms


def write_missing(folder):
    """Writes the keys that aren't there yet; returns the names of the files by key and form."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    fresh = None
    for name in ["rsa", "ed25519", *(name for name, _ in EC_CURVES.values())]:
        first = folder / f"{name}-pkcs8.pem"
        if first.exists():
            key = load_pem_private_key(first.read_bytes(), None)
        else:
            fresh = fresh or new_keys()
            key = fresh[name]
        private, public = {}, {}
        for form, encoding in private_forms(name).items():
            private[form] = f"{name}-{form}.pem"
            path = folder / private[form]
            if not path.exists():
                path.write_bytes(key.private_bytes(Encoding.PEM, encoding, NoEncryption()))
        for form, text in public_forms(name, key).items():
            public[form] = f"{name}-{form}." + ("pub" if form == "openssh" else "pem")
            path = folder / public[form]
            if not path.exists():
                path.write_bytes(text)
        files[name] = (private, public)
    return files


def key_of(algorithm):
    """The name of the key that an asymmetric algorithm uses."""
    if algorithm in EC_CURVES:
        return EC_CURVES[algorithm][0]
    return "rsa" if algorithm in RSA_ALGORITHMS else "ed25519"
