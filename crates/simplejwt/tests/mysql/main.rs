//! MySQL or MariaDB: the suites, users, migrations, failures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod failures;
mod migrations;
mod stores;
mod users;
mod world;
