//! What the databases share: tables and columns by their names, Django's schema, rights, what a
//! database lacks, URLs and TLS.
//!
//! Nothing here names a database's driver: each database's own folder (`sqlite`, `postgres`,
//! `mysql`) stands on this.

#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub(crate) mod candidates;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub mod check;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub(crate) mod column;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub(crate) mod delete;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub(crate) mod django;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub(crate) mod fields;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod late;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub(crate) mod lookup;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub mod manage;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub(crate) mod naming;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod network;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub(crate) mod references;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub(crate) mod rights;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub(crate) mod sample;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub mod schema;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub mod table;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod tls;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub mod url;
