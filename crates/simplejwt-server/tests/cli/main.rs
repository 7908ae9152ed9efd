//! The command line: first steps, help, messages, exit codes, names, and the findings of `config
//! check` and `doctor`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod checks;
mod commands;
mod doctor;
mod first_steps;
mod keys;
mod names;
mod realms;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;
