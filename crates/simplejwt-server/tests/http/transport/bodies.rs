//! The bodies of requests: when they are read, their memory, and answers that nobody reads.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;

use super::{one_answer, site};
use crate::support::process::{PATIENCE, Response, head};

/// An endpoint that needs no body doesn't wait for one, and the client gets to see the answer.
#[test]
fn a_body_is_read_by_whoever_needs_it() {
    let site = site(&[("SIMPLEJWT_BODY_TIMEOUT", "50s")]);
    let server = &site.servers[0];
    for (method, path, status) in [
        ("POST", "/nowhere", 404),
        ("POST", "/healthz", 405),
        ("GET", "/api/token/authenticate/", 401),
        ("PUT", "/api/token/", 405),
    ] {
        // Nothing of the body arrives.
        let mut stream = server.connect();
        stream.write_all(head(method, path, &[], 5000).as_bytes()).unwrap();
        let answer = Response::read(stream);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.head.contains("connection: close"), "{answer:?}");
        // The whole body, and much more.
        let answer = server.request(method, path, &[], &"x".repeat(3_000_000));
        assert_eq!(answer.status, status, "{path}");
    }
    // A body that has already arrived is no reason to end the connection.
    let mut stream = server.connect();
    for _ in 0..2 {
        let request = "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(request.as_bytes()).unwrap();
        let answer = one_answer(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains("close"), "{answer}");
    }
}

/// A declared length costs nothing, and received data costs at most a quarter more.
#[test]
#[cfg(target_os = "linux")]
fn memory_of_unfinished_bodies_grows_with_what_has_come() {
    const CONNECTIONS: usize = 200;
    const DECLARED: usize = 60_000;
    let site = site(&[("SIMPLEJWT_BODY_TIMEOUT", "50s"), ("SIMPLEJWT_HEADER_TIMEOUT", "50s")]);
    let server = &site.servers[0];
    let connect = || {
        let mut stream = server.connect();
        let json = [("Content-Type", "application/json")];
        stream.write_all(head("POST", "/api/token/", &json, DECLARED).as_bytes()).unwrap();
        stream
    };
    // Memory that is allocated once.
    drop((0..CONNECTIONS).map(|_| connect()).collect::<Vec<_>>());
    server.get("/healthz");
    let before = server.settled_memory();
    let mut streams: Vec<_> = (0..CONNECTIONS).map(|_| connect()).collect();
    let heads = server.settled_memory().saturating_sub(before) / CONNECTIONS;
    let mut each = Vec::new();
    for bytes in [1_000, DECLARED / 2] {
        for stream in &mut streams {
            stream.write_all(&vec![b' '; bytes]).unwrap();
        }
        each.push(server.settled_memory().saturating_sub(before) / CONNECTIONS);
    }
    println!(
        "a body of {DECLARED} bytes on each of {CONNECTIONS} connections, bytes held for each: \
         {heads} with its head, {} with 1000 bytes, {} with {} bytes",
        each[0],
        each[1],
        DECLARED / 2 + 1_000
    );
    // A connection itself takes about 20 kB in a debug build.
    assert!(heads.max(each[0]) < 40_000, "{heads} {each:?}");
    assert!(each[1] - heads < (DECLARED / 2 + 1_000) * 3 / 2, "{heads} {each:?}");
}

/// Whatever is wrong with a body, the endpoint's own headers stay the same.
#[test]
fn a_body_that_isnt_taken_is_answered_with_the_endpoints_headers() {
    let site = site(&[
        ("SIMPLEJWT_BODY_LIMIT", "1000"),
        ("SIMPLEJWT_BODY_TIMEOUT", "300ms"),
        ("SIMPLEJWT_ALLOWED_ORIGINS", "https://a.example"),
    ]);
    let server = &site.servers[0];
    let client = [("Content-Type", "application/json"), ("Origin", "https://a.example")];
    let sent = |length: usize, body: &str, closes: bool| {
        let mut stream = server.connect();
        stream.write_all(head("POST", "/api/token/", &client, length).as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        if closes {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        Response::read(stream)
    };
    let described = |answer: &Response| {
        let own = ["content-length", "connection", "date", "x-request-id"];
        let lines = answer.head.lines().skip(1).map(str::to_owned);
        let is_own = |line: &String| own.iter().any(|name| line.starts_with(name));
        let mut lines: Vec<_> = lines.filter(|line| !is_own(line)).collect();
        lines.sort();
        lines
    };
    let expected = sent(2, "{}", false);
    assert_eq!(expected.status, 400);
    let expected = described(&expected);
    for name in ["allow: ", "vary: ", "x-frame-options: deny", "x-content-type-options: nosniff"] {
        assert!(expected.iter().any(|line| line.starts_with(name)), "{name} in {expected:?}");
    }
    let long = "x".repeat(1001);
    let chunked = "POST /api/token/ HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\
                   Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n";
    let chunked = Response::read({
        let mut stream = server.connect();
        stream.write_all(format!("{chunked}{long}\r\n0\r\n\r\n").as_bytes()).unwrap();
        stream
    });
    for (answer, status) in [
        (sent(1001, &long, false), 413),
        (chunked, 413),
        (sent(1001, "", false), 413),
        (sent(1000, "{", false), 408),
        (sent(1000, "{", true), 400),
    ] {
        assert_eq!(answer.status, status);
        assert_eq!(described(&answer), expected, "{status}");
        assert!(answer.head.contains("x-request-id: "), "{answer:?}");
    }
}

/// The interim response of RFC 9110, section 15.2.1, which comes when the body is waited for.
const CONTINUE: &[u8; 25] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[test]
fn the_oldest_of_too_many_bodies_gives_way() {
    let site = site(&[
        ("SIMPLEJWT_MAX_BODY_MEMORY", "140000"),
        ("SIMPLEJWT_BODY_LIMIT", "60000"),
        ("SIMPLEJWT_BODY_TIMEOUT", "50s"),
    ]);
    let server = &site.servers[0];
    let begin = || {
        let mut stream = server.connect();
        let headers = [("Content-Type", "application/json"), ("Expect", "100-continue")];
        let head = head("POST", "/api/token/verify/", &headers, 60_000);
        stream.write_all(head.as_bytes()).unwrap();
        // The body counts as begun now, before that of the next connection.
        let mut go_on = [0; CONTINUE.len()];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, CONTINUE);
        stream.write_all(&[b' '; 59_000]).unwrap();
        stream
    };
    let (first, second) = (begin(), begin());
    // There is only room for two.
    let mut third = begin();
    let given_up = Response::read(first);
    assert_eq!(given_up.status, 503, "{given_up:?}");
    assert!(
        given_up.head.contains("retry-after: 1") && given_up.head.contains("connection: close")
    );
    assert_eq!(given_up.text("code"), "busy");
    for name in ["allow: ", "vary: ", "x-frame-options: ", "x-content-type-options: nosniff"] {
        assert!(given_up.head.contains(name), "{given_up:?}");
    }
    third.write_all(&[b' '; 1000]).unwrap();
    assert_eq!(Response::read(third).status, 400);
    drop(second);
    // Honest requests continue all the time.
    let stuck: Vec<_> = (0..10).map(|_| begin()).collect();
    for _ in 0..10 {
        assert_eq!(site.log_in().access.split('.').count(), 3);
    }
    drop(stuck);
}

#[test]
fn answers_that_nobody_reads_end_their_connection() {
    let site = site(&[("SIMPLEJWT_WRITE_TIMEOUT", "200ms")]);
    let mut stream = site.servers[0].connect();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let requests = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let error = loop {
        if let Err(error) = stream.write_all(requests.as_bytes()) {
            break error.kind();
        }
    };
    assert!(matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
}
