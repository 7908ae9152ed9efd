"""JWK sets as issuers write them: whatever key PyJWT finds in a set, the server finds, too."""

import base64
import http.server
import json
import os
import subprocess
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

import servers


def encoded(number, length=None, leading=b""):
    data = number.to_bytes(length or (number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(leading + data).rstrip(b"=").decode()


def jwk(key, kid, **more):
    kinds = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    kind = next((kind for base, kind in kinds.items() if isinstance(key, base)), OKPAlgorithm)
    members = json.loads(kind.to_jwk(key.public_key()))
    members.pop("key_ops", None)
    return {**members, "kid": kid, "use": "sig", **more}


def without(members, *names):
    return {name: value for name, value in members.items() if name not in names}


GOOD = rsa.generate_private_key(65537, 2048)
N = GOOD.public_key().public_numbers().n
OLD = rsa.generate_private_key(65537, 1024)
P256 = ec.generate_private_key(ec.SECP256R1())
good = jwk(GOOD, "good", alg="RS256")
odd = jwk(rsa.generate_private_key(65537, 2048), "odd", alg="RS256")
p256 = jwk(P256, "odd", alg="ES256")


def short_coordinate():
    while True:
        members = jwk(ec.generate_private_key(ec.SECP256R1()), "odd", alg="ES256")
        x = base64.urlsafe_b64decode(members["x"] + "==")
        if x[0] == 0:
            return {**members, "x": base64.urlsafe_b64encode(x[1:]).rstrip(b"=").decode()}


#: One key beside the good one, before and behind it.
BESIDE = {
    "nothing": None,
    "unknown kty": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "odd"},
    "X25519": {"kty": "OKP", "crv": "X25519", "x": encoded(2**255 - 20, 32), "kid": "odd", "use": "sig"},
    "Ed448": jwk(ed448.Ed448PrivateKey.generate(), "odd"),
    "Ed25519": jwk(ed25519.Ed25519PrivateKey.generate(), "odd"),
    "for encryption": {**odd, "use": "enc"},
    "another algorithm": {**odd, "alg": "RS512"},
    "no operations": {**odd, "key_ops": []},
    "no kid": without(odd, "kid"),
    "empty kid": {**odd, "kid": ""},
    "EC off its curve": {**p256, "y": p256["x"]},
    "1024 bits": jwk(OLD, "odd", alg="RS256"),
    "over 8192 bits": {**odd, "n": encoded(2**9000 + 1)},
    "even exponent": {**odd, "e": "AQAA"},
    "leading zero": {**odd, "n": encoded(N, leading=b"\0")},
    "padded": {**odd, "n": odd["n"] + "=="},
    "plain base64": {**odd, "n": odd["n"].replace("-", "+").replace("_", "/")},
    "short coordinate": short_coordinate(),
    "oct": {"kty": "oct", "k": encoded(2**400 + 1), "kid": "odd"},
    "x5c only": without({**odd, "x5c": ["MIIB"]}, "n", "e"),
    "EC without crv": without(p256, "crv"),
    "no kty": without(odd, "kty"),
    "null": "null",
    "a text": "text",
    "alg null": {**odd, "alg": None},
    "use null": {**odd, "use": None},
    "kid a number": {**odd, "kid": 7},
    "key_ops a text": {**odd, "key_ops": "verify"},
    "same kid, for encryption": {**odd, "kid": "good", "use": "enc"},
    "same kid, RS384": {**good, "alg": "RS384"},
    "same kid, EC": {**p256, "kid": "good"},
    "the same key twice": good,
}

#: The good key itself, written in other ways.
ITSELF = {
    "leading zero": {**good, "n": encoded(N, leading=b"\0")},
    "padded": {**good, "n": good["n"] + "=="},
    "plain base64": {**good, "n": good["n"].replace("-", "+").replace("_", "/")},
    "in lines": {**good, "n": "\n".join(good["n"][i : i + 64] for i in range(0, len(good["n"]), 64))},
    "alg null": {**good, "alg": None},
    "no alg": without(good, "alg"),
    "use null": {**good, "use": None},
    "no use": without(good, "use"),
    "key_ops null": {**good, "key_ops": None},
    "key_ops a text": {**good, "key_ops": "verify"},
    "key_ops": {**good, "key_ops": ["verify"]},
    "more members": {**good, "x5t": "AA", "exp": 1, "issuer": {"a": [None]}},
}


def sets():
    for name, members in BESIDE.items():
        if members is None:
            yield name, [good]
            continue
        members = {"null": None, "text": "odd"}.get(members, members) if isinstance(members, str) else members
        yield f"{name}, before", [members, good]
        yield f"{name}, behind", [good, members]
    for name, members in ITSELF.items():
        yield f"itself: {name}", [members]


SETS = dict(sets())


@pytest.fixture(scope="module")
def web():
    """The URL under which set number N is N."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"keys": list(SETS.values())[int(self.path[1:])]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def pyjwt_takes(url, token):
    try:
        key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token).key
        jwt.decode(token, key, algorithms=["RS256"])
        return True
    except Exception:
        # Also what isn't PyJWT's own.
        return False


def inspected(url, token):
    environment = {"SIMPLEJWT_ALGORITHM": "RS256", "SIMPLEJWT_JWK_URL": url, "PATH": os.environ["PATH"]}
    command = [servers.binary(), "token", "inspect"]
    return subprocess.run(command, input=token, env=environment, capture_output=True, text=True)


def test_difference_every_set_has_its_good_key(web):
    """DIFFERENCE: PyJWT takes the first key of a kid, be it another algorithm's, and no white space."""
    now = int(time.time())
    claims = {"exp": now + 3600, "iat": now, "jti": "1", "token_type": "access", "user_id": "1"}
    token = jwt.encode(claims, GOOD, "RS256", headers={"kid": "good"})
    more = []
    for number, name in enumerate(SETS):
        answer = inspected(web + str(number), token)
        assert answer.returncode == 0, f"{name}: {answer.stdout}{answer.stderr}"
        if not pyjwt_takes(web + str(number), token):
            more.append(name)
    # What only the server takes; everything else both do.
    assert more == ["same kid, EC, before", "itself: in lines"]
