"""The files that are copied to run it: Dockerfile, compose.yaml, the unit of systemd."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import compose_spec
import pytest

import servers
from blocks import ROOT, all_blocks

DOCKERFILE = ROOT / "Dockerfile"


def tool(name):
    """A program beside this Python, or of the system."""
    found = shutil.which(name, path=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found, f"there is no {name}: `cargo xtask test` installs it, or says how"
    return found


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def stages():
    """The Dockerfile's instructions by stage, with lines joined."""
    found = []
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.M).replace("\\\n", "")
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest.strip()))
    return found


def test_the_dockerfile_is_without_a_complaint():
    run([tool("hadolint"), "--failure-threshold", "style", str(DOCKERFILE)])


def test_the_image_has_what_it_takes():
    *_, image = stages()
    words = dict(image)
    assert "ca-certificates" in words["RUN"]
    assert words["USER"] == "10001" and "--uid 10001" in words["RUN"]
    command = re.search(r"CMD (\[.*\])$", words["HEALTHCHECK"])[1]
    assert json.loads(command) == ["simplejwt", "health"]
    # Its command is there, and longer than the server needs to answer; and it isn't asked while it waits.
    limits = dict(re.findall(r"--([a-z-]+)=(\d+)s", words["HEALTHCHECK"]))
    settings = run([servers.binary(), "config", "example"])
    wait, answer = (int(re.search(rf"^#{name} = \"(\d+)s\"", settings, re.M)[1]) for name in ("wait", "operation_timeout"))
    assert int(limits["timeout"]) > answer + 2 and int(limits["start-period"]) > wait
    for words in (json.loads(words["CMD"]), json.loads(command)[1:]):
        run([servers.binary(), words[0], "--help"])


def test_the_layer_of_dependencies_is_made_of_the_manifests(tmp_path):
    """What the first stage leaves is a workspace that cargo takes, with the lock file as it is."""
    for name in walked():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    manifests, build, _ = stages()
    (made,) = [rest for word, rest in manifests if word == "RUN"]
    run(["sh", "-euc", made], cwd=tmp_path)
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"Cargo.toml", "Cargo.lock", "config.toml", "lib.rs", "main.rs"}
    assert all(path.read_text() in ("", "fn main() {}\n") for path in tmp_path.rglob("*.rs"))
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", str(tmp_path / "Cargo.toml")]
    packages = json.loads(run(command, cwd=tmp_path))["workspace_members"]
    assert len(packages) == len(list((ROOT / "crates").iterdir())) + 1
    # The same command, first without the sources and then with them.
    first, second = [rest for word, rest in build if word == "RUN"]
    command, _, rest = first.partition(" && ")
    # What stood in for the sources is gone before they come.
    assert re.sub(" +", " ", rest).strip() == "rm -r crates xtask"
    assert second.endswith(command.strip()) and "touch" in second
    assert [rest for word, rest in build if word == "COPY"] == ["--from=manifests /src .", ". ."]


def walked():
    """What stands in the folder that Docker is given."""
    skipped = (".git", ".cache", "target", ".venv", ".venv-django42")
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in skipped]
        files = [name for name in files if name != ".git"]
        yield from (str((pathlib.Path(folder) / name).relative_to(ROOT)) for name in files)


@pytest.fixture
def compose():
    options = compose_spec.PyOptions()
    options.apply_merge = True
    made = options.from_yaml((ROOT / "compose.yaml").read_text())
    made.validate()
    return json.loads(made.to_json())


def test_compose_is_read_and_says_what_it_should(compose):
    ours, migrate, database = (compose["services"][name] for name in ("simplejwt", "migrate", "db"))
    assert ours["command"] == ["serve"] and migrate["command"] == ["migrate"]
    assert ours["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert migrate["depends_on"]["db"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"][1] == "pg_isready"
    assert "/var/lib/postgresql/data" in database["volumes"][0]


def test_the_environment_of_compose_is_taken(compose, tmp_path):
    """The values as Compose fills them in, read by the server: nothing is refused or warned of."""
    given = {"DB_PASSWORD": "a" * 48, "SECRET_KEY": "b" * 64}
    filled = {}
    for name, value in compose["services"]["simplejwt"]["environment"].items():
        filled[name] = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: given[found[1]], str(value))
        assert "$" not in filled[name], name
    environment = {"PATH": os.environ["PATH"], **filled}
    done = subprocess.run([servers.binary(), "config", "print"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'rotation_grace = "10" # environment' in done.stdout
    assert given["DB_PASSWORD"] not in done.stdout


def unit():
    """The service; a page may have other files of this kind."""
    (block,) = [one for one in all_blocks() if one.language == "ini" and "[Service]" in one.text]
    return block.text


def test_systemd_takes_the_units(tmp_path):
    """Each of a unit's blocks, beside the service."""
    program = "/usr/local/bin/simplejwt"
    assert f"ExecStart={program} serve --config " in unit()
    made = [tmp_path / "simplejwt.service"]
    made[0].write_text(unit().replace(program, servers.binary()))
    for block in all_blocks():
        if block.language == "ini" and "[Socket]" in block.text:
            made.append(tmp_path / "simplejwt.socket")
            made[-1].write_text(block.text)
    done = subprocess.run([tool("systemd-analyze"), "verify", "--man=no", *made], capture_output=True, text=True, check=False)
    # What it says of units of this machine is that machine's affair.
    said = [line for line in done.stderr.splitlines() if "simplejwt" in line]
    assert said == [] and done.returncode == 0, done.stderr


def test_the_unit_survives_a_database_that_comes_late():
    """A start that ends because there is no database (4) is repeated, and not given up."""
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit(), re.M))
    for name in ("network-online.target", "postgresql.service", "mariadb.service", "mysql.service"):
        assert name in settings["After"].split()
    assert settings["Restart"] == "on-failure"
    assert "4" not in settings["RestartPreventExitStatus"].split()
    # systemd's own limit, which the unit leaves alone: five starts in ten seconds.
    assert "StartLimitBurst" not in settings
    assert int(settings["RestartSec"].removesuffix("s")) * 5 > 10
