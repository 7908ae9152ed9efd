//! What is said where there is no connection: each a sentence that says what to do, and whether
//! trying again makes sense.

use std::future::IntoFuture as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use simplejwt::postgres::{PostgresDatabase, PostgresOptions};

use crate::servers::{PASSWORD, connect, tests, told};
use crate::support::postgres::{Database, execute};
use crate::support::server;

/// A URL, a part of what is said, and whether it may pass.
async fn said(url: &str, part: &str, transient: bool) {
    let error = connect(url).await.expect_err(url);
    let text = told(&error);
    assert!(text.contains(part), "{url}: {text}");
    assert_eq!(error.is_transient(), transient, "{url}: {text}");
}

/// A port on which somebody says this to everybody, and then listens until they have gone; or
/// hangs up, with nothing to say.
fn speaking(words: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = (&stream).write_all(words);
                if !words.is_empty() {
                    let _ = std::io::copy(&mut &stream, &mut std::io::sink());
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn whoever_isnt_there_may_come() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = |place: &str| format!("postgres://simplejwt:{PASSWORD}@{place}/db");
    said(&at(&format!("127.0.0.1:{free}")), "is it running", true).await;
    said(&at("no.such.host.invalid"), "no.such.host.invalid:5432: its name isn't known", true)
        .await;
    said(&format!("postgres://u:{PASSWORD}@/db?host=/nowhere"), "socket isn't there", true).await;
    // A proxy whose server is away takes connections and closes them.
    said(&at(&format!("127.0.0.1:{}", speaking(b""))), "hangs up at once", true).await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let options = PostgresOptions {
        connect_timeout: Duration::from_millis(200),
        ..PostgresOptions::default()
    };
    let url = at(&format!("127.0.0.1:{port}"));
    let error = PostgresDatabase::connect(&url, options).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("in time"), "{error}");
    drop(silent);
}

#[tokio::test]
async fn whoever_is_no_postgresql_is_said_to_be_none() {
    let at = |port: u16, mode: &str| {
        format!("postgres://simplejwt:{PASSWORD}@127.0.0.1:{port}/db?sslmode={mode}")
    };
    let shell = speaking(b"SSH-2.0-OpenSSH_9.2\r\n");
    said(&at(shell, "disable"), "an SSH server, and no PostgreSQL", false).await;
    // Its first letter is the yes to TLS.
    said(&at(shell, "require"), "an SSH server", false).await;
    let mysql = server("SIMPLEJWT_TEST_MYSQL_URL");
    let mysql = mysql.rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    said(&at(mysql, "prefer"), "a MySQL", false).await;
    let web = axum::serve(
        tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(),
        axum::Router::new(),
    );
    let port = web.local_addr().unwrap().port();
    tokio::spawn(web.into_future());
    said(&at(port, "prefer"), "HTTP", false).await;
}

#[tokio::test]
async fn what_the_server_says_is_said_with_its_cure() {
    let tests = tests();
    let port = tests.port;
    let at =
        |account: &str, database: &str| format!("postgres://{account}@127.0.0.1:{port}/{database}");
    said(&at(&format!("simplejwt:{PASSWORD}"), "simplejwt"), "the name and the password", false)
        .await;
    said(&at(&format!("nobody:{PASSWORD}"), "simplejwt"), "the name and the password", false).await;
    said(&at("simplejwt", "simplejwt"), "the URL has none", false).await;
    said(&at("simplejwt:simplejwt", "missing"), "no such database", false).await;
    // TLS from the first byte on.
    let direct = at("simplejwt:simplejwt", "simplejwt") + "?sslmode=require&sslnegotiation=direct";
    let (role, made) = (format!("r{}", std::process::id()), Database::empty().await);
    let client = made.client().await;
    let version: String = client.query_one("SHOW server_version_num", &[]).await.unwrap().get(0);
    if version.parse::<u32>().unwrap() >= 170_000 {
        connect(&direct).await.unwrap();
    } else {
        said(&direct, "PostgreSQL 17", false).await;
    }
    let name = &made.name;
    execute(&made.url, &format!("CREATE ROLE {role} PASSWORD 'x'")).await;
    let url = at(&format!("{role}:x"), name);
    said(&url, "may not log in", false).await;
    execute(&made.url, &format!("ALTER ROLE {role} LOGIN CONNECTION LIMIT 0")).await;
    said(&url, "max_connections", true).await;
    execute(&made.url, &format!("ALTER ROLE {role} CONNECTION LIMIT -1")).await;
    connect(&url).await.unwrap();
    execute(&made.url, &format!("REVOKE CONNECT ON DATABASE {name} FROM public")).await;
    said(&url, "GRANT CONNECT", false).await;
    for (allowed, part) in [(false, "isn't open"), (true, "GRANT CONNECT")] {
        let sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}");
        execute(&tests.url("127.0.0.1", ""), &sql).await;
        said(&url, part, !allowed).await;
    }
    execute(&made.url, &format!("DROP ROLE {role}")).await;
    let wrong = at(&format!("simplejwt:{PASSWORD}"), "db").replace(&port.to_string(), "none");
    said(&wrong, "a number from 1 to 65535", false).await;
}
