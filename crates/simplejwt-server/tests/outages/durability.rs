//! kill -9 under load: acknowledged changes persist.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;

use crate::support::process::{PATIENCE, Server, head, run, run_with_input, stderr};
use crate::support::site::pause;

const ROUNDS: usize = 6;
const CLIENTS: usize = 8;

/// The changes that a client was told about with a 200.
#[derive(Default)]
struct Acknowledged {
    /// Refresh tokens that were rotated or blacklisted.
    spent: Vec<String>,
    /// The refresh tokens that clients held last, with `true` if their next use was under way.
    live: Vec<String>,
    rotations: usize,
    logouts: usize,
}

/// Sends a request whose server may die in the middle of it; then returns `None`.
fn post(address: SocketAddr, path: &str, json: &str) -> Option<(u16, serde_json::Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let head = head("POST", path, &[("Content-Type", "application/json")], json.len());
    stream.write_all(format!("{head}{json}").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

/// Logs in, rotates a few times, logs out, and repeats that until the server is gone.
fn client(address: SocketAddr, acknowledged: &Mutex<Acknowledged>) {
    let login = r#"{"username":"alice","password":"wonderland"}"#;
    while let Some((200, pair)) = post(address, "/api/token/", login) {
        let mut refresh = pair["refresh"].as_str().unwrap().to_owned();
        for turn in 0..6 {
            let body = format!(r#"{{"refresh":"{refresh}"}}"#);
            let path = if turn < 5 { "/api/token/refresh/" } else { "/api/token/blacklist/" };
            let Some((status, answer)) = post(address, path, &body) else { return };
            assert_eq!(status, 200, "{answer}");
            let mut acknowledged = acknowledged.lock().unwrap();
            acknowledged.spent.push(refresh);
            if turn == 5 {
                acknowledged.logouts += 1;
                break;
            }
            refresh = answer["refresh"].as_str().unwrap().to_owned();
            acknowledged.rotations += 1;
            acknowledged.live.push(refresh.clone());
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    survives_a_kill(&[]);
}

#[test]
fn what_was_acknowledged_survives_a_kill_by_session() {
    survives_a_kill(&[("SIMPLEJWT_SESSION_CLAIM", "true"), ("SIMPLEJWT_SESSION_ROWS", "sessions")]);
}

fn survives_a_kill(settings: &[(&str, &str)]) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/db.sqlite3", directory.path().display());
    let mut environment = vec![
        ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256"),
        ("SIMPLEJWT_BIND", "127.0.0.1:0"),
        ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000"),
        ("DATABASE_URL", url.as_str()),
        ("SIMPLEJWT_TOKEN_BLACKLIST", "true"),
        ("SIMPLE_JWT", r#"{"ROTATE_REFRESH_TOKENS":true,"BLACKLIST_AFTER_ROTATION":true}"#),
    ];
    environment.extend(settings);
    assert!(run(&["migrate"], &environment).status.success());
    let added = run_with_input(
        &["user", "add", "alice", "--password-stdin", "--no-validate"],
        &environment,
        "wonderland\n",
    );
    assert!(added.status.success(), "{}", stderr(&added));

    let acknowledged = Mutex::new(Acknowledged::default());
    for round in 1..=ROUNDS {
        let server = Server::start(&["serve"], &environment, directory.path());
        let enough = acknowledged.lock().unwrap().rotations + 40 * round;
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| client(server.address, &acknowledged));
            }
            while acknowledged.lock().unwrap().rotations < enough {
                pause();
            }
            server.signal("-KILL");
        });
        assert!(!server.wait().success());
    }

    let server = Server::start(&["serve"], &environment, directory.path());
    let Acknowledged { spent, mut live, rotations, logouts } = acknowledged.into_inner().unwrap();
    assert!(rotations >= 40 * ROUNDS && logouts > 0, "{rotations} rotations, {logouts} logouts");
    for token in &spent {
        let (status, answer) =
            post(server.address, "/api/token/refresh/", &format!(r#"{{"refresh":"{token}"}}"#))
                .unwrap();
        assert_eq!(status, 401, "a spent token came back to life: {answer}");
        assert_eq!(answer["detail"], "Token is blacklisted");
    }
    // An issued successor works, unless the kill came while it was being used.
    live.retain(|token| !spent.contains(token));
    let under_way = live
        .iter()
        .filter(|token| {
            let body = format!(r#"{{"refresh":"{token}"}}"#);
            post(server.address, "/api/token/refresh/", &body).unwrap().0 != 200
        })
        .count();
    assert!(under_way <= CLIENTS * ROUNDS, "{under_way} of {}", live.len());
}
