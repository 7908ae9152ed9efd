"""The table of what a password hash costs in Django's releases."""

import pathlib
import subprocess
import sys

import pytest

import servers

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "compat"))
import django_costs  # noqa: E402

INSTALLED = """
import django
from django.contrib.auth import hashers as h
a, s = h.Argon2PasswordHasher, h.ScryptPasswordHasher
series = '.'.join(map(str, django.VERSION[:2]))
print(f'| {series} | {h.PBKDF2PasswordHasher.iterations:,} | t={a.time_cost} m={a.memory_cost} p={a.parallelism} '
      f'| n={s.work_factor} r={s.block_size} p={s.parallelism} | {h.BCryptSHA256PasswordHasher.rounds} |')
"""


def test_the_table_in_the_documentation_is_djangos():
    assert django_costs.table() in (ROOT / "docs/operations.md").read_text()


@pytest.mark.parametrize("django", ["4.2", "5.2"])
def test_what_is_read_out_of_a_release_is_what_it_has_when_it_runs(django):
    python = servers.django_4_2() if django == "4.2" else sys.executable
    done = subprocess.run([python, "-c", INSTALLED], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"| {django} |")
    assert done.stdout in django_costs.table()
