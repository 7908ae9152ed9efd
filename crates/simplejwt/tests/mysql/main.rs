//! MySQL or MariaDB: the suites, users, migrations, how it is connected to, and a server that fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod authentication;
mod batches;
mod certificates;
mod failures;
mod migrations;
mod passwords;
mod servers;
mod stores;
#[path = "../support/mod.rs"]
mod support;
mod users;
