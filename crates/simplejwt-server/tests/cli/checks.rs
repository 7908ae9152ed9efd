//! `config check` and `/readyz` report everything that would make a login fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use crate::support::databases::{Database, DatabaseKind};
use crate::support::process::{Response, Server, run, run_with_input, stderr};
use crate::support::site::pause;
use simplejwt::{Clock as _, SystemClock};

const LOGIN: &str = r#"{"username":"alice","password":"wonderland"}"#;

fn environment(url: &str) -> Vec<(&str, &str)> {
    vec![
        ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256"),
        ("SIMPLEJWT_BIND", "127.0.0.1:0"),
        ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000"),
        ("SIMPLEJWT_DATABASE_BUSY_TIMEOUT", "100ms"),
        ("DATABASE_URL", url),
        ("SIMPLEJWT_TOKEN_BLACKLIST", "true"),
    ]
}

/// Creates a database with tables and a user.
fn prepared(kind: DatabaseKind, directory: &std::path::Path) -> Database {
    let database = Database::new(kind, directory);
    let environment = environment(&database.url);
    let made = run(&["migrate"], &environment);
    assert!(made.status.success(), "{}", stderr(&made));
    let added = run_with_input(
        &["user", "add", "alice", "--password-stdin", "--no-validate"],
        &environment,
        "wonderland\n",
    );
    assert!(added.status.success(), "{}", stderr(&added));
    database
}

/// Creates an account with the rights in docs/operations.md, and returns its URL.
fn restricted(database: &Database) -> (String, String) {
    let page = include_str!("../../../../docs/operations.md");
    let (_, page) = page.split_once("## Rights in the database").unwrap();
    let heading =
        if database.kind == DatabaseKind::Postgres { "PostgreSQL:" } else { "MySQL and MariaDB" };
    let (_, block) = page.split_once(heading).unwrap();
    let block = block.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    let name = format!("served_{}", std::process::id());
    let (_, rest) = database.url.rsplit_once('@').unwrap();
    let (account, made) = match database.kind {
        DatabaseKind::Postgres => {
            (name.clone(), format!("CREATE ROLE {name} LOGIN PASSWORD 'secret'"))
        }
        _ => {
            let account = format!("'{name}'@'%'");
            (account.clone(), format!("CREATE USER {account} IDENTIFIED BY 'secret'"))
        }
    };
    database.rows(&made);
    let schema = rest.rsplit_once('/').unwrap().1;
    for grant in block.lines().filter(|line| line.starts_with("GRANT")) {
        let grant = grant
            .replace("app.", &format!("{schema}."))
            .replace("'tokens'@'%'", &account)
            .replace("TO tokens", &format!("TO {account}"));
        database.rows(grant.trim_end_matches(';'));
    }
    let scheme = if database.kind == DatabaseKind::Postgres { "postgres" } else { "mysql" };
    (account, format!("{scheme}://{name}:secret@{rest}"))
}

fn until(server: &Server, status: u16) -> Response {
    let begun = SystemClock.now().as_micros();
    loop {
        let answer = server.get("/readyz");
        if answer.status == status {
            return answer;
        }
        assert!(SystemClock.now().as_micros() - begun < 30_000_000, "{status}: {answer:?}");
        pause();
    }
}

/// Each of these makes logins fail and is reported by `/readyz` while it lasts.
fn ready_as_long_as_logins_work(database: &Database, url: &str, troubles: &[(&str, &str)]) {
    let directory = tempfile::tempdir().unwrap();
    let environment = environment(url);
    let checked = run(&["config", "check"], &environment);
    assert!(checked.status.success(), "{}", stderr(&checked));
    let server = Server::start(&["serve"], &environment, directory.path());
    assert_eq!(until(&server, 200).body, "ready\n");
    for (trouble, remedy) in troubles {
        assert_eq!(server.post("/api/token/", LOGIN).status, 200, "before {trouble}");
        database.rows(trouble);
        let answer = until(&server, 503);
        assert!(answer.body.starts_with("the database "), "{trouble}: {answer:?}");
        assert_eq!(server.post("/api/token/", LOGIN).status, 503, "{trouble}");
        let checked = run(&["config", "check"], &environment);
        assert_eq!(checked.status.code(), Some(4), "{trouble}: {}", stderr(&checked));
        // However often it is asked, the log has one line for each problem, and another one if the
        // database's message changes.
        (0..20).for_each(|_| assert_eq!(server.get("/readyz").status, 503));
        database.rows(remedy);
        until(&server, 200);
    }
    let told = server.told("not ready");
    assert!((troubles.len()..=3 * troubles.len()).contains(&told), "{told}");
}

#[test]
fn postgres_is_ready_as_long_as_logins_work() {
    let directory = tempfile::tempdir().unwrap();
    let database = prepared(DatabaseKind::Postgres, directory.path());
    let (role, url) = restricted(&database);
    let both = |on: &str, off: &str| (on.replace('@', &role), off.replace('@', &role));
    let troubles = [
        both("REVOKE INSERT ON simplejwt_session FROM @", "GRANT INSERT ON simplejwt_session TO @"),
        both("REVOKE SELECT ON auth_user FROM @", "GRANT SELECT ON auth_user TO @"),
        both(
            "ALTER TABLE simplejwt_session_token RENAME TO away",
            "ALTER TABLE away RENAME TO simplejwt_session_token",
        ),
        both(
            "ALTER ROLE @ SET default_transaction_read_only = on; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '@'",
            "ALTER ROLE @ SET default_transaction_read_only = off; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '@'",
        ),
    ];
    let troubles: Vec<_> = troubles.iter().map(|(on, off)| (on.as_str(), off.as_str())).collect();
    ready_as_long_as_logins_work(&database, &url, &troubles);
    database.rows(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn mysql_is_ready_as_long_as_logins_work() {
    let directory = tempfile::tempdir().unwrap();
    let database = prepared(DatabaseKind::Mysql, directory.path());
    let (account, url) = restricted(&database);
    let revoke = format!("REVOKE INSERT ON simplejwt_session FROM {account}");
    let grant = format!("GRANT INSERT ON simplejwt_session TO {account}");
    let troubles = [
        (revoke.as_str(), grant.as_str()),
        (
            "RENAME TABLE simplejwt_session_token TO away",
            "RENAME TABLE away TO simplejwt_session_token",
        ),
        ("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"),
    ];
    ready_as_long_as_logins_work(&database, &url, &troubles);
    database.rows(&format!("DROP USER {account}"));
}

#[test]
fn sqlite_is_ready_as_long_as_logins_work() {
    let directory = tempfile::tempdir().unwrap();
    let database = prepared(DatabaseKind::Sqlite, directory.path());
    let troubles = [(
        "ALTER TABLE simplejwt_session_token RENAME TO away",
        "ALTER TABLE away RENAME TO simplejwt_session_token",
    )];
    ready_as_long_as_logins_work(&database, &database.url, &troubles);

    let environment = environment(&database.url);
    let server = Server::start(&["serve"], &environment, directory.path());
    until(&server, 200);
    let holder = rusqlite::Connection::open(directory.path().join("db.sqlite3")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(until(&server, 503).body, "the database can't be used\n");
    let checked = run(&["config", "check"], &environment);
    assert_eq!(checked.status.code(), Some(4));
    assert!(stderr(&checked).contains("can't be written (database is locked)"), "{checked:?}");
    holder.execute_batch("ROLLBACK").unwrap();
    until(&server, 200);
    // A hundred requests cause at most one write per second.
    let commits = || -> i64 {
        holder
            .query_row("SELECT holder FROM simplejwt_lease WHERE name = 'ping'", (), |row| {
                Ok(row.get::<_, String>(0)?.parse().unwrap())
            })
            .unwrap()
    };
    let begun = SystemClock.now().as_micros();
    let mut written = std::collections::BTreeSet::new();
    for _ in 0..100 {
        assert_eq!(server.get("/readyz").status, 200);
        written.insert(commits());
    }
    let seconds = (SystemClock.now().as_micros() - begun) / 1_000_000;
    assert!(written.len() as i64 <= seconds + 2, "{} in {seconds} s", written.len());
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let database = prepared(DatabaseKind::Sqlite, directory.path());
    for sql in [
        "DROP TABLE simplejwt_lease",
        "DROP INDEX simplejwt_session_user_id",
        "DELETE FROM simplejwt_sequence",
        "ALTER TABLE simplejwt_session RENAME COLUMN address TO place",
    ] {
        database.rows(sql);
    }
    let mut environment = environment(&database.url);
    environment.push(("SIMPLEJWT_USERS_USERNAME_FIELD", "mail"));
    let checked = run(&["config", "check"], &environment);
    let told = stderr(&checked);
    assert_eq!(checked.status.code(), Some(4), "{told}");
    for line in [
        "error: the database has no table \"simplejwt_lease\": run `simplejwt migrate`",
        "error: the table \"simplejwt_sequence\" has no row named revocation: INSERT INTO",
        "error: the table \"simplejwt_session\" has no column \"address\": ALTER TABLE",
        "error: the table \"auth_user\" has no column \"mail\"",
        "warning: the column \"user_id\" of the table \"simplejwt_session\" has no index",
    ] {
        assert!(told.lines().any(|one| one.starts_with(line)), "{line}: {told}");
    }
    // The server doesn't start, with the same message.
    let served = run(&["serve"], &environment);
    assert_eq!(served.status.code(), Some(4));
    assert_eq!(stderr(&served).matches("error: ").count(), 4, "{}", stderr(&served));

    // Errors in the configuration come first.
    environment
        .push(("SIMPLE_JWT", r#"{"ALGORITHM":"RS256","JWK_URL":"http://127.0.0.1:9/keys"}"#));
    let checked = run(&["config", "check"], &environment);
    let told = stderr(&checked);
    assert!(told.contains("127.0.0.1:9") && told.contains("simplejwt_lease"), "{told}");
}
