"""What `simplejwt config schema` prints: a JSON Schema that agrees with the parser, and that taplo takes."""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import jsonschema
import pytest

from blocks import all_blocks
from servers import binary

# Those of the crates, and those with dependencies, are for Cargo.toml.
BLOCKS = [
    block
    for block in all_blocks()
    if block.language == "toml" and not block.page.startswith("crates/") and not block.text.startswith("[dependencies]")
]

# Of every type TOML has but dates, as it is written.
VALUES = [
    "true", "false", "0", "1", "-1", "7", "600", "70000", "1.5", "-0.5", "[]", "[1]", "[true]", "[[]]", '["a"]', '["None"]', "{}",
    "{ a = 1 }", "{ minutes = 5 }", '{ minutes = "5" }', "{ fortnights = 1 }", '{ a = "b" }', "{ groups = true }", "{ groups = false }",
    "{ groups = true, value = 1 }", "{ value = [1] }", '{ column = "" }', "[{}]", '[{ id = "a" }]', '[{ id = "a", secret = 7 }]',
    '[{ id = "a", secret = "a-secret-of-more-than-32-characters" }]', '[{ id = "a", secret_sha256 = "abc" }]',
    '[{ id = "a", secrets = "a-secret-of-more-than-32-characters" }]',
    '""', '"None"', '" null "', '"true"', '"Off"', '"10"', '" 10 "', '"-1"', '"5m"', '"1h30m"', '"1d 12h"', '"PT5M"', '"7 days, 0:00:00"',
    '"timedelta(minutes=5)"', '"5 parsecs"', '"0"', '"-0"', '"0.0"', '"+1.5"', '"1e3"', '"+5m"', '"500ms"', '"1 hour, 30 minutes"', '"1.5h"', '"2 years"', '"+7"', '"127.0.0.1:+80"', '"5M"', '"1:30:00"',
    '"nonsense €"', '"a"', '"a,b"', '"[1]"', '"{}"', '"/api/"', '"127.0.0.1:8000"',
    '"unix:/run/s.sock"', '"8000"', '"660"', '"0o600"', '"999"', '"User"', '"stateless"', '"JSON"', '"HS256"', '"hs256"', '"RS256"',
    '"uuid"', '"copy"', '"forwarded"', '"X-FORWARDED-FOR"', '"Lax"', '"cookie"', '"feed"', '"redacted"', '"refuse"', '"never"',
    '"postgres://u@h/d"', '"oracle://h/d"', '"sqlite:////srv/d"', '"argon2"', '"SlidingToken"', '"https://app.example.com"', '"warn"',
]  # fmt: skip
# What is more than a form: the parser looks into strings (numbers in quotes, too, and lists of strings), the schema doesn't.
OF_A_FORM = ('"', '["', "[]", "{ minutes = 5")
READ_FURTHER = {
    "django.secret_key_fallbacks", "keys.encryption_key", "simple_jwt.verifying_keys",
    "database.max_connections", "database.purge_batch", "database.url", "gateway.headers", "log.level", "oauth.clients", "password.hashers", "password.max_refusal_work", "password.threads",
    "server.allowed_origins", "server.bind", "server.body_limit", "server.header_limit", "server.max_connections", "server.prefix", "server.socket_mode",
    "simple_jwt.audience", "simple_jwt.auth_header_types", "simple_jwt.auth_token_classes", "simple_jwt.jwk_url",
}  # fmt: skip


def run(*arguments, **environment):
    command = [binary(), "config", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)


@pytest.fixture(scope="module")
def schema():
    done = run("schema")
    assert done.returncode == 0, done.stderr
    schema = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]
    return schema


@pytest.fixture(scope="module")
def validator(schema):
    return jsonschema.Draft202012Validator(schema)


def problems(validator, document):
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def example():
    """Each line of `config example` that is commented out, with its table; not those of realms."""
    table, lines = None, []
    for line in run("example").stdout.splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            table = heading[1]
        elif line.startswith("#[realms."):
            break
        elif setting := re.match(r"#(\w+ = .*)", line):
            lines.append((table, setting[1]))
    return lines


def test_every_line_of_the_example_is_valid_and_described(schema, validator):
    lines = example()
    assert len(lines) > 100
    for table, line in lines:
        document = tomllib.loads(f"[{table}]\n{line}\n")
        assert problems(validator, document) == [], line
        if table != "claims":
            (name,) = document[table]
            described = schema["properties"][table]["properties"][name]
            assert described["title"] and described["description"], line


def test_no_name_is_in_the_schema_that_the_parser_refuses(schema, tmp_path):
    """The other way round: the parser reports a name that it doesn't know."""
    file = tmp_path / "simplejwt.toml"
    for table, described in schema["properties"].items():
        names = described.get("properties", {})
        for spelling in (str.lower, str.upper):
            lines = [f"{name} = []\n" for name in names if name == spelling(name)]
            file.write_text(f"[{table}]\n" + "".join(lines))
            told = run("print", "--config", str(file)).stderr
            assert not lines or "unknown" not in told, told


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_documented_configuration_is_valid(block, validator):
    assert problems(validator, tomllib.loads(block.text)) == [], block.text


def refused(table, names, value, folder):
    """Which of a table's settings the parser doesn't take this value for."""
    file = pathlib.Path(folder) / "simplejwt.toml"
    text = f"[{table}]\n" + "".join(f"{name} = {value}\n" for name in names)
    file.write_text(text)
    told = run("print", "--config", str(file)).stderr
    found = set()
    for line in told.splitlines():
        for name in names:
            label = f"[{table}]" if table == "claims" else name
            start = rf".*{re.escape(str(file))}: {re.escape(label)} "
            if re.match(start, line, re.I) and "has no effect" not in line:
                found.add(name)
    return found


def test_the_schema_agrees_with_the_parser(schema, validator, tmp_path):
    """A value that the parser takes is valid. One that it refuses isn't, but for texts that it reads further."""
    tables = {table: described.get("properties", {"c": {}}) for table, described in schema["properties"].items() if table != "realms"}
    cases = []
    for table, names in tables.items():
        # A file and its setting exclude each other, and so do the two spellings of upstream's names.
        plain = [name for name in names if not name.lower().endswith("_file") and name == name.lower() and "const" not in names[name]]
        for at, value in enumerate(VALUES):
            folder = tmp_path / f"{table}-{at}"
            folder.mkdir()
            cases.append((table, plain, value, folder))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        by_parser = list(pool.map(lambda case: refused(*case), cases))
    taken, turned_down, further, wrong = 0, 0, set(), []
    for (table, names, value, _), outcome in zip(cases, by_parser, strict=True):
        for name in names:
            is_valid = not problems(validator, tomllib.loads(f"[{table}]\n{name} = {value}\n"))
            is_taken = name not in outcome
            taken += is_taken
            turned_down += not is_valid
            if is_taken == is_valid:
                continue
            if is_valid and value.startswith(OF_A_FORM) and f"{table}.{name}" in READ_FURTHER:
                further.add(f"{table}.{name}")
            else:
                wrong.append(f"{table}.{name} = {value}: the parser {'takes' if is_taken else 'refuses'} it")
    assert wrong == [], "\n".join(wrong)
    assert taken > 1500 and turned_down > 4000, (taken, turned_down)
    assert further == READ_FURTHER, READ_FURTHER - further


PLACE = '[realms.a]\nprefix = "/a"\n'
OWN = f"""{PLACE}[realms.a.simple_jwt]
issuer = "a"
signing_key = "a-key-of-more-than-thirty-two-bytes-for-a"
"""


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        (OWN, True),
        (OWN.replace('prefix = "/a"', 'host = "a.example"'), True),
        (OWN + '[realms.a.users]\ntable = "people"\n[realms.a.server]\ndemo = true\n', True),
        (OWN.replace("issuer", "ISSUER"), True),
        (OWN.replace("signing_key", "leeway = 7\nsigning_key"), True),
        (OWN.replace('prefix = "/a"', 'prefix = "/a"\nhost = "a.example"'), False),
        (OWN.replace('prefix = "/a"', ""), False),
        (OWN.replace("realms.a", "realms.A"), False),
        (OWN.replace("signing_key", "leeway = true\nsigning_key"), False),
        (OWN.replace("[realms.a]", '[realms.a]\nissuer = "a"'), False),
        (OWN + '[realms.a.log]\nlevel = "info"\n', False),
        (OWN + '[realms.a.tls]\nkey = "a"\n', False),
        (OWN + '[realms.a.server]\nbind = "127.0.0.1:8000"\n', False),
        (OWN + "[realms.a.sever]\n", False),
        ("[realms]\na = 1\n", False),
    ],
)
def test_realms(text, is_valid, validator, tmp_path):
    """The schema and the parser agree on what a realm may have."""
    file = tmp_path / "simplejwt.toml"
    file.write_text(text)
    done = run("print", "--config", str(file))
    assert (done.returncode == 0) == is_valid, done.stderr
    assert (problems(validator, tomllib.loads(text)) == []) == is_valid


def test_files_with_values_and_their_settings_exclude_each_other(validator):
    for text in [
        '[database]\nurl = "sqlite:////d"\nurl_file = "url"\n',
        '[database]\nurl = "sqlite:////d"\npath = "d"\n',
        '[django]\nsecret_key = "a"\nsecret_key_file = "b"\n',
        "[simple_jwt]\nsigning_key_file = 7\n",
        "[sever]\n",
        'bind = "127.0.0.1:8000"\n',
    ]:
        assert problems(validator, tomllib.loads(text)), text


def taplo(file, schema):
    program = shutil.which("taplo", path=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program, "there is no taplo: `cargo xtask test` installs it"
    command = [program, "lint", "--no-auto-config", "--schema", schema.as_uri(), file]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_taplo_goes_by_it(tmp_path):
    schema, file = tmp_path / "schema.json", tmp_path / "simplejwt.toml"
    schema.write_text(run("schema").stdout)
    lines = {}
    for table, line in example():
        lines.setdefault(table, []).append(line)
    good = ["".join(f"[{table}]\n{line}\n" for table, line in one.items()) for one in [{table: some[0] for table, some in lines.items()}]]
    for text in [*good, *(block.text for block in BLOCKS)]:
        file.write_text(text)
        done = taplo(file, schema)
        assert done.returncode == 0, f"{text}\n{done.stderr}"
    for text, told in [
        ("[server]\nbody_limit = true\n", "body_limit"),
        ("[server]\nbindd = 1\n", "bindd"),
        ('[sessions]\nrevocation = "strickt"\n', "revocation"),
    ]:
        file.write_text(text)
        done = taplo(file, schema)
        assert done.returncode != 0 and told in done.stderr, f"{text}\n{done.stderr}"
