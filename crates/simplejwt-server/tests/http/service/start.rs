//! Starting the server: from nothing, from the environment alone, and not at all.

use std::fs;
use std::net::TcpListener;

use super::{SECRET, Site, WAIT, log_in};
use crate::support::process::{run, stderr, stdout};

#[test]
fn quickstart_takes_up_what_is_there_whole_or_half() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("d");
    let args = ["quickstart", "--dir", dir.to_str().unwrap(), "--no-serve"];
    let first = run(&args, &[]);
    assert!(first.status.success(), "{}", stderr(&first));
    assert!(stdout(&first).contains("simplejwt serve --config"));
    let (key, config) = (dir.join("signing.key"), dir.join("simplejwt.toml"));
    let before = (fs::read(&key).unwrap(), fs::read(&config).unwrap());

    let second = run(&args, &[]);
    assert!(second.status.success(), "{}", stderr(&second));
    assert!(!stdout(&second).contains("created "), "{}", stdout(&second));
    assert_eq!((fs::read(&key).unwrap(), fs::read(&config).unwrap()), before);
    let users = run(&["user", "list", "--config", config.to_str().unwrap()], &[]);
    assert_eq!(stdout(&users).matches("admin").count(), 1);

    // As if it had been interrupted after creating the key and the database file.
    fs::remove_file(&config).unwrap();
    fs::write(dir.join("db.sqlite3"), b"").unwrap();
    for left_over in ["db.sqlite3-wal", "db.sqlite3-shm"] {
        let _ = fs::remove_file(dir.join(left_over));
    }
    let third = run(&args, &[]);
    assert!(third.status.success(), "{}", stderr(&third));
    assert_eq!(fs::read(&key).unwrap(), before.0, "the key stays");
    assert!(stdout(&third).contains("shown only once"));
}

#[test]
fn quickstart_does_not_touch_what_the_environment_names() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("d");
    let other = place.path().join("other.sqlite3");
    let url = format!("sqlite://{}", other.display());
    let output = run(
        &["quickstart", "--no-serve", "--dir", dir.to_str().unwrap()],
        &[("DATABASE_URL", &url), SECRET],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!other.exists() && dir.join("db.sqlite3").exists());
}

#[test]
fn the_environment_alone_serves() {
    let site = Site::new();
    let server = site.serve(&[("SIMPLEJWT_DEMO", "true")]);
    let pair = log_in(&server);
    let bearer = format!("Bearer {}", pair.text("access"));
    for (path, welcome) in [
        ("/api/protected/", r#"{"message":"Welcome, alice!"}"#),
        ("/api/protected-stateless/", r#"{"message":"Welcome, !"}"#),
    ] {
        let response = server.request("GET", path, &[("Authorization", &bearer)], "");
        assert_eq!((response.status, response.body.as_str()), (200, welcome), "{path}");
        assert_eq!(server.get(path).status, 401);
    }
    let wrong = server.post("/api/token/", r#"{"username":"alice","password":"no"}"#);
    assert_eq!(wrong.status, 401);
    let body = format!(r#"{{"refresh":"{}"}}"#, pair.text("refresh"));
    assert!(!server.post("/api/token/refresh/", &body).text("access").is_empty());
    assert!(server.stop().success());
}

#[test]
fn it_refuses_to_start_with_lines_that_say_what_to_do() {
    let site = Site::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let dir = site.directory.path();
    fs::write(dir.join("text.sqlite3"), "this is no database, but long enough to be read").unwrap();
    fs::write(dir.join("empty.sqlite3"), "").unwrap();
    let file = |name: &str| format!("sqlite://{}", dir.join(name).display());
    let (text, empty) = (file("text.sqlite3"), file("empty.sqlite3"));
    let (none, nowhere) = (file("none.sqlite3"), file("no/where.sqlite3"));
    let (locked, foreign) = (file("locked.sqlite3"), file("foreign.sqlite3"));
    let here = format!("sqlite://{}", dir.display());
    let other = rusqlite::Connection::open(dir.join("foreign.sqlite3")).unwrap();
    other.execute_batch("CREATE TABLE auth_user (id integer PRIMARY KEY)").unwrap();
    let holder = rusqlite::Connection::open(dir.join("locked.sqlite3")).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE; CREATE TABLE t (a)").unwrap();
    let ec = r#"{"ALGORITHM": "ES256"}"#;
    for (more, code, told) in [
        (&[("SIMPLEJWT_BIND", port.as_str())][..], 5, "is in use"),
        (&[("SIMPLEJWT_BIND", "192.0.2.1:80")], 5, "not an address of this machine"),
        (&[("SECRET_KEY", "short")], 3, "needs at least 32"),
        (&[("SIMPLE_JWT", ec)], 3, "VERIFYING_KEY"),
        (&[("SIMPLEJWT_BLACKLIST_AFTER_ROTATION", "1")], 3, "token_blacklist = true"),
        (&[("DATABASE_URL", "postgres://h/d")], 3, "names no user"),
        (&[("DATABASE_URL", "postgres://u@h/d?conn_max_aeg=1")], 3, "parameter conn_max_aeg"),
        (&[("DATABASE_URL", "mysql://u@h/d?nonsense=1")], 3, "parameter nonsense"),
        (&[("DATABASE_URL", "postgres://u@h/d?sslrootcert=nowhere.pem")], 3, "nowhere.pem"),
        (&[("DATABASE_URL", "postgres://u@127.0.0.1:9/d")], 4, "is it running"),
        (&[("DATABASE_URL", text.as_str())], 4, "not an SQLite database"),
        (&[("DATABASE_URL", empty.as_str())], 4, "simplejwt migrate"),
        (&[("DATABASE_URL", none.as_str())], 4, "simplejwt migrate"),
        (&[("DATABASE_URL", nowhere.as_str())], 4, "check the path"),
        (&[("DATABASE_URL", here.as_str())], 4, "is not a file"),
        (&[("DATABASE_URL", locked.as_str()), WAIT], 4, "is locked by another program"),
        (&[("DATABASE_URL", foreign.as_str())], 4, "has no column \"username\""),
    ] {
        let more = [more, &[("SIMPLEJWT_DATABASE_WAIT", "0")]].concat();
        let output = run(&["serve"], &site.environment(&more));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {said}");
        assert!(said.contains(told), "{more:?}: {said}");
        assert!(said.lines().all(|line| line.starts_with("error: ")), "{said}");
        assert!(!said.contains("a-secret-key"), "{said}");
    }
    assert!(!dir.join("none.sqlite3").exists(), "serving makes no database");
}
