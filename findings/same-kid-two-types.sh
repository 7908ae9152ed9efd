#!/usr/bin/env bash
# PyJWT 2.15.1, cryptography 50.0.2.
#
# A JWK set may hold two keys with one `kid` if their `kty` differs (RFC 7517 section 4.5). PyJWKClient
# takes the first key with the token's `kid`, whatever its type, so that a token signed with RS256 can be
# read when the RSA key stands first, and not when the EC key does.
#
# Seen:
#   RSA key first: read
#   EC key first: InvalidAlgorithmError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check PyJWT==2.15.1 cryptography==50.0.2

"$folder/venv/bin/python" - <<'PYTHON' | tee "$folder/seen"
import json

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

rsa_key = rsa.generate_private_key(65537, 2048)
ec_key = ec.generate_private_key(ec.SECP256R1())


def public(algorithm, key, name):
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": "2026", "use": "sig", "alg": name}


class Client(jwt.PyJWKClient):
    def __init__(self, keys):
        super().__init__("https://issuer.example/jwks.json")
        self.keys = keys

    def fetch_data(self):
        return {"keys": self.keys}


token = jwt.encode({"sub": "1"}, rsa_key, "RS256", headers={"kid": "2026"})
both = [public(RSAAlgorithm, rsa_key, "RS256"), public(ECAlgorithm, ec_key, "ES256")]
for name, keys in (("RSA key first", both), ("EC key first", both[::-1])):
    try:
        key = Client(keys).get_signing_key_from_jwt(token)
        jwt.decode(token, key, algorithms=["RS256", "ES256"])
        print(f"{name}: read")
    except jwt.PyJWTError as error:
        print(f"{name}: {type(error).__name__}")
PYTHON

diff - "$folder/seen" <<'EXPECTED'
RSA key first: read
EC key first: InvalidAlgorithmError
EXPECTED
