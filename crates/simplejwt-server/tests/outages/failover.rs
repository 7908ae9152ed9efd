//! A PostgreSQL that is unavailable: at the start, for a while, and permanently, with a standby
//! promoted under load. Acknowledged changes persist; others can be requested again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]
#![allow(
    clippy::disallowed_methods,
    reason = "how long a failing server keeps others waiting is measured by the real clock"
)]

mod feed;
mod load;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::process::{PATIENCE, Response, head, run, run_with_input, stderr};
use crate::support::site::pause;

const LOGIN: &str = r#"{"username":"alice","password":"wonderland"}"#;

fn environment(url: &str) -> Vec<(&str, &str)> {
    vec![
        ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256"),
        ("SIMPLEJWT_BIND", "127.0.0.1:0"),
        ("SIMPLEJWT_DEMO", "true"),
        ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000"),
        ("DATABASE_URL", url),
        ("SIMPLEJWT_TOKEN_BLACKLIST", "true"),
        ("SIMPLEJWT_ROTATION_GRACE", "5m"),
        ("SIMPLE_JWT", r#"{"ROTATE_REFRESH_TOKENS":true,"BLACKLIST_AFTER_ROTATION":true}"#),
    ]
}

/// Creates the tables and a user.
fn prepare(environment: &[(&str, &str)]) {
    let made = run(&["migrate"], environment);
    assert!(made.status.success(), "{}", stderr(&made));
    let added = run_with_input(
        &["user", "add", "alice", "--password-stdin", "--no-validate"],
        environment,
        "wonderland\n",
    );
    assert!(added.status.success(), "{}", stderr(&added));
}

/// A server for many threads at once.
#[derive(Clone, Copy)]
struct Peer(SocketAddr);

impl Peer {
    fn request(self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut stream = TcpStream::connect(self.0).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = head(method, path, headers, body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        Response::read(stream)
    }

    fn get(self, path: &str) -> Response {
        self.request("GET", path, &[], "")
    }

    fn post(self, path: &str, json: &str) -> Response {
        self.request("POST", path, &[("Content-Type", "application/json")], json)
    }
}

/// Asserts that the answer is that for an unavailable database.
fn assert_unavailable(answer: &Response) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.head.contains("\r\nretry-after: "), "{answer:?}");
}

fn refresh(server: Peer, token: &str) -> Response {
    server.post("/api/token/refresh/", &format!(r#"{{"refresh":"{token}"}}"#))
}

/// Asserts that requests without the database work: tokens are verified by the key alone.
fn assert_stateless_goes_on(server: Peer, access: &str) {
    let bearer = format!("Bearer {access}");
    let path = "/api/protected-stateless/";
    let answer = server.request("GET", path, &[("Authorization", &bearer)], "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(server.get("/healthz").status, 200);
}

fn jti(token: &str) -> String {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    payload["jti"].as_str().unwrap().to_owned()
}

/// Asks for `/readyz` until it has this status.
fn await_readiness(server: Peer, status: u16) -> Duration {
    let begun = Instant::now();
    loop {
        let answer = server.get("/readyz");
        if answer.status == status {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "{answer:?}");
        pause();
    }
}

fn host(url: &str) -> &str {
    url.split_once('@').unwrap().1.split_once('/').unwrap().0
}

#[test]
fn without_a_database_it_does_not_start() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://simplejwt:s3cret-password@127.0.0.1:{free}/simplejwt");
    for command in [&["serve"][..], &["migrate"], &["user", "list"]] {
        let at_once = [&environment(&url)[..], &[("SIMPLEJWT_DATABASE_WAIT", "0")]].concat();
        let done = run(command, &at_once);
        let text = stderr(&done);
        assert!(!done.status.success(), "{command:?}");
        assert!(text.contains(&format!("127.0.0.1:{free}")), "{command:?}: {text}");
        assert!(text.contains("is it running"), "{command:?}: {text}");
        assert!(!text.contains("s3cret-password"), "{command:?}: {text}");
        assert!(text.lines().count() <= 3, "{command:?}: {text}");
    }
}
