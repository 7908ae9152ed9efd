//! The edges: cookies, extractors, permissions, and the examples as programs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod cookies;
mod examples;
mod extractors;
mod hyper;
mod permissions;
mod specs;
#[path = "../support/world.rs"]
mod world;
