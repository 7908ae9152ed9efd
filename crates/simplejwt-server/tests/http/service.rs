//! The whole service on a real socket.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

mod claims;
mod key_sources;
mod keys;
mod requests;
mod start;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use simplejwt::{Access, Algorithm, Clock as _, KeySet, Settings, SigningKey, SystemClock, Tokens};
use tempfile::TempDir;

use crate::support::process::{Response, Server, head, run_with_input, stderr};
use crate::support::site::pause;

const SECRET: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");
const ANY_PORT: (&str, &str) = ("SIMPLEJWT_BIND", "127.0.0.1:0");
/// Much too little work for anything but tests.
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
    // The server has read the head when another request, sent later, has been answered.
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
            pause();
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

/// Serves this JSON on every connection, and counts the connections.
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
    // At the start, and for all of them together.
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
