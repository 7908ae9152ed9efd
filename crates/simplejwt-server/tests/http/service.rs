//! The whole service on a real socket.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

mod keys;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::process::{Response, Server, head, run, run_with_input, stderr, stdout};
use simplejwt::{Access, Algorithm, Clock as _, KeySet, Settings, SigningKey, SystemClock, Tokens};
use tempfile::TempDir;

const SECRET: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");
const ANY_PORT: (&str, &str) = ("SIMPLEJWT_BIND", "127.0.0.1:0");
/// Far too little work for anything but tests.
const QUICK: (&str, &str) = ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000");

const WAIT: (&str, &str) = ("SIMPLEJWT_DATABASE_BUSY_TIMEOUT", "10ms");

/// A migrated database with the user alice, and the environment that serves it.
struct Site {
    directory: TempDir,
    url: String,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/db.sqlite3", directory.path().display());
        let site = Self { directory, url };
        for (args, input) in [
            (&["migrate"][..], ""),
            (&["user", "add", "alice", "--password-stdin", "--no-validate"][..], "wonderland\n"),
        ] {
            let output = run_with_input(args, &site.environment(&[]), input);
            assert!(output.status.success(), "{}", stderr(&output));
        }
        site
    }

    fn environment<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut all = vec![SECRET, ANY_PORT, QUICK, ("DATABASE_URL", &self.url)];
        all.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
        all.extend(more);
        all
    }

    fn serve(&self, more: &[(&str, &str)]) -> Server {
        Server::start(&["serve"], &self.environment(more), self.directory.path())
    }
}

fn log_in(server: &Server) -> Response {
    let response = server.post("/api/token/", r#"{"username":"alice","password":"wonderland"}"#);
    assert_eq!(response.status, 200, "{response:?}");
    response
}

#[test]
fn quickstart_takes_up_what_is_there_whole_or_half() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("d");
    let args = ["quickstart", "--dir", dir.to_str().unwrap(), "--no-serve"];
    let first = run(&args, &[]);
    assert!(first.status.success(), "{}", stderr(&first));
    assert!(stdout(&first).contains("simplejwt serve --config"));
    let (key, config) = (dir.join("signing.key"), dir.join("simplejwt.toml"));
    let before = (fs::read(&key).unwrap(), fs::read(&config).unwrap());

    let second = run(&args, &[]);
    assert!(second.status.success(), "{}", stderr(&second));
    assert!(!stdout(&second).contains("created "), "{}", stdout(&second));
    assert_eq!((fs::read(&key).unwrap(), fs::read(&config).unwrap()), before);
    let users = run(&["user", "list", "--config", config.to_str().unwrap()], &[]);
    assert_eq!(stdout(&users).matches("admin").count(), 1);

    // As if it had been interrupted after the key, and after the database file was made.
    fs::remove_file(&config).unwrap();
    fs::write(dir.join("db.sqlite3"), b"").unwrap();
    for left_over in ["db.sqlite3-wal", "db.sqlite3-shm"] {
        let _ = fs::remove_file(dir.join(left_over));
    }
    let third = run(&args, &[]);
    assert!(third.status.success(), "{}", stderr(&third));
    assert_eq!(fs::read(&key).unwrap(), before.0, "the key stays");
    assert!(stdout(&third).contains("shown only once"));
}

#[test]
fn quickstart_does_not_touch_what_the_environment_names() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("d");
    let other = place.path().join("other.sqlite3");
    let url = format!("sqlite://{}", other.display());
    let output = run(
        &["quickstart", "--no-serve", "--dir", dir.to_str().unwrap()],
        &[("DATABASE_URL", &url), SECRET],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!other.exists() && dir.join("db.sqlite3").exists());
}

#[test]
fn the_environment_alone_serves() {
    let site = Site::new();
    let server = site.serve(&[("SIMPLEJWT_DEMO", "true")]);
    let pair = log_in(&server);
    let bearer = format!("Bearer {}", pair.text("access"));
    for (path, welcome) in [
        ("/api/protected/", r#"{"message":"Welcome, alice!"}"#),
        ("/api/protected-stateless/", r#"{"message":"Welcome, !"}"#),
    ] {
        let response = server.request("GET", path, &[("Authorization", &bearer)], "");
        assert_eq!((response.status, response.body.as_str()), (200, welcome), "{path}");
        assert_eq!(server.get(path).status, 401);
    }
    let wrong = server.post("/api/token/", r#"{"username":"alice","password":"no"}"#);
    assert_eq!(wrong.status, 401);
    let body = format!(r#"{{"refresh":"{}"}}"#, pair.text("refresh"));
    assert!(!server.post("/api/token/refresh/", &body).text("access").is_empty());
    assert!(server.stop().success());
}

#[test]
fn a_restart_keeps_what_was_blacklisted() {
    let site = Site::new();
    let blacklist = [("SIMPLEJWT_TOKEN_BLACKLIST", "true")];
    let server = site.serve(&blacklist);
    let body = format!(r#"{{"refresh":"{}"}}"#, log_in(&server).text("refresh"));
    assert_eq!(server.post("/api/token/blacklist/", &body).status, 200);
    assert!(server.stop().success());
    let server = site.serve(&blacklist);
    let refused = server.post("/api/token/refresh/", &body);
    assert_eq!((refused.status, refused.text("detail").as_str()), (401, "Token is blacklisted"));
}

#[test]
fn sigterm_finishes_the_request_in_flight_and_takes_no_more() {
    let site = Site::new();
    let server = site.serve(&[]);
    let body = r#"{"username":"alice","password":"wonderland"}"#;
    let mut slow = server.connect();
    let json = [("Content-Type", "application/json")];
    slow.write_all(head("POST", "/api/token/", &json, body.len()).as_bytes()).unwrap();
    slow.write_all(&body.as_bytes()[..10]).unwrap();
    // The server has read the head once another request, sent later, has been answered.
    assert_eq!(server.get("/healthz").status, 200);
    let mut idle = server.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 1024]).unwrap() > 0);

    server.signal("-TERM");
    server.expect_stderr("stopping");
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0, "an idle connection is closed");
    assert!(std::net::TcpStream::connect(server.address).is_err());
    slow.write_all(&body.as_bytes()[10..]).unwrap();
    let response = Response::read(slow);
    assert_eq!(response.status, 200, "{response:?}");
    assert!(server.wait().success());
}

#[test]
fn requests_that_take_too_long_do_not_hold_up_the_end() {
    let site = Site::new();
    let server = site.serve(&[("SIMPLEJWT_SHUTDOWN_TIMEOUT", "100ms")]);
    let mut slow = server.connect();
    slow.write_all(head("POST", "/api/token/", &[], 100).as_bytes()).unwrap();
    assert_eq!(server.get("/healthz").status, 200);
    server.signal("-INT");
    server.expect_stderr("took longer");
    assert!(server.wait().success());
}

#[test]
fn health_and_what_is_not_there() {
    let site = Site::new();
    let server = site.serve(&[]);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    for path in ["/", "/nowhere", "/api/protected/", "/api/token/nowhere/"] {
        let response = server.get(path);
        // DIFFERENCE: Django answers with an HTML page.
        assert_eq!((response.status, response.body.as_str()), (404, r#"{"detail":"Not found."}"#));
        assert!(response.head.contains("content-type: application/json"));
    }
}

#[test]
fn a_purge_that_fails_is_named_until_it_works_again() {
    let site = Site::new();
    let server =
        site.serve(&[("SIMPLEJWT_TOKEN_BLACKLIST", "true"), ("SIMPLEJWT_PURGE_INTERVAL", "1s")]);
    let raw = rusqlite::Connection::open(site.directory.path().join("db.sqlite3")).unwrap();
    raw.busy_timeout(Duration::from_secs(5)).unwrap();
    let until = |told: &dyn Fn(&str) -> bool| {
        let begun = SystemClock.now().as_micros();
        loop {
            let answer = server.get("/readyz");
            assert_eq!(answer.status, 200, "{answer:?}");
            if told(&answer.body) {
                return;
            }
            assert!(SystemClock.now().as_micros() - begun < 30_000_000, "{answer:?}");
            std::thread::yield_now();
        }
    };
    until(&|body| !body.contains("purge"));
    raw.execute_batch(
        "INSERT INTO token_blacklist_outstandingtoken (token, expires_at, jti) \
         VALUES ('a.b.c', '2001-01-01 00:00:00', 'old'); \
         CREATE TRIGGER kept BEFORE DELETE ON token_blacklist_outstandingtoken \
         BEGIN SELECT raise(ABORT, 'kept'); END",
    )
    .unwrap();
    until(&|body| body.contains("the task \"purge\" has failed"));
    server.expect_stderr("kept");
    raw.execute_batch("DROP TRIGGER kept").unwrap();
    until(&|body| !body.contains("purge"));
}

#[test]
fn limits_of_a_request() {
    let site = Site::new();
    let server = site.serve(&[
        ("SIMPLEJWT_BODY_LIMIT", "1000"),
        ("SIMPLEJWT_HEADER_LIMIT", "8192"),
        ("SIMPLEJWT_BODY_TIMEOUT", "200ms"),
        ("SIMPLEJWT_HEADER_TIMEOUT", "300ms"),
    ]);
    // Fits exactly: taken, and found to be no login.
    let body = format!(r#"{{"username":"{}"}}"#, "x".repeat(1000 - 15));
    assert_eq!(server.post("/api/token/", &body).status, 400);
    assert_eq!(server.post("/api/token/", &format!("{body} ")).status, 413);
    assert_eq!(server.post("/api/token/", &"x".repeat(3_000_000)).status, 413);
    // A declared length isn't waited for.
    let mut huge = server.connect();
    huge.write_all(head("POST", "/api/token/", &[], 1_000_000_000).as_bytes()).unwrap();
    assert_eq!(Response::read(huge).status, 413);
    // A head too large.
    let long = "x".repeat(10_000);
    assert_eq!(server.request("GET", "/healthz", &[("X-Long", &long)], "").status, 431);
    // A body too slow, and a head that never ends.
    let mut slow = server.connect();
    slow.write_all(head("POST", "/api/token/", &[], 10).as_bytes()).unwrap();
    assert_eq!(Response::read(slow).status, 408);
    let mut silent = server.connect();
    silent.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"));
}

#[test]
fn two_requests_on_one_connection() {
    let site = Site::new();
    let server = site.serve(&[]);
    let mut stream = server.connect();
    for _ in 0..2 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn the_request_log_has_no_query_and_no_token() {
    let site = Site::new();
    let server = site.serve(&[("SIMPLEJWT_LOG_REQUESTS", "on"), ("SIMPLEJWT_LOG_FORMAT", "text")]);
    let authorization = [("Authorization", "Bearer not-to-be-logged")];
    server.request("GET", "/healthz?token=not-to-be-logged", &authorization, "");
    let line = server.expect_stderr("path=/healthz");
    assert!(line.contains("status=200") && !line.contains("not-to-be-logged"), "{line}");
}

/// Also what the router never sees: bodies that are too long, too slow or broken off.
#[test]
fn pages_of_an_allowed_origin_may_read_every_answer() {
    const APP: &str = "https://app.example.com";
    let site = Site::new();
    let server = site.serve(&[
        ("SIMPLEJWT_ALLOWED_ORIGINS", APP),
        ("SIMPLEJWT_BODY_LIMIT", "1000"),
        ("SIMPLEJWT_BODY_TIMEOUT", "100ms"),
    ]);
    let json = ("Content-Type", "application/json");
    let long = " ".repeat(1001);
    let permitted = |status: u16, head: &str| {
        let head = head.to_ascii_lowercase();
        for line in [
            "access-control-allow-origin: https://app.example.com",
            "access-control-allow-credentials: true",
        ] {
            assert_eq!(head.lines().filter(|other| *other == line).count(), 1, "{status} {head}");
        }
        let exposed = head.lines().find(|line| line.starts_with("access-control-expose-headers"));
        assert!(exposed.is_some_and(|line| line.contains("date")), "{head}");
        assert!(head.lines().any(|line| line.starts_with("date: ")), "{head}");
        let varies = |line: &&str| line.starts_with("vary:") && line.contains("origin");
        assert_eq!(head.lines().filter(varies).count(), 1, "{status} {head}");
    };
    for (method, path, body, status) in [
        ("POST", "/api/token/", "{}", 400),
        ("POST", "/api/token/", "{", 400),
        ("POST", "/api/token/", &*long, 413),
        ("POST", "/nowhere", &*long, 404),
        ("GET", "/nowhere", "", 404),
        ("GET", "/api/token/", "", 405),
        ("POST", "/healthz", "", 405),
        ("GET", "/healthz", "", 200),
        ("GET", "/readyz", "", 200),
        ("OPTIONS", "/api/token/", "", 200),
        ("POST", "/api/token/verify/", r#"{"token":"x"}"#, 401),
    ] {
        let answer = server.request(method, path, &[json, ("Origin", APP)], body);
        assert_eq!(answer.status, status, "{method} {path}");
        permitted(status, &answer.head);
        let other = server.request(method, path, &[json, ("Origin", "https://evil.example")], body);
        let head = other.head.to_ascii_lowercase();
        assert!(!head.contains("access-control-allow-origin"), "{head}");
        assert!(head.lines().any(|line| line.starts_with("vary:") && line.contains("origin")));
    }
    let slow = [("Origin", APP), ("Content-Length", "10")];
    let answer = server.request("POST", "/api/token/", &slow, "");
    assert_eq!(answer.status, 408);
    permitted(408, &answer.head);
    let asks = [("Origin", APP), ("Access-Control-Request-Method", "POST")];
    for path in ["/api/token/", "/nowhere", "/readyz"] {
        let preflight = server.request("OPTIONS", path, &asks, "");
        assert_eq!(preflight.status, 200);
        let head = preflight.head.to_ascii_lowercase();
        assert!(head.contains("access-control-allow-origin: https://app.example.com"), "{head}");
    }
}

/// The page sees a login that went well, and is logged out.
#[test]
fn cookies_that_browsers_drop_are_told_in_the_log_once() {
    let site = Site::new();
    let server = site.serve(&[
        ("SIMPLEJWT_TRANSPORT", "cookie"),
        ("SIMPLEJWT_ALLOWED_ORIGINS", r#"["http://127.0.0.1:3000", "http://box.lan:8000"]"#),
        ("SIMPLEJWT_LOG_FORMAT", "text"),
    ]);
    let body = r#"{"username":"alice","password":"wonderland"}"#;
    let login = |host: &str, origin: &str| {
        let headers = [("Content-Type", "application/json"), ("Origin", origin)];
        let head = format!(
            "POST /api/token/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        let head =
            headers.iter().fold(head, |head, (name, value)| format!("{head}{name}: {value}\r\n"));
        let mut stream = server.connect();
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    };
    // What browsers keep is nothing to tell.
    login("localhost:8000", "http://localhost:8000");
    for _ in 0..3 {
        login("box.lan:8000", "http://box.lan:8000");
    }
    let line = server.expect_stderr("plain HTTP: browsers drop");
    assert!(line.contains("box.lan") && !line.contains("localhost:8000"), "{line}");
    for _ in 0..3 {
        login("localhost:8000", "http://127.0.0.1:3000");
    }
    server.expect_stderr("page of another site");
    assert_eq!(server.told("browsers drop"), 0, "each is told once");
}

#[test]
fn it_refuses_to_start_with_lines_that_say_what_to_do() {
    let site = Site::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let dir = site.directory.path();
    fs::write(dir.join("text.sqlite3"), "this is no database, but long enough to be read").unwrap();
    fs::write(dir.join("empty.sqlite3"), "").unwrap();
    let file = |name: &str| format!("sqlite://{}", dir.join(name).display());
    let (text, empty) = (file("text.sqlite3"), file("empty.sqlite3"));
    let (none, nowhere) = (file("none.sqlite3"), file("no/where.sqlite3"));
    let (locked, foreign) = (file("locked.sqlite3"), file("foreign.sqlite3"));
    let here = format!("sqlite://{}", dir.display());
    let other = rusqlite::Connection::open(dir.join("foreign.sqlite3")).unwrap();
    other.execute_batch("CREATE TABLE auth_user (id integer PRIMARY KEY)").unwrap();
    let holder = rusqlite::Connection::open(dir.join("locked.sqlite3")).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE; CREATE TABLE t (a)").unwrap();
    let ec = r#"{"ALGORITHM": "ES256"}"#;
    for (more, code, told) in [
        (&[("SIMPLEJWT_BIND", port.as_str())][..], 5, "is in use"),
        (&[("SIMPLEJWT_BIND", "192.0.2.1:80")], 5, "not an address of this machine"),
        (&[("SECRET_KEY", "short")], 3, "needs at least 32"),
        (&[("SIMPLE_JWT", ec)], 3, "VERIFYING_KEY"),
        (&[("SIMPLEJWT_BLACKLIST_AFTER_ROTATION", "1")], 3, "token_blacklist = true"),
        (&[("DATABASE_URL", "postgres://h/d")], 3, "names no user"),
        (&[("DATABASE_URL", "postgres://u@h/d?conn_max_aeg=1")], 3, "parameter conn_max_aeg"),
        (&[("DATABASE_URL", "mysql://u@h/d?nonsense=1")], 3, "parameter nonsense"),
        (&[("DATABASE_URL", "postgres://u@h/d?sslrootcert=nowhere.pem")], 3, "nowhere.pem"),
        (&[("DATABASE_URL", "postgres://u@127.0.0.1:9/d")], 4, "is it running"),
        (&[("DATABASE_URL", text.as_str())], 4, "not an SQLite database"),
        (&[("DATABASE_URL", empty.as_str())], 4, "simplejwt migrate"),
        (&[("DATABASE_URL", none.as_str())], 4, "simplejwt migrate"),
        (&[("DATABASE_URL", nowhere.as_str())], 4, "check the path"),
        (&[("DATABASE_URL", here.as_str())], 4, "is not a file"),
        (&[("DATABASE_URL", locked.as_str()), WAIT], 4, "is locked by another program"),
        (&[("DATABASE_URL", foreign.as_str())], 4, "has no column \"username\""),
    ] {
        let more = [more, &[("SIMPLEJWT_DATABASE_WAIT", "0")]].concat();
        let output = run(&["serve"], &site.environment(&more));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {said}");
        assert!(said.contains(told), "{more:?}: {said}");
        assert!(said.lines().all(|line| line.starts_with("error: ")), "{said}");
        assert!(!said.contains("a-secret-key"), "{said}");
    }
    assert!(!dir.join("none.sqlite3").exists(), "serving makes no database");
}

/// Answers every connection with this JSON, and counts them.
fn json_server(json: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            count.fetch_add(1, Ordering::SeqCst);
            let length = json.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(json.as_bytes()).unwrap();
        }
    });
    (url, asked)
}

#[test]
fn keys_are_fetched_from_jwk_url_and_not_for_every_unknown_kid() {
    let key = |kid| {
        let pem = SigningKey::generate(Algorithm::Es256).unwrap();
        SigningKey::parse(Algorithm::Es256, pem.as_bytes(), false).unwrap().with_kid(kid)
    };
    let issued_with = |key: &SigningKey| {
        let settings = Settings { algorithm: Algorithm::Es256, ..Settings::default() };
        let keys = KeySet::new(key.clone());
        let tokens = Tokens::with(settings, keys, Arc::new(SystemClock)).unwrap();
        tokens.encode(&tokens.issue::<Access>("1")).unwrap()
    };
    let (known, unknown) = (key("known"), key("unknown"));
    let set = KeySet::new(known.clone()).jwks();
    let (url, asked) = json_server(serde_json::to_string(&set).unwrap());
    let site = Site::new();
    let server = site.serve(&[
        ("SIMPLEJWT_ALGORITHM", "ES256"),
        ("SIMPLEJWT_JWK_URL", &url),
        ("SIMPLEJWT_DEMO", "true"),
    ]);
    let protected = |token: &str| {
        let bearer = format!("Bearer {token}");
        server.request("GET", "/api/protected/", &[("Authorization", &bearer)], "")
    };
    let (good, bad) = (issued_with(&known), issued_with(&unknown));
    assert_eq!(protected(&good).status, 200);
    for _ in 0..20 {
        assert_eq!(protected(&bad).status, 401);
    }
    assert_eq!(protected(&good).status, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn ambiguous_framing_ends_the_connection() {
    let site = Site::new();
    let server = site.serve(&[]);
    for framing in [
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        "Content-Length: -1\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut stream = server.connect();
        let head = "POST /api/token/verify/ HTTP/1.1\r\nHost: localhost\r\n";
        stream.write_all(format!("{head}{framing}").as_bytes()).unwrap();
        // Reads up to the end of the connection, which would not come without it.
        assert_eq!(Response::read(stream).status, 400, "{framing}");
    }
}

fn payload(token: &serde_json::Value) -> serde_json::Value {
    use base64::Engine as _;

    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&engine.decode(part).unwrap()).unwrap()
}

#[test]
fn claims_are_those_of_the_configuration() {
    let site = Site::new();
    let path = site.directory.path().join("db.sqlite3");
    let raw = rusqlite::Connection::open(path).unwrap();
    raw.execute_batch(
        "UPDATE auth_user SET email = 'a@example.com';\
         INSERT INTO auth_group VALUES (1, 'writers'), (2, 'readers');\
         INSERT INTO auth_user_groups SELECT 1, id, 1 FROM auth_user;",
    )
    .unwrap();
    let claims = r#"{"mail":"email","roles":{"groups":true},"perms":{"permissions":true},
                     "tenant":{"value":{"name":"acme","plan":3}}}"#;
    for (on_refresh, renewed) in [("copy", "a@example.com"), ("recompute", "b@example.com")] {
        raw.execute_batch("UPDATE auth_user SET email = 'a@example.com'").unwrap();
        let server = site.serve(&[
            ("SIMPLEJWT_CLAIMS", claims),
            ("SIMPLEJWT_CLAIMS_ON_REFRESH", on_refresh),
            ("SIMPLE_JWT", r#"{"ROTATE_REFRESH_TOKENS": true}"#),
        ]);
        let pair = log_in(&server).json();
        raw.execute_batch("UPDATE auth_user SET email = 'b@example.com'").unwrap();
        let body = format!(r#"{{"refresh":{}}}"#, pair["refresh"]);
        let next = server.post("/api/token/refresh/", &body).json();
        for (pair, mail) in [(&pair, "a@example.com"), (&next, renewed)] {
            for token in [&pair["access"], &pair["refresh"]] {
                let said = payload(token);
                assert_eq!(said["mail"], mail, "{on_refresh}");
                assert_eq!(said["roles"], serde_json::json!(["writers"]));
                assert_eq!(said["perms"], serde_json::json!([]));
                assert_eq!(said["tenant"], serde_json::json!({"name": "acme", "plan": 3}));
            }
        }
        // A claim that can't be had is nobody else's business.
        raw.execute_batch("ALTER TABLE auth_group RENAME TO gone").unwrap();
        let body = r#"{"username":"alice","password":"wonderland"}"#;
        let refused = server.post("/api/token/", body);
        assert!(refused.status >= 500, "{refused:?}");
        assert!(!format!("{refused:?}").contains("auth_group"), "{refused:?}");
        raw.execute_batch("ALTER TABLE gone RENAME TO auth_group").unwrap();
    }
}

#[test]
fn claims_that_cant_be_had_refuse_to_start() {
    let site = Site::new();
    let raw = rusqlite::Connection::open(site.directory.path().join("db.sqlite3")).unwrap();
    raw.execute_batch("DROP TABLE auth_user_groups").unwrap();
    for (claims, code, told) in [
        ("mail=emall", 4, "no column \"emall\""),
        (r#"{"roles":{"groups":true}}"#, 4, "no table \"auth_user_groups\""),
        (r#"{"perms":{"permissions":true}}"#, 4, "no table \"auth_user_groups\""),
        ("jti=email", 3, "jti has a meaning of its own"),
        ("pw=password", 3, "holds a secret"),
    ] {
        let output = run(&["serve"], &site.environment(&[("SIMPLEJWT_CLAIMS", claims)]));
        assert_eq!(output.status.code(), Some(code), "{claims}: {}", stderr(&output));
        assert!(stderr(&output).contains(told), "{claims}: {}", stderr(&output));
    }
}
