//! `serve` when a machine starts: its database comes later, or never.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use crate::support::databases::{Database, DatabaseKind};
use crate::support::process::{self, run, simplejwt, stderr};

const KEY: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");

/// A child, and its standard error line by line. Killed when dropped.
struct Waiting {
    child: Child,
    lines: BufReader<ChildStderr>,
    said: String,
}

impl Waiting {
    fn start(environment: &[(&str, &str)]) -> Self {
        let mut child = simplejwt(&["serve"], &[&[KEY], environment].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Self { child, lines, said: String::new() }
    }

    /// Reads up to a line that contains `part`.
    fn up_to(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended before it said {part:?}:\n{}", self.said);
            self.said.push_str(&line);
            if line.contains(part) {
                return line;
            }
        }
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.lines.read_to_string(&mut self.said).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns an address on which nobody listens.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Forwards connections to the database's real address: from now on, it is available.
fn lead(from: SocketAddr, to: String) {
    let listener = TcpListener::bind(from).unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&to) else { continue };
            let mut back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let mut forth = (client, server);
            let pump = |pair: &mut (TcpStream, TcpStream)| {
                let _ = copy(&mut pair.0, &mut pair.1);
                let _ = pair.1.shutdown(Shutdown::Write);
            };
            thread::spawn(move || pump(&mut forth));
            thread::spawn(move || pump(&mut back));
        }
    });
}

/// Returns the URL with another address, and the original address.
fn elsewhere(url: &str, address: SocketAddr) -> (String, String) {
    let (before, rest) = url.rsplit_once('@').unwrap();
    let (host, database) = rest.split_once('/').unwrap();
    (format!("{before}@{address}/{database}"), host.to_owned())
}

#[test]
fn it_waits_for_its_database_and_is_ready_when_that_is_there() {
    for kind in [DatabaseKind::Postgres, DatabaseKind::Mysql] {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::new(kind, directory.path());
        let address = free();
        let (url, there) = elsewhere(&database.url, address);
        let bind = free();
        let bound = bind.to_string();
        assert!(run(&["migrate"], &[KEY, ("DATABASE_URL", &database.url)]).status.success());

        let mut server = Waiting::start(&[("DATABASE_URL", &url), ("SIMPLEJWT_BIND", &bound)]);
        let told = server.up_to("waiting for the database");
        assert!(told.contains("up to 60 s") && told.contains(&address.to_string()), "{told}");
        assert!(!told.contains("simplejwt:simplejwt"), "{told}");
        // The address is bound, but nothing is answered.
        assert!(TcpStream::connect(bind).is_err(), "{kind:?}");

        lead(address, there);
        server.up_to("the database is available");
        server.up_to("listening on");
        assert_eq!(server.said.matches("waiting for the database").count(), 1, "{}", server.said);
        let mut stream = TcpStream::connect(bind).unwrap();
        stream.write_all(process::head("GET", "/readyz", &[], 0).as_bytes()).unwrap();
        let answer = process::Response::read(stream);
        assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");
    }
}

#[test]
fn it_gives_up_after_a_while_and_at_once_where_waiting_is_no_use() {
    let directory = tempfile::tempdir().unwrap();
    for kind in [DatabaseKind::Postgres, DatabaseKind::Mysql] {
        let database = Database::new(kind, directory.path());
        let (nobody, _) = elsewhere(&database.url, free());
        let (_, host) = database.url.rsplit_once('@').unwrap();
        let scheme = database.url.split_once(':').unwrap().0;
        let wrong = format!("{scheme}://simplejwt:wrong@{host}");
        let none = format!("{}_none", database.url);
        for (url, wait, code, waits) in [
            (nobody.as_str(), "1", 4, true),
            (nobody.as_str(), "0", 4, false),
            (wrong.as_str(), "60", 4, false),
            (none.as_str(), "60", 4, false),
            // There are no tables.
            (database.url.as_str(), "60", 4, false),
        ] {
            let environment = [
                KEY,
                ("DATABASE_URL", url),
                ("SIMPLEJWT_DATABASE_WAIT", wait),
                ("SIMPLEJWT_BIND", "127.0.0.1:0"),
            ];
            let output = run(&["serve"], &environment);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(code), "{url}: {said}");
            assert_eq!(said.contains("waiting for the database"), waits, "{url}: {said}");
            assert!(said.lines().last().unwrap().starts_with("error: "), "{said}");
        }
    }
}

#[test]
fn a_signal_ends_the_waiting_and_a_taken_address_is_told_at_once() {
    let url = format!("postgres://u:p@{}/d", free());
    let bind = free().to_string();
    let environment = [("DATABASE_URL", url.as_str()), ("SIMPLEJWT_BIND", bind.as_str())];
    let mut server = Waiting::start(&environment);
    server.up_to("waiting for the database");
    let id = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(server.exit_code(), Some(0), "{}", server.said);
    assert!(server.said.contains("stopped while waiting"), "{}", server.said);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = taken.local_addr().unwrap().to_string();
    let output = run(&["serve"], &[KEY, ("DATABASE_URL", &url), ("SIMPLEJWT_BIND", &bind)]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(!stderr(&output).contains("waiting"), "{}", stderr(&output));
}

#[test]
fn a_locked_file_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::new(DatabaseKind::Sqlite, directory.path());
    assert!(run(&["migrate"], &[KEY, ("DATABASE_URL", &database.url)]).status.success());
    let file = directory.path().join("db.sqlite3");
    let holder = rusqlite::Connection::open(&file).unwrap();
    holder
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE t (a)")
        .unwrap();
    let mut server = Waiting::start(&[
        ("DATABASE_URL", &database.url),
        ("SIMPLEJWT_BIND", "127.0.0.1:0"),
        ("SIMPLEJWT_DATABASE_BUSY_TIMEOUT", "100ms"),
    ]);
    let told = server.up_to("waiting for the database");
    assert!(told.contains("is locked by another program"), "{told}");
    drop(holder);
    server.up_to("listening on");
}
