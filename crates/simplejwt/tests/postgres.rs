//! Tokens, sessions and users in a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod support;

use std::sync::Mutex;

use simplejwt::store::conformance;
use support::postgres::Database;
use support::spawn;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens() {
    let databases = Mutex::new(Vec::new());
    conformance::all(
        || async {
            let database = Database::migrated().await;
            let store = database.store().await;
            databases.lock().unwrap().push(database);
            store
        },
        spawn,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions() {
    let databases = Mutex::new(Vec::new());
    conformance::sessions(
        || async {
            let database = Database::migrated().await;
            let store = database.store().await;
            databases.lock().unwrap().push(database);
            store
        },
        spawn,
    )
    .await;
}
