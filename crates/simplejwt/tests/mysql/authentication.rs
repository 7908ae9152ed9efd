//! Accounts of every authentication plugin that the server has: over TLS, without, over its
//! socket; and those that are refused by name.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use simplejwt::mysql::{ConnectError, MysqlDatabase, MysqlOptions};

use crate::support::mysql::{World, admin, server_url};
use crate::support::server;

/// What becomes of an account.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    LogsIn,
    /// Refused, and the sentence names the plugin.
    Named,
}

/// A plugin, the library to install it from, how an account of it is made (with `@` for its
/// name), and what becomes of it.
const ON_MARIADB: &[(&str, Option<&str>, &str, Outcome)] = &[
    ("mysql_native_password", None, "@ IDENTIFIED BY 's3cret'", Outcome::LogsIn),
    (
        "ed25519",
        Some("auth_ed25519"),
        "@ IDENTIFIED VIA ed25519 USING PASSWORD('s3cret')",
        Outcome::LogsIn,
    ),
    (
        "parsec",
        Some("auth_parsec"),
        "@ IDENTIFIED VIA parsec USING PASSWORD('s3cret')",
        Outcome::LogsIn,
    ),
    ("dialog", Some("auth_pam"), "@ IDENTIFIED VIA pam USING 'mariadb'", Outcome::Named),
];
const ON_MYSQL: &[(&str, Option<&str>, &str, Outcome)] = &[
    (
        "caching_sha2_password",
        None,
        "@ IDENTIFIED WITH caching_sha2_password BY 's3cret'",
        Outcome::LogsIn,
    ),
    (
        "mysql_native_password",
        None,
        "@ IDENTIFIED WITH mysql_native_password BY 's3cret'",
        Outcome::LogsIn,
    ),
    ("sha256_password", None, "@ IDENTIFIED WITH sha256_password BY 's3cret'", Outcome::Named),
];

async fn value(conn: &mut Conn, sql: &str) -> String {
    conn.query_first::<String, _>(sql).await.unwrap().unwrap_or_default()
}

async fn outcome(url: &str) -> Result<(), ConnectError> {
    MysqlDatabase::connect(url, MysqlOptions::default()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_of_every_plugin_that_the_server_has() {
    let world = World::new().await;
    let mut conn = admin(&server_url()).await;
    let is_mariadb = value(&mut conn, "SELECT version()").await.contains("MariaDB");
    let place = server_url().rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
    let socket = server("SIMPLEJWT_TEST_MYSQL_SOCKET");
    let user = format!("auth{}", std::process::id());
    let mut tried = Vec::new();
    for (plugin, library, account, expected) in if is_mariadb { ON_MARIADB } else { ON_MYSQL } {
        if let Some(library) = library {
            // One that the server hasn't, or has already.
            let _ = conn.query_drop(format!("INSTALL SONAME '{library}'")).await;
        }
        let made = format!("CREATE USER {}", account.replace('@', &user));
        match conn.query_drop(&made).await {
            Ok(()) => tried.push(*plugin),
            // ER_PLUGIN_IS_NOT_LOADED
            Err(mysql_async::Error::Server(error)) if error.code == 1524 => continue,
            Err(error) => panic!("{made}: {error}"),
        }
        conn.query_drop(format!("GRANT ALL ON {}.* TO {user}", world.name)).await.unwrap();
        for (mode, at) in [
            ("", place.as_str()),
            ("?ssl-mode=required", place.as_str()),
            ("?ssl-mode=disabled", place.as_str()),
            (&format!("?socket={socket}"), ""),
        ] {
            // A server that has seen the password once needs less of it the next time.
            conn.query_drop("FLUSH PRIVILEGES").await.unwrap();
            for time in ["cold", "warm"] {
                let url = format!("mysql://{user}:s3cret@{at}/{}{mode}", world.name);
                let what = format!("{plugin} {time} {mode}");
                match (outcome(&url).await, expected) {
                    (Ok(()), Outcome::LogsIn) => {}
                    (Err(error @ ConnectError::Plugin { .. }), Outcome::Named) => {
                        let text = error.to_string();
                        assert!(text.contains(plugin) && text.contains("ALTER USER"), "{text}");
                        assert!(!error.is_transient(), "{what}");
                    }
                    (outcome, _) => panic!("{what}: {outcome:?}"),
                }
            }
            if *expected == Outcome::LogsIn {
                let url = format!("mysql://{user}:another@{at}/{}{mode}", world.name);
                let error = outcome(&url).await.unwrap_err();
                assert!(
                    matches!(error, ConnectError::Refused { .. }),
                    "{plugin} {mode}: {error:?}"
                );
                assert!(!format!("{error:?}").contains("another"), "{error:?}");
            }
        }
        conn.query_drop(format!("DROP USER {user}")).await.unwrap();
    }
    let least = if is_mariadb { "ed25519" } else { "caching_sha2_password" };
    assert!(tried.contains(&least), "{tried:?}");
}
