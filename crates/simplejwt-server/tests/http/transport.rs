//! The server's HTTP, on real sockets: RFC 9110 and 9112, limits, the way to the end, and what it can
//! be reached by.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]
#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::databases::Kind;
use crate::support::process::{PATIENCE, Response, Server, head, run, stderr, stdout};
use crate::support::site::{PASSWORD, Site};

fn site(settings: &[(&str, &str)]) -> Site {
    Site::new(Kind::Sqlite, 1, 0, settings)
}

/// What is answered to these bytes, up to the end of the connection.
fn told(server: &Server, bytes: &[u8]) -> String {
    let mut stream = server.connect();
    stream.write_all(bytes).unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    String::from_utf8(answers).unwrap()
}

/// A login as it is sent.
fn login(more: &str) -> String {
    let body = format!(r#"{{"username":"alice","password":"{PASSWORD}"}}"#);
    format!(
        "POST /api/token/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{more}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one answer with a Content-Length from a connection that stays.
fn one_answer(stream: &mut TcpStream) -> String {
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

/// curl with these words: what it printed.
fn curl(words: &[&str]) -> String {
    let output =
        Command::new("curl").args(["-sS", "--max-time", "50"]).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", stderr(&output));
    stdout(&output)
}

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
        // What hyper alone would refuse.
        ("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://[/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET a:b:c HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(65_534)), 414),
        (&format!("GET / HTTP/1.1\r\nHost: a\r\n{}: b\r\n\r\n", "x".repeat(65_536)), 431),
        (&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(100)), 431),
    ] {
        // Behind a good request, too, whose answer comes first.
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
                // One piece is there before the next.
                assert_eq!(server.get("/healthz").status, 200);
            }
            let answer = Response::read(stream);
            assert_eq!(answer.status.to_string(), status, "{length} by {piece}");
        }
    }
}

/// Whoever needs no body doesn't wait for one, and the client gets to see the answer.
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
        // None of it comes.
        let mut stream = server.connect();
        stream.write_all(head(method, path, &[], 5000).as_bytes()).unwrap();
        let answer = Response::read(stream);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.head.contains("connection: close"), "{answer:?}");
        // All of it, and a lot.
        let answer = server.request(method, path, &[], &"x".repeat(3_000_000));
        assert_eq!(answer.status, status, "{path}");
    }
    // One that has come already is no reason to end the connection.
    let mut stream = server.connect();
    for _ in 0..2 {
        let request = "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(request.as_bytes()).unwrap();
        let answer = one_answer(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains("close"), "{answer}");
    }
}

/// What is declared costs nothing, and what has come costs a quarter more at most.
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
    // Whatever is made once.
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
    // A connection takes some 20 kB by itself, in a debug build.
    assert!(heads.max(each[0]) < 40_000, "{heads} {each:?}");
    assert!(each[1] - heads < (DECLARED / 2 + 1_000) * 3 / 2, "{heads} {each:?}");
}

/// Whatever is wrong with a body, what the endpoint says of itself stays the same.
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
        let json = [("Content-Type", "application/json")];
        let mut bytes = head("POST", "/api/token/verify/", &json, 60_000).into_bytes();
        bytes.extend([b' '; 59_000]);
        stream.write_all(&bytes).unwrap();
        stream
    };
    let (first, second) = (begin(), begin());
    // Two are all that there is room for.
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
    // Honest ones go on all the time.
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

#[test]
fn sigterm_sends_clients_elsewhere_before_it_closes() {
    let site = site(&[("SIMPLEJWT_DRAIN_DELAY", "50s")]);
    let server = &site.servers[0];
    let mut kept = server.connect();
    kept.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let ready = one_answer(&mut kept);
    assert!(ready.starts_with("HTTP/1.1 200") && !ready.contains("connection"), "{ready}");
    server.signal("-TERM");
    server.expect_stderr("requests are taken for a while");
    // New connections and kept ones are answered, once each.
    let stopping = Response::read({
        let mut stream = server.connect();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream
    });
    assert_eq!((stopping.status, &*stopping.body), (503, "stopping\n"));
    assert!(stopping.head.contains("connection: close"));
    kept.write_all(login("").as_bytes()).unwrap();
    let answer = Response::read(kept);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("connection: close"));
    // Again: no more waiting.
    let address = server.address;
    server.signal("-TERM");
    server.expect_stderr("finishing the requests in flight");
    server.expect_stderr("stopped");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_time_of_draining_comes_to_an_end_and_the_keyboard_doesnt_wait() {
    let site = site(&[("SIMPLEJWT_DRAIN_DELAY", "300ms")]);
    let server = &site.servers[0];
    server.signal("-TERM");
    server.expect_stderr("requests are taken for a while");
    server.expect_stderr("stopped");
    let server = site.start();
    server.signal("-INT");
    let next = server.expect_stderr("stopping");
    assert!(next.contains("in flight"), "{next}");
    assert!(server.wait().success());
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

#[test]
fn http_2_with_prior_knowledge() {
    let site = site(&[("SIMPLEJWT_HEADER_LIMIT", "8192")]);
    let url = |path: &str| format!("http://{}{path}", site.servers[0].address);
    let version = ["-w", " %{http_version} %{http_code}", "--http2-prior-knowledge"];
    let with = |more: &[&str]| curl(&[&version[..], more].concat());
    assert_eq!(with(&[&url("/healthz")]), "ok\n 2 200");
    let body = format!(r#"{{"username":"alice","password":"{PASSWORD}"}}"#);
    let json = ["-H", "Content-Type: application/json", "-d", &body];
    let pair = with(&[&json[..], &[&url("/api/token/")]].concat());
    assert!(pair.contains("access") && pair.ends_with(" 2 200"), "{pair}");
    // Too large a head.
    let long = format!("X: {}", "x".repeat(9000));
    assert!(with(&["-H", &long, &url("/healthz")]).ends_with(" 2 431"));
    let upgrade = curl(&["--http2", "-w", " %{http_version}", &url("/healthz")]);
    assert_eq!(upgrade, "ok\n 1.1", "an upgrade is an offer that may be left");
}

/// A certificate for localhost and its key, signed by itself.
fn certificate(directory: &Path, name: &str) -> (String, String) {
    let path = |suffix: &str| directory.join(format!("{name}.{suffix}")).display().to_string();
    let (certificate, key) = (path("pem"), path("key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-out", &certificate, "-keyout", &key])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    (certificate, key)
}

#[test]
fn tls_with_either_http_and_a_certificate_that_changes() {
    let place = tempfile::tempdir().unwrap();
    let (first, first_key) = certificate(place.path(), "first");
    let (second, second_key) = certificate(place.path(), "second");
    let shown = place.path().join("shown.pem").display().to_string();
    let key = place.path().join("shown.key").display().to_string();
    let show = |certificate: &str, from: &str| {
        fs::copy(certificate, &shown).unwrap();
        fs::copy(from, &key).unwrap();
    };
    show(&first, &first_key);
    let site = site(&[("SIMPLEJWT_TLS_CERTIFICATE", &shown), ("SIMPLEJWT_TLS_KEY", &key)]);
    let server = &site.servers[0];
    let url = format!("https://{}/healthz", server.address);
    for (wanted, version) in [("--http2", "2"), ("--http1.1", "1.1"), ("--tlsv1.2", "2")] {
        let said = curl(&["--cacert", &first, wanted, "-w", "%{http_version}", &url]);
        assert_eq!(said, format!("ok\n{version}"), "{wanted}");
    }
    let bind = server.address.to_string();
    let mut asks = site.environment();
    asks.retain(|(name, _)| *name != "SIMPLEJWT_BIND");
    asks.push(("SIMPLEJWT_BIND", &bind));
    let health = run(&["health"], &asks);
    assert_eq!(stdout(&health), "ready\n", "{}", stderr(&health));
    // Whoever speaks no TLS is let go.
    let plain = told(server, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(!plain.contains("HTTP/1.1"), "{plain}");

    show(&second, &first_key);
    server.signal("-HUP");
    server.expect_stderr("is not the key of the first certificate");
    curl(&["--cacert", &first, &url]);
    show(&second, &second_key);
    server.signal("-HUP");
    server.expect_stderr("the certificate was read again");
    curl(&["--cacert", &second, &url]);
    let old = Command::new("curl").args(["-sS", "--cacert", &first, &url]).output().unwrap();
    assert!(!old.status.success());
    server.signal("-HUP");
    server.expect_stderr("the certificate is as it was");

    let mut environment = site.environment();
    environment.retain(|(name, _)| *name != "SIMPLEJWT_TLS_KEY");
    environment.push(("SIMPLEJWT_TLS_KEY", &first_key));
    for (name, told) in [(&*first_key, "is not the key of"), (&*second, "holds no private key")] {
        environment.pop();
        environment.push(("SIMPLEJWT_TLS_KEY", name));
        let output = run(&["serve"], &environment);
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
}

#[test]
fn a_unix_socket() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("s.sock");
    let name = path.display().to_string();
    // What a server that died left behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let bind = format!("unix:{name}");
    let site = site(&[
        ("SIMPLEJWT_BIND", &bind),
        ("SIMPLEJWT_SOCKET_MODE", "600"),
        ("SIMPLEJWT_NUM_PROXIES", "1"),
        ("SIMPLEJWT_LOG_REQUESTS", "on"),
    ]);
    let server = &site.servers[0];
    let there = fs::metadata(&path).unwrap();
    assert!(there.file_type().is_socket());
    assert_eq!(there.permissions().mode() & 0o777, 0o600);
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let words = ["--unix-socket", &name, version, "-H", "X-Forwarded-For: 192.0.2.8"];
        assert_eq!(curl(&[&words[..], &["http://a/healthz"]].concat()), "ok\n");
        let line = server.expect_stderr("healthz");
        assert!(line.contains("192.0.2.8"), "{line}");
    }
    let output = run(&["serve"], &site.environment());
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("in use by another program"), "{}", stderr(&output));
    server.signal("-TERM");
    server.expect_stderr("stopped");
    assert!(!path.exists());
}

/// What systemd does, in Python: it listens, and the server is started behind it.
const ACTIVATE: &str = "
import os, socket, sys
kept = []
for number, path in enumerate(sys.argv[1:3]):
    listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    listener.bind(path or ('127.0.0.1', 0))
    listener.listen()
    kept.append(listener)
    if not path: print(listener.getsockname()[1], flush=True)
    os.dup2(listener.fileno(), 3 + number, inheritable=True)
    os.set_inheritable(3 + number, True)
os.environ.update(LISTEN_FDS='2', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[3], sys.argv[3:])
";

#[test]
fn sockets_that_systemd_passes_on() {
    let site = Site::new(Kind::Sqlite, 0, 0, &[]);
    let path = site.directory().join("s.sock").display().to_string();
    let mut child = Command::new("python3")
        .args(["-c", ACTIVATE, "", &path, env!("CARGO_BIN_EXE_simplejwt"), "serve"])
        .envs(site.environment())
        .env("SIMPLEJWT_DRAIN_DELAY", "0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    // It is listened on before there is a server.
    assert_eq!(curl(&[&format!("http://127.0.0.1:{}/healthz", port.trim())]), "ok\n");
    assert_eq!(curl(&["--unix-socket", &path, "http://a/healthz"]), "ok\n");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert!(Path::new(&path).exists(), "it isn't the server's");
}

#[test]
fn sighup_takes_what_can_be_taken_and_names_the_rest() {
    let site = Site::new(Kind::Sqlite, 0, 0, &[]);
    let file = site.directory().join("simplejwt.toml");
    fs::write(&file, "[log]\nlevel = \"warn\"\n").unwrap();
    let mut environment = site.environment();
    let name = file.display().to_string();
    environment.push(("SIMPLEJWT_CONFIG", &name));
    environment.push(("SIMPLEJWT_LOG_REQUESTS", "on"));
    let server = Server::start(&["serve"], &environment, site.directory());
    fs::write(&file, "[log]\nlevel = \"info\"\n[server]\nbody_limit = 1000\n").unwrap();
    server.signal("-HUP");
    let line = server.expect_stderr("read again");
    assert!(line.contains("log.level") && line.contains("server.body_limit"), "{line}");
    server.get("/healthz");
    server.expect_stderr("path=/healthz");
    fs::write(&file, "[log]\nlevel = \"info\"\nlevels = 1\n").unwrap();
    server.signal("-HUP");
    let line = server.expect_stderr("stays as it was");
    assert!(line.contains("levels"), "{line}");
    assert_eq!(server.get("/healthz").status, 200);
}

/// What `simplejwt key generate` makes, as the file that the server reads.
fn write_key(path: &Path, algorithm: &str) {
    let place = path.with_extension("made");
    let made = place.display().to_string();
    let output = run(&["key", "generate", "--algorithm", algorithm, "--out", &made], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    fs::rename(place, path).unwrap();
}

#[test]
fn sighup_takes_new_keys_whole_or_not_at_all() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let (signing, verifying) = (path("signing.pem"), path("verifying.pem"));
    let publish = || {
        let environment = [("SIMPLEJWT_SIGNING_KEY_FILE", &*signing)];
        let words = ["key", "public", "--format", "pem"];
        let output = run(&words, &[&environment[..], &[("SIMPLEJWT_ALGORITHM", "ES256")]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        fs::write(&verifying, output.stdout).unwrap();
    };
    write_key(Path::new(&signing), "ES256");
    publish();
    let site = site(&[
        ("SIMPLEJWT_ALGORITHM", "ES256"),
        ("SIMPLEJWT_SIGNING_KEY_FILE", &signing),
        ("SIMPLEJWT_VERIFYING_KEY_FILE", &verifying),
    ]);
    let server = &site.servers[0];
    let is_good = |token: &str| {
        server.post("/api/token/verify/", &format!(r#"{{"token":"{token}"}}"#)).status == 200
    };
    let old = site.log_in();
    server.signal("-HUP");
    let line = server.expect_stderr("configuration was read again");
    assert!(line.contains("changed=nothing"), "{line}");

    // Half of a pair, and what is no key: nothing is taken, and it goes on.
    write_key(Path::new(&signing), "ES256");
    server.signal("-HUP");
    let line = server.expect_stderr("stays as it was");
    assert!(line.contains("SIGNING_KEY and VERIFYING_KEY"), "{line}");
    assert!(is_good(&old.access) && is_good(&site.log_in().access));
    fs::write(&verifying, "-----BEGIN PUBLIC KEY-----\n").unwrap();
    server.signal("-HUP");
    let line = server.expect_stderr("stays as it was");
    assert!(line.contains("VERIFYING_KEY"), "{line}");
    fs::remove_file(&verifying).unwrap();
    server.signal("-HUP");
    let line = server.expect_stderr("stays as it was");
    assert!(line.contains("there is no such file"), "{line}");
    assert!(is_good(&old.access) && is_good(&site.log_in().access));

    // Both of the new pair.
    publish();
    server.signal("-HUP");
    let line = server.expect_stderr("configuration was read again");
    let taken = "changed=\"simple_jwt.signing_key, simple_jwt.verifying_key\"";
    assert!(line.contains(taken) && line.contains("after_restart=nothing"), "{line}");
    let new = site.log_in();
    assert!(is_good(&new.access) && !is_good(&old.access));
    site.refresh(0, &new.refresh).pair();
    assert_eq!(site.refresh(0, &old.refresh).status, 401);
    // It is in effect already.
    server.signal("-HUP");
    let line = server.expect_stderr("configuration was read again");
    assert!(line.contains("changed=nothing"), "{line}");
}

#[test]
fn sighup_takes_a_new_secret_and_leaves_a_new_algorithm_to_the_restart() {
    let site = Site::new(Kind::Sqlite, 0, 0, &[]);
    let place = site.directory();
    let (secret, clients) = (place.join("secret"), place.join("client"));
    let file = place.join("simplejwt.toml");
    let configuration = |more: &str| {
        let text = "[django]\nsecret_key_file = \"secret\"\n[[oauth.clients]]\nid = \"billing\"\n\
                    secret_file = \"client\"\n";
        fs::write(&file, format!("{text}{more}")).unwrap();
    };
    configuration("");
    write_key(&secret, "HS256");
    write_key(&clients, "HS256");
    let name = file.display().to_string();
    let mut environment = site.environment();
    environment.retain(|(name, _)| *name != "SECRET_KEY");
    environment.push(("SIMPLEJWT_CONFIG", &name));
    let server = Server::start(&["serve"], &environment, site.directory());
    let log_in = || {
        let body = format!(r#"{{"username":"alice","password":"{PASSWORD}"}}"#);
        server.post("/api/token/", &body).text("access")
    };
    let is_good = |token: &str| {
        server.post("/api/token/verify/", &format!(r#"{{"token":"{token}"}}"#)).status == 200
    };
    let old = log_in();
    write_key(&secret, "HS256");
    server.signal("-HUP");
    let line = server.expect_stderr("configuration was read again");
    assert!(line.contains("changed=django.secret_key after_restart=nothing"), "{line}");
    let new = log_in();
    assert!(is_good(&new) && !is_good(&old));

    // One that is too short for the algorithm.
    fs::write(&secret, "short").unwrap();
    server.signal("-HUP");
    let line = server.expect_stderr("stays as it was");
    assert!(line.contains("SIGNING_KEY") && !line.contains("short-"), "{line}");
    assert!(is_good(&new) && is_good(&log_in()));

    // The key of another algorithm waits with it; a client's secret does, too.
    write_key(&secret, "HS512");
    write_key(&clients, "HS256");
    configuration("[simple_jwt]\nalgorithm = \"HS512\"\n");
    server.signal("-HUP");
    let line = server.expect_stderr("configuration was read again");
    assert!(line.contains("changed=nothing"), "{line}");
    let left = "django.secret_key, simple_jwt.algorithm, oauth.clients";
    assert!(line.contains(&format!("after_restart=\"{left}\"")), "{line}");
    assert!(is_good(&new) && is_good(&log_in()));
}

/// A request that comes in pieces when the server is told to stop isn't one that is idle.
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

/// The client is done with sending, and waits.
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
        // Reset or ended, and with HTTP/2 after its settings.
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 2"), "{said:?}");
    }
}
