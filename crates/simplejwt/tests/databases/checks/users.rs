//! Tables of users: columns whose type doesn't say what is in them.

use rusqlite::Connection;
use simplejwt::event::Cause;
use simplejwt::mysql::MysqlUsers;
use simplejwt::postgres::PostgresUsers;
use simplejwt::postgres::migrate;
use simplejwt::sql::manage::{ManageUsers as _, NewUser, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::SqliteUsers;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions};
use simplejwt::{mysql, sqlite};

use super::{every_use, texts};
use crate::support::mysql::World;
use crate::support::postgres::Database;
use crate::support::{NOW, hashing_pool};

fn named(table: &str) -> UserTable {
    UserTable { table: table.into(), ..UserTable::default() }
}

/// Every column that is wrong is told at once.
#[tokio::test]
async fn all_columns_are_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let database = SqliteDatabase::open_or_create(&path, SqliteOptions::default()).unwrap();
    sqlite::migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    let users = UserTable {
        login: "mail".into(),
        is_staff: Some("username".into()),
        columns: vec!["phone".into(), "password".into()],
        ..UserTable::default()
    };
    let found = texts(&sqlite::check::check(&database, &users, &every_use()).await.unwrap());
    for part in [
        "no column \"mail\"",
        "no column \"phone\"",
        "column \"username\" of the table \"auth_user\" has the type \"varchar(150)\", out of which",
        "column \"password\" holds a secret",
    ] {
        assert!(found.iter().any(|text| text.contains(part)), "{part}: {found:#?}");
    }
    let users = UserTable { login: "email".into(), ..UserTable::default() };
    let problems = sqlite::check::check(&database, &users, &every_use()).await.unwrap();
    let remedy = &problems.iter().next().unwrap().remedy;
    Connection::open(&path).unwrap().execute_batch(remedy).unwrap();
    let problems = sqlite::check::check(&database, &users, &every_use()).await.unwrap();
    assert!(problems.is_empty(), "{problems}");
}

/// A column of 32 characters holds UUIDs, unless its rows say otherwise.
#[tokio::test]
async fn what_is_in_a_column_of_32_characters_tells_what_it_holds() {
    const CODES: &str = "ALTER TABLE auth_user ADD COLUMN code char(32) NULL";
    const UNIQUE: &str = "CREATE UNIQUE INDEX codes ON auth_user (code)";
    const VALUE: &str = "UPDATE auth_user SET code = 'K-2041' WHERE username = 'ann'";
    let users = || UserTable { login: "code".into(), ..UserTable::default() };
    let ann = || NewUser { username: "ann".into(), password: "!".into(), ..NewUser::default() };
    let options = UserOptions::default();

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let database = SqliteDatabase::open_or_create(&path, SqliteOptions::default()).unwrap();
    sqlite::migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    let open = |users| SqliteUsers::open(&database, users, hashing_pool(), options).unwrap();
    open(UserTable::default()).create_user(ann(), &Cause::at(NOW)).await.unwrap();
    let direct = Connection::open(&path).unwrap();
    direct.execute_batch(&[CODES, UNIQUE].join(";\n")).unwrap();
    // Nothing says otherwise yet.
    assert!(open(users()).by_username("K-2041").await.unwrap().is_none());
    direct.execute_batch(VALUE).unwrap();
    assert_eq!(open(users()).by_username("K-2041").await.unwrap().unwrap().username, "K-2041");

    let made = Database::migrated().await;
    let client = made.client().await;
    let database = made.connect().await;
    let open =
        async |users| PostgresUsers::open(&database, users, hashing_pool(), options).await.unwrap();
    open(UserTable::default()).await.create_user(ann(), &Cause::at(NOW)).await.unwrap();
    client.batch_execute(&[CODES, UNIQUE, VALUE].join(";\n")).await.unwrap();
    assert!(open(users()).await.by_username("K-2041").await.unwrap().is_some());

    let world = World::new().await;
    let database = world.store().await.database().clone();
    let open =
        async |users| MysqlUsers::open(&database, users, hashing_pool(), options).await.unwrap();
    open(UserTable::default()).await.create_user(ann(), &Cause::at(NOW)).await.unwrap();
    for sql in [CODES, UNIQUE, VALUE] {
        world.run(sql).await;
    }
    assert!(open(users()).await.by_username("K-2041").await.unwrap().is_some());
}

/// Nothing is changed where tokens couldn't refer to the users.
#[tokio::test]
async fn migrate_refuses_users_that_no_foreign_key_can_lead_to() {
    const TABLE: &str = "CREATE TABLE people (id integer NOT NULL, username varchar(150) NOT NULL \
        UNIQUE, password varchar(128) NOT NULL, last_login varchar(30) NULL, \
        is_active integer NOT NULL, is_staff integer NOT NULL, is_superuser integer NOT NULL";
    const TOLD: &str = "no foreign key can lead to \"id\"";
    let users = named("people");
    let made = Database::with(&format!("{TABLE}, UNIQUE (id) DEFERRABLE)")).await;
    let refused = migrate::apply(&made.connect().await, &users, NOW).await.unwrap_err();
    assert!(refused.to_string().contains(TOLD), "{refused}");

    let world = World::new().await;
    world.run(&format!("{TABLE}, UNIQUE (id)) ENGINE = MyISAM")).await;
    let refused = mysql::migrate::apply(&world.database().await, &users, NOW).await.unwrap_err();
    assert!(refused.to_string().contains(TOLD), "{refused}");
    let count = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()";
    assert_eq!(world.one(count).await, "1");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let database = SqliteDatabase::open_or_create(&path, SqliteOptions::default()).unwrap();
    Connection::open(&path).unwrap().execute_batch(&format!("{TABLE})")).unwrap();
    let refused = sqlite::migrate::apply(&database, &users, NOW).await.unwrap_err();
    assert!(refused.to_string().contains(TOLD), "{refused}");
}
