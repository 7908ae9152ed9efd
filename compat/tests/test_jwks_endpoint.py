"""The public keys as others fetch them: PyJWT, a Django with JWK_URL, and another simplejwt."""

import json

import jwt
import pytest
import requests
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

import servers
from servers import PASSWORD, SECRET, Profile, Site

JWKS = "/.well-known/jwks.json"
METADATA = "/.well-known/oauth-authorization-server"
ALGORITHMS = ["ES256", "RS256", "PS256", "EdDSA"]


@pytest.fixture(autouse=True)
def with_the_binary():
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not jwks'")


@pytest.fixture
def issuer(tmp_path, migrated):
    """Starts a server that signs with a key of its own; returns the site, the server and its URL."""
    made = []

    def start(algorithm, kid="true", **environment):
        profile = Profile("issuer", {"ALGORITHM": algorithm})
        site = Site(profile, tmp_path)
        migrated(profile).copy_to(site.database)
        made.append(site)
        site.ours_command("migrate")
        if not algorithm.startswith("HS"):
            site.ours_command("key", "generate", "--algorithm", algorithm, "--out", "signing.pem")
            environment["SIMPLEJWT_SIGNING_KEY_FILE"] = str(tmp_path / "signing.pem")
            public = tmp_path / "public.pem"
            public.write_text(site.ours_command("key", "public", "--format", "pem", **environment))
            environment["SIMPLEJWT_VERIFYING_KEY_FILE"] = str(public)
        server = site.start_ours(SIMPLEJWT_KID=kid, **environment)
        site.wait(server)
        return site, server, f"http://127.0.0.1:{server.port}"

    yield start
    for site in made:
        site.close()


def log_in(server):
    answer = server.post("/api/token/", {"username": "alice", "password": PASSWORD})
    assert answer.status == 200, answer.body
    return answer.json()["access"]


def greeted_by_django(site, url, algorithm, token):
    """What upstream's protected view says to the token, with JWK_URL and no key of its own."""
    code = (
        "import django, json, sys; django.setup()\n"
        "from django.test import Client\n"
        "answer = Client(SERVER_NAME='127.0.0.1').get('/api/protected/', HTTP_AUTHORIZATION='Bearer ' + sys.stdin.read())\n"
        "print(json.dumps([answer.status_code, answer.json()]))\n"
    )
    settings = {"ALGORITHM": algorithm, "JWK_URL": url, "SIGNING_KEY": "", "VERIFYING_KEY": ""}
    out = site.run(
        [site.python, "-c", code],
        stdin=token,
        SIMPLE_JWT=json.dumps(settings),
        DJANGO_SETTINGS_MODULE="settings",
        PYTHONPATH=str(servers.PROJECT),
    )
    return json.loads(out)


def with_keys_of(site, url, algorithm):
    """Another simplejwt, whose keys are those of the first."""
    environment = {"SIMPLE_JWT": json.dumps({"ALGORITHM": algorithm}), "SIMPLEJWT_JWK_URL": url}
    server = site.start_ours("consumer", **environment)
    site.wait(server)
    return server


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_everybody_finds_the_key_of_a_token(issuer, algorithm):
    site, server, origin = issuer(algorithm)
    token, url = log_in(server), origin + JWKS

    key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
    assert jwt.decode(token, key.key, [algorithm])["token_type"] == "access"
    assert key.key_id == jwt.get_unverified_header(token)["kid"]

    fetched = requests.get(url, timeout=10)
    assert fetched.headers["Content-Type"] == "application/jwk-set+json"
    keys = KeySet.import_key_set(fetched.json())
    assert joserfc_jwt.decode(token, keys, algorithms=[algorithm]).claims["user_id"] == "1"

    assert greeted_by_django(site, url, algorithm, token) == [200, {"message": "Welcome, alice!"}]

    consumer = with_keys_of(site, url, algorithm)
    assert consumer.get("/api/protected/", token).status == 200
    head, claims, signature = token.split(".")
    changed = f"{head}.{claims}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    assert consumer.get("/api/protected/", changed).status == 401
    assert greeted_by_django(site, url, algorithm, changed)[0] == 401


def test_without_a_kid_simplejwt_finds_it_and_those_who_go_by_kid_do_not(issuer):
    site, server, origin = issuer("ES256", kid="false")
    token, url = log_in(server), origin + JWKS
    assert "kid" not in server.get(JWKS).json()["keys"][0]
    with pytest.raises(jwt.exceptions.PyJWKClientError):
        jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
    assert with_keys_of(site, url, "ES256").get("/api/protected/", token).status == 200


def test_a_secret_is_not_published(issuer):
    _, server, _ = issuer("HS256")
    answer = server.get(JWKS)
    assert (answer.status, answer.body) == (200, b'{"keys":[]}')
    assert SECRET.encode() not in answer.body


def test_a_known_set_is_not_sent_again(issuer):
    _, _, origin = issuer("ES256")
    first = requests.get(origin + JWKS, timeout=10)
    again = requests.get(origin + JWKS, headers={"If-None-Match": first.headers["ETag"]}, timeout=10)
    assert (again.status_code, again.content) == (304, b"")
    head = requests.head(origin + JWKS, timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(first.content))


@pytest.mark.parametrize("path", ["", "/tenant1"])
def test_keys_are_found_by_the_issuer(issuer, path):
    """By RFC 8414, by another simplejwt that knows only where the metadata are."""
    port = servers.free_port()
    name = f"http://127.0.0.1:{port}{path}"
    site, first, _ = issuer("ES256", SIMPLE_JWT=json.dumps({"ALGORITHM": "ES256", "ISSUER": name}))
    first.stop()
    # As before, at the port that its issuer names.
    environment = {
        "SIMPLE_JWT": json.dumps({"ALGORITHM": "ES256", "ISSUER": name}),
        "SIMPLEJWT_SIGNING_KEY_FILE": str(site.folder / "signing.pem"),
        "SIMPLEJWT_VERIFYING_KEY_FILE": str(site.folder / "public.pem"),
        "SIMPLEJWT_KID": "true",
        "SIMPLEJWT_DRAIN_DELAY": "0",
        "SIMPLEJWT_BIND": f"127.0.0.1:{port}",
    }
    server = site.launch("named", port, [servers.binary(), "serve"], environment)
    site.wait(server)
    token = log_in(server)
    metadata = requests.get(f"http://127.0.0.1:{port}{METADATA}{path}", timeout=10).json()
    assert metadata == {
        "issuer": name,
        "jwks_uri": f"http://127.0.0.1:{port}{JWKS}",
        "response_types_supported": [],
        "grant_types_supported": [],
    }
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    assert jwt.decode(token, key.key, ["ES256"], issuer=name)["iss"] == name
    consumer = with_keys_of(site, f"http://127.0.0.1:{port}{METADATA}{path}", "ES256")
    assert consumer.get("/api/protected/", token).status == 200


def test_difference_the_paths_are_there_unless_turned_off(issuer):
    """DIFFERENCE: upstream has no such paths."""
    _, server, _ = issuer("ES256", SIMPLEJWT_WELL_KNOWN="false")
    for path in (JWKS, METADATA):
        answer = server.get(path)
        assert (answer.status, answer.json()) == (404, {"detail": "Not found."})
