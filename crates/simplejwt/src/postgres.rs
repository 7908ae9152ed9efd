//! Tokens in PostgreSQL, in the tables of upstream's `token_blacklist` app.
//!
//! [`PostgresDatabase`] is the database, [`PostgresStore`] the tokens in it and
//! [`PostgresUsers`] the users in it. Either side may have
//! made the tables: Django's `migrate` or [`migrate::apply`].
//!
//! What decides is always a unique key, within one statement where that will do: no outcome
//! depends on the isolation level being more than READ COMMITTED.

pub(crate) mod batch;
pub mod check;
mod connect;
mod database;
pub(crate) mod encoding;
mod explain;
mod feed;
mod flush;
mod late;
pub(crate) mod lookup;
mod may_migrate;
pub mod migrate;
mod parameters;
mod pooler;
mod probe;
pub(crate) mod refusal;
mod rotations;
pub(crate) mod schema;
mod servers;
mod sessions;
mod statements;
mod takeover;
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
pub use url::url_warnings;
pub use users::PostgresUsers;
