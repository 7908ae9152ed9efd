//! SQLite: the suites, users, the file and its migrations; and what is the same in memory: sessions,
//! and what gateways and OAuth's clients ask.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod database;
mod oauth;
mod sessions;
mod stores;
#[path = "../support/mod.rs"]
mod support;
mod users;
mod world;
