//! MySQL or MariaDB: the suites, users, migrations.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod migrations;
#[path = "../support/rights.rs"]
mod rights;
mod stores;
mod users;
mod world;
