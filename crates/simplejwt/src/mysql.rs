//! Tokens in MySQL or MariaDB, in the tables of upstream's `token_blacklist` app.
//!
//! [`MysqlDatabase`] is the database, [`MysqlStore`] the tokens in it and
//! [`MysqlUsers`] the users in it. Either side may have made
//! the tables: Django's `migrate` or [`migrate::apply`].
//!
//! Every transaction is READ COMMITTED; the unique keys decide who wins.

pub mod check;
mod connect;
pub(crate) mod database;
pub(crate) mod datetime;
mod explain;
mod feed;
mod flush;
mod late;
mod may_migrate;
pub mod migrate;
mod parameters;
#[cfg(target_os = "linux")]
mod relay;
pub(crate) mod schema;
mod servers;
pub(crate) mod sessions;
mod statements;
mod takeover;
mod tls;
mod tokens;
mod url;
mod users;

pub use database::{MysqlDatabase, MysqlOptions};
pub use explain::ConnectError;
pub use parameters::URL_PARAMETERS;
pub use tokens::MysqlStore;
pub use url::{UrlError, url_warnings};
pub use users::MysqlUsers;
