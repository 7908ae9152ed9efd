//! The ways to reach the server: HTTP/2, TLS, Unix sockets, and sockets passed on by systemd.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{curl, site, told};
use crate::support::databases::DatabaseKind;
use crate::support::process::{run, stderr, stdout};
use crate::support::site::{PASSWORD, Site};

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
    // A head that is too large.
    let long = format!("X: {}", "x".repeat(9000));
    assert!(with(&["-H", &long, &url("/healthz")]).ends_with(" 2 431"));
    let upgrade = curl(&["--http2", "-w", " %{http_version}", &url("/healthz")]);
    assert_eq!(upgrade, "ok\n 1.1", "an upgrade is an offer that may be left");
}

/// Creates a self-signed certificate for localhost and its key.
pub(super) fn certificate(directory: &Path, name: &str) -> (String, String) {
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
    // A client that doesn't speak TLS is disconnected.
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
    // A socket left behind by a dead server.
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

/// systemd's part, in Python: it listens, and then starts the server.
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
    let site = Site::new(DatabaseKind::Sqlite, 0, 0, &[]);
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
    // The socket listens before the server runs.
    assert_eq!(curl(&[&format!("http://127.0.0.1:{}/healthz", port.trim())]), "ok\n");
    assert_eq!(curl(&["--unix-socket", &path, "http://a/healthz"]), "ok\n");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert!(Path::new(&path).exists(), "it isn't the server's");
}
