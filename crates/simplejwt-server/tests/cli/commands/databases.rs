//! Findings in the database that refuse a start, or that the purge names.

use super::{Place, QUICK, SECRET};
use crate::support::process::{run, stderr, stdout};

/// Columns that users are found by: checked by `config check`, and at the start.
#[test]
fn whoever_could_be_taken_for_another_keeps_it_from_starting() {
    let place = Place::migrated();
    let database = rusqlite::Connection::open(place.directory.path().join("db.sqlite3")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE staff (id char(32) PRIMARY KEY, number integer UNIQUE, team integer, \
             password text, is_active smallint)",
        )
        .unwrap();
    drop(database);
    let custom = [
        ("SIMPLEJWT_USERS_TABLE", "staff"),
        ("SIMPLEJWT_USERS_USERNAME_FIELD", "number"),
        ("SIMPLEJWT_USERS_IS_STAFF", ""),
        ("SIMPLEJWT_USERS_IS_SUPERUSER", ""),
        ("SIMPLEJWT_USERS_LAST_LOGIN", ""),
        ("SIMPLEJWT_TOKEN_BLACKLIST", "off"),
    ];
    let with = |more: &[(&'static str, &'static str)], args: &[&str]| {
        let mut environment = place.environment();
        environment.extend_from_slice(more);
        let output = run(args, &environment);
        (output.status.code(), format!("{}{}", stdout(&output), stderr(&output)))
    };
    let and = |more: &[(&'static str, &'static str)]| [&custom[..], more].concat();
    for (environment, told) in [
        (vec![("SIMPLEJWT_USERS_USERNAME_FIELD", "email")], "\"email\" of the table \"auth_user\""),
        (vec![("SIMPLEJWT_USER_ID_FIELD", "email")], "\"email\" of the table \"auth_user\""),
        (and(&[("SIMPLEJWT_USERS_USERNAME_FIELD", "team")]), "\"team\" of the table \"staff\""),
        (
            and(&[("SIMPLEJWT_USERS_KEY_TYPE", "integer")]),
            "write in [users] key_type = \"uuid\", or nothing",
        ),
        (vec![("SIMPLEJWT_USERS_KEY_TYPE", "text")], "write in [users] key_type = \"integer\""),
        (and(&[("SIMPLEJWT_USERS_IS_ACTIVE", "password")]), "\"password\" of the table \"staff\""),
        (and(&[("SIMPLEJWT_TOKEN_BLACKLIST", "on")]), "refers to the table \"auth_user\""),
    ] {
        for args in [&["config", "check"] as &[_], &["serve"]] {
            let (code, said) = with(&environment, args);
            assert_eq!(code, Some(4), "{args:?} {environment:?}: {said}");
            assert!(said.contains(told), "{args:?} {environment:?}: {said}");
        }
    }
    let (code, said) = with(&custom, &["config", "check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("fine"), "{said}");
}

/// If Django blacklists tokens, a server that ignores the blacklist must be told so.
#[test]
fn a_blacklist_that_nobody_mentions_is_refused() {
    let place = Place::migrated();
    let check = |blacklist: Option<&str>| {
        let mut environment = vec![SECRET, QUICK, ("DATABASE_URL", place.url.as_str())];
        environment.extend(blacklist.map(|value| ("SIMPLEJWT_TOKEN_BLACKLIST", value)));
        let output = run(&["config", "check"], &environment);
        (output.status.code().unwrap(), stderr(&output))
    };
    // Created by `migrate`, and empty.
    assert_eq!(check(None), (0, String::new()));
    let file = place.directory.path().join("db.sqlite3");
    let raw = rusqlite::Connection::open(file).unwrap();
    let django = "CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text); \
                  INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial')";
    raw.execute_batch(django).unwrap();
    assert_eq!(check(None), (0, String::new()), "Django has no blacklist");
    let django = "INSERT INTO django_migrations (app, name) \
                  VALUES ('token_blacklist', '0001_initial')";
    let token = "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, jti) \
                 VALUES ('a.b.c', '2026-01-01 00:00:00', '2026-01-02 00:00:00', 'a')";
    for sql in [django, token] {
        raw.execute(sql, ()).unwrap();
        let (code, refused) = check(None);
        assert_eq!(code, 3, "{refused}");
        for line in ["token_blacklist = true", "SIMPLEJWT_TOKEN_BLACKLIST=true"] {
            assert!(refused.contains(line), "{refused}");
        }
        let (code, warned) = check(Some("false"));
        assert_eq!((code, warned.lines().count()), (0, 1), "{warned}");
        assert!(
            warned.contains("tokens that Django has blacklisted are accepted here"),
            "{warned}"
        );
        assert_eq!(check(Some("true")), (0, String::new()));
        let output = run(&["serve"], &[SECRET, QUICK, ("DATABASE_URL", place.url.as_str())]);
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        raw.execute("DELETE FROM django_migrations", ()).unwrap();
    }
}

/// Rows that another table refers to are named, and deleted on request.
#[test]
fn what_keeps_a_token_is_named() {
    let place = Place::migrated();
    let raw = rusqlite::Connection::open(place.directory.path().join("db.sqlite3")).unwrap();
    raw.execute_batch(
        "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, jti) \
         VALUES ('a', '2020-01-01 00:00:00', '2020-01-02 00:00:00', 'a'), \
         ('b', '2020-01-01 00:00:00', '2020-01-02 00:00:00', 'b'); \
         CREATE TABLE people_device (id integer PRIMARY KEY, token_id bigint NOT NULL \
         REFERENCES token_blacklist_outstandingtoken (id) DEFERRABLE INITIALLY DEFERRED); \
         INSERT INTO people_device (token_id) SELECT id FROM token_blacklist_outstandingtoken \
         WHERE jti = 'a'",
    )
    .unwrap();
    let output = run(&["token", "flush-expired"], &place.environment());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "deleted 1 expired tokens\n");
    let warning = stderr(&output);
    for part in ["1 expired token stays", "people_device", "token_id", "flushexpiredtokens"] {
        assert!(warning.contains(part), "{warning}");
    }
    let mut environment = place.environment();
    environment.push(("SIMPLEJWT_PURGE_CASCADE", "true"));
    let output = run(&["token", "flush-expired"], &environment);
    assert_eq!(stdout(&output), "deleted 1 expired tokens\n");
    assert_eq!(stderr(&output), "");
}
