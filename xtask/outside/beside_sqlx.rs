//! The library and sqlx in one program, on one file.

use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteStore, migrate};
use simplejwt::sql::table::UserTable;
use simplejwt::{Clock as _, SystemClock};
use sqlx::Row as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("a path")?;
    let database = SqliteDatabase::open_or_create(&path, SqliteOptions::default())?;
    let table = UserTable::default();
    migrate::apply(&database, &table, SystemClock.now()).await?;
    let store = SqliteStore::open(&database, &table)?;
    simplejwt::TokenStore::ping(&store).await?;
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{path}")).await?;
    let counted = "SELECT count(*), sqlite_version() FROM auth_user";
    let row = sqlx::query(counted).fetch_one(&pool).await?;
    println!("{} users, SQLite {}", row.get::<i64, _>(0), row.get::<String, _>(1));
    Ok(())
}
