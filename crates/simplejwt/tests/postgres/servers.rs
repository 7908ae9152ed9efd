//! How a PostgreSQL is connected to: TLS, sockets, several hosts, and what is said where it
//! can't be.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]
#![allow(
    clippy::disallowed_methods,
    reason = "how long a failing server keeps others waiting is measured by the real clock"
)]

use std::error::Error;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::postgres::{Database, VARIABLE};
use crate::support::{NOW, server};
use simplejwt::postgres::{
    ConnectError, PostgresDatabase, PostgresOptions, PostgresStore, migrate,
};
use simplejwt::sql::table::UserTable;

pub(crate) const PASSWORD: &str = "pass-that-is-nowhere-else";

/// User, password, host, port and database of the server for tests.
pub(crate) struct Server {
    pub(crate) port: u16,
    socket: String,
    authority: String,
}

pub(crate) fn tests() -> Server {
    let url = server(VARIABLE);
    let port = url.rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    Server {
        port,
        socket: server("SIMPLEJWT_TEST_POSTGRES_SOCKET"),
        authority: server("SIMPLEJWT_TEST_CA_FILE"),
    }
}

impl Server {
    pub(crate) fn url(&self, host: &str, parameters: &str) -> String {
        format!("postgres://simplejwt:simplejwt@{host}:{}/simplejwt{parameters}", self.port)
    }
}

pub(crate) async fn connect(url: &str) -> Result<PostgresDatabase, ConnectError> {
    PostgresDatabase::connect(url, PostgresOptions::default()).await
}

/// The error's text and those of what is behind it, in which there is neither a password nor
/// Rust's debug form.
pub(crate) fn told(error: &ConnectError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    for bare in ["Other(", "Error {", "kind:", "InvalidCertificate"] {
        assert!(!text.contains(bare), "{bare}: {text}");
    }
    for shown in [&text, &format!("{error:?}")] {
        assert!(!shown.contains(PASSWORD) && !shown.contains("simplejwt:simplejwt"), "{shown}");
    }
    text
}

/// What a URL that can't be connected to is refused with.
pub(crate) async fn refused(url: &str) -> String {
    told(&connect(url).await.expect_err(url))
}

/// Whether the connections of this database are encrypted.
async fn is_encrypted(url: &str) -> bool {
    let made = Database::empty().await;
    let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (base, _) = base.rsplit_once('/').unwrap();
    let url = format!("{base}/{}?{parameters}", made.name);
    let database = connect(&url).await.unwrap();
    let encrypted: Option<bool> = made
        .client()
        .await
        .query_one(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE datname = current_database() AND application_name = 'simplejwt'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    drop(database);
    encrypted.expect("a connection of the store's")
}

#[tokio::test]
async fn sslmode_decides_whether_the_connection_is_encrypted() {
    let tests = tests();
    let authority = &tests.authority;
    for (host, parameters, encrypted) in [
        ("127.0.0.1", "", true),
        ("127.0.0.1", "?sslmode=disable", false),
        ("127.0.0.1", "?sslmode=prefer", true),
        ("127.0.0.1", "?sslmode=require", true),
        // Nobody looks at the issuer: the authority of the tests is no known one.
        ("localhost", "?sslmode=require", true),
        ("127.0.0.1", &format!("?sslmode=verify-ca&sslrootcert={authority}"), true),
        ("localhost", &format!("?sslmode=verify-ca&sslrootcert={authority}"), true),
        ("localhost", &format!("?sslmode=verify-full&sslrootcert={authority}"), true),
    ] {
        let url = tests.url(host, parameters);
        assert_eq!(is_encrypted(&url).await, encrypted, "{url}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_or_issuer_is_refused() {
    let tests = tests();
    let authority = &tests.authority;
    // It is issued to `localhost`.
    let parameters = format!("?sslmode=verify-full&sslrootcert={authority}");
    let text = refused(&tests.url("127.0.0.1", &parameters)).await;
    assert!(text.contains("certificate") && text.contains("localhost"), "{text}");
    // No authority that the machine trusts has issued it.
    for mode in ["verify-ca", "verify-full"] {
        let text = refused(&tests.url("localhost", &format!("?sslmode={mode}"))).await;
        assert!(text.contains("simplejwt test") && text.contains("sslrootcert"), "{mode}: {text}");
    }
    // Nor has this one.
    let directory = tempfile::tempdir().unwrap();
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/p256.cert.pem");
    let copy = directory.path().join("other.pem");
    std::fs::copy(other, &copy).unwrap();
    for mode in ["require", "verify-ca", "verify-full"] {
        let parameters = format!("?sslmode={mode}&sslrootcert={}", copy.display());
        let text = refused(&tests.url("localhost", &parameters)).await;
        assert!(text.contains("certificate"), "{mode}: {text}");
    }
    for (file, content) in [("none.pem", None), ("empty.pem", Some("")), ("text.pem", Some("x"))] {
        let path = directory.path().join(file);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let parameters = format!("?sslmode=verify-full&sslrootcert={}", path.display());
        let text = refused(&tests.url("localhost", &parameters)).await;
        assert!(text.contains("certificate authorities") && text.contains(file), "{text}");
    }
}

#[tokio::test]
async fn a_store_over_tls_and_over_a_socket_works() {
    let tests = tests();
    for parameters in [
        format!(
            "@localhost:{}/{{}}?sslmode=verify-full&sslrootcert={}",
            tests.port, tests.authority
        ),
        format!("@/{{}}?host={}&port={}", tests.socket, tests.port),
        format!("@{}:{}/{{}}", tests.socket.replace('/', "%2F"), tests.port),
    ] {
        let made = Database::empty().await;
        let url = format!("postgres://simplejwt:simplejwt{}", parameters.replace("{}", &made.name));
        let database = connect(&url).await.unwrap();
        migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
        let store = PostgresStore::open(&database, &UserTable::default()).await.unwrap();
        simplejwt::TokenStore::ping(&store).await.unwrap();
    }
}

/// Something listens that says nothing, or isn't PostgreSQL.
#[tokio::test]
async fn what_does_not_answer_is_given_up() {
    let limit = Duration::from_millis(300);
    let options = PostgresOptions { connect_timeout: limit, ..PostgresOptions::default() };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://simplejwt:{PASSWORD}@127.0.0.1:{port}/db");
    let begun = Instant::now();
    let error = PostgresDatabase::connect(&url, options).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(!format!("{error:?}").contains(PASSWORD));

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::Write as _;
        for stream in other.incoming().flatten() {
            let _ = (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let text = refused(&format!("postgres://simplejwt:{PASSWORD}@127.0.0.1:{port}/db")).await;
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
    drop(silent);
}

#[tokio::test]
async fn the_first_of_several_hosts_that_can_be_used_is_used() {
    let tests = tests();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!(
        "postgres://simplejwt:simplejwt@127.0.0.1:{free},127.0.0.1:{}/simplejwt\
         ?target_session_attrs=read-write",
        tests.port
    );
    connect(&url).await.unwrap();
    let url = format!(
        "postgres://simplejwt:{PASSWORD}@127.0.0.1:{free},127.0.0.2:{free}/simplejwt\
         ?target_session_attrs=read-write"
    );
    let text = refused(&url).await;
    assert!(text.contains(&format!("127.0.0.1:{free}, 127.0.0.2:{free}")), "{text}");
}

/// Of two databases of one server, only the one that takes writes is used.
#[tokio::test]
async fn a_server_that_only_reads_is_none_for_read_write() {
    let made = Database::migrated().await;
    let url = format!("{}?target_session_attrs=read-write", made.url);
    connect(&url).await.unwrap();
    made.read_only(true).await;
    let text = refused(&url).await;
    assert!(text.contains("127.0.0.1"), "{text}");
    assert!(text.contains("write"), "{text}");
    // Without the demand the store opens, and says that it isn't ready.
    let store = made.store().await;
    let error = simplejwt::TokenStore::ping(&store).await.unwrap_err();
    assert!(format!("{error:?}").contains("read-only"), "{error:?}");
}
