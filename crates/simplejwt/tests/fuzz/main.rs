//! What anybody may send, and what an operator may write: changed at random, from good and bad examples
//! on. Nothing panics, and what must hold of every outcome holds.
//!
//! By `cargo test` each target has a few thousand inputs, the same ones every time. `cargo xtask fuzz`
//! goes on with others for as long as it is told. Examples are lines of `corpus/TARGET.txt`, with
//! Rust's escapes; an input that has failed becomes one more of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod engine;
mod keys;
mod passwords;
#[path = "../costs/requests.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod requests;
mod tokens;
mod urls;
mod web;
