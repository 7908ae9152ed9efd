//! Request ids, and data from clients that may get into the log.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::collections::BTreeSet;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::databases::DatabaseKind;
use crate::support::process::{Response, Server, run, stderr};
use crate::support::site::{PASSWORD, Site};

fn site(settings: &[(&str, &str)]) -> Site {
    let all = [&[("SIMPLEJWT_LOG_REQUESTS", "on"), ("SIMPLEJWT_NUM_PROXIES", "1")], settings];
    Site::new(DatabaseKind::Sqlite, 1, 0, &all.concat())
}

fn id(answer: &Response) -> String {
    let mut found = answer.head.lines().filter_map(|line| line.strip_prefix("x-request-id: "));
    let id = found.next().unwrap_or_else(|| panic!("no id: {answer:?}")).to_owned();
    assert_eq!(found.next(), None, "{answer:?}");
    id
}

/// The body of a login.
fn credentials(password: &str) -> String {
    json!({"username": "alice", "password": password}).to_string()
}

fn log_in(server: &Server, password: &str, headers: &[(&str, &str)]) -> Response {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend_from_slice(headers);
    server.request("POST", "/api/token/", &all, &credentials(password))
}

/// DIFFERENCE: Django has no request ids.
#[test]
fn every_answer_and_every_line_has_the_requests_name() {
    let site = site(&[("SIMPLEJWT_ALLOWED_ORIGINS", "https://app.example.com")]);
    let server = &site.servers[0];
    let named = |name| [("X-Request-Id", name), ("Origin", "https://app.example.com")];
    let good = log_in(server, PASSWORD, &named("f81d4fae-7dec"));
    assert_eq!((good.status, id(&good).as_str()), (200, "f81d4fae-7dec"));
    assert!(good.head.lines().any(|line| {
        line.starts_with("access-control-expose-headers") && line.contains("x-request-id")
    }));
    let refused = log_in(server, "wrong", &named("second"));
    assert_eq!((refused.status, id(&refused).as_str()), (401, "second"));
    for (event, name) in [("login", "f81d4fae-7dec"), ("login_refused", "second")] {
        for event in [event, "request"] {
            let line = server.expect_stderr(&format!("event={event} "));
            assert!(line.contains(&format!(" request_id={name} ")), "{line}");
        }
    }
    // Also if nothing is logged, or the router isn't asked.
    let long = "x".repeat(100_000);
    let mut made = BTreeSet::new();
    for (answer, status) in [
        (server.get("/nowhere"), 404),
        (server.post("/api/token/", "{"), 400),
        (server.post("/api/token/", &long), 413),
        (server.get("/healthz"), 200),
        (log_in(server, "wrong", &named("not well formed")), 401),
        (log_in(server, "wrong", &named("")), 401),
        (log_in(server, "wrong", &named(&"a".repeat(129))), 401),
        (log_in(server, "wrong", &[("X-Request-Id", "a"), ("X-Request-Id", "b")]), 401),
    ] {
        assert_eq!(answer.status, status);
        let id = id(&answer);
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        let line = server.expect_stderr("event=request ");
        assert!(line.contains(&id) && line.contains(&format!("status={status} ")), "{line}");
        made.insert(id);
    }
    assert_eq!(made.len(), 8, "each has another");
}

/// Also if the database is at fault.
#[test]
fn a_failure_is_found_by_the_name_in_its_answer() {
    let site = site(&[]);
    let server = &site.servers[0];
    site.database.rows("ALTER TABLE auth_user RENAME TO gone");
    let failed = log_in(server, PASSWORD, &[]);
    assert_eq!(failed.status, 503, "{failed:?}");
    let line = server.expect_stderr("event=request_failed");
    assert!(line.contains(&format!(" request_id={} ", id(&failed))), "{line}");
    assert!(line.contains("no such table"), "{line}");
}

const ODD: &str = "\u{1b}[2J\u{9b}31m\u{85}\u{202e}evil\u{2066}\u{2028}\u{2029}\u{feff}\r\nx";

/// Returns the server's lines after requests with unusual data in every place.
fn odd_lines(format: &str) -> Vec<String> {
    let site = site(&[("SIMPLEJWT_LOG_FORMAT", format)]);
    let server = &site.servers[0];
    let long = format!("{ODD}{}", "é".repeat(30_000));
    let body = json!({"username": long, "password": "x"}).to_string();
    let agent = "\u{202e}agent\u{9b}".to_owned() + &"a".repeat(1000);
    let headers = [("Content-Type", "application/json"), ("User-Agent", &agent)];
    server.request("POST", "/api/token/", &headers, &body);
    server.request("GET", "/p\u{9b}31m\u{202e}\u{2028}", &headers, "");
    server.request(&"M".repeat(500), "/", &headers, "");
    let forged = "x event=login_refused client_address=192.0.2.66 \"";
    for name in [forged, "\"admin\"", "a\\b", "{\"a\":1}", ""] {
        server.post("/api/token/", &json!({"username": name, "password": "x"}).to_string());
    }
    // Not HTTP: the answer comes from hyper.
    server.connect().write_all(b"\x16\x03\x01\x02\x00\x1b]0;x\x07\r\n\r\n").unwrap();
    let forwarded = [("X-Forwarded-For", "192.0.2.7, 203.0.113.9")];
    let answer = log_in(server, "wrong", &forwarded);
    assert_eq!(answer.status, 401);
    server.log()
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || c == '\u{feff}'
}

#[test]
fn whatever_is_sent_a_line_is_a_line_and_can_be_read() {
    for format in ["text", "json"] {
        let lines = odd_lines(format);
        assert!(lines.len() > 12, "{lines:#?}");
        for line in &lines {
            assert!(!line.chars().any(is_unseen), "{line:?}");
            assert!(line.len() < 4096, "{}", line.len());
        }
        let refused: Vec<_> = lines.iter().filter(|line| line.contains("login refused")).collect();
        assert_eq!(refused.len(), 6, "{refused:#?}");
        if format == "text" {
            // Only the server's own data is where the page's pattern matches.
            let addressed = |address: &str| {
                let part = format!(": login refused event=login_refused client_address={address} ");
                refused.iter().filter(|line| line.contains(&part)).count()
            };
            assert_eq!((addressed("127.0.0.1"), addressed("203.0.113.9")), (5, 1), "{refused:#?}");
        }
    }
}

/// The output of commands is read at a terminal.
#[test]
fn a_command_shows_what_it_was_given_without_obeying_it() {
    let odd = format!("nowhere{}", ODD.replace(['\r', '\n'], ""));
    let said = stderr(&run(&["config", "print", "--config", &odd], &[]));
    assert!(said.starts_with("error: ") && said.contains("\\u{202e}evil"), "{said:?}");
    assert!(!said.trim_end().chars().any(is_unseen), "{said:?}");
}

#[test]
fn json_holds_values_as_they_were_sent() {
    let lines: Vec<Value> =
        odd_lines("json").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["event"] == event).collect()
    };
    let names: Vec<_> = of("login_refused").iter().map(|line| line["username"].clone()).collect();
    let first = names[0].as_str().unwrap();
    assert!(first.starts_with(ODD.trim_end_matches('x')), "{first:?}");
    assert_eq!((first.chars().count(), first.chars().last()), (151, Some('…')));
    assert_eq!(names[2..], ["\"admin\"", "a\\b", "{\"a\":1}", "alice"].map(Value::from));
    let last = of("login_refused").pop().unwrap();
    assert_eq!(last["client_address"], "203.0.113.9");
    assert_eq!(last["level"], "WARN");
    assert_eq!(last["message"], "login refused");
    let requests = of("request");
    assert_eq!(requests[0]["path"], "/api/token/");
    assert_eq!(requests[0]["status"], 401);
    assert_eq!(requests[1]["path"], "/p\u{9b}31m\u{202e}\u{2028}");
    assert!(requests[1]["duration_ms"].is_f64() && requests[1]["bytes"].is_u64(), "{requests:#?}");
    let times = lines.iter().map(|line| line["timestamp"].as_str().unwrap());
    assert!(times.into_iter().all(|time| time.ends_with('Z') && time.len() == 27));
}
