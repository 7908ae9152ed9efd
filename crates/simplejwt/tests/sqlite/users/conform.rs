//! The conformance suite for stores of users, on this database and in memory.

use std::sync::Arc;

use rusqlite::Connection;
use simplejwt::sql::manage::UserOptions;
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteUsers};
use simplejwt::users::conformance::{self, IdType};
use simplejwt::users::password::HashingPool;
use tempfile::TempDir;

use super::{DJANGO, NOW};
use crate::support::people::People;
use crate::support::{columns, memory_people, spawn};

/// A file for the lists of cases that every database goes through.
struct File(TempDir);

impl columns::Tables for File {
    const KIND: columns::DatabaseKind = columns::DatabaseKind::Sqlite;

    async fn run(&self, sql: &str) {
        let raw = Connection::open(self.0.path().join("db.sqlite3")).unwrap();
        raw.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn open_with(
        &self,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<std::sync::Arc<dyn simplejwt::sql::manage::ManageUsers>, String> {
        let path = self.0.path().join("db.sqlite3");
        let database = SqliteDatabase::open_or_create(path, SqliteOptions::default()).unwrap();
        let opened = SqliteUsers::open(&database, table, pool, options);
        Ok(std::sync::Arc::new(opened.map_err(|error| error.to_string())?))
    }
}

impl columns::Place for File {
    async fn migrate(&self, table: UserTable) -> Result<(), String> {
        let path = self.0.path().join("db.sqlite3");
        let database = SqliteDatabase::open_or_create(path, SqliteOptions::default()).unwrap();
        let done = simplejwt::sqlite::migrate::apply(&database, &table, NOW).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    async fn tokens(&self, table: UserTable) -> Result<(), String> {
        let path = self.0.path().join("db.sqlite3");
        let database = SqliteDatabase::open_or_create(path, SqliteOptions::default()).unwrap();
        let opened = simplejwt::sqlite::SqliteStore::open(&database, &table);
        opened.map(drop).map_err(|error| error.to_string())
    }
}

async fn conforms(ids: IdType) {
    let make = || async move {
        let file = Arc::new(File(tempfile::tempdir().unwrap()));
        if ids == IdType::Integer {
            columns::Tables::run(&*file, DJANGO).await;
        }
        People::new(file, ids).await
    };
    conformance::all(make, spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn djangos_users_conform() {
    conforms(IdType::Integer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_with_uuids_conform() {
    conforms(IdType::Uuid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_with_texts_for_ids_conform() {
    conforms(IdType::Text).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_in_memory_conform() {
    conformance::all(|| async { memory_people::Memory::default() }, spawn).await;
}

columns::columns_tests!(File(tempfile::tempdir().unwrap()));
