//! Tokens in an SQLite file, in the tables of upstream's `token_blacklist` app.
//!
//! [`SqliteDatabase`] is the file, [`SqliteStore`] holds its tokens and [`SqliteUsers`] its users.
//! The tables may have been created by Django's `migrate` or by [`migrate::apply`].

pub mod check;
mod connect;
mod copying;
mod database;
pub(crate) mod datetime;
mod feed;
mod flush;
mod keys;
pub mod migrate;
mod queue;
mod rows;
pub(crate) mod schema;
pub(crate) mod sessions;
mod statements;
mod takeover;
mod throttle;
mod tokens;
mod url;
mod users;
mod writer;

pub use connect::OpenError;
pub use database::{SqliteDatabase, SqliteOptions};
pub use tokens::SqliteStore;
pub use url::{SqliteUrl, SqliteUrlError, URL_PARAMETERS};
pub use users::SqliteUsers;
