//! Sessions with several processes on each database: races, spent tokens, sizes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod claims;
mod keys;
mod marks;
mod races;
mod realms;
mod rows;
mod sizes;
#[path = "../support/mod.rs"]
mod support;
mod throttle;
mod traps;
