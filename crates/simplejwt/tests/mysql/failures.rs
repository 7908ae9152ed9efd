//! A server that fails: connections killed, the server killed, stopped, frozen, or become one
//! that only reads; and TLS. What was acknowledged stays, what wasn't can be asked again, and it
//! goes on by itself.

#![allow(
    clippy::disallowed_methods,
    reason = "how long a failing server keeps others waiting is measured by the real clock"
)]

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use simplejwt::error::StoreErrorKind;
use simplejwt::event::Act;
use simplejwt::mysql::{ConnectError, MysqlDatabase, MysqlOptions, MysqlStore, migrate};
use simplejwt::sql::table::UserTable;
use simplejwt::store::session::RefreshOutcome;
use simplejwt::{SessionStore as _, TokenStore as _};

use crate::support::instance::Instance;
use crate::support::mysql::{World, admin, is_mariadb, server_url, url_of};
use crate::support::server;
use crate::support::traffic::{CHAINS, NOW, Traffic, assert_unavailable, recovered, step, token};

async fn tokens_of(server: &str, database: &str, session: String) -> usize {
    let mut conn = admin(server).await;
    let sql = format!(
        "SELECT count(*) FROM {database}.simplejwt_session_token WHERE session_id = '{session}'"
    );
    conn.query_first(sql).await.unwrap().unwrap()
}

/// Ends the connections to a database.
async fn disconnect(conn: &mut Conn, database: &str) {
    let sql = format!(
        "SELECT id FROM information_schema.PROCESSLIST \
         WHERE DB = '{database}' AND ID <> CONNECTION_ID()"
    );
    let ids: Vec<u64> = conn.query(sql).await.unwrap();
    for id in ids {
        // One that has just ended by itself is no failure.
        let _ = conn.query_drop(format!("KILL CONNECTION {id}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_killed_are_made_again() {
    let world = World::new().await;
    drop(world.store().await);
    // MySQL 8.0 keeps some of them with their locks until they have been idle for so long.
    let url = format!("{}?init_command=SET%20wait_timeout=3", world.url);
    let database = MysqlDatabase::connect(&url, MysqlOptions::default()).await.unwrap();
    let store = MysqlStore::open(&database, &UserTable::default()).await.unwrap();
    let mut conn = admin(&server_url()).await;
    let traffic = Traffic::start(&store);
    for _ in 0..20 {
        traffic.more(40).await;
        disconnect(&mut conn, &world.name).await;
    }
    traffic.more(40).await;
    let failures = traffic
        .end(&store, async |session| tokens_of(&server_url(), &world.name, session).await)
        .await;
    // One that is killed is made again at once, and no caller hears of it, or hardly one; MySQL has
    // those wait that need what the killed one still holds.
    let most = if is_mariadb(&mut conn).await { CHAINS } else { 5 * CHAINS };
    assert!(failures <= most, "{failures} failures");
}

const LIMIT: Duration = Duration::from_secs(1);

fn impatient() -> MysqlOptions {
    MysqlOptions {
        connect_timeout: LIMIT,
        wait_timeout: LIMIT,
        operation_timeout: LIMIT,
        ..MysqlOptions::default()
    }
}

async fn own_store(url: &str) -> MysqlStore {
    let database = MysqlDatabase::connect(url, MysqlOptions::default()).await.unwrap();
    migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    let database = MysqlDatabase::connect(url, impatient()).await.unwrap();
    MysqlStore::open(&database, &UserTable::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_stopped_or_frozen() {
    let instance = Instance::mariadb("lib-my-fails");
    let store = own_store(instance.url()).await;
    let traffic = Traffic::start(&store);
    for down in ["kill", "stop", "freeze"] {
        traffic.more(200).await;
        match down {
            "freeze" => instance.signal("-STOP"),
            _ => drop(instance.services(&[down, "mariadb"])),
        }
        let begun = Instant::now();
        // Whatever is asked is refused in time: waiting for a connection, and for an answer.
        for outcome in [
            store.ping().await,
            store.is_blacklisted("nothing").await.map(drop),
            store.record(&token("other"), &Act::at(NOW)).await.map(drop),
        ] {
            let error = outcome.expect_err(down);
            assert!(
                matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Busy),
                "{down}: {error:?}"
            );
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{down}: {:?}", begun.elapsed());
        match down {
            "freeze" => instance.signal("-CONT"),
            _ => drop(instance.services(&["start", "mariadb"])),
        }
        let took = recovered(&store).await;
        assert!(took < Duration::from_secs(10), "{down}: {took:?}");
    }
    traffic.more(200).await;
    let count = async |session| tokens_of(instance.url(), "simplejwt", session).await;
    let failures = traffic.end(&store, count).await;
    assert!(failures > 0, "it was away");
}

#[tokio::test]
async fn a_server_that_only_reads_goes_on_answering_reads() {
    let instance = Instance::mariadb("lib-my-reads");
    drop(own_store(instance.url()).await);
    let mut conn = admin(instance.url()).await;
    // Who has every privilege writes all the same.
    conn.query_drop("CREATE USER plain@'%' IDENTIFIED BY 'plain'").await.unwrap();
    conn.query_drop("GRANT SELECT, INSERT, UPDATE, DELETE ON simplejwt.* TO plain@'%'")
        .await
        .unwrap();
    let url = instance.url().replace("simplejwt:simplejwt@", "plain:plain@");
    let database = MysqlDatabase::connect(&url, impatient()).await.unwrap();
    let store = MysqlStore::open(&database, &UserTable::default()).await.unwrap();
    store.record(&token("before"), &Act::at(NOW)).await.unwrap();
    conn.query_drop("SET GLOBAL read_only = 1").await.unwrap();
    for _ in 0..3 {
        assert!(!store.is_blacklisted("before").await.unwrap());
        assert_unavailable(&store.record(&token("during"), &Act::at(NOW)).await.unwrap_err());
        assert_unavailable(&store.blacklist(&token("before"), &Act::at(NOW)).await.unwrap_err());
        assert_unavailable(&store.refresh(&step(0, 0)).await.unwrap_err());
    }
    conn.query_drop("SET GLOBAL read_only = 0").await.unwrap();
    store.record(&token("after"), &Act::at(NOW)).await.unwrap();
    assert_eq!(store.refresh(&step(0, 0)).await.unwrap().outcome, RefreshOutcome::Refreshed);
}

#[tokio::test]
async fn tls_is_used_and_checked_as_the_url_says() {
    let world = World::new().await;
    let account = format!("tls_{}", std::process::id());
    let mut conn = admin(&server_url()).await;
    conn.query_drop(format!("DROP USER IF EXISTS {account}@'%'")).await.unwrap();
    let create = format!("CREATE USER {account}@'%' IDENTIFIED BY 'tls' REQUIRE SSL");
    conn.query_drop(create).await.unwrap();
    conn.query_drop(format!("GRANT SELECT ON {}.* TO {account}@'%'", world.name)).await.unwrap();
    let base = url_of(&server_url(), &world.name)
        .replace("simplejwt:simplejwt@", &format!("{account}:tls@"));
    let named = base.replace("127.0.0.1", "localhost");
    let authority = server("SIMPLEJWT_TEST_CA_FILE");
    let connect =
        async |url: String| MysqlDatabase::connect(&url, MysqlOptions::default()).await.map(drop);
    // The certificate is for `localhost` and no address.
    for good in [
        base.clone(),
        format!("{base}?ssl-mode=required"),
        format!("{base}?ssl-mode=verify_ca&ssl-ca={authority}"),
        format!("{named}?ssl-mode=verify_identity&ssl-ca={authority}"),
    ] {
        connect(good.clone()).await.unwrap_or_else(|error| panic!("{good}: {error:?}"));
    }
    for wrong in [
        format!("{base}?ssl-mode=verify_identity&ssl-ca={authority}"),
        // An authority that nobody knows.
        format!("{base}?ssl-mode=verify_ca"),
    ] {
        let error = connect(wrong.clone()).await.expect_err(&wrong);
        assert!(matches!(error, ConnectError::Tls { .. }), "{wrong}: {error:?}");
        assert!(!format!("{error:?}").contains(":tls@"), "{error:?}");
    }
    // The account may not come without.
    let error = connect(format!("{base}?ssl-mode=disabled")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    conn.query_drop(format!("DROP USER {account}@'%'")).await.unwrap();
}
