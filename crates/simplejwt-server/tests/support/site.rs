//! Several server processes on one database, for each kind of database.
//!
//! The including test has `support/process.rs` as its module `process`.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::databases::{Database, DatabaseKind};
use super::process::{PATIENCE, Server, head, run, run_with_input, stderr};

pub(crate) const PASSWORD: &str = "wonderland";
const ROTATING: &str = r#"{"ROTATE_REFRESH_TOKENS":true,"BLACKLIST_AFTER_ROTATION":true}"#;

/// A database with the users alice (1) and bob (2, staff), and the servers on it.
pub(crate) struct Site {
    pub(crate) servers: Vec<Server>,
    environment: Vec<(String, String)>,
    directory: TempDir,
    // Dropped after the servers.
    pub(crate) database: Database,
}

impl Site {
    /// Creates a site with `rotation_grace` in seconds, and other settings as environment
    /// variables.
    pub(crate) fn new(
        kind: DatabaseKind,
        servers: usize,
        grace: u32,
        settings: &[(&str, &str)],
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::new(kind, directory.path());
        Self::with(database, directory, servers, grace, settings)
    }

    /// Creates a site on this database server.
    pub(crate) fn on(
        kind: DatabaseKind,
        url: &str,
        servers: usize,
        grace: u32,
        settings: &[(&str, &str)],
    ) -> Self {
        let database = Database::on(kind, url);
        Self::with(database, tempfile::tempdir().unwrap(), servers, grace, settings)
    }

    fn with(
        database: Database,
        directory: TempDir,
        servers: usize,
        grace: u32,
        settings: &[(&str, &str)],
    ) -> Self {
        let grace = grace.to_string();
        let mut environment: Vec<(String, String)> = [
            ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256"),
            ("SIMPLEJWT_BIND", "127.0.0.1:0"),
            ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1"),
            ("DATABASE_URL", database.url.as_str()),
            ("SIMPLEJWT_TOKEN_BLACKLIST", "true"),
            ("SIMPLEJWT_ROTATION_GRACE", grace.as_str()),
            ("SIMPLE_JWT", ROTATING),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in settings {
            environment.retain(|(other, _)| other != name);
            environment.push(((*name).to_owned(), (*value).to_owned()));
        }
        let mut site = Self { servers: Vec::new(), environment, directory, database };
        let migrated = run(&["migrate"], &site.environment());
        assert!(migrated.status.success(), "{}", stderr(&migrated));
        for user in [&["alice"] as &[_], &["bob", "--staff"]] {
            let mut args = vec!["user", "add"];
            args.extend_from_slice(user);
            args.extend(["--password-stdin", "--no-validate"]);
            let added = run_with_input(&args, &site.environment(), &format!("{PASSWORD}\n"));
            assert!(added.status.success(), "{}", stderr(&added));
        }
        for _ in 0..servers {
            let server = site.start();
            site.servers.push(server);
        }
        site
    }

    pub(crate) fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Changes a setting, for servers and commands that are started from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Returns the directory that relative paths are based on.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts another server.
    pub(crate) fn start(&self) -> Server {
        Server::start(&["serve"], &self.environment(), self.directory.path())
    }

    /// Kills a server by SIGKILL and starts it again.
    pub(crate) fn kill_and_restart(&mut self, number: usize) {
        let server = self.servers.remove(number);
        server.signal("-KILL");
        assert!(!server.wait().success());
        let server = self.start();
        self.servers.insert(number, server);
    }

    /// Runs a command of the program on the same database.
    pub(crate) fn command(&self, args: &[&str], input: &str) {
        let done = self.try_command(args, input);
        assert!(done.status.success(), "{args:?}: {}", stderr(&done));
    }

    /// Runs a command, whatever its result.
    pub(crate) fn try_command(&self, args: &[&str], input: &str) -> Output {
        run_with_input(args, &self.environment(), input)
    }

    pub(crate) fn post(&self, server: usize, path: &str, body: &Value) -> Answer {
        post(self.servers[server].address, path, body, &[])
            .unwrap_or_else(|| panic!("an answer from {path}"))
    }

    /// Logs alice in, and returns the pair of tokens.
    pub(crate) fn log_in(&self) -> Pair {
        let body = serde_json::json!({"username": "alice", "password": PASSWORD});
        self.post(0, "/api/token/", &body).pair()
    }

    pub(crate) fn refresh(&self, server: usize, token: &str) -> Answer {
        self.post(server, "/api/token/refresh/", &serde_json::json!({"refresh": token}))
    }

    /// Returns the addresses of the servers.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.address).collect()
    }

    /// Checks what must hold for every store whenever no request is under way: each parent has one
    /// successor, every live session has exactly one valid token, and no other session has any.
    /// Returns the numbers of successors, live sessions and ended sessions.
    pub(crate) fn check_rows(&self) -> Counts {
        let count = |sql: &str| self.database.number(sql);
        let forks = "SELECT count(*) FROM (SELECT parent_jti FROM simplejwt_session_token \
                     WHERE parent_jti IS NOT NULL GROUP BY parent_jti HAVING count(*) > 1) AS f";
        assert_eq!(count(forks), 0, "tokens with several successors");
        let counts = Counts {
            successors: count(
                "SELECT count(*) FROM simplejwt_session_token WHERE parent_jti IS NOT NULL",
            ),
            live: count("SELECT count(*) FROM simplejwt_session WHERE ended_at IS NULL"),
            ended: count("SELECT count(*) FROM simplejwt_session WHERE ended_at IS NOT NULL"),
        };
        let good = "FROM token_blacklist_outstandingtoken AS o \
                    JOIN simplejwt_session_token AS t ON t.jti = o.jti \
                    JOIN simplejwt_session AS s ON s.id = t.session_id \
                    WHERE NOT EXISTS (SELECT 1 FROM token_blacklist_blacklistedtoken AS b \
                    WHERE b.token_id = o.id)";
        assert_eq!(count(&format!("SELECT count(*) {good}")), counts.live, "good tokens");
        let sessions = count(&format!("SELECT count(DISTINCT s.id) {good} AND s.ended_at IS NULL"));
        assert_eq!(sessions, counts.live, "sessions with a good token");
        let tokens = count("SELECT count(*) FROM token_blacklist_outstandingtoken");
        assert_eq!(tokens, counts.successors + counts.live + counts.ended, "registered tokens");
        let blacklisted = count("SELECT count(*) FROM token_blacklist_blacklistedtoken");
        assert_eq!(blacklisted, tokens - counts.live, "blacklisted tokens");
        counts
    }
}

/// Sends `count` refreshes of one token at the same time, spread over the servers.
pub(crate) fn race(servers: &[SocketAddr], count: usize, token: &str) -> Vec<Answer> {
    let start = Barrier::new(count);
    let body = serde_json::json!({"refresh": token}).to_string();
    let request = format!("{}{body}", request_head("/api/token/refresh/", body.len(), &[]));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..count)
            .map(|number| {
                let address = servers[number % servers.len()];
                let (start, request) = (&start, &request);
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.set_nodelay(true).unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    start.wait();
                    stream.write_all(request.as_bytes()).unwrap();
                    read(stream).expect("an answer")
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

/// The counts of [`Site::check_rows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) successors: i64,
    pub(crate) live: i64,
    pub(crate) ended: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON in {self:?}"))
    }

    pub(crate) fn pair(&self) -> Pair {
        assert_eq!(self.status, 200, "{self:?}");
        let text = |name: &str| self.json()[name].as_str().unwrap().to_owned();
        Pair { access: text("access"), refresh: text("refresh") }
    }

    /// Asserts that the answer is upstream's refusal of a blacklisted token.
    pub(crate) fn assert_blacklisted(&self, why: &str) {
        assert_eq!(self.status, 401, "{why}: {self:?}");
        assert_eq!(self.json()["code"], "token_not_valid", "{why}");
        assert_eq!(self.json()["detail"], "Token is blacklisted", "{why}");
    }
}

fn request_head(path: &str, length: usize, headers: &[(&str, &str)]) -> String {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend_from_slice(headers);
    head("POST", path, &all, length)
}

fn read(mut stream: TcpStream) -> Option<Answer> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(Some(0), |length| length.trim().parse().ok())?;
    // Cut off in the middle: no answer.
    if body.len() < length {
        return None;
    }
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

/// Sends a request whose server may be dead, or die in the middle of it; then returns `None`.
pub(crate) fn post(
    address: SocketAddr,
    path: &str,
    body: &Value,
    headers: &[(&str, &str)],
) -> Option<Answer> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("{}{body}", request_head(path, body.len(), headers));
    stream.write_all(request.as_bytes()).ok()?;
    read(stream)
}

/// Waits a moment before something is asked again, so that whoever is asked has the processor.
pub(crate) fn pause() {
    wait(Duration::from_millis(10));
}

/// Lets real time pass that servers with the real clock must notice.
pub(crate) fn wait(time: Duration) {
    let (_sender, receiver) = channel::<()>();
    let _ = receiver.recv_timeout(time);
}
