//! PostgreSQL: the suites, users, migrations, how it is connected to, and a server that fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod batches;
mod certificates;
mod failures;
mod migrations;
mod refusals;
mod servers;
mod stores;
#[path = "../support/mod.rs"]
mod support;
mod users;
