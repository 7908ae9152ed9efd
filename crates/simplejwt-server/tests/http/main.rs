//! The service on real sockets: endpoints, keys, HTTP/1 and HTTP/2, limits, and the log.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod http2;
mod http_api;
mod logs;
mod oauth;
mod service;
#[path = "../support/mod.rs"]
mod support;
#[cfg(unix)]
mod transport;
