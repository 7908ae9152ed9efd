//! Hashes of passwords that are there already: whose they are, and samples of them.

use std::sync::Arc;

use rusqlite::Connection;
use simplejwt::sql::manage::{ManageUsers, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteStore, SqliteUsers, migrate};
use simplejwt::users::password::Hashers;
use tempfile::TempDir;

use super::{DJANGO, NOW};
use crate::support::hashes;

/// A file's users by other hashers, and the file itself.
struct Hashed {
    database: SqliteDatabase,
    raw: Connection,
    _directory: TempDir,
}

impl Hashed {
    fn new(sql: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db.sqlite3");
        let database = SqliteDatabase::open_or_create(&path, SqliteOptions::default()).unwrap();
        let raw = Connection::open(&path).unwrap();
        raw.execute_batch(sql).unwrap();
        Self { database, raw, _directory: directory }
    }

    async fn migrated() -> Self {
        let made = Self::new("");
        migrate::apply(&made.database, &UserTable::default(), NOW).await.unwrap();
        made
    }

    fn open(&self, hashers: &Hashers) -> Arc<dyn ManageUsers> {
        self.open_with(hashers, UserOptions::default())
    }

    fn open_with(&self, hashers: &Hashers, options: UserOptions) -> Arc<dyn ManageUsers> {
        let (table, pool) = (UserTable::default(), hashes::pool(hashers));
        Arc::new(SqliteUsers::open(&self.database, table, pool, options).unwrap())
    }
}

#[tokio::test]
async fn hashes_in_djangos_table_are_djangos_to_rewrite() {
    let made = Hashed::new(DJANGO);
    hashes::djangos_table(async |hashers| made.open(&hashers)).await;
}

#[tokio::test]
async fn hashes_in_a_table_made_here_are_raised_until_django_comes() {
    let made = Hashed::migrated().await;
    let run = async |sql: &str| made.raw.execute_batch(sql).unwrap();
    hashes::table_made_here(async |hashers| made.open(&hashers), run).await;
}

#[tokio::test]
async fn rows_of_sessions_follow_a_new_hash() {
    let made = Hashed::migrated().await;
    let store = SqliteStore::open(&made.database, &UserTable::default()).unwrap();
    let run = async |sql: &str| made.raw.execute_batch(sql).unwrap();
    let open = async |hashers, options| made.open_with(&hashers, options);
    hashes::rows_follow_a_new_hash(open, store, run).await;
}

#[tokio::test]
async fn a_sample_of_the_hashes_is_bounded() {
    let made = Hashed::migrated().await;
    let fill = async |hash: &str| {
        let many = format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000) \
             INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, \
             is_staff, is_active, date_joined) \
             SELECT 'user' || n, '{hash}', '', '', '', 0, 0, 1, '2026-01-01 00:00:00' FROM n"
        );
        made.raw.execute_batch(&many).unwrap();
    };
    hashes::a_sample_is_bounded(async |hashers| made.open(&hashers), fill).await;
}
