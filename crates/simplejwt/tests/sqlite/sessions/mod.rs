//! Sessions through `Auth`, with a clock that is moved by hand, in memory and in SQLite.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod claims;
mod ends;
mod events;
mod feed;
mod ids;
mod limits;
mod owners;
mod retention;
mod rows;
mod spent;
mod tokens;
mod traps;
