//! Tokens and users in one database.

use simplejwt::mysql::{MysqlDatabase, MysqlOptions, MysqlStore};
use simplejwt::mysql::MysqlUsers;
use simplejwt::sql::manage::UserOptions;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::{Auth, Tokens};

pub async fn auth(tokens: Tokens, url: &str) -> Result<Auth, Box<dyn std::error::Error>> {
    let database = MysqlDatabase::connect(url, MysqlOptions::default()).await?;
    let table = UserTable::default();
    let pool = HashingPool::new(Hashers::default(), PoolOptions::default())?;
    let store = MysqlStore::open(&database, &table).await?;
    let users = MysqlUsers::open(&database, table, pool, UserOptions::default()).await?;
    Ok(Auth::new(tokens).with_sessions(store).with_users(users))
}
