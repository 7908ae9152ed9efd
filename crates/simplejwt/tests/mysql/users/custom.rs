//! Custom user models: keys of other types, and tables of other forms.

use std::sync::Arc;

use simplejwt::event::Act;
use simplejwt::mysql::{MysqlStore, MysqlUsers, migrate};
use simplejwt::sql::manage::{ManageUsers as _, UserOptions};
use simplejwt::sql::table::{KeyKind, UserTable};
use simplejwt::store::{OutstandingToken, TokenStore as _};
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::users::{Credentials, UserStore as _};

use crate::support::mysql::{NOW, World, token, users};
use crate::support::spelling::every_spelling_or_none;

async fn custom(key: KeyKind, column: &str, values: [&str; 2], ids: [&str; 2]) {
    let world = World::new().await;
    world
        .run(&format!(
            "CREATE TABLE `accounts user` (uid {column} NOT NULL PRIMARY KEY, email varchar(254) \
             NOT NULL UNIQUE, password varchar(128) NOT NULL);\n\
             INSERT INTO `accounts user` VALUES ('{}', 'a@x', ''), ('{}', 'b@x', '')",
            values[0], values[1]
        ))
        .await;
    let table = UserTable {
        table: "accounts user".into(),
        primary_key: "uid".into(),
        key: Some(key),
        login: "email".into(),
        is_active: None,
        is_staff: None,
        is_superuser: None,
        last_login: None,
        ..UserTable::default()
    };
    let database = world.database().await;
    migrate::apply(&database, &table, NOW).await.unwrap();
    assert!(migrate::plan(&database, &table).await.unwrap().is_empty());
    let users = users(&database, table.clone()).await;
    let store = MysqlStore::open(&database, &table).await.unwrap();
    for (name, id) in [("a@x", ids[0]), ("b@x", ids[1])] {
        let user = users.by_username(name).await.unwrap().unwrap();
        assert_eq!(user.id.as_str(), id);
        assert_eq!(users.find(&user.id).await.unwrap().unwrap().username, name);
        let of_user = OutstandingToken { user_id: Some(user.id.clone()), ..token(name) };
        store.record(&of_user, &Act::at(NOW)).await.unwrap();
    }
    let unknown = "SELECT COUNT(*) FROM token_blacklist_outstandingtoken WHERE user_id IS NULL";
    assert_eq!(world.one(unknown).await, "0", "a token's user wasn't found");
    assert_eq!(store.blacklist_all(&ids[0].into(), NOW).await.unwrap(), 1);
    assert!(store.is_blacklisted("a@x").await.unwrap());
    assert!(!store.is_blacklisted("b@x").await.unwrap());
}

/// Of the first user, whose id the texts are other spellings of, or nobody's.
async fn spelled(key: KeyKind, column: &str, value: &str, same: &[&str], other: &[&str]) {
    let world = World::new().await;
    let hash = Hashers::from_setting(["md5"]).unwrap().encode("secret").unwrap();
    world
        .run(&format!(
            "CREATE TABLE accounts (uid {column} NOT NULL PRIMARY KEY, email varchar(254) \
             NOT NULL UNIQUE, password varchar(128) NOT NULL);\n\
             INSERT INTO accounts VALUES ('{value}', 'a@x', '{hash}')"
        ))
        .await;
    let table = UserTable {
        table: "accounts".into(),
        primary_key: "uid".into(),
        key: Some(key),
        login: "email".into(),
        is_active: None,
        is_staff: None,
        is_superuser: None,
        last_login: None,
        ..UserTable::default()
    };
    let database = world.database().await;
    migrate::apply(&database, &table, NOW).await.unwrap();
    let hashers = Hashers::from_setting(["md5"]).unwrap();
    let pool = HashingPool::new(hashers, PoolOptions { threads: 1, waiting: 16 }).unwrap();
    let users =
        MysqlUsers::open(&database, table.clone(), pool, UserOptions::default()).await.unwrap();
    let store = MysqlStore::open(&database, &table).await.unwrap();
    let login = Credentials::new("a@x", "secret");
    every_spelling_or_none(Arc::new(users), Arc::new(store), &login, same, other).await;
}

#[tokio::test]
async fn an_id_in_another_spelling_is_the_users_or_nobodys() {
    let upper = UUIDS[0].to_uppercase();
    let digits = UUIDS[0].replace('-', "");
    let same = [UUIDS[0], &upper, &digits];
    spelled(KeyKind::Uuid, "char(32)", &digits, &same, &[UUIDS[1], "x"]).await;
    spelled(KeyKind::Uuid, "uuid", UUIDS[0], &same, &[UUIDS[1], "x"]).await;
    // What the collation takes for equal isn't what tokens say.
    let column = "varchar(40) COLLATE utf8mb4_unicode_ci";
    spelled(KeyKind::Text, column, "Ann", &["Ann"], &["ann", "ANN", "Ann ", "Änn"]).await;
}

const UUIDS: [&str; 2] =
    ["01234567-89ab-4def-8123-456789abcdef", "11234567-89ab-4def-8123-456789abcdef"];

/// MariaDB has a type for it, which Django uses from 5.0 on.
#[tokio::test]
async fn native_uuids() {
    custom(KeyKind::Uuid, "uuid", UUIDS, UUIDS).await;
}

#[tokio::test]
async fn uuids_as_digits() {
    let digits = ["0123456789ab4def8123456789abcdef", "1123456789ab4def8123456789abcdef"];
    custom(KeyKind::Uuid, "char(32)", digits, UUIDS).await;
}

#[tokio::test]
async fn big_integers_and_texts() {
    let numbers = ["9007199254740993", "7"];
    custom(KeyKind::Integer, "bigint", numbers, numbers).await;
    custom(KeyKind::Text, "varchar(40) COLLATE utf8mb4_unicode_ci", ["Ann", "ü"], ["Ann", "ü"])
        .await;
    custom(
        KeyKind::Text,
        "varchar(40) CHARACTER SET utf8mb4",
        ["x y", "'"].map(|t| if t == "'" { "q" } else { t }),
        ["x y", "q"],
    )
    .await;
}
