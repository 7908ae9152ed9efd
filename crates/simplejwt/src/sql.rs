//! The databases' common parts: tables and columns by their names, Django's schema, rights, checks,
//! URLs and TLS.
//!
//! Nothing here names a database's driver: each database's own folder (`sqlite`, `postgres`,
//! `mysql`) builds on this.

#![cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, unused_imports, reason = "each database uses a part of it")
)]

#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod batch;
pub(crate) mod candidates;
pub mod check;
pub(crate) mod column;
pub(crate) mod delete;
pub(crate) mod django;
pub(crate) mod fields;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod flushed_to;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod late;
pub(crate) mod lookup;
pub mod manage;
pub(crate) mod naming;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod network;
pub(crate) mod references;
pub(crate) mod rights;
pub(crate) mod sample;
pub mod schema;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod servers;
pub mod table;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod tls;
pub mod url;
