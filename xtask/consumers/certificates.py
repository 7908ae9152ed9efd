"""A certificate for a server on this machine, and the authority that issued it."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


def certificate(subject, key, issuer, issuers_key, ca):
    named = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer)]
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(named[1], named[0], key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    builder = builder if ca else builder.add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
    return builder.sign(issuers_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def write(folder):
    """The files of the certificate, its key, and the authority's certificate."""
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    contents = {
        "certificate.pem": certificate("localhost", key, "authority", authority, ca=False),
        "certificate.key": key.private_bytes(*form),
        "authority.pem": certificate("authority", authority, "authority", authority, ca=True),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]
