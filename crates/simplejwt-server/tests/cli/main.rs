//! The command line: what somebody types first, help, messages, exit codes, names, and what `config check` finds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod checks;
mod commands;
mod first_steps;
mod names;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;
