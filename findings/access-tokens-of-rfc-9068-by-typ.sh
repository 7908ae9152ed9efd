#!/usr/bin/env bash
# hono 4.13.19, jose 6.2.18, fast-jwt 6.3.6, jsonwebtoken 9.0.3, PyJWT 2.15.1, joserfc 1.8.0; needs npm, too.
#
# RFC 9068 requires `typ: at+jwt` of access tokens. Of these libraries, all with nothing said about `typ`, hono alone
# refuses such a token, and says that its header is invalid; with `typ: "at+jwt"` in its options it takes it, and
# refuses `JWT`. The others don't look at `typ`.
#
# Seen:
#   hono: JWT taken, at+jwt JwtHeaderInvalid
#   hono, typ at+jwt: JWT JwtHeaderInvalid, at+jwt taken
#   jose: JWT taken, at+jwt taken
#   fast-jwt: JWT taken, at+jwt taken
#   jsonwebtoken: JWT taken, at+jwt taken
#   PyJWT: JWT taken, at+jwt taken
#   joserfc: JWT taken, at+jwt taken
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check PyJWT==2.15.1 joserfc==1.8.0
npm install --silent --no-audit --no-fund --prefix "$folder" hono@4.13.19 jose@6.2.18 fast-jwt@6.3.6 \
    jsonwebtoken@9.0.3 >/dev/null

cat >typ.mjs <<'JAVASCRIPT'
import { SignJWT, jwtVerify } from "jose";
import { verify } from "hono/jwt";
import { createVerifier } from "fast-jwt";
import jsonwebtoken from "jsonwebtoken";

const secret = "a secret of at least thirty-two bytes";
const key = new TextEncoder().encode(secret);
const sign = (typ) => new SignJWT({ sub: "1" }).setProtectedHeader({ alg: "HS256", typ }).setExpirationTime("1h").sign(key);
const libraries = {
  hono: (token) => verify(token, secret, "HS256"),
  "hono, typ at+jwt": (token) => verify(token, secret, { alg: "HS256", typ: "at+jwt" }),
  jose: (token) => jwtVerify(token, key),
  "fast-jwt": async (token) => createVerifier({ key: secret })(token),
  jsonwebtoken: async (token) => jsonwebtoken.verify(token, secret, { algorithms: ["HS256"] }),
};
for (const [name, library] of Object.entries(libraries)) {
  const seen = [];
  for (const typ of ["JWT", "at+jwt"]) {
    seen.push(await library(await sign(typ)).then(() => `${typ} taken`, (error) => `${typ} ${error.name}`));
  }
  console.log(`${name}: ${seen.join(", ")}`);
}
JAVASCRIPT
cat >typ.py <<'PYTHON'
import jwt
from joserfc import jwt as joserfc
from joserfc.jwk import OctKey

secret = "a secret of at least thirty-two bytes"
tokens = {typ: jwt.encode({"sub": "1"}, secret, headers={"typ": typ}) for typ in ("JWT", "at+jwt")}


def seen(library, token):
    try:
        library(token)
        return "taken"
    except Exception as error:
        return type(error).__name__


libraries = {
    "PyJWT": lambda token: jwt.decode(token, secret, ["HS256"]),
    "joserfc": lambda token: joserfc.decode(token, OctKey.import_key(secret)),
}
for name, library in libraries.items():
    print(f"{name}: {', '.join(f'{typ} {seen(library, token)}' for typ, token in tokens.items())}")
PYTHON
{
    node typ.mjs
    venv/bin/python typ.py
} | tee seen

diff - seen <<'EXPECTED'
hono: JWT taken, at+jwt JwtHeaderInvalid
hono, typ at+jwt: JWT JwtHeaderInvalid, at+jwt taken
jose: JWT taken, at+jwt taken
fast-jwt: JWT taken, at+jwt taken
jsonwebtoken: JWT taken, at+jwt taken
PyJWT: JWT taken, at+jwt taken
joserfc: JWT taken, at+jwt taken
EXPECTED
