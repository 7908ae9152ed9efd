//! The server's HTTP on real sockets: RFC 9110 and 9112, limits, signals and listeners.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]
#![cfg(unix)]

mod bodies;
mod heads;
#[cfg(target_os = "linux")]
mod idle;
mod listeners;
mod signals;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::support::databases::DatabaseKind;
use crate::support::process::{Server, stderr, stdout};
use crate::support::site::{PASSWORD, Site};

fn site(settings: &[(&str, &str)]) -> Site {
    Site::new(DatabaseKind::Sqlite, 1, 0, settings)
}

/// Returns the answer to these bytes, up to the end of the connection.
fn told(server: &Server, bytes: &[u8]) -> String {
    let mut stream = server.connect();
    stream.write_all(bytes).unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    String::from_utf8(answers).unwrap()
}

/// Returns a login request.
fn login(more: &str) -> String {
    let body = format!(r#"{{"username":"alice","password":"{PASSWORD}"}}"#);
    format!(
        "POST /api/token/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{more}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one answer with a Content-Length from a connection that stays open.
fn one_answer(stream: &mut TcpStream) -> String {
    answer_from(stream)
}

/// The same for any kind of connection.
fn answer_from(stream: &mut impl std::io::Read) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "an answer behind {head:?}");
    }
    let length = head.to_ascii_lowercase();
    let length = length.split_once("content-length: ").unwrap().1.lines().next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// Runs curl with these arguments, and returns its output.
fn curl(words: &[&str]) -> String {
    let output =
        Command::new("curl").args(["-sS", "--max-time", "50"]).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", stderr(&output));
    stdout(&output)
}
