//! Migrations of one PostgreSQL database by several processes at once.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::time::Duration;

use simplejwt::Timestamp;
use simplejwt::store::postgres::{PostgresDatabase, PostgresOptions, PostgresStore, migrate};
use simplejwt::users::table::UserTable;
use tokio_postgres::NoTls;

const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);

async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_migrate_at_once() {
    let server = std::env::var("SIMPLEJWT_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!("SIMPLEJWT_TEST_POSTGRES_URL isn't set: run `cargo xtask services up`")
    });
    let name = format!("test_migrations_{}", std::process::id());
    let (base, _) = server.rsplit_once('/').unwrap();
    let url = format!("{base}/{name}");
    execute(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    execute(&server, &format!("CREATE DATABASE {name}")).await;
    let started: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let database =
                    PostgresDatabase::connect(&url, PostgresOptions::default()).await.unwrap();
                let steps = migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
                (database, steps.len())
            })
        })
        .collect();
    let mut made = Vec::new();
    for one in started {
        let limit = Duration::from_secs(60);
        let (database, steps) = tokio::time::timeout(limit, one).await.unwrap().unwrap();
        made.push(steps);
        let store = PostgresStore::open(&database, &UserTable::default()).await.unwrap();
        store.check_sessions().await.unwrap();
        assert!(migrate::plan(&database, &UserTable::default()).await.unwrap().is_empty());
    }
    made.sort_unstable();
    assert_eq!(made, [0, 0, 0, 0, 0, 0, 0, 6], "one of them made it all");
    execute(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
}
