//! What the tests of stores share.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

pub(crate) mod certificates;
pub(crate) mod columns;
pub(crate) mod hashes;
pub(crate) mod instance;
pub(crate) mod memory_people;
#[cfg(feature = "sql")]
pub(crate) mod moves;
#[cfg(feature = "mysql")]
pub(crate) mod mysql;
pub(crate) mod people;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod references;
pub(crate) mod relay;
pub(crate) mod rights;
pub(crate) mod spelling;
pub(crate) mod traffic;

use std::time::Duration;

use simplejwt::Timestamp;
use simplejwt::event::Cause;
use simplejwt::sql::manage::{ManageUsers, NewUser};
use simplejwt::store::conformance::Task;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions, unusable_password};

/// When the tests take place.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);

/// Waits a moment before something is asked again, so that whoever is asked has the processor.
pub(crate) async fn pause() {
    let _ = tokio::time::timeout(Duration::from_millis(10), std::future::pending::<()>()).await;
}

/// Runs a task on the test's runtime.
pub(crate) fn spawn(task: Task) {
    tokio::spawn(task);
}

/// A pool that hashes without work.
pub(crate) fn hashing_pool() -> HashingPool {
    let hashers = Hashers::from_setting(["md5"]).unwrap();
    HashingPool::new(hashers, PoolOptions { threads: 1, waiting: 64 }).unwrap()
}

/// The users 1 and 2 of the conformance suites.
pub(crate) async fn two_users(users: &impl ManageUsers) {
    for (name, id) in [("one", "1"), ("two", "2")] {
        let new =
            NewUser { username: name.into(), password: unusable_password(), ..Default::default() };
        assert_eq!(users.create_user(new, &Cause::at(NOW)).await.unwrap().outcome.id.as_str(), id);
    }
}

/// The URL of a database server for tests.
pub(crate) fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} isn't set: run `cargo xtask test`, or `cargo xtask services up` and then \
             `eval \"$(cargo xtask services env)\"`"
        )
    })
}
