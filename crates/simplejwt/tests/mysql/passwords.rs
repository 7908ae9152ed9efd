//! What a login makes of stored hashes.

use std::sync::Arc;

use simplejwt::mysql::{MysqlStore, MysqlUsers, migrate};
use simplejwt::sql::manage::{ManageUsers, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::users::password::Hashers;

use crate::support::hashes;
use crate::support::mysql::{NOW, World};

async fn migrated() -> World {
    let world = World::new().await;
    migrate::apply(&world.database().await, &UserTable::default(), NOW).await.unwrap();
    world
}

async fn open(world: &World, hashers: &Hashers) -> Arc<dyn ManageUsers> {
    open_with(world, hashers, UserOptions::default()).await
}

async fn open_with(world: &World, hashers: &Hashers, options: UserOptions) -> Arc<dyn ManageUsers> {
    let (database, pool) = (world.database().await, hashes::pool(hashers));
    Arc::new(MysqlUsers::open(&database, UserTable::default(), pool, options).await.unwrap())
}

#[tokio::test]
async fn hashes_in_djangos_table_are_djangos_to_rewrite() {
    let world = World::new().await;
    world.run(include_str!("../fixtures/django_mariadb.sql")).await;
    hashes::djangos_table(async |hashers| open(&world, &hashers).await).await;
}

#[tokio::test]
async fn hashes_in_a_table_made_here_are_raised_until_django_comes() {
    let world = migrated().await;
    let run = async |sql: &str| world.run(sql).await;
    hashes::table_made_here(async |hashers| open(&world, &hashers).await, run).await;
}

#[tokio::test]
async fn rows_of_sessions_follow_a_new_hash() {
    let world = migrated().await;
    let table = UserTable::default();
    let store = MysqlStore::open(&world.database().await, &table).await.unwrap();
    let run = async |sql: &str| world.run(sql).await;
    let open = async |hashers, options| open_with(&world, &hashers, options).await;
    hashes::rows_follow_a_new_hash(open, store, run).await;
}

#[tokio::test]
async fn a_sample_of_the_hashes_is_bounded() {
    let world = migrated().await;
    let fill = async |hash: &str| {
        let many = format!(
            "INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, \
             is_staff, is_active, date_joined) \
             WITH RECURSIVE n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < 900) \
             SELECT CONCAT('user', n), '{hash}', '', '', '', 0, 0, 1, NOW() FROM n"
        );
        world.run(&many).await;
    };
    hashes::a_sample_is_bounded(async |hashers| open(&world, &hashers).await, fill).await;
}
