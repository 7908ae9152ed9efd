//! The conformance suite for stores of users, on this database.

use std::sync::Arc;

use simplejwt::postgres::{PostgresStore, PostgresUsers, migrate};
use simplejwt::sql::manage::{ManageUsers, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::users::conformance::{self, IdType};
use simplejwt::users::password::HashingPool;

use super::NOW;
use crate::support::people::People;
use crate::support::postgres::{Database, execute};
use crate::support::{columns, spawn};

impl columns::Tables for Database {
    const KIND: columns::DatabaseKind = columns::DatabaseKind::Postgres;

    async fn run(&self, sql: &str) {
        execute(&self.url, sql).await;
    }

    async fn open_with(
        &self,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<std::sync::Arc<dyn simplejwt::sql::manage::ManageUsers>, String> {
        let opened = PostgresUsers::open(&self.connect().await, table, pool, options).await;
        Ok(std::sync::Arc::new(opened.map_err(|error| error.to_string())?))
    }
}

impl columns::Place for Database {
    async fn migrate(&self, table: UserTable) -> Result<(), String> {
        let done = migrate::apply(&self.connect().await, &table, NOW).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    async fn tokens(&self, table: UserTable) -> Result<(), String> {
        let opened = PostgresStore::open(&self.connect().await, &table).await;
        opened.map(drop).map_err(|error| error.to_string())
    }
}

/// With one connection for all that the suite does to the tables.
struct Connected(Database, tokio_postgres::Client);

impl columns::Tables for Connected {
    const KIND: columns::DatabaseKind = columns::DatabaseKind::Postgres;

    async fn run(&self, sql: &str) {
        self.1.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    async fn open_with(
        &self,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<Arc<dyn ManageUsers>, String> {
        self.0.open_with(table, pool, options).await
    }
}

async fn conforms(database: Database, ids: IdType) {
    let client = database.client().await;
    let place = Arc::new(Connected(database, client));
    conformance::all(|| People::new(Arc::clone(&place), ids), spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn djangos_users_conform() {
    conforms(Database::django().await, IdType::Integer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_with_uuids_conform() {
    conforms(Database::empty().await, IdType::Uuid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_with_texts_for_ids_conform() {
    conforms(Database::empty().await, IdType::Text).await;
}

columns::columns_tests!(Database::empty().await);
