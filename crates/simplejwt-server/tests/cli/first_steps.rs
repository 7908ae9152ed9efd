//! The first steps: `quickstart` and the lines that it prints, again on the next day, other
//! commands beside it, and the page at `/`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::process::{PATIENCE, Server, run, simplejwt, stderr, stdout};

const SECRET: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");
const ANY_PORT: (&str, &str) = ("SIMPLEJWT_BIND", "127.0.0.1:0");

/// Returns the text between the heading and the last line.
fn block(server: &Server) -> (String, String) {
    let printed = server.stdout_up_to("logout/");
    // Braces are closed a line later.
    let (before, lines) = printed.split_once("Try it in another terminal").unwrap();
    let (heading, lines) = lines.split_once(":\n\n").unwrap();
    let mut lines = lines.to_owned();
    if lines.starts_with('{') {
        lines.push_str(&server.stdout_up_to("}"));
    }
    (format!("{before}{heading}"), lines)
}

/// Runs the lines in a shell, with typed input.
fn paste(shell: &str, lines: &str, typed: &str) -> Output {
    let mut child = Command::new(shell)
        .args(["-euc", lines])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn json(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn assert_walked_through(output: &Output) {
    let (said, errors) = (stdout(output), stderr(output));
    assert!(output.status.success() && errors.is_empty(), "{said}\n{errors}");
    let answers: Vec<&str> = said.lines().collect();
    let [login, welcome, verified, refreshed, sessions, logged_out] = answers[..] else {
        panic!("six answers in: {said}\n{errors}");
    };
    assert!(login.contains(r#"log in: {"refresh":"#), "{login}");
    // Programs that don't know `token_type` can tell these tokens apart.
    let pair: Value = serde_json::from_str(login.split_once("log in: ").unwrap().1).unwrap();
    for (name, typ, aud) in
        [("access", "at+jwt", Value::Null), ("refresh", "refresh+jwt", "simplejwt:refresh".into())]
    {
        let parts: Vec<Value> = pair[name].as_str().unwrap().split('.').take(2).map(json).collect();
        assert_eq!((&parts[0]["typ"], &parts[1]["aud"]), (&typ.into(), &aud), "{name}");
    }
    assert_eq!(welcome, r#"use: {"message":"Welcome, admin!"}"#);
    assert_eq!(verified, "verify: {}");
    assert!(refreshed.starts_with(r#"refresh: {"access":"#) && refreshed.contains("refresh\":"));
    assert!(sessions.contains(r#""current":true"#) && sessions.contains("127.0.0.1"), "{sessions}");
    assert_eq!(logged_out, r#"log out: {"ended":1}"#);
}

#[test]
fn quickstart_prints_lines_that_can_be_pasted_the_first_time_and_again() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(&["quickstart"], &[ANY_PORT], place.path());
    let (before, lines) = block(&server);
    let dir = place.path().join("simplejwt-data");
    assert_private(&dir, &[("", 0o700), ("signing.key", 0o600), ("simplejwt.toml", 0o600)]);
    assert!(dir.join("db.sqlite3").exists());
    assert_eq!(before.matches("shown only once").count(), 1);
    for shell in ["bash", "dash"] {
        assert_walked_through(&paste(shell, &lines, ""));
    }
    assert!(server.stop().success());

    let password = lines.lines().find_map(|line| line.strip_prefix("PASSWORD=")).unwrap();
    let server = Server::start(&["quickstart"], &[ANY_PORT], place.path());
    let (before, lines) = block(&server);
    assert!(!before.contains("created ") && !lines.contains(password), "{before}");
    for shell in ["bash", "dash"] {
        // With the blank lines that are pasted too.
        assert_walked_through(&paste(shell, &lines, &format!("\n{password}\n")));
    }
    // No comments, which zsh rejects; and the hint names an existing file.
    assert!(!lines.lines().any(|line| line.trim_start().starts_with('#')), "{lines}");
    let (_, hint) = before.split_once("a new password: simplejwt ").unwrap();
    let hint: Vec<&str> = hint.trim_end_matches(')').split(' ').collect();
    let changed = simplejwt(&[&hint[..], &["--generate-password"]].concat(), &[])
        .current_dir(place.path())
        .output()
        .unwrap();
    assert!(changed.status.success(), "{hint:?}: {}", stderr(&changed));
    assert!(server.stop().success());
}

#[test]
fn the_lines_are_those_that_the_configuration_has() {
    let place = tempfile::tempdir().unwrap();
    let made = in_folder(place.path(), &["quickstart", "--no-serve"], &[]);
    assert!(made.status.success(), "{}", stderr(&made));
    let file = place.path().join("simplejwt-data/simplejwt.toml");
    let text = fs::read_to_string(&file).unwrap();
    // The file's comment on access tokens matches the setting of the feed.
    assert!(text.contains("revocation = \"feed\"") && !text.contains("can't be taken back"));
    fs::write(&file, text.replace("demo = true", "demo = false\nprefix = \"/auth/\"")).unwrap();
    let server = Server::start(&["quickstart"], &[ANY_PORT], place.path());
    let lines = server.stdout_up_to("logout/");
    assert!(!lines.contains("/protected/") && lines.contains("/auth/refresh/"), "{lines}");
}

/// Waits for another process to notice something.
#[allow(clippy::disallowed_methods, reason = "the process has the real clock")]
fn wait_until(mut done: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "it never happens");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn in_folder(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> Output {
    simplejwt(args, environment).current_dir(folder).output().unwrap()
}

#[test]
fn commands_find_the_configuration_and_say_which() {
    let place = tempfile::tempdir().unwrap();
    let inside = place.path().join("simplejwt-data");
    let nothing = in_folder(place.path(), &["user", "list"], &[]);
    assert_eq!(nothing.status.code(), Some(3));
    assert!(stderr(&nothing).contains("--config"), "{}", stderr(&nothing));
    let made = in_folder(place.path(), &["quickstart", "--no-serve"], &[]);
    assert!(made.status.success(), "{}", stderr(&made));

    for (folder, told) in [
        (place.path(), "note: using the configuration ./simplejwt-data/simplejwt.toml\n"),
        (&inside, "note: using the configuration ./simplejwt.toml\n"),
    ] {
        for args in [&["user", "list"][..], &["config", "check"], &["session", "list", "admin"]] {
            let output = in_folder(folder, args, &[]);
            assert!(output.status.success(), "{args:?}: {}", stderr(&output));
            assert_eq!(stderr(&output), told, "{args:?}");
        }
    }
    // If it is named, it isn't reported.
    let named = ["user", "list", "--config", "simplejwt-data/simplejwt.toml"];
    assert_eq!(stderr(&in_folder(place.path(), &named, &[])), "");

    // Beside a database in the environment, it would bring the key of another database.
    let other = format!("sqlite://{}/other.sqlite3", place.path().display());
    let environment = [SECRET, ("DATABASE_URL", other.as_str())];
    let output = in_folder(place.path(), &["config", "print"], &environment);
    assert!(stderr(&output).contains("is not read"), "{}", stderr(&output));
    assert!(!stdout(&output).contains("signing.key"), "{}", stdout(&output));
}

/// Only root can give files away.
#[cfg(unix)]
#[test]
fn a_configuration_of_somebody_else_is_not_found() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("simplejwt.toml");
    fs::write(&file, "[server]\ndemo = true\n").unwrap();
    // Files of root and of the current user are trusted.
    assert!(in_folder(place.path(), &["config", "print"], &[]).status.success());
    if std::os::unix::fs::chown(&file, Some(65_534), None).is_err() {
        return;
    }
    let output = in_folder(place.path(), &["config", "print"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("belongs to another user"), "{}", stderr(&output));
    let named = in_folder(place.path(), &["config", "print", "--config", "simplejwt.toml"], &[]);
    assert!(named.status.success(), "{}", stderr(&named));
}

#[test]
fn health_says_what_readyz_says() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(&["quickstart"], &[ANY_PORT], place.path());
    let address = server.address.to_string();
    let any_address = format!("0.0.0.0:{}", server.address.port());
    for bind in [&address, &any_address] {
        let output = in_folder(place.path(), &["health"], &[("SIMPLEJWT_BIND", bind)]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(stdout(&output), "ready\n");
    }
    let ends = |bind: &str, told: &str| {
        let output = run(&["health"], &[("SIMPLEJWT_BIND", bind)]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    };
    // A database that disappears while the server runs.
    let database = rusqlite::Connection::open(place.path().join("simplejwt-data/db.sqlite3"));
    database.unwrap().execute_batch("ALTER TABLE auth_user RENAME TO gone").unwrap();
    // It is checked once a second.
    wait_until(|| !run(&["health"], &[("SIMPLEJWT_BIND", &address)]).status.success());
    ends(&address, "isn't ready: 503: ");
    assert!(server.stop().success());
    ends(&address, "can't connect to 127.0.0.1:");
    ends("127.0.0.1:0", "has chosen its port itself");
    ends("no-such-host.invalid:8000", "can't look up");

    // A server that accepts and says nothing, and one that speaks another protocol.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let quick = ("SIMPLEJWT_DATABASE_OPERATION_TIMEOUT", "10ms");
    let output = run(&["health"], &[("SIMPLEJWT_BIND", &address), quick]);
    assert!(stderr(&output).contains("did not answer within"), "{}", stderr(&output));
    let speaks = std::thread::spawn(move || {
        // The first is the connection that timed out.
        for stream in silent.incoming().take(2) {
            let _ = stream.unwrap().write_all(b"220 mail.example.org ESMTP\r\n");
        }
    });
    ends(&address, "doesn't answer");
    speaks.join().unwrap();
}

/// With TLS, `health` accepts only the configured certificate, and the lines of `quickstart` use
/// https.
#[test]
fn health_and_the_lines_of_quickstart_over_tls() {
    let place = tempfile::tempdir().unwrap();
    for name in ["own", "other"] {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=somewhere.else.example"])
            .args(["-out", &format!("{name}.pem"), "-keyout", &format!("{name}.key")])
            .current_dir(place.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", stderr(&made));
    }
    let path = |name: &str| place.path().join(name).display().to_string();
    let (own, own_key) = (path("own.pem"), path("own.key"));
    let (other, other_key) = (path("other.pem"), path("other.key"));
    let tls = [("SIMPLEJWT_TLS_CERTIFICATE", own.as_str()), ("SIMPLEJWT_TLS_KEY", &own_key)];
    let server = Server::start(&["quickstart"], &[&[ANY_PORT][..], &tls].concat(), place.path());
    let (_, lines) = block(&server);
    assert!(lines.contains(" https://127.0.0.1:"), "{lines}");
    assert_walked_through(&paste("dash", &lines, ""));

    let address = server.address.to_string();
    let bind = ("SIMPLEJWT_BIND", address.as_str());
    let output = in_folder(place.path(), &["health"], &[&[bind][..], &tls].concat());
    assert_eq!(
        (stdout(&output).as_str(), output.status.code()),
        ("ready\n", Some(0)),
        "{output:?}"
    );
    let others = [("SIMPLEJWT_TLS_CERTIFICATE", other.as_str()), ("SIMPLEJWT_TLS_KEY", &other_key)];
    let output = in_folder(place.path(), &["health"], &[&[bind][..], &others].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is not the configured one"), "{}", stderr(&output));
    let output = in_folder(place.path(), &["health"], &[bind]);
    assert_eq!(output.status.code(), Some(1), "plain HTTP to TLS: {}", stderr(&output));
}

/// SIGHUP reads the file again that was found at the start.
#[test]
fn a_configuration_that_was_found_is_read_again() {
    let place = tempfile::tempdir().unwrap();
    let made = in_folder(place.path(), &["quickstart", "--no-serve"], &[]);
    assert!(made.status.success(), "{}", stderr(&made));
    let server = Server::start(&["serve"], &[ANY_PORT], place.path());
    let file = place.path().join("simplejwt-data/simplejwt.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("demo = true", "demo = false")).unwrap();
    server.signal("-HUP");
    let told = server.expect_stderr("demo");
    assert!(!told.contains("signing_key"), "{told}");
}

#[test]
fn a_browser_sees_a_page_at_the_root_and_a_program_what_it_saw() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(&["quickstart"], &[ANY_PORT], place.path());
    let browser = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    let page = server.request("GET", "/", &[browser], "");
    assert_eq!(page.status, 200);
    for header in [
        "content-type: text/html; charset=utf-8",
        "cache-control: no-store",
        "content-security-policy: default-src 'none'",
        "vary: accept",
    ] {
        assert!(page.head.contains(header), "{header} in {}", page.head);
    }
    assert!(page.body.contains("<strong>ready</strong>") && page.body.contains("POST /api/token/"));
    let head = server.request("HEAD", "/", &[browser], "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for link in ["/readyz", "/healthz"] {
        assert!(page.body.contains(&format!("href=\"{link}\"")), "{link}");
        assert_eq!(server.get(link).status, 200);
    }

    let elsewhere = server.get("/nowhere");
    for (method, headers) in
        [("GET", &[][..]), ("GET", &[("Accept", "*/*")]), ("POST", &[browser]), ("PUT", &[browser])]
    {
        let answer = server.request(method, "/", headers, "");
        assert_eq!((answer.status, &answer.body), (404, &elsewhere.body), "{method} {headers:?}");
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    }
    // Unknown paths have no page.
    assert_eq!(server.request("GET", "/nowhere", &[browser], "").status, 404);

    let database = rusqlite::Connection::open(place.path().join("simplejwt-data/db.sqlite3"));
    database.unwrap().execute_batch("ALTER TABLE auth_user RENAME TO gone").unwrap();
    wait_until(|| {
        let page = server.request("GET", "/", &[browser], "");
        page.status == 200 && page.body.contains("<strong>not ready</strong>: ")
    });
}

/// If the login itself has that path, it stays.
#[test]
fn a_prefix_of_a_slash_has_no_page() {
    let place = tempfile::tempdir().unwrap();
    let made = in_folder(place.path(), &["quickstart", "--no-serve"], &[]);
    assert!(made.status.success(), "{}", stderr(&made));
    let prefix = ("SIMPLEJWT_PREFIX", "/");
    let server = Server::start(&["serve"], &[ANY_PORT, prefix], place.path());
    assert_eq!(server.request("GET", "/", &[("Accept", "text/html")], "").status, 405);
    assert_eq!(server.post("/", "{}").status, 400);
}

fn assert_private(dir: &Path, expected: &[(&str, u32)]) {
    #[cfg(unix)]
    for (name, mode) in expected {
        use std::os::unix::fs::PermissionsExt as _;
        let found = fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, *mode, "{name}");
    }
    #[cfg(not(unix))]
    let _ = (dir, expected);
}
