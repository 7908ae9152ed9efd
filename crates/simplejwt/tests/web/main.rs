//! The edges: cookies, public documents, extractors, permissions, and the examples as programs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod cookies;
#[path = "../../examples/custom_user_store.rs"]
#[allow(dead_code, reason = "its tests are run here, its program by `examples`")]
mod custom_user_store;
mod documents;
mod events;
mod examples;
mod extractors;
mod hyper;
mod permissions;
mod realms;
mod specs;
#[path = "../support/world.rs"]
mod world;
