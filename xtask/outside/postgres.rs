//! Tokens and users in one database.

use simplejwt::postgres::{PostgresDatabase, PostgresOptions, PostgresStore};
use simplejwt::postgres::PostgresUsers;
use simplejwt::sql::manage::UserOptions;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::{Auth, Tokens};

pub async fn auth(tokens: Tokens, url: &str) -> Result<Auth, Box<dyn std::error::Error>> {
    let database = PostgresDatabase::connect(url, PostgresOptions::default()).await?;
    let table = UserTable::default();
    let pool = HashingPool::new(Hashers::default(), PoolOptions::default())?;
    let store = PostgresStore::open(&database, &table).await?;
    let users = PostgresUsers::open(&database, table, pool, UserOptions::default()).await?;
    Ok(Auth::new(tokens).with_sessions(store).with_users(users))
}
