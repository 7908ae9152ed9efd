//! Tokens in MySQL or MariaDB, in the tables of upstream's `token_blacklist` app.
//!
//! [`MysqlDatabase`] is the database, [`MysqlStore`] holds its tokens and [`MysqlUsers`] its users.
//! The tables may have been created by Django's `migrate` or by [`migrate::apply`].
//!
//! Every transaction is READ COMMITTED; the unique keys decide races.

pub mod check;
mod connect;
pub(crate) mod database;
pub(crate) mod datetime;
mod explain;
mod feed;
mod flush;
mod keys;
mod late;
mod lookup;
mod may_migrate;
pub mod migrate;
mod parameters;
#[cfg(target_os = "linux")]
mod relay;
mod rotations;
mod rows;
pub(crate) mod schema;
mod servers;
pub(crate) mod sessions;
mod statements;
mod takeover;
mod throttle;
mod tls;
mod tokens;
mod url;
mod users;

pub use database::{MysqlDatabase, MysqlOptions};
pub use explain::ConnectError;
pub use parameters::URL_PARAMETERS;
pub use tokens::MysqlStore;
pub use url::{UrlError, url_security, url_warnings};
pub use users::MysqlUsers;
