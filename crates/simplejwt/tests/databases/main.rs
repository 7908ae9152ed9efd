//! What is the same on all three databases: what `check` finds, and making and deleting users.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod checks;
mod managing;
#[path = "../support/mod.rs"]
mod support;
