//! Tokens and users in one database.

use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteStore};
use simplejwt::sqlite::SqliteUsers;
use simplejwt::sql::manage::UserOptions;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::{Auth, Tokens};

pub async fn auth(tokens: Tokens, url: &str) -> Result<Auth, Box<dyn std::error::Error>> {
    let database = SqliteDatabase::open(url, SqliteOptions::default())?;
    let table = UserTable::default();
    let pool = HashingPool::new(Hashers::default(), PoolOptions::default())?;
    let store = SqliteStore::open(&database, &table)?;
    let users = SqliteUsers::open(&database, table, pool, UserOptions::default())?;
    Ok(Auth::new(tokens).with_sessions(store).with_users(users))
}
