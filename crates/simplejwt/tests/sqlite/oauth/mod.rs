//! What gateways and OAuth's clients ask, over the router, in memory and in SQLite.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod clients;
mod gateway;
mod introspect;
mod revoke;
mod web;
