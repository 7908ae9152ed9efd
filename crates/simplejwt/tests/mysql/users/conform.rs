//! The conformance suite for stores of users, on this database.

use std::sync::Arc;

use mysql_async::prelude::Queryable as _;
use simplejwt::mysql::{MysqlStore, migrate};
use simplejwt::sql::manage::{ManageUsers, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::users::conformance::{self, IdType};
use simplejwt::users::password::HashingPool;

use crate::support::mysql::{NOW, World};
use crate::support::people::People;
use crate::support::spawn;

impl crate::support::columns::Tables for World {
    const KIND: crate::support::columns::DatabaseKind =
        crate::support::columns::DatabaseKind::Mysql;

    async fn run(&self, sql: &str) {
        World::run(self, sql).await;
    }

    async fn open_with(
        &self,
        table: UserTable,
        pool: simplejwt::users::password::HashingPool,
        options: UserOptions,
    ) -> Result<std::sync::Arc<dyn simplejwt::sql::manage::ManageUsers>, String> {
        let database = self.database().await;
        let opened = simplejwt::mysql::MysqlUsers::open(&database, table, pool, options);
        Ok(std::sync::Arc::new(opened.await.map_err(|error| error.to_string())?))
    }
}

impl crate::support::columns::Place for World {
    async fn has_type(&self, name: &str) -> bool {
        name != "uuid" || self.one("SELECT VERSION()").await.contains("MariaDB")
    }

    async fn migrate(&self, table: UserTable) -> Result<(), String> {
        let done = migrate::apply(&self.database().await, &table, NOW).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    async fn tokens(&self, table: UserTable) -> Result<(), String> {
        let opened = MysqlStore::open(&self.database().await, &table).await;
        opened.map(drop).map_err(|error| error.to_string())
    }
}

/// With one connection for all that the suite does to the tables.
struct Connected(World, tokio::sync::Mutex<mysql_async::Conn>);

impl crate::support::columns::Tables for Connected {
    const KIND: crate::support::columns::DatabaseKind =
        crate::support::columns::DatabaseKind::Mysql;

    async fn run(&self, sql: &str) {
        let mut conn = self.1.lock().await;
        for statement in sql.split(";\n") {
            conn.query_drop(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        }
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

async fn conforms(world: World, ids: IdType) {
    let conn = tokio::sync::Mutex::new(world.conn().await);
    let place = Arc::new(Connected(world, conn));
    conformance::all(|| People::new(Arc::clone(&place), ids), spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn djangos_users_conform() {
    let world = World::new().await;
    world.run(include_str!("../../fixtures/django_mariadb.sql")).await;
    conforms(world, IdType::Integer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_with_uuids_conform() {
    conforms(World::new().await, IdType::Uuid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_with_texts_for_ids_conform() {
    conforms(World::new().await, IdType::Text).await;
}

crate::support::columns::columns_tests!(World::new().await);
