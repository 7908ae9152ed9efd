//! SIGTERM, SIGINT and SIGHUP.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;

use super::{login, one_answer, site};
use crate::support::databases::DatabaseKind;
use crate::support::process::{Response, Server, run, stderr};
use crate::support::site::{PASSWORD, Site};

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
    // New and kept connections are answered, once each.
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
    // The second signal ends the wait.
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
fn sighup_takes_what_can_be_taken_and_names_the_rest() {
    let site = Site::new(DatabaseKind::Sqlite, 0, 0, &[]);
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

/// Writes a key from `simplejwt key generate` to the file that the server reads.
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

    // One half of a pair, and a file that isn't a key: nothing changes, and the server continues.
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

    // Both halves of the new pair.
    publish();
    server.signal("-HUP");
    let line = server.expect_stderr("configuration was read again");
    let taken = "changed=\"simple_jwt.signing_key, simple_jwt.verifying_key\"";
    assert!(line.contains(taken) && line.contains("after_restart=nothing"), "{line}");
    let new = site.log_in();
    assert!(is_good(&new.access) && !is_good(&old.access));
    site.refresh(0, &new.refresh).pair();
    assert_eq!(site.refresh(0, &old.refresh).status, 401);
    // It is already in effect.
    server.signal("-HUP");
    let line = server.expect_stderr("configuration was read again");
    assert!(line.contains("changed=nothing"), "{line}");
}

#[test]
fn sighup_takes_a_new_secret_and_leaves_a_new_algorithm_to_the_restart() {
    let site = Site::new(DatabaseKind::Sqlite, 0, 0, &[]);
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

    // A secret that is too short for the algorithm.
    fs::write(&secret, "short").unwrap();
    server.signal("-HUP");
    let line = server.expect_stderr("stays as it was");
    assert!(line.contains("SIGNING_KEY") && !line.contains("short-"), "{line}");
    assert!(is_good(&new) && is_good(&log_in()));

    // The key of another algorithm waits with it, and so does a client's secret.
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
