"""Everybody else beside a flood of logins: who refreshes and verifies, and who logs in from elsewhere."""

import concurrent.futures
import http.client
import json
import statistics
import threading
import time

from servers import PASSWORD, Profile
from sides import HERE, REFRESH, ROTATING, BenchSite, Load, generator, heading

VERIFY = "/api/token/verify/"
LOGIN = "/api/token/"


def run(folder, window=5, rounds=5, connections=16, rate=200, times=10, addresses=200):
    extra = {"DJANGO_SETTINGS_MODULE": "bench_settings", "PYTHONPATH": str(HERE)}
    hashers = ("PBKDF2PasswordHasher",)
    site = BenchSite(Profile("flood", ROTATING, hashers=hashers, extra=extra), folder / "flood", "sqlite", connections)
    try:
        # The address is what the proxy in front says, so that there can be many.
        server = site.ours(SIMPLEJWT_NUM_PROXIES="1")
        capacity = logins_a_second(server)
        sides = {"refresh": Load(site, server, connections), "verify": Verifying(site, server, connections)}
        idle = {name: p99(load, window, rounds, rate) for name, load in sides.items()}
        heading(f"a login takes {1000 / capacity:.0f} ms of the machine; {rate} requests a second on {connections} connections")
        for name, value in idle.items():
            print(f"{name}: p99 {value:.2f} ms, idle")
        for sources in (1, addresses):
            heading(f"{times} times the logins that the machine can do, from {sources} addresses")
            with Flood(server, capacity * times, sources) as flood:
                time.sleep(2)
                for name, load in sides.items():
                    value = p99(load, window, rounds, rate)
                    print(f"{name}: p99 {value:.2f} ms, {value / idle[name]:.2f} times that (asked: at most 1.5)")
                print(f"a login from elsewhere: {elsewhere(server)}")
            print(f"the flood: {flood.answers()}")
    finally:
        site.close()


def post(server, path, body, address, timeout=60):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    headers = {"Content-Type": "application/json", "X-Forwarded-For": address}
    connection.request("POST", path, json.dumps(body), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def logins_a_second(server, count=20, at_once=4):
    body = {"username": "user0", "password": PASSWORD}
    post(server, LOGIN, body, "192.0.2.1")
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        statuses = list(pool.map(lambda _: post(server, LOGIN, body, "192.0.2.1"), range(count)))
    assert statuses == [200] * count, statuses
    return count / (time.monotonic() - started)


class Verifying:
    """Connections that verify an access token each."""

    def __init__(self, site, server, connections):
        self.server = server
        self.file = site.folder / "verified.tokens"
        self.file.write_text("".join(f"{access}\n" for _, access in site.log_in(server, connections)))

    def run(self, seconds, rate):
        return generator("load", f"127.0.0.1:{self.server.port}", VERIFY, self.file, seconds, rate)


def p99(load, window, rounds, rate):
    load.run(1, rate)
    windows = [load.run(window, rate) for _ in range(rounds)]
    assert not any(one["failures"] for one in windows), windows
    return statistics.median(one["p99_us"] for one in windows) / 1000


def elsewhere(server, count=5):
    body = {"username": "user1", "password": PASSWORD}
    said = []
    for number in range(count):
        started = time.monotonic()
        status = post(server, LOGIN, body, f"198.51.100.{number + 1}")
        said.append(f"{status} after {time.monotonic() - started:.1f} s")
    return ", ".join(said)


class Flood:
    """So many logins a second, each of another name, with a password that is wrong."""

    def __init__(self, server, rate, addresses):
        self.server, self.rate, self.addresses = server, rate, addresses
        self.statuses, self.lock, self.over = {}, threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.send, args=(number,)) for number in range(min(int(rate * 30), 400))]

    def send(self, number):
        sent, step = 0, len(self.threads) / self.rate
        due = time.monotonic() + step * number / len(self.threads)
        while not self.over.wait(max(0, due - time.monotonic())):
            source = (number + sent * len(self.threads)) % self.addresses
            body = {"username": f"nobody{number}-{sent}", "password": "guess"}
            try:
                status = post(self.server, LOGIN, body, f"203.0.{113 + source // 250}.{source % 250 + 1}")
            except OSError as error:
                status = type(error).__name__
            with self.lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1
            sent += 1
            due = max(due + step, time.monotonic())

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def answers(self):
        return ", ".join(f"{count} times {status}" for status, count in sorted(self.statuses.items(), key=str))
