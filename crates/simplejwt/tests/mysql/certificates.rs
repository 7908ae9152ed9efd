//! Servers' certificates of every sort and what `ssl-mode` makes of them; clients' own; and what
//! is said where there is no connection.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};
use simplejwt::event::Act;
use simplejwt::mysql::{ConnectError, MysqlDatabase, MysqlOptions, MysqlStore, migrate};
use simplejwt::sql::table::UserTable;
use simplejwt::store::session::RefreshOutcome;
use simplejwt::{SessionStore as _, TokenStore as _};

use crate::support::certificates::Certificates;
use crate::support::instance::Instance;
use crate::support::mysql::{admin, is_mariadb};
use crate::support::pause;
use crate::support::server;
use crate::support::traffic::{NOW, step, token};

const PASSWORD: &str = "pass-that-is-nowhere-else";

/// A server whose certificate is changed while it runs.
struct Server {
    instance: Instance,
    folder: PathBuf,
    place: String,
}

impl Server {
    fn up(name: &str) -> Self {
        let instance = Instance::mariadb(name);
        let socket = Path::new(instance.variable("SIMPLEJWT_TEST_MYSQL_SOCKET"));
        let folder = socket.parent().unwrap().to_owned();
        let place = instance.url().rsplit_once('@').unwrap().1.replace("127.0.0.1", "localhost");
        Self { instance, folder, place }
    }

    fn url(&self, parameters: &str) -> String {
        let url = format!("mysql://simplejwt:simplejwt@{}?{parameters}", self.place);
        match parameters.strip_prefix("host=127.0.0.1&") {
            Some(rest) => url.replace("localhost", "127.0.0.1").replace(parameters, rest),
            None => url,
        }
    }

    async fn show(&self, conn: &mut Conn, made: &Certificates, name: &str) {
        made.give(name, &self.folder);
        if is_mariadb(conn).await {
            conn.query_drop("FLUSH SSL").await.unwrap_or_else(|error| panic!("{name}: {error}"));
        } else if conn.query_drop("ALTER INSTANCE RELOAD TLS").await.is_err() {
            // MySQL 9.7 reloads no certificate that it can't verify, and starts with it all the same.
            self.instance.services(&["stop", "mariadb"]);
            self.instance.services(&["start", "mariadb"]);
            *conn = admin(self.instance.url()).await;
        }
    }
}

async fn connect(url: &str) -> Result<MysqlDatabase, ConnectError> {
    MysqlDatabase::connect(url, MysqlOptions::default()).await
}

/// The error's text and those of what is behind it, in which nothing is in Rust's debug form.
fn told(error: &ConnectError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
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

/// A certificate, and what each mode comes to: connected, or a part of the sentence.
struct Case(&'static str, &'static [(&'static str, Result<(), &'static str>)]);

const OK: Result<(), &str> = Ok(());
/// Nothing is verified, so that nothing is wrong.
const NOTHING: (&str, Result<(), &str>) = ("", OK);

/// `@` stands before the name of a file of authorities.
const CASES: &[Case] = &[
    Case(
        "good",
        &[
            ("ssl-mode=verify_identity&ssl-ca=@root", OK),
            ("ssl-mode=verify_ca&ssl-ca=@other", Err("ssl-ca")),
        ],
    ),
    Case(
        "v1",
        &[
            ("ssl-mode=PREFERRED", OK),
            ("ssl-mode=required", OK),
            ("ssl-mode=verify_ca&ssl-ca=@root", OK),
            ("ssl-mode=verify_identity&ssl-ca=@root", OK),
            ("ssl-mode=verify_ca&ssl-ca=@other", Err("X.509 version 1")),
        ],
    ),
    Case("v1-impostor", &[("ssl-mode=verify_ca&ssl-ca=@root", Err("new key"))]),
    Case("v1-expired", &[("ssl-mode=verify_ca&ssl-ca=@root", Err("expired at 20"))]),
    // As MySQL makes them for itself: a name that is no host's, and no subjectAltName.
    Case(
        "generated",
        &[
            ("ssl-mode=verify_ca&ssl-ca=@root", OK),
            ("ssl-mode=verify_identity&ssl-ca=@root", Err("is for MySQL_Server_9.7.4_Auto_Gener")),
        ],
    ),
    Case("cn-only", &[("ssl-mode=verify_identity&ssl-ca=@root", OK)]),
    Case(
        "named-otherwise",
        &[
            ("ssl-mode=verify_ca&ssl-ca=@root", OK),
            ("host=127.0.0.1&ssl-mode=verify_ca&ssl-ca=@root", OK),
            ("ssl-mode=verify_identity&ssl-ca=@root", Err("db.example.org and not for localhost")),
        ],
    ),
    Case("expired", &[("ssl-mode=verify_ca&ssl-ca=@root", Err("expired at 20"))]),
    Case("self", &[("ssl-mode=verify_identity&ssl-ca=@self", OK)]),
    Case("self-v1", &[("ssl-mode=verify_ca&ssl-ca=@self-v1", OK)]),
    Case("self-leaf", &[("ssl-mode=verify_ca&ssl-ca=@root", Err("self-signed"))]),
    Case("authority-too", &[("ssl-mode=verify_identity&ssl-ca=@root", OK)]),
    Case("below-chain", &[("ssl-mode=verify_identity&ssl-ca=@root", OK)]),
    Case("ed25519", &[("ssl-mode=verify_identity&ssl-ca=@root", OK)]),
    Case("garbage", &[]),
];

const FIRST_ALONE: &[(&str, Result<(), &str>)] =
    &[("ssl-mode=verify_identity&ssl-ca=@root", Err("isn't among the authorities"))];

/// One server for all, since each takes its time to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_every_sort() {
    let server = Server::up("my-certs");
    let made = Certificates::new();
    let mut conn = admin(server.instance.url()).await;
    each_is_taken_or_refused(&server, &made, &mut conn).await;
    a_store_works_behind_one_of_version_1(&server, &made, &mut conn).await;
    a_clients_is_shown(&server, &made, &mut conn).await;
}

async fn each_is_taken_or_refused(server: &Server, made: &Certificates, conn: &mut Conn) {
    let mut wrong = Vec::new();
    let version: String = conn.query_first("SELECT version()").await.unwrap().unwrap();
    let is_old = !version.contains("MariaDB") && version.as_str() < "8.0.30";
    for Case(name, modes) in CASES {
        // MySQL 8.0.28 sends the first certificate of the file alone; 9.7 sends all.
        let modes = if *name == "below-chain" && is_old { FIRST_ALONE } else { modes };
        server.show(conn, made, name).await;
        for (parameters, expected) in std::iter::once(NOTHING).chain(modes.iter().copied()) {
            let mut rest = parameters.replace('@', &format!("{}/", made.named("")));
            if rest.contains("ssl-ca=") {
                rest.push_str(".crt");
            }
            match (expected, connect(&server.url(&rest)).await) {
                (Ok(()), Ok(_)) => {}
                (Ok(()), Err(error)) => wrong.push(format!("{name} {parameters}: {error}")),
                (Err(part), Ok(_)) => wrong.push(format!("{name} {parameters}: no {part}")),
                (Err(part), Err(error)) => {
                    let text = told(&error);
                    if !text.contains(part)
                        || text.contains("is it running")
                        || error.is_transient()
                    {
                        wrong.push(format!("{name} {parameters}: {text}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// TLS that isn't the driver's own carries everything: long answers, errors, ends.
async fn a_store_works_behind_one_of_version_1(
    server: &Server,
    made: &Certificates,
    conn: &mut Conn,
) {
    server.show(conn, made, "v1").await;
    conn.query_drop("CREATE USER strict IDENTIFIED BY 'x' REQUIRE SSL").await.unwrap();
    conn.query_drop("GRANT ALL ON *.* TO strict").await.unwrap();
    let url = server.url("").replace("simplejwt:simplejwt@", "strict:x@");
    let database = connect(&url).await.unwrap();
    migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    let store = MysqlStore::open(&database, &UserTable::default()).await.unwrap();
    assert_eq!(store.refresh(&step(0, 0)).await.unwrap().outcome, RefreshOutcome::Refreshed);
    // Longer than what is copied at a time, there and back.
    let mut long = token("long");
    long.token = "x".repeat(200_000);
    store.record(&long, &Act::at(NOW)).await.unwrap();
    let kept: Option<String> = conn
        .query_first(
            "SELECT token FROM simplejwt.token_blacklist_outstandingtoken WHERE jti = 'long'",
        )
        .await
        .unwrap();
    assert_eq!(kept.unwrap(), long.token);
    // What has been killed is made again.
    let rows: Vec<Row> = conn
        .query("SELECT id FROM information_schema.processlist WHERE user = 'strict'")
        .await
        .unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let id: u64 = row.get(0).unwrap();
        conn.query_drop(format!("KILL {id}")).await.unwrap();
    }
    assert!(!store.is_blacklisted("long").await.unwrap());
    // Nobody stays behind where the store has gone.
    drop((store, database));
    loop {
        let left: Option<u64> = conn
            .query_first(
                "SELECT count(*) FROM information_schema.processlist WHERE user = 'strict'",
            )
            .await
            .unwrap();
        if left == Some(0) {
            break;
        }
        pause().await;
    }
}

async fn a_clients_is_shown(server: &Server, made: &Certificates, conn: &mut Conn) {
    std::fs::copy(made.path("root.crt"), server.folder.join("ca.pem")).unwrap();
    server.show(conn, made, "good").await;
    for sql in [
        "CREATE USER cert IDENTIFIED BY 'x' REQUIRE SUBJECT '/CN=cert_user'",
        "GRANT ALL ON *.* TO cert",
    ] {
        conn.query_drop(sql).await.unwrap();
    }
    let url = |files: &str| {
        let files = files.replace('@', &format!("{}/", made.named("")));
        format!("mysql://cert:x@{}?{files}", server.place)
    };
    for good in [
        "ssl-cert=@client.crt&ssl-key=@client.key",
        "ssl-mode=required&ssl-cert=@client-v1.crt&ssl-key=@client-v1.key",
        "ssl-cert=@client-both.pem",
    ] {
        connect(&url(good)).await.unwrap_or_else(|error| panic!("{good}: {error:?}"));
    }
    for (wrong, part) in [
        ("", "REQUIRE X509"),
        ("ssl-cert=@client-other.crt&ssl-key=@client-other.key", "client's certificate"),
        ("ssl-cert=@client.crt&ssl-key=@good.key", "isn't that of the certificate"),
        ("ssl-cert=@client.crt&ssl-key=@client-encrypted.key", "openssl pkey"),
        ("ssl-cert=@nowhere.crt", "nowhere.crt"),
    ] {
        let text = told(&connect(&url(wrong)).await.expect_err(wrong));
        assert!(text.contains(part), "{wrong}: {text}");
    }
}

/// A URL, a part of what is said, and whether it may pass.
async fn said(url: &str, part: &str, transient: bool) {
    let options =
        MysqlOptions { connect_timeout: Duration::from_millis(500), ..MysqlOptions::default() };
    let error = MysqlDatabase::connect(url, options).await.expect_err(url);
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
async fn what_is_wrong_is_said_with_its_cure() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = |place: &str| format!("mysql://simplejwt:{PASSWORD}@{place}/db");
    said(&at(&format!("127.0.0.1:{free}")), "is it running", true).await;
    said(&at("no.such.host.invalid"), "name isn't known", true).await;
    said(&format!("mysql://u:{PASSWORD}@/db?socket=/nowhere"), "socket isn't there", true).await;
    said(&at(&format!("127.0.0.1:{}", speaking(b""))), "hangs up at once", true).await;
    let shell = speaking(b"SSH-2.0-OpenSSH_9.2\r\n");
    said(&at(&format!("127.0.0.1:{shell}")), "is no MySQL", false).await;
    // Who waits to be spoken to first isn't one either.
    let postgres = server("SIMPLEJWT_TEST_POSTGRES_URL");
    let postgres = postgres.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
    said(&at(&postgres), "is it a MySQL", true).await;

    let url = server("SIMPLEJWT_TEST_MYSQL_URL");
    let place = url.rsplit_once('@').unwrap().1.to_owned();
    let host = place.split('/').next().unwrap().to_owned();
    said(&format!("mysql://simplejwt:{PASSWORD}@{place}"), "the name and the password", false)
        .await;
    // MySQL may pretend that an unknown user needs another plugin.
    said(&format!("mysql://nobody:{PASSWORD}@{place}"), "the name", false).await;
    said(&format!("mysql://simplejwt@{place}"), "the URL has none", false).await;
    said(&format!("mysql://simplejwt:simplejwt@{host}/missing"), "no database \"missing\"", false)
        .await;
    let mut conn = admin(&url).await;
    let user = format!("u{}", std::process::id());
    let as_user = format!("mysql://{user}:x@{place}");
    for (sql, part, transient) in [
        ("CREATE USER % IDENTIFIED BY 'x' REQUIRE SSL", "GRANT", false),
        ("ALTER USER % ACCOUNT LOCK", "ACCOUNT UNLOCK", false),
        ("ALTER USER % WITH MAX_USER_CONNECTIONS 1 ACCOUNT UNLOCK", "GRANT", false),
        ("GRANT ALL ON *.* TO %; ALTER USER % PASSWORD EXPIRE", "expired", false),
    ] {
        for sql in sql.replace('%', &user).split("; ") {
            conn.query_drop(sql).await.unwrap();
        }
        said(&as_user, part, transient).await;
    }
    conn.query_drop(format!("ALTER USER {user} IDENTIFIED BY 'x'")).await.unwrap();
    said(&format!("{as_user}?ssl-mode=disabled"), "TLS (REQUIRE SSL", false).await;
    let first = connect(&as_user).await.unwrap();
    said(&as_user, "max_user_connections", true).await;
    drop(first);
    conn.query_drop(format!("DROP USER {user}")).await.unwrap();
}
