"""Prints what a password hash costs in Django's releases, as the table of docs/operations.md.

    python compat/django_costs.py

Reads each `hashers.py` out of Django's own wheel, which pip fetches: no interpreter that runs that
Django is needed. Only that file is kept, in .cache/django-hashers.
"""

import ast
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache/django-hashers"
# The last release of each, or the last there was.
RELEASES = ("3.2.25", "4.0.10", "4.1.13", "4.2.30", "5.0.14", "5.1.15", "5.2.19", "6.0.10", "6.1.3")
# One that has a wheel of every release.
PYTHON = "3.13"
HEAD = (
    "| Django | PBKDF2 iterations | Argon2 | scrypt | bcrypt rounds |\n"
    "|---|---|---|---|---|\n"
)


def source(release):
    """The text of that release's `hashers.py`."""
    kept = CACHE / f"{release}.py"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            command += ["--no-input", "--no-deps", "--only-binary=:all:", "--python-version", PYTHON]
            subprocess.run([*command, "--dest", folder, f"Django=={release}"], check=True)
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as opened:
                text = opened.read("django/contrib/auth/hashers.py")
        # In one step, so that an interrupted run leaves no half a file.
        written = kept.with_suffix(".new")
        written.write_bytes(text)
        written.rename(kept)
    return kept.read_text()


def number(node):
    """An integer, or a power or product of integers."""
    if isinstance(node, ast.BinOp):
        left, right = number(node.left), number(node.right)
        return {ast.Pow: pow, ast.Mult: int.__mul__}[type(node.op)](left, right)
    value = ast.literal_eval(node)
    if type(value) is not int:
        raise ValueError(f"{ast.unparse(node)} is not an integer")
    return value


def costs(text):
    """What each hasher's class says, by class and attribute."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                    name = line.targets[0].id
                    if name in ("iterations", "time_cost", "memory_cost", "parallelism", "work_factor", "block_size", "rounds"):
                        found.setdefault(node.name, {})[name] = number(line.value)
    return found


def row(release):
    found = costs(source(release))
    series = ".".join(release.split(".")[:2])
    argon2, scrypt = found["Argon2PasswordHasher"], found.get("ScryptPasswordHasher")
    cells = [
        series,
        f"{found['PBKDF2PasswordHasher']['iterations']:,}",
        f"t={argon2['time_cost']} m={argon2['memory_cost']} p={argon2['parallelism']}",
        f"n={scrypt['work_factor']} r={scrypt['block_size']} p={scrypt['parallelism']}" if scrypt else "",
        str(found["BCryptSHA256PasswordHasher"]["rounds"]),
    ]
    return "| " + " | ".join(cells) + " |\n"


def table():
    return HEAD + "".join(map(row, RELEASES))


if __name__ == "__main__":
    print(table(), end="")
