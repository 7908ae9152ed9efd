"""Logins beside Django with simplejwt, one after the other: what hashing a password costs."""

import time

from servers import Profile
from sides import HERE, ROTATING, BenchSite, cpu_seconds, cpu_ticks, heading, processes

HASHERS = ("PBKDF2PasswordHasher", "Argon2PasswordHasher", "ScryptPasswordHasher")


def run(folder, logins=16):
    for hasher in HASHERS:
        extra = {"DJANGO_SETTINGS_MODULE": "bench_settings", "PYTHONPATH": str(HERE)}
        profile = Profile("logins", ROTATING, hashers=(hasher,), extra=extra)
        site = BenchSite(profile, folder / f"logins-{hasher}", "sqlite")
        try:
            heading(f"{logins} logins, {hasher} with Django's own cost")
            sides = [site.django(workers=("--workers", "1")), site.ours()]
            used = [measure(site, server, logins) for server in sides]
            print(f"Django takes {used[0] / used[1]:.2f} times the processor time")
        finally:
            site.close()


def measure(site, server, logins):
    # What is loaded or measured at the first login isn't counted.
    site.log_in(server, 2)
    before, started = cpu_ticks(processes(server)), time.monotonic()
    site.log_in(server, logins)
    took = time.monotonic() - started
    used = cpu_seconds(before, cpu_ticks(processes(server))) / logins * 1000
    print(f"{server.name:12} {used:6.0f} ms of a processor for each, answered within {took / logins * 1000:.0f} ms")
    return used
