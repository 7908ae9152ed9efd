//! The heads of requests: RFC 9110 and 9112, their limit, and connections without one.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::time::Duration;

use super::{login, one_answer, site, told};
use crate::support::process::Response;

#[test]
fn a_head_that_isnt_one_is_refused_and_ends_the_connection() {
    let site = site(&[("SIMPLEJWT_HEADER_LIMIT", "100000")]);
    let server = &site.servers[0];
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n";
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET http://u@a/healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
        ("POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ("\x16\x03\x01 \r\n\r\n", 400),
        // Requests that hyper alone would refuse.
        ("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://[/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET a:b:c HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(65_534)), 414),
        (&format!("GET / HTTP/1.1\r\nHost: a\r\n{}: b\r\n\r\n", "x".repeat(65_536)), 431),
        (&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(100)), 431),
    ] {
        // Also after a valid request, whose answer comes first.
        for before in ["", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let answers = told(server, format!("{before}{head}{smuggled}").as_bytes());
            let expected = if before.is_empty() { 1 } else { 2 };
            assert_eq!(answers.matches("HTTP/1.1 ").count(), expected, "{head:?}: {answers}");
            let last = answers.rsplit("HTTP/1.1 ").next().unwrap();
            assert!(last.starts_with(&status.to_string()), "{head:?}: {answers}");
            assert!(last.contains("connection: close"), "{answers}");
            assert!(last.contains("{\"detail\":"), "{answers}");
            for field in ["x-request-id: ", "x-content-type-options: nosniff"] {
                assert!(last.contains(field), "{head:?}: {answers}");
            }
        }
    }
    for good in [
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET http://a/healthz HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
        "\r\nGET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
    ] {
        let answer = told(server, good.as_bytes());
        assert!(answer.contains(" 200 OK\r\n"), "{good:?}: {answer}");
    }
}

#[test]
fn the_limit_of_heads_is_exact_whatever_the_pieces() {
    let site = site(&[("SIMPLEJWT_HEADER_LIMIT", "8192")]);
    let server = &site.servers[0];
    let bare = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: \r\n\r\n";
    for (length, status) in [(8192, "200"), (8193, "431")] {
        let head = bare.replace("X: ", &format!("X: {}", "x".repeat(length - bare.len())));
        for piece in [1000, 8191, 10_000] {
            let mut stream = server.connect();
            stream.set_nodelay(true).unwrap();
            for piece in head.as_bytes().chunks(piece) {
                stream.write_all(piece).unwrap();
                // One piece arrives before the next.
                assert_eq!(server.get("/healthz").status, 200);
            }
            let answer = Response::read(stream);
            assert_eq!(answer.status.to_string(), status, "{length} by {piece}");
        }
    }
}

#[test]
fn what_a_client_writes_costs_the_proxies_part_of_forwarded_headers_nothing() {
    for (header, field) in [
        ("X-Forwarded-For", &b"X-Forwarded-For: \xe9, 192.0.2.7"[..]),
        ("Forwarded", b"Forwarded: for=\"\xe9, for=\"192.0.2.7:99\";proto=https"),
    ] {
        let site = site(&[
            ("SIMPLEJWT_NUM_PROXIES", "1"),
            ("SIMPLEJWT_PROXY_HEADER", header),
            ("SIMPLEJWT_LOG_REQUESTS", "on"),
        ]);
        let mut request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n".to_vec();
        request.extend(field);
        request.extend(b"\r\n\r\n");
        told(&site.servers[0], &request);
        let line = site.servers[0].expect_stderr("healthz");
        assert!(line.contains("192.0.2.7"), "{line}");
    }
}

/// A request that is arriving in pieces when the server is told to stop isn't idle.
#[test]
fn half_a_head_is_waited_for() {
    let site = site(&[]);
    let server = &site.servers[0];
    let mut kept = server.connect();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    one_answer(&mut kept);
    let request = login("");
    let (first, second) = request.split_at(20);
    kept.write_all(first.as_bytes()).unwrap();
    assert_eq!(server.get("/healthz").status, 200);
    server.signal("-TERM");
    server.expect_stderr("in flight");
    kept.write_all(second.as_bytes()).unwrap();
    let answer = Response::read(kept);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("connection: close"));
    server.expect_stderr("stopped");
}

/// The client has finished sending, and waits.
#[test]
fn a_refused_head_is_answered_though_the_client_has_closed_its_side() {
    let site = site(&[]);
    let mut stream = site.servers[0].connect();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(Response::read(stream).status, 400);
}

#[test]
fn a_silent_connection_ends() {
    let site = site(&[("SIMPLEJWT_HEADER_TIMEOUT", "200ms")]);
    for said in ["", "GET / HT", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = site.servers[0].connect();
        stream.write_all(said.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(50))).unwrap();
        let mut rest = Vec::new();
        // Reset or ended; with HTTP/2 after its settings.
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 2"), "{said:?}");
    }
}
