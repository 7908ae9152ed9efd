//! Several servers in one URL, and one that has fewer connections than the pool.

#![allow(
    clippy::disallowed_methods,
    reason = "how long a silent server keeps others waiting is measured by the real clock"
)]

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use simplejwt::event::Act;
use simplejwt::mysql::{MysqlDatabase, MysqlOptions, MysqlStore, migrate};
use simplejwt::sql::table::UserTable;
use simplejwt::store::session::{NextToken, RefreshOutcome, SessionRefresh};
use simplejwt::{SessionStore as _, TokenStore as _};

use crate::support::instance::Instance;
use crate::support::mysql::{World, admin, is_mariadb, server_url};
use crate::support::pause;
use crate::support::relay::Relay;
use crate::support::traffic::{NOW, refresh, step, token};

/// `host:port` of a URL.
fn host(url: &str) -> &str {
    url.split_once('@').unwrap().1.split_once('/').unwrap().0
}

async fn open(url: &str) -> MysqlStore {
    let database = MysqlDatabase::connect(url, MysqlOptions::default()).await.unwrap();
    MysqlStore::open(&database, &UserTable::default()).await.unwrap()
}

/// The kernel goes on accepting for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_first_server_is_passed_by_within_the_requests_own_time() {
    let world = World::new().await;
    drop(world.store().await);
    let good = host(&world.url).to_owned();
    let relay = Relay::to(&good);
    let first = relay.address.to_string();
    let url = world.url.replace(&good, &format!("{first},{good}"));
    let store = open(&url).await;
    store.record(&token("before"), &Act::at(NOW)).await.unwrap();
    let accepted = relay.accepted();
    assert!(accepted > 0, "the first of them is used");
    relay.fall_silent();
    let begun = Instant::now();
    store.record(&token("during"), &Act::at(NOW)).await.unwrap();
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");
    // From then on nobody waits for it.
    for number in 0..10 {
        store.record(&token(&number.to_string()), &Act::at(NOW)).await.unwrap();
    }
    assert!(begun.elapsed() < took + Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(relay.accepted(), accepted);
    // Whoever starts only now passes it by, too.
    let begun = Instant::now();
    open(&url).await.record(&token("fresh"), &Act::at(NOW)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// A server that has lost its power keeps its locks no longer than that; whoever wants less has less.
#[tokio::test]
async fn a_connection_is_idle_for_a_minute_at_most() {
    let world = World::new().await;
    drop(world.store().await);
    world
        .run(
            "CREATE TABLE seen (jti varchar(255) PRIMARY KEY, seconds bigint);\n\
         CREATE TRIGGER look BEFORE INSERT ON token_blacklist_outstandingtoken FOR EACH ROW \
         INSERT INTO seen VALUES (NEW.jti, @@SESSION.wait_timeout)",
        )
        .await;
    for (jti, parameters, seconds) in
        [("own", "", "60"), ("less", "?init_command=SET%20wait_timeout=7", "7")]
    {
        let store = open(&format!("{}{parameters}", world.url)).await;
        store.record(&token(jti), &Act::at(NOW)).await.unwrap();
        let sql = format!("SELECT CAST(seconds AS char) FROM seen WHERE jti = '{jti}'");
        assert_eq!(world.one(&sql).await, seconds, "{jti}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_is_waited_for() {
    let world = World::new().await;
    drop(world.store().await);
    let account = format!("few_{}", std::process::id());
    let mut conn = admin(&server_url()).await;
    for sql in [
        format!("DROP USER IF EXISTS {account}@'%'"),
        format!("CREATE USER {account}@'%' IDENTIFIED BY 'few' WITH MAX_USER_CONNECTIONS 3"),
        format!("GRANT ALL ON {}.* TO {account}@'%'", world.name),
    ] {
        conn.query_drop(sql).await.unwrap();
    }
    let url = world.url.replace("simplejwt:simplejwt@", &format!("{account}:few@"));
    let store = open(&url).await;
    let mut tasks = Vec::new();
    for number in 0..60 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            store.record(&token(&number.to_string()), &Act::at(NOW)).await
        }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    conn.query_drop(format!("DROP USER {account}@'%'")).await.unwrap();
}

fn with_grace(seconds: u64, chain: usize, at: u64, next: &str) -> SessionRefresh {
    let mut again = step(chain, 0);
    again.grace = Duration::from_secs(seconds);
    again.cause.at = NOW + Duration::from_secs(at);
    if let NextToken::Rotated { token, .. } = &mut again.next {
        token.jti = next.into();
        token.token = format!("{next}.token");
    }
    again
}

/// Statements from which on every COMMIT hangs, and the one that lets it go on.
type Commits = (&'static [&'static str], &'static str);

const COMMITS_OF_MARIADB: Commits = (
    &[
        "BACKUP STAGE START",
        "BACKUP STAGE FLUSH",
        "BACKUP STAGE BLOCK_DDL",
        "BACKUP STAGE BLOCK_COMMIT",
    ],
    "BACKUP STAGE END",
);

/// A COMMIT waits for a replica, and there is none.
const COMMITS_OF_MYSQL: Commits = (
    &[
        "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
        "SET GLOBAL rpl_semi_sync_source_timeout = 600000",
        "SET GLOBAL rpl_semi_sync_source_enabled = 1",
    ],
    "SET GLOBAL rpl_semi_sync_source_enabled = 0",
);

/// A demoted primary, and one whose COMMITs hang.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_commit_and_one_that_only_reads() {
    let instance = Instance::mariadb("lib-my-commit");
    let database = MysqlDatabase::connect(instance.url(), MysqlOptions::default()).await.unwrap();
    migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    let options = MysqlOptions { operation_timeout: Duration::from_secs(3), ..Default::default() };
    let database = MysqlDatabase::connect(instance.url(), options).await.unwrap();
    let store = MysqlStore::open(&database, &UserTable::default()).await.unwrap();
    for chain in 0..2 {
        let first = token(&format!("chain-{chain}-0"));
        let joined = refresh(&first.jti, &first.jti, NextToken::None);
        assert_eq!(store.refresh(&joined).await.unwrap().outcome, RefreshOutcome::Refreshed);
    }
    let mut watcher = admin(instance.url()).await;
    let mut conn = admin(instance.url()).await;
    let is_mariadb = is_mariadb(&mut conn).await;
    let (hang, go_on) = if is_mariadb { COMMITS_OF_MARIADB } else { COMMITS_OF_MYSQL };
    for sql in hang {
        conn.query_drop(*sql).await.unwrap();
    }
    let begun = Instant::now();
    store.refresh(&with_grace(1, 0, 0, "late")).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // The client asks again while its rotation is still on its way, and until it is there.
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { store.refresh(&with_grace(1, 0, 30, "again")).await })
    };
    let blocked = format!(
        "SELECT count(*) FROM information_schema.PROCESSLIST \
         WHERE INFO LIKE 'INSERT INTO simplejwt_session_token%' AND {}",
        // MySQL counts in seconds alone.
        if is_mariadb { "TIME_MS > 100" } else { "TIME > 0" }
    );
    while watcher.query_first::<u64, _>(blocked.as_str()).await.unwrap() == Some(0) {
        assert!(!waiting.is_finished(), "{:?}", waiting.await);
        pause().await;
    }
    conn.query_drop(go_on).await.unwrap();
    let answer = waiting.await.unwrap().unwrap().outcome;
    assert!(matches!(&answer, RefreshOutcome::Repeated(next) if next.jti == "late"), "{answer:?}");
    // It is dated with the end of the COMMIT, some three seconds later.
    let dated = "SELECT created_at FROM simplejwt.simplejwt_session_token WHERE jti = 'late'";
    let begun = Instant::now();
    let mut created_at = 0;
    while created_at < (NOW + Duration::from_millis(1500)).as_micros() {
        created_at = watcher.query_first(dated).await.unwrap().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "{created_at}");
        pause().await;
    }

    // Demoted: whoever has a second host goes there.
    let world = World::new().await;
    let other = world.store().await;
    conn.query_drop(format!("CREATE DATABASE {}", world.name)).await.unwrap();
    conn.query_drop("SET GLOBAL read_only = 1").await.unwrap();
    let (demoted, good) = (host(instance.url()).to_owned(), host(&world.url).to_owned());
    let both = open(&world.url.replace(&good, &format!("{demoted},{good}"))).await;
    both.record(&token("elsewhere"), &Act::at(NOW)).await.unwrap();
    assert!(other.blacklist(&token("elsewhere"), &Act::at(NOW)).await.is_ok());
}
