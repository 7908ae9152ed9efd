"""Tokens in cookies, in a real browser: Chromium, driven over WebDriver.

The site is at localhost. A page at another port of it is another origin of the same site, which
the browser sends cookies for; a page at 127.0.0.1 is another site.
"""

import functools
import http.server
import json
import pathlib
import shutil
import subprocess
import threading
import time
import urllib.parse

import pytest
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

from servers import PASSWORD, Profile, binary

COOKIES = Profile(
    "cookies",
    {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
    extra={"SIMPLEJWT_TRANSPORT": "cookie", "SIMPLEJWT_SESSION_CLAIM": "true"},
)

# Sends a request as a page does, and returns status and text, or why there is no answer.
FETCH = """
const [url, options, done] = arguments;
fetch(url, {credentials: 'include', ...options})
    .then(async answer => done({status: answer.status, type: answer.type, text: await answer.text()}))
    .catch(error => done({error: String(error)}));
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A server of pages that are not ours."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "page.html").write_text("<!doctype html><title>elsewhere</title><body>")
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Pages; `/page.html?COOKIE` answers with that Set-Cookie."""

    def log_message(self, *_):
        pass

    def end_headers(self):
        path, _, cookie = self.path.partition("?")
        if path == "/page.html" and cookie:
            self.send_header("Set-Cookie", urllib.parse.unquote(cookie))
        super().end_headers()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    profile = tmp_path_factory.mktemp("chromium")
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP *.lan 127.0.0.1", f"--user-data-dir={profile}"]:
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    browser.set_script_timeout(20)
    yield browser
    browser.quit()


class Browser:
    """A browser without cookies, and the site that it looks at."""

    def __init__(self, chromium, ours, host="localhost"):
        self.chromium = chromium
        self.site = f"http://{host}:{ours.port}"
        chromium.get(f"{self.site}/healthz")
        chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def at(self, url):
        self.chromium.get(url)
        return self

    def at_home(self):
        return self.at(f"{self.site}/healthz")

    def fetch(self, path, value=None, method=None, **options):
        options["method"] = method or ("GET" if value is None else "POST")
        if value is not None:
            options.setdefault("headers", {"Content-Type": "application/json"})
            options["body"] = value if isinstance(value, str) else json.dumps(value)
        return self.chromium.execute_async_script(FETCH, self.site + path, options)

    def log_in(self):
        answer = self.fetch("/api/token/", {"username": "alice", "password": PASSWORD})
        assert answer["status"] == 200, answer
        return answer

    def cookies(self):
        """What the browser keeps, which no page sees."""
        all_of_them = self.chromium.execute_cdp_cmd("Storage.getCookies", {})["cookies"]
        return {cookie["name"]: cookie for cookie in all_of_them}


@pytest.fixture
def browser(chromium, site):
    return Browser(chromium, site(COOKIES).ours)


def test_log_in_call_refresh_log_out(browser):
    assert browser.fetch("/api/protected/")["status"] == 401
    browser.log_in()
    assert browser.fetch("/api/protected/")["text"] == '{"message":"Welcome, alice!"}'
    before = browser.cookies()
    assert browser.fetch("/api/token/refresh/", {})["status"] == 200
    after = browser.cookies()
    assert before.keys() == after.keys() == {"__Host-access", "__Secure-refresh"}
    assert all(before[name]["value"] != after[name]["value"] for name in before)
    assert browser.fetch("/api/protected/")["status"] == 200
    assert browser.fetch("/api/token/sessions/")["status"] == 200
    assert browser.fetch("/api/token/logout/", {})["text"] == '{"ended":1}'
    assert browser.cookies() == {}
    assert browser.fetch("/api/protected/")["status"] == 401
    answer = browser.fetch("/api/token/refresh/", {})
    assert (answer["status"], json.loads(answer["text"])["code"]) == (401, "not_authenticated")


def test_a_page_at_the_root(browser):
    """What this is, its state and working links; nothing that the browser refuses."""
    browser.chromium.get_log("browser")
    browser.at(f"{browser.site}/")
    assert browser.chromium.title == "simplejwt"
    text = browser.chromium.find_element("tag name", "body").text
    assert "State: ready" in text and "POST /api/token/" in text
    links = [link.get_attribute("href") for link in browser.chromium.find_elements("tag name", "a")]
    assert links == [f"{browser.site}/readyz", f"{browser.site}/healthz"]
    # It asks for its icon, which isn't there.
    told = [entry["message"] for entry in browser.chromium.get_log("browser") if "favicon" not in entry["message"]]
    assert told == []
    browser.at(links[0])
    assert browser.chromium.find_element("tag name", "body").text == "ready"


def test_no_script_can_read_a_token(browser):
    answers = [browser.log_in(), browser.fetch("/api/token/refresh/", {}), browser.fetch("/api/protected/")]
    kept = browser.cookies()
    assert all(cookie["httpOnly"] and cookie["secure"] for cookie in kept.values())
    assert kept["__Host-access"]["path"] == "/"
    assert kept["__Secure-refresh"]["path"] == "/api/token/"
    tokens = [cookie["value"] for cookie in kept.values()]
    # Also where the refresh token's cookie is sent to.
    for page in ["/healthz", "/api/token/verify/"]:
        browser.at(browser.site + page)
        seen = browser.chromium.execute_script(
            "return document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)"
            " + document.documentElement.outerHTML"
        )
        seen += "".join(answer["text"] for answer in answers)
        assert not any(token in seen or "eyJ" in seen for token in tokens)
    store = browser.chromium.execute_async_script(
        "const done = arguments[0]; cookieStore.getAll().then(all => done(all.map(c => c.name)))"
    )
    assert store == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_another_origin_can_neither_refresh_nor_log_out(browser, elsewhere, host):
    browser.log_in()
    before = browser.cookies()
    browser.at(f"http://{host}:{elsewhere}/page.html")
    for path in ["/api/token/refresh/", "/api/token/logout/", "/api/token/blacklist/"]:
        # As a form could, as JSON (with a preflight), and without wanting to see the answer.
        plain = {"Content-Type": "text/plain"}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for answer in [
            browser.fetch(path, {}),
            browser.fetch(path, "scope=all", headers=form),
            browser.fetch(path, "{}", headers=plain),
        ]:
            assert "error" in answer, (path, answer)
        assert browser.fetch(path, "scope=all", headers=form, mode="no-cors")["type"] == "opaque"
        submit(browser, path)
        browser.at(f"http://{host}:{elsewhere}/page.html")
    # Reading isn't possible, either.
    assert "error" in browser.fetch("/api/protected/")
    assert "error" in browser.fetch("/api/token/sessions/")
    assert browser.cookies() == before
    browser.at_home()
    assert browser.fetch("/api/token/refresh/", {})["status"] == 200
    assert len(json.loads(browser.fetch("/api/token/sessions/")["text"])) >= 1


def submit(browser, path):
    """Posts a form there, as the page itself goes there."""
    browser.chromium.execute_script(
        "const form = document.createElement('form'); form.method = 'POST'; form.action = arguments[0];"
        "form.innerHTML = '<input name=scope value=all>'; document.body.append(form); form.submit();",
        browser.site + path,
    )
    shown = WebDriverWait(browser.chromium, 10).until(
        lambda page: page.current_url.endswith(path) and page.execute_script("return document.body.innerText")
    )
    assert "csrf_failed" in shown


def test_nobody_is_logged_in_by_a_page_of_another_origin(browser, elsewhere):
    browser.at(f"http://localhost:{elsewhere}/page.html")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    browser.fetch("/api/token/", f"username=alice&password={PASSWORD}", headers=form, mode="no-cors")
    assert browser.cookies() == {}


def test_an_allowed_origin_may(chromium, site, elsewhere):
    origin = f"http://localhost:{elsewhere}"
    extra = {**COOKIES.extra, "SIMPLEJWT_ALLOWED_ORIGINS": origin}
    profile = Profile("cookies-cors", COOKIES.simple_jwt, extra=extra)
    browser = Browser(chromium, site(profile).ours)
    browser.at(f"{origin}/page.html")
    assert browser.log_in()["text"] == "{}"
    assert browser.fetch("/api/token/refresh/", {})["status"] == 200
    assert browser.fetch("/api/protected/")["text"] == '{"message":"Welcome, alice!"}'
    # Another site isn't this origin, whatever it is called.
    browser.at(f"http://127.0.0.1:{elsewhere}/page.html")
    assert "error" in browser.fetch("/api/protected/")
    browser.at(f"{origin}/page.html")
    assert browser.fetch("/api/token/logout/", {})["text"] == '{"ended":1}'


def test_an_expired_access_token_is_told_from_none(chromium, site):
    profile = Profile("cookies-short", {**COOKIES.simple_jwt, "ACCESS_TOKEN_LIFETIME": 1}, extra=COOKIES.extra)
    browser = Browser(chromium, site(profile).ours)

    def code():
        answer = browser.fetch("/api/protected/")
        return answer["status"], json.loads(answer["text"]).get("code")

    assert code() == (401, "not_authenticated")
    browser.log_in()
    until = time.monotonic() + 10
    while code()[0] == 200 and time.monotonic() < until:
        time.sleep(0.05)
    assert code() == (401, "token_not_valid")
    assert browser.cookies().keys() == {"__Host-access", "__Secure-refresh"}
    assert browser.fetch("/api/token/refresh/", {})["status"] == 200


def test_the_cookie_of_a_neighbour_changes_nothing(chromium, site, elsewhere):
    """A host beside ours sets a cookie of the same name, of a login of its own, that is sent first."""
    ours = site(COOKIES).ours
    browser = Browser(chromium, ours, "api.shop.localhost")
    browser.at_home().log_in()
    own = browser.cookies()["__Secure-refresh"]["value"]
    login = ours.post("/api/token/", {"username": "root", "password": PASSWORD})
    theirs = next(part for part in login.header("set-cookie").split(", ") if part.startswith("__Secure-refresh="))
    theirs = theirs.partition("=")[2].partition(";")[0]
    for token in [theirs, "junk", "a.b.c"]:
        cookie = f"__Secure-refresh={token}; Domain=shop.localhost; Path=/api/token/refresh/; Secure"
        browser.at(f"http://evil.shop.localhost:{elsewhere}/page.html?{urllib.parse.quote(cookie)}")
        kept = chromium.execute_cdp_cmd("Storage.getCookies", {})["cookies"]
        sent = sorted(kept, key=lambda cookie: -len(cookie["path"]))
        assert [c["value"] for c in sent if c["name"] == "__Secure-refresh"] == [token, own]
        # What another host can't set.
        browser.at(f"http://evil.shop.localhost:{elsewhere}/page.html?" + urllib.parse.quote("__Host-access=x; Domain=shop.localhost; Path=/; Secure"))
        browser.at_home()
        assert browser.fetch("/api/token/refresh/", {})["status"] == 200
        assert browser.fetch("/api/protected/")["text"] == '{"message":"Welcome, alice!"}'
        own = next(c["value"] for c in chromium.execute_cdp_cmd("Storage.getCookies", {})["cookies"]
                   if c["name"] == "__Secure-refresh" and c["domain"] == "api.shop.localhost")
    assert browser.fetch("/api/token/logout/", {})["text"] == '{"ended":1}'
    assert browser.fetch("/api/token/refresh/", {})["status"] == 401
    assert ours.post("/api/token/refresh/", {"refresh": own}).status == 401
    assert ours.post("/api/token/refresh/", {"refresh": theirs}).status == 200, "the neighbour's wasn't used up"


GRACE = Profile("cookies-grace", COOKIES.simple_jwt, extra={**COOKIES.extra, "SIMPLEJWT_ROTATION_GRACE": "10"})


@pytest.mark.parametrize("profile", [COOKIES, GRACE], ids=["defaults", "quickstart"])
def test_two_tabs_refresh_at_once(chromium, site, profile):
    browser = Browser(chromium, site(profile).ours)
    browser.log_in()
    first = chromium.current_window_handle
    chromium.switch_to.new_window("tab")
    second = chromium.current_window_handle
    start = """
        window.answers = [];
        for (let call = 0; call < 5; call++)
            fetch('/api/token/refresh/', {method: 'POST', body: '{}', headers: {'Content-Type': 'application/json'}})
                .then(answer => window.answers.push(answer.status));
    """
    try:
        browser.at_home()
        for _ in range(3):
            for tab in [first, second]:
                chromium.switch_to.window(tab)
                chromium.execute_script(start)
            statuses = []
            for tab in [first, second]:
                chromium.switch_to.window(tab)
                statuses += WebDriverWait(chromium, 10).until(
                    lambda page: (answers := page.execute_script("return window.answers")) and len(answers) == 5 and answers
                )
            if profile is GRACE:
                assert statuses == [200] * 10
            else:
                assert 200 in statuses and set(statuses) <= {200, 401}
            # Whoever lost goes on with the winner's cookies.
            assert browser.fetch("/api/protected/")["status"] == 200
            assert browser.fetch("/api/token/refresh/", {})["status"] == 200
    finally:
        chromium.switch_to.window(second)
        chromium.close()
        chromium.switch_to.window(first)


def test_cookies_that_are_dropped_are_told_in_the_log(chromium, site, elsewhere):
    extra = {**COOKIES.extra, "SIMPLEJWT_ALLOWED_ORIGINS": f"http://localhost:{elsewhere}"}
    ours = site(Profile("cookies-dropped", COOKIES.simple_jwt, extra=extra)).ours
    # Secure, over plain HTTP and not localhost.
    browser = Browser(chromium, ours, "box.lan")
    browser.log_in()
    assert browser.cookies() == {}
    assert ours.log.read_text().count("a login over plain HTTP") == 1
    # SameSite, for a page of another site.
    browser = Browser(chromium, ours, "127.0.0.1")
    browser.log_in()
    assert browser.cookies().keys() == {"__Host-access", "__Secure-refresh"}
    browser = Browser(chromium, ours, "127.0.0.1")
    browser.at(f"http://localhost:{elsewhere}/page.html").log_in()
    assert browser.cookies() == {}
    assert ours.log.read_text().count("a page of another site") == 1


def test_the_examples_page(chromium):
    example = pathlib.Path(binary()).parent / "examples" / "cookies"
    assert example.exists(), f"{example} isn't built: cargo build --examples --all-features"
    process = subprocess.Popen([example, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        chromium.get(f"http://localhost:{port}/")

        def click(selector, shown):
            chromium.find_element("css selector", selector).click()
            output = chromium.find_element("id", "output")
            WebDriverWait(chromium, 10).until(lambda _: output.text.startswith(shown), output.text)

        click("#call", "401")
        chromium.find_element("name", "password").send_keys("wonderland")
        click("#login button", "200 {}")
        click("#call", "200 Hello, alice!")
        click("#refresh", "200 {}")
        # The access token is lost: the page gets another by itself.
        chromium.execute_cdp_cmd("Network.deleteCookies", {"name": "__Host-access", "url": f"https://localhost:{port}/"})
        chromium.execute_cdp_cmd("Network.deleteCookies", {"name": "__Host-access", "domain": "localhost", "path": "/"})
        click("#call", "200 Hello, alice!")
        click("#logout", '200 {"ended":1}')
        click("#call", "401")
    finally:
        process.kill()
        process.wait()
