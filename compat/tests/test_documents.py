"""What the documents print for copying is run as it is printed, in bash and in dash.

A block of commands has a home here, by its page and heading, or a mark in the page with the reason.
"""

import base64
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import time

import pytest

import servers
from blocks import COMMANDS, ROOT, SHELLS, Place, all_blocks
from gateways import NGINX_FRAME, program
from servers import PASSWORD, PROJECT, SECRET, Profile, Site
from test_together import ROTATING

BLOCKS = all_blocks()
RUN = [block for block in BLOCKS if block.language in COMMANDS and not block.excuse]
# How many are marked as not run. One more needs a better reason than that it fails.
MARKED = 4
# What the blocks of other languages are read by.
ELSEWHERE = {
    **dict.fromkeys(
        ("apache", "dovecot", "ejabberd", "go", "haproxy", "influxdb", "js", "python", "rabbitmq", "ruby", "slurm", "synapse"),
        "cargo xtask consumers",
    ),
    "caddyfile": "below; those of gateways.md in test_gateway.py",
    "http": "crates/simplejwt-server/tests/http/http_api.rs",
    "ini": "test_deployment.py",
    "json": "shown, not to be typed",
    "nginx": "below; those of gateways.md in test_gateway.py",
    "rust": "the library's documentation tests, and `cargo xtask outside`",
    "sql": "crates/simplejwt-server/tests/cli/checks.rs",
    "text": "shown, not to be typed",
    "toml": "below",
    "yaml": "for programs that aren't here",
}
HOMES = {}


def home(page, heading):
    """Where all the blocks of a heading are run, in their order."""

    def register(function):
        HOMES[page, heading] = function
        return function

    return register


def answers(place, path, value=None, token=None):
    """One request to the server of the place."""
    server = servers.Server("simplejwt", place.port, None, place.log)
    return server.get(path, token) if value is None else server.post(path, value)


def log_in(place, username, password):
    answer = answers(place, "/api/token/", {"username": username, "password": password})
    assert answer.status == 200, answer
    return answer.json()


def test_every_block_has_a_home():
    at = {(block.page, block.heading) for block in RUN}
    assert at == set(HOMES), "a block without a home, or a home without a block"
    unknown = [f"{block.place} ({block.language!r})" for block in BLOCKS if block.language not in (*COMMANDS, *ELSEWHERE)]
    assert unknown == [], "say what it is, and how it is tried"
    marked = [block for block in BLOCKS if block.excuse]
    assert len(marked) == MARKED, [f"{block.place}: {block.excuse}" for block in marked]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("at", HOMES, ids=" ".join)
def test_as_printed(at, shell, request, tmp_path):
    if servers.django_only():
        pytest.fail("nothing to test without the binary: deselect with -k 'not documents'")
    assert shutil.which(shell), f"there is no {shell}"
    run = HOMES[at]
    fixtures = run.__code__.co_varnames[2 : run.__code__.co_argcount]
    parts = [block for block in RUN if (block.page, block.heading) == at]
    run(Place(tmp_path, shell), parts, *map(request.getfixturevalue, fixtures))


@home("README.md", "simplejwt")
def quickstart(place, parts):
    """Started, and its lines pasted at a terminal; on the next day again."""
    (part,) = parts
    with place.serving(part):
        printed = place.log.read_text()
        password = re.search(r"with the password (\S+)", printed)[1]
        walked_through(place.paste(pasted(printed)))
    place.log.unlink()
    with place.serving(part):
        printed = place.log.read_text()
        assert "created " not in printed
        walked_through(place.paste(pasted(printed), [("The password of admin: ", password)]))
    assert "1\tadmin\t" in place.run("simplejwt user list")


def pasted(printed):
    """What stands between the heading and the line of the server that listens, with its blank lines."""
    return printed.partition("Try it")[2].partition(":\n")[2].partition("listening")[0]


def walked_through(shown):
    for part in (
        'log in: {"refresh":"ey',
        'use: {"message":"Welcome, admin!"}',
        "verify: {}",
        'refresh: {"access":"ey',
        '"current":true',
        'log out: {"ended":1}',
    ):
        assert part in shown, f"{part}\n{shown}"
    assert "not found" not in shown, shown


@home("README.md", "For Django teams")
def django_team(place, parts, migrated):
    """Beside Django on its database, as a team has it: nothing but its variables."""
    (part,) = parts
    value = json.loads(re.search(r"SIMPLE_JWT='(.*?)'", part.text, re.S)[1])
    site = Site(Profile("documents", value, hashers=None), place.folder)
    migrated(Profile("documents")).copy_to(site.database)
    site.shell(f"User.objects.create_user('team', password={PASSWORD!r})")
    with place.serving(part):
        # Django takes our token, and we take Django's.
        access = log_in(place, "team", PASSWORD)["access"]
        theirs = site.shell(TAKES_AND_GIVES.format(access=access))
        assert answers(place, "/api/token/refresh/", {"refresh": theirs}).status == 200
        assert answers(place, "/api/token/refresh/", {"refresh": theirs}).status == 401


TAKES_AND_GIVES = """
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import RefreshToken
backend = JWTAuthentication()
user = backend.get_user(backend.get_validated_token("{access}"))
assert user.username == "team", user
print(json.dumps(str(RefreshToken.for_user(user))))
"""


@home("docs/operations.md", "Start")
def start(place, parts):
    """From nothing, with a configuration of one's own."""
    with started(place, parts):
        made = re.search(r"alice.*shown only once: (\S+)", place.log.read_text())
        log_in(place, "alice", made[1])
        assert "note: using the configuration ./simplejwt.toml" in place.log.read_text()


@contextlib.contextmanager
def started(place, parts=None):
    parts = parts or [block for block in RUN if (block.page, block.heading) == ("docs/operations.md", "Start")]
    make, serve = parts
    place.run(make)
    (least,) = [block for block in BLOCKS if (block.page, block.heading, block.language) == (make.page, make.heading, "toml")]
    (place.folder / "simplejwt.toml").write_text(least.text)
    with place.serving(serve):
        yield place


def configured(place):
    """What "Start" makes, with a user, and not yet served."""
    place.run("simplejwt key generate --out signing.key")
    lines = ["[database]", 'path = "db.sqlite3"', "[simple_jwt]", 'signing_key_file = "signing.key"', "token_blacklist = true"]
    (place.folder / "simplejwt.toml").write_text("\n".join(lines) + "\n")
    place.run("simplejwt migrate")
    place.run("printf %s 'correct horse battery staple' | simplejwt user add alice --password-stdin")


@home("docs/operations.md", "What is weak")
def what_is_weak(place, parts):
    """The codes are compared with the program in crates/simplejwt-server/tests/cli/doctor."""
    configured(place)
    assert "something has to be mended" in place.run(*parts)
    report = json.loads((place.folder / "doctor.json").read_text())
    assert report["counts"]["warning"] > 0 and not report["fine"]
    assert all(finding["remedy"] for finding in report["findings"] if finding["severity"] == "warning"), report


@home("docs/operations.md", "In an editor")
def in_an_editor(place, parts):
    """What agrees with the parser is in test_config_schema.py."""
    place.run(*parts)
    schema = json.loads((place.folder / "simplejwt.schema.json").read_text())
    assert "bind" in schema["properties"]["server"]["properties"]


@home("docs/operations.md", "Backup")
def backup(place, parts):
    configured(place)
    place.run(*parts)
    copy = {"DATABASE_URL": f"sqlite:///{place.folder}/backup.sqlite3", "SECRET_KEY": SECRET}
    assert "1\talice\t" in place.run("simplejwt user list", **copy)


@home("docs/operations.md", "Old tokens")
def old_tokens(place, parts):
    configured(place)
    assert "0" in place.run(*parts)


@home("docs/operations.md", "Rotating keys")
def rotating_keys(place, parts):
    """With the delay made short, and systemd's part done here."""
    configured(place)
    place.program("systemctl", "true")
    with place.serving("simplejwt serve"):
        former = log_in(place, "alice", PASSWORD)["refresh"]
    (toml,) = [block for block in BLOCKS if (block.heading, block.language) == ("Rotating keys", "toml")]
    keys = toml.text.strip().replace("kid = true", "kid = true\ntoken_blacklist = true")
    lines = ["[database]", 'path = "db.sqlite3"', keys, 'publication_delay = "1s"']
    (place.folder / "simplejwt.toml").write_text("\n".join(lines) + "\n")
    place.run(*parts)
    with place.serving("simplejwt serve"):
        time.sleep(1.5)
        assert answers(place, "/api/token/refresh/", {"refresh": former}).status == 200
        pair = log_in(place, "alice", PASSWORD)
        listed = [line.split("\t") for line in place.run("simplejwt key list").splitlines() if "\t" in line]
        assert [line[2] for line in listed] == ["retiring", "active"], listed
        header = pair["access"].split(".")[0]
        assert json.loads(base64.urlsafe_b64decode(header + "=="))["kid"] == listed[1][0]


@home("docs/operations.md", "Changing the key")
def changing_the_key(place, parts):
    """With systemd's part done here: it can't run where it isn't the first process."""
    configured(place)
    asked = place.folder / "asked"
    place.program("systemctl", f'echo "$@" >> {shlex.quote(str(asked))}')
    with place.serving("simplejwt serve"):
        access = log_in(place, "alice", PASSWORD)["refresh"]
    place.run(*parts)
    assert asked.read_text() == "restart simplejwt\n"
    with place.serving("simplejwt serve"):
        assert answers(place, "/api/token/refresh/", {"refresh": access}).status == 401
        log_in(place, "alice", PASSWORD)


@home("docs/operations.md", "Docker")
def environment_of_compose(place, parts):
    place.run(*parts)
    file = place.folder / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())
    # They stand in a URL, and in a file that Compose interpolates.
    assert {len(value) for value in values.values()} == {48, 64}
    assert all(value.isalnum() for value in values.values())
    assert values.keys() == {"DB_PASSWORD", "SECRET_KEY"}


@home("docs/realms.md", "Configuration")
def realms(place, parts):
    """Two, with the same name for different people."""
    (toml,) = [block for block in BLOCKS if (block.page, block.heading, block.language) == ("docs/realms.md", "Configuration", "toml")]
    (place.folder / "simplejwt.toml").write_text(toml.text)
    (part,) = parts
    with place.serving(part):
        printed = place.log.read_text()
        assert "realm customers: created" in printed and "realm staff: created" in printed, printed
        customers, staff = re.findall(r"alice.*shown only once: (\S+)", printed)
        server = servers.Server("simplejwt", place.port, None, place.log)
        path = "/customers/api/token/"
        assert server.post(path, {"username": "alice", "password": staff}).status == 401
        assert server.post(path, {"username": "alice", "password": customers}).status == 200
        assert server.post("/api/token/", {"username": "alice", "password": staff}).status == 421


@home("docs/databases.md", "Django takes over")
def django_takes_over(place, parts):
    site = Site(Profile("documents"), place.folder)
    place.environment.update(site.environment, PATH=place.environment["PATH"])
    place.run("simplejwt migrate")
    shutil.copytree(PROJECT, place.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for part in parts:
        place.run(part)
    place.run("python manage.py migrate --check && simplejwt migrate --check")


@home("docs/database-tls.md", "Creating certificates")
def certificates(place, parts):
    said = [place.run(part) for part in parts]
    assert "DNS:localhost" in said[-1] and "IP Address:127.0.0.1" in said[-1]
    place.run("openssl verify -CAfile root.crt server.crt client.crt")
    place.run('test "$(stat -c %a client.key)" = 600')


@home("docs/from-django.md", "The tutorial's application in both")
def lines_of_code(place, parts):
    """What is counted is what the page says."""
    place.folder = ROOT
    said = place.run(*parts)
    counted = {name: int(number) for name, number in re.findall(r"(\w+\.py):(\d+)", said)}
    (ours,) = re.findall(r"^(\d+)$", said, re.M)
    page = (ROOT / "docs/from-django.md").read_text()
    told = {name: int(number) for name, number in re.findall(r"`(\w+\.py)` (\d+)", page)}
    assert counted == told
    (row,) = re.findall(r"^\| lines of code \| (\d+) \| (\d+) \|", page, re.M)
    assert row == (str(sum(counted.values())), ours)


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "toml" and one.page.startswith("docs/")], ids=lambda one: one.place)
def test_a_configuration_is_one(block, tmp_path):
    (tmp_path / "simplejwt.toml").write_text(block.text)
    place = Place(tmp_path, "dash", SIMPLEJWT_TOKEN_BLACKLIST="true", SIMPLE_JWT=json.dumps(ROTATING.simple_jwt))
    for name in {"signing.key", *re.findall(r'(?:secret|signing_key)_file = "(.+)"', block.text)}:
        place.run(f"simplejwt key generate --out {name}")
    assert "warning" not in place.run("simplejwt config print --config simplejwt.toml"), block.place


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "nginx"], ids=lambda one: one.place)
def test_nginx_takes_the_block(block, tmp_path):
    """In a file of its own, or where a part of one belongs."""
    text = re.sub(r"listen \d+", lambda _: f"listen 127.0.0.1:{servers.free_port()}", block.text)
    first = re.search(r"^(\w+)", re.sub(r"^\s*#.*$", "", text, flags=re.M), re.M)[1]
    if first not in ("log_format", "map", "server", "upstream"):
        part = text if first == "location" else f"location / {{\n{text}}}"
        text = f"server {{ listen 127.0.0.1:{servers.free_port()};\n{part}}}"
    (tmp_path / "nginx.conf").write_text(NGINX_FRAME.format(page=text))
    command = [program("nginx"), "-t", "-e", "stderr", "-p", str(tmp_path), "-c", "nginx.conf"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "caddyfile"], ids=lambda one: one.place)
def test_caddy_takes_the_block(block, tmp_path):
    (tmp_path / "Caddyfile").write_text(block.text)
    command = [program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_readmes_nginx_is_that_of_the_page_of_gateways():
    (short,) = [one for one in BLOCKS if (one.page, one.language) == ("README.md", "nginx")]
    (long,) = [one for one in BLOCKS if (one.page, one.language) == ("docs/gateways.md", "nginx")]
    for line in re.findall(r"proxy_[a-z_]+ .*?;", short.text):
        assert line in long.text or "8001" in line, line


COMMAND = re.compile(r"`(simplejwt(?: [a-z][a-z-]*)+)")


def test_every_command_that_is_named_is_there(tmp_path):
    """In text, too: each is asked for its help."""
    named = set()
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "crates").glob("*/README.md")]:
        if page.name != "CHANGELOG.md" and "decisions" not in page.parts:
            named.update(COMMAND.findall(page.read_text()))
    assert len(named) > 10
    place = Place(tmp_path, "dash")
    for command in sorted(named):
        place.run(f"{command} --help")


def test_the_examples_of_the_help_are_taken(tmp_path):
    """Every line below "Example:" is a command line that is understood: none is refused with 2."""
    place = Place(tmp_path, "dash")
    seen = set()
    for command in commands(place, []):
        text = place.run(" ".join(["simplejwt", *command, "--help"]))
        for example in re.findall(r"^  (.*\bsimplejwt .*?)(?:   .*)?$", text.partition("Example")[2], re.M):
            seen.update(re.findall(r"\bsimplejwt ((?:[a-z][a-z-]*(?: |$))+)", example))
    assert len(seen) > 10
    for words in sorted(seen):
        place.run(f"simplejwt {words} --help")


def commands(place, path):
    text = place.run(" ".join(["simplejwt", *path, "--help"]))
    yield path
    listed = text.partition("Commands:")[2].partition("\n\n")[0]
    for name in re.findall(r"^  ([a-z][a-z-]*) ", listed, re.M):
        yield from commands(place, [*path, name])


def test_every_command_of_developers_is_there():
    """`cargo xtask …` in the documents, by the arms of its own match; they are too big to be run here."""
    program = (ROOT / "xtask/src/main.rs").read_text()
    there = set(re.findall(r'^        \["(\w+)"', program, re.M))
    named = {name for _, text in documents() for name in re.findall(r"cargo xtask (\w+)", text)}
    assert "test" in named and named <= there, named - there


VARIABLE = re.compile(r"\bSIMPLEJWT_[A-Z0-9_]*[A-Z0-9]\b")
# Of the tests, and of the tools of this project.
OF_TESTS = re.compile(r"SIMPLEJWT_(BIN|(TEST|SERVICES|MATRIX)_\w+)")


def documents():
    """All that is written for readers, decisions left out: they say what was."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "crates").glob("*/README.md"), ROOT / "compat/README.md"]:
        if path.name != "CHANGELOG.md":
            yield path, path.read_text()


def test_every_variable_that_is_named_is_there(tmp_path):
    example = Place(tmp_path, "dash").run("simplejwt config example")
    known = {name for line in re.findall(r"^# Environment: (.*)$", example, re.M) for name in VARIABLE.findall(line)}
    known |= {f"{name}_FILE" for name in known} | {"SIMPLEJWT_CONFIG"}
    assert len(known) > 50
    unknown = []
    for path, text in documents():
        named = {name for name in VARIABLE.findall(text) if not OF_TESTS.fullmatch(name)}
        unknown += [f"{path.relative_to(ROOT)}: {name}" for name in sorted(named - known)]
    assert unknown == []


def anchors(text):
    """The names of a page's headings, as GitHub makes them."""
    found = set()
    for title in re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M):
        title = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "")
        found.add(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"))
    return found


def test_every_link_leads_somewhere():
    broken = []
    for path, text in documents():
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            there = (path.parent / file).resolve() if file else path
            if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there.read_text())):
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []
