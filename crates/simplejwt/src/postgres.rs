//! Tokens in PostgreSQL, in the tables of upstream's `token_blacklist` app.
//!
//! [`PostgresDatabase`] is the database, [`PostgresStore`] holds its tokens and [`PostgresUsers`]
//! its users. The tables may have been created by Django's `migrate` or by [`migrate::apply`].
//!
//! A unique key always decides, within a single statement if possible: no outcome needs an
//! isolation level above READ COMMITTED.

pub mod check;
mod connect;
mod database;
pub(crate) mod encoding;
mod explain;
mod feed;
mod flush;
mod keys;
mod late;
pub(crate) mod lookup;
mod may_migrate;
pub mod migrate;
mod parameters;
mod pooler;
mod probe;
pub(crate) mod refusal;
mod rotations;
mod rows;
pub(crate) mod schema;
mod servers;
mod sessions;
mod statements;
mod takeover;
mod throttle;
mod tls;
mod tokens;
mod url;
mod users;
mod watch;

pub(crate) use database::run;
pub use database::{PostgresDatabase, PostgresOptions};
pub use explain::ConnectError;
pub use parameters::URL_PARAMETERS;
pub use tokens::PostgresStore;
pub use url::{url_security, url_warnings};
pub use users::PostgresUsers;
