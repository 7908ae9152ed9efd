//! Keys that follow each other, in a file and in each database with several servers; and keys in the
//! settings that change.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod in_a_file;
mod in_databases;
mod in_settings;

use std::net::SocketAddr;
use std::process::Output;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::process::{PATIENCE, stderr, stdout};
use crate::support::site::{PASSWORD, Site, post, wait};

/// A key in the output of `key list`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    kid: String,
    algorithm: String,
    state: String,
}

fn list(site: &Site) -> Vec<Listed> {
    let text = good(&site.try_command(&["key", "list"], ""));
    let line = |line: &str| {
        let mut columns = line.split('\t').map(str::to_owned);
        let mut next = || columns.next().unwrap_or_else(|| panic!("columns: {text}"));
        Listed { kid: next(), algorithm: next(), state: next() }
    };
    text.lines().map(line).collect()
}

fn states(site: &Site) -> Vec<String> {
    list(site).into_iter().map(|key| key.state).collect()
}

fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output)
}

/// Returns what a command that fails says.
fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", stdout(output));
    assert_eq!(stdout(output), "");
    stderr(output)
}

fn header(token: &str) -> Value {
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

fn kid(token: &str) -> Option<String> {
    header(token)["kid"].as_str().map(str::to_owned)
}

fn is_good(site: &Site, server: usize, token: &str) -> bool {
    is_good_at(site.servers[server].address, token)
}

fn is_good_at(server: SocketAddr, token: &str) -> bool {
    let answer = post(server, "/api/token/verify/", &json!({"token": token}), &[]);
    match answer.expect("an answer").status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

fn log_in(site: &Site, server: usize) -> String {
    log_in_at(site.servers[server].address)
}

/// Logs alice in at a server, and returns the access token.
fn log_in_at(server: SocketAddr) -> String {
    let body = json!({"username": "alice", "password": PASSWORD});
    post(server, "/api/token/", &body, &[]).expect("an answer").pair().access
}

/// Waits until something is the case, as the servers' clocks are real.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let step = Duration::from_millis(50);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        if is_so() {
            return;
        }
        wait(step);
    }
    panic!("never: {what}");
}
