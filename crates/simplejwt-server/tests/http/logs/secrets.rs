//! A server that logs everything that it can, on each database, searched for every secret.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use crate::support::databases::{ALL, Database, DatabaseKind};
use crate::support::process::stderr;
use crate::support::site::{PASSWORD, Site, post};

const KEY: &str = "a-key-for-HS256-that-is-never-in-a-log";
const WRONG: &str = "a-wrong-password-of-somebody";
const NEW: &str = "a-new-password-of-alice";
const OF_DATABASE: &str = "the-password-of-a-database";
const OF_CLIENT: &str = "the-secret-of-an-oauth-client-0123456789";

const LOUD: &str = "trace,tokio_postgres=trace,mysql_async=trace,rustls=trace,ureq=trace,\
                    deadpool.postgres=trace,ureq_proto=trace,simplejwt::service=trace";

/// Returns the URL of the database server with an account whose password can be searched for.
fn account(kind: DatabaseKind, directory: &std::path::Path) -> Option<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("logged_{}_{number}", std::process::id());
    let (create, admin) = match kind {
        DatabaseKind::Sqlite => return None,
        DatabaseKind::Postgres => {
            let create = format!("CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{OF_DATABASE}'");
            (vec![format!("DROP ROLE IF EXISTS {name}"), create], "postgres")
        }
        DatabaseKind::Mysql => {
            let user = format!("'{name}'@'%'");
            let create = format!("CREATE USER {user} IDENTIFIED BY '{OF_DATABASE}'");
            let grant = format!("GRANT ALL ON *.* TO {user}");
            (vec![format!("DROP USER IF EXISTS {user}"), create, grant], "information_schema")
        }
    };
    let database = Database::new(kind, directory);
    for sql in create {
        database.rows(&sql);
    }
    let (scheme, rest) = database.url.split_once("://").unwrap();
    let (_, place) = rest.split_once('@').unwrap();
    let (server, _) = place.rsplit_once('/').unwrap();
    Some(format!("{scheme}://{name}:{OF_DATABASE}@{server}/{admin}"))
}

fn site(kind: DatabaseKind) -> Site {
    let directory = tempfile::tempdir().unwrap();
    let clients = json!([{"id": "gateway", "secret": OF_CLIENT}]).to_string();
    let settings = [
        ("SECRET_KEY", KEY),
        ("SIMPLEJWT_LOG_LEVEL", LOUD),
        ("SIMPLEJWT_LOG_REQUESTS", "on"),
        ("SIMPLEJWT_SESSION_CLAIM", "on"),
        ("SIMPLEJWT_REVOCATION", "feed"),
        ("SIMPLEJWT_REUSE_TOLERANCE", "0"),
        ("SIMPLEJWT_CHECK_REVOKE_TOKEN", "on"),
        ("SIMPLEJWT_PASSWORD_REHASH", "always"),
        ("SIMPLEJWT_UPDATE_LAST_LOGIN", "on"),
        ("SIMPLEJWT_OAUTH_CLIENTS", &clients),
    ];
    match account(kind, directory.path()) {
        None => Site::new(kind, 1, 0, &settings),
        Some(url) => Site::on(kind, &url, 1, 0, &settings),
    }
}

/// Returns the parts that must not be logged: a token's segments after its header (which all have
/// in common), a hash and the part after its iterations.
fn parts(secret: &str) -> Vec<&str> {
    let mut parts = vec![secret];
    if secret.starts_with("eyJ") {
        parts.extend(secret.split('.').skip(1));
    }
    if secret.contains('$') {
        parts.extend(secret.split('$').skip(2));
    }
    parts
}

#[test]
fn nothing_that_opens_something_is_logged_at_any_level() {
    for &kind in ALL {
        let site = site(kind);
        let server = &site.servers[0];
        let mut secrets =
            [KEY, WRONG, NEW, OF_DATABASE, OF_CLIENT, PASSWORD].map(str::to_owned).to_vec();
        let ask = |path: &str, body: serde_json::Value, headers: &[(&str, &str)]| {
            post(server.address, path, &body, headers).unwrap()
        };
        let hashes = |secrets: &mut Vec<String>| {
            let rows = site.database.rows("SELECT password FROM auth_user");
            secrets.extend(rows.into_iter().flatten());
        };
        // The login rewrites this hash.
        hashes(&mut secrets);
        let log_in = |secrets: &mut Vec<String>| {
            let pair = site.log_in();
            secrets.extend([pair.access.clone(), pair.refresh.clone()]);
            pair
        };
        let (first, second) = (log_in(&mut secrets), log_in(&mut secrets));
        let third = log_in(&mut secrets);
        let wrong = json!({"username": "alice", "password": WRONG});
        assert_eq!(ask("/api/token/", wrong, &[]).status, 401);
        let rotated = site.refresh(0, &first.refresh).pair();
        secrets.extend([rotated.access.clone(), rotated.refresh.clone()]);
        site.refresh(0, &first.refresh).assert_blacklisted("spent");
        let bearer = format!("Bearer {}", second.access);
        let path = format!("/api/token/authenticate/?token={}", second.access);
        ask(&path, json!({}), &[("Authorization", &bearer)]);
        ask("/api/token/authenticate/", json!({}), &[("Cookie", &format!("access={bearer}"))]);
        // In the wrong places.
        server.get(&format!("/api/token/verify/{}", second.access));
        ask("/api/token/", json!({"username": second.refresh, "password": "x"}), &[]);
        ask("/api/token/verify/", json!({"token": second.access}), &[]);
        ask("/api/token/sessions/", json!({"refresh": second.refresh}), &[]);
        let form = format!("token={}&client_id=gateway&client_secret={OF_CLIENT}", second.refresh);
        for endpoint in ["introspect", "revoke"] {
            let headers = [("Content-Type", "application/x-www-form-urlencoded")];
            let path = format!("/api/token/{endpoint}/");
            server.request("POST", &path, &headers, &form);
        }
        let logout = json!({"refresh": third.refresh});
        assert_eq!(ask("/api/token/logout/", logout, &[]).status, 200);
        site.command(&["user", "set-password", "alice", "--password-stdin"], &format!("{NEW}\n"));
        hashes(&mut secrets);
        assert_eq!(site.refresh(0, &rotated.refresh).status, 401);

        let log = format!("{}{}", server.before, server.log().join("\n"));
        for event in
            ["login ", "login_refused", "refresh ", "spent_token_presented", "logout", "request "]
        {
            assert!(log.contains(&format!("event={event}")), "{kind:?} {event}: {log}");
        }
        for secret in secrets.iter().flat_map(|secret| parts(secret)).filter(|part| part.len() > 3)
        {
            assert!(!log.contains(secret), "{kind:?}: {secret}");
        }
        for form in ["eyJh", "pbkdf2_sha256$", "argon2$", "Bearer "] {
            assert!(!log.contains(form), "{kind:?}: {form}");
        }
    }
}

/// PostgreSQL shows the row that it rejects, with the token and the hash in it.
#[test]
fn a_row_that_the_database_refuses_is_not_logged() {
    for &kind in ALL {
        let site = site(kind);
        let server = &site.servers[0];
        // SQLite adds no column that existing rows couldn't have.
        site.database.rows(match kind {
            DatabaseKind::Sqlite => {
                "CREATE TRIGGER refused BEFORE INSERT ON token_blacklist_outstandingtoken \
                 BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END"
            }
            DatabaseKind::Postgres | DatabaseKind::Mysql => {
                "ALTER TABLE token_blacklist_outstandingtoken ADD COLUMN more varchar(9) NOT NULL"
            }
        });
        let body = json!({"username": "alice", "password": PASSWORD});
        let refused = site.post(0, "/api/token/", &body);
        assert_eq!(refused.status, 503, "{kind:?}: {refused:?}");
        let log = server.log().join("\n");
        assert!(log.contains("event=request_failed"), "{kind:?}: {log}");
        for form in ["eyJ", "Failing row"] {
            assert!(!log.contains(form), "{kind:?}: {form}: {log}");
        }
    }
}

/// The command line also reports the rejection without the row.
#[test]
fn a_user_that_the_database_refuses_is_not_shown() {
    let site = site(DatabaseKind::Postgres);
    site.database.rows("ALTER TABLE auth_user ADD COLUMN more varchar(9) NOT NULL DEFAULT 'x'");
    site.database.rows("ALTER TABLE auth_user ADD CHECK (username <> 'carol')");
    let args = ["user", "add", "carol", "--password-stdin"];
    let refused = site.try_command(&args, "a-password-of-carol\n");
    let said = stderr(&refused);
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("check constraint"), "{said}");
    for form in ["Failing row", "pbkdf2", "a-password-of-carol"] {
        assert!(!said.contains(form), "{said}");
    }
}
