//! Requests and their answers: limits, framing, CORS, cookies, and the log of requests.

use std::io::{Read as _, Write as _};

use super::Site;
use crate::support::process::{Response, head};

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
fn limits_of_a_request() {
    let site = Site::new();
    let server = site.serve(&[
        ("SIMPLEJWT_BODY_LIMIT", "1000"),
        ("SIMPLEJWT_HEADER_LIMIT", "8192"),
        ("SIMPLEJWT_BODY_TIMEOUT", "200ms"),
        ("SIMPLEJWT_HEADER_TIMEOUT", "300ms"),
    ]);
    // Fits exactly: accepted, but not a valid login.
    let body = format!(r#"{{"username":"{}"}}"#, "x".repeat(1000 - 15));
    assert_eq!(server.post("/api/token/", &body).status, 400);
    assert_eq!(server.post("/api/token/", &format!("{body} ")).status, 413);
    assert_eq!(server.post("/api/token/", &"x".repeat(3_000_000)).status, 413);
    // The server doesn't wait for a body of the declared length.
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

/// Also answers that the router never sees: for bodies that are too long, too slow or incomplete.
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

/// The page sees a successful login, but is logged out.
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
    // Cookies that browsers keep are not logged.
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
        // Reads to the end of the connection, which would not come otherwise.
        assert_eq!(Response::read(stream).status, 400, "{framing}");
    }
}
