//! Users who inherit by tables: Django's multi-table inheritance.

use rusqlite::Connection;
use simplejwt::event::{Act, Cause};
use simplejwt::mysql::MysqlStore;
use simplejwt::mysql::MysqlUsers;
use simplejwt::postgres::PostgresStore;
use simplejwt::postgres::PostgresUsers;
use simplejwt::sql::manage::{ManageError, ManageUsers, NewUser, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::SqliteUsers;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteStore};
use simplejwt::store::{OutstandingToken, TokenStore};
use simplejwt::{mysql, postgres, sqlite};

use super::{every_use, texts};
use crate::support::mysql::World;
use crate::support::postgres::Database;
use crate::support::{NOW, hashing_pool};

/// Two tables as Django makes them of a model that inherits from another, and its tokens. `bob` is an
/// account and no customer.
const INHERITED: [&str; 5] = [
    "CREATE TABLE shop_account (id integer PRIMARY KEY, username varchar(150) NOT NULL UNIQUE, \
     password varchar(128) NOT NULL, last_login datetime NULL, is_active bool NOT NULL, \
     is_staff bool NOT NULL, is_superuser bool NOT NULL)",
    "CREATE TABLE shop_customer (account_ptr_id integer NOT NULL PRIMARY KEY, \
     phone varchar(20) NOT NULL, \
     CONSTRAINT parent FOREIGN KEY (account_ptr_id) REFERENCES shop_account (id))",
    "INSERT INTO shop_account (id, username, password, is_active, is_staff, is_superuser) \
     VALUES (1, 'ann', '!', true, false, false), (2, 'bob', '!', true, false, false)",
    "INSERT INTO shop_customer (account_ptr_id, phone) VALUES (1, '555')",
    "ALTER TABLE token_blacklist_outstandingtoken \
     ADD CONSTRAINT owner FOREIGN KEY (user_id) REFERENCES shop_customer (account_ptr_id)",
];

/// Either of the two may be named, and the key by either of its names.
fn every_name() -> Vec<UserTable> {
    let named = |table: &str, key: &str| UserTable {
        table: table.into(),
        primary_key: key.into(),
        columns: vec!["phone".into()],
        ..UserTable::default()
    };
    vec![
        named("shop_account", "id"),
        named("shop_customer", "id"),
        named("shop_customer", "account_ptr_id"),
    ]
}

fn token(name: &str, user: &str) -> OutstandingToken {
    OutstandingToken {
        jti: format!("{name}-{user}"),
        token: "header.payload.signature".into(),
        user_id: Some(user.into()),
        created_at: NOW,
        expires_at: NOW,
    }
}

async fn is_served(users: &impl ManageUsers, store: &impl TokenStore, name: &str) {
    let ann = users.by_username("ann").await.unwrap().expect(name);
    assert_eq!((ann.id.as_str(), ann.fields["phone"].as_str()), ("1", Some("555")), "{name}");
    assert!(users.find(&"1".into()).await.unwrap().is_some(), "{name}");
    // Django's manager of the model finds no such user.
    assert!(users.by_username("bob").await.unwrap().is_none(), "{name}");
    assert!(users.find(&"2".into()).await.unwrap().is_none(), "{name}");
    assert_eq!(users.list(None, 9).await.unwrap().len(), 1, "{name}");
    assert!(users.list(Some("ann"), 9).await.unwrap().is_empty(), "{name}");
    users.set_password("ann", "!new", &Cause::at(NOW)).await.unwrap();
    users.set_active("ann", true, &Cause::at(NOW)).await.unwrap();
    users.update_last_login(&"1".into(), NOW).await.unwrap();
    assert_eq!(users.by_username("ann").await.unwrap().unwrap().password, "!new");
    let nobody = users.set_password("bob", "!new", &Cause::at(NOW)).await.unwrap_err();
    assert!(matches!(nobody, ManageError::NoSuchUser { .. }), "{name}: {nobody}");
    let new = NewUser { username: "eve".into(), ..NewUser::default() };
    let refused = users.create_user(new, &Cause::at(NOW)).await.unwrap_err();
    assert!(matches!(refused, ManageError::Inherited { .. }), "{name}: {refused}");
    let refused = users.delete_user("ann", &Cause::at(NOW)).await.unwrap_err();
    assert!(
        refused.to_string().contains("shop_customer.account_ptr_id: 1 row"),
        "{name}: {refused}"
    );
    for user in ["1", "2"] {
        store.record(&token(name, user), &Act::at(NOW)).await.unwrap();
    }
}

/// One token with its user, and one of somebody who is no user.
const OWNED: &str = "SELECT COUNT(user_id) FROM token_blacklist_outstandingtoken";

#[tokio::test]
async fn on_postgresql() {
    let made = Database::migrated().await;
    let client = made.client().await;
    let drop = "ALTER TABLE token_blacklist_outstandingtoken \
                DROP CONSTRAINT token_blacklist_outs_user_id_83bc629a_fk_auth_user";
    client.batch_execute(drop).await.unwrap();
    for sql in INHERITED {
        client.batch_execute(&sql.replace("datetime", "timestamptz")).await.unwrap();
    }
    let database = made.connect().await;
    for (at, table) in every_name().into_iter().enumerate() {
        let found = postgres::check::check(&database, &table, &every_use()).await.unwrap();
        assert!(texts(&found).is_empty(), "{table:?}: {found}");
        assert!(postgres::migrate::plan(&database, &table).await.unwrap().is_empty());
        let store = PostgresStore::open(&database, &table).await.unwrap();
        let options = UserOptions::default();
        let users = PostgresUsers::open(&database, table, hashing_pool(), options).await.unwrap();
        is_served(&users, &store, &at.to_string()).await;
    }
    assert_eq!(client.query_one(OWNED, &[]).await.unwrap().get::<_, i64>(0), 3);
    for sql in CHAIN {
        client.batch_execute(sql).await.unwrap();
    }
    let refused = postgres::migrate::plan(&database, &grandchild()).await.unwrap_err();
    assert!(refused.to_string().contains(TOO_MANY), "{refused}");
}

#[tokio::test]
async fn on_mysql() {
    let world = World::new().await;
    let database = world.store().await.database().clone();
    world
        .run(
            "ALTER TABLE token_blacklist_outstandingtoken \
             DROP FOREIGN KEY token_blacklist_outs_user_id_83bc629a_fk_auth_user",
        )
        .await;
    for sql in INHERITED {
        world.run(sql).await;
    }
    for (at, table) in every_name().into_iter().enumerate() {
        let found = mysql::check::check(&database, &table, &every_use()).await.unwrap();
        assert!(texts(&found).is_empty(), "{table:?}: {found}");
        assert!(mysql::migrate::plan(&database, &table).await.unwrap().is_empty());
        let store = MysqlStore::open(&database, &table).await.unwrap();
        let options = UserOptions::default();
        let users = MysqlUsers::open(&database, table, hashing_pool(), options).await.unwrap();
        is_served(&users, &store, &at.to_string()).await;
    }
    assert_eq!(world.one(OWNED).await, "3");
    for sql in CHAIN {
        world.run(sql).await;
    }
    let refused = mysql::migrate::plan(&database, &grandchild()).await.unwrap_err();
    assert!(refused.to_string().contains(TOO_MANY), "{refused}");
}

/// There the blacklist's tables are made for them, too.
#[tokio::test]
async fn on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let database = SqliteDatabase::open_or_create(&path, SqliteOptions::default()).unwrap();
    let direct = Connection::open(&path).unwrap();
    direct.execute_batch(&INHERITED[..4].join(";\n")).unwrap();
    for (at, table) in every_name().into_iter().rev().enumerate() {
        sqlite::migrate::apply(&database, &table, NOW).await.unwrap();
        let found = sqlite::check::check(&database, &table, &every_use()).await.unwrap();
        assert!(texts(&found).is_empty(), "{table:?}: {found}");
        let store = SqliteStore::open(&database, &table).unwrap();
        let options = UserOptions::default();
        let users = SqliteUsers::open(&database, table, hashing_pool(), options).unwrap();
        is_served(&users, &store, &at.to_string()).await;
    }
    assert_eq!(direct.query_row(OWNED, (), |row| row.get::<_, i64>(0)).unwrap(), 3);
    direct.execute_batch(&CHAIN.join(";\n")).unwrap();
    let refused = sqlite::migrate::plan(&database, &grandchild()).unwrap_err();
    assert!(refused.to_string().contains(TOO_MANY), "{refused}");
}

/// A model that inherits from one that inherits.
const CHAIN: [&str; 1] = ["CREATE TABLE shop_vip (customer_ptr_id integer NOT NULL PRIMARY KEY, \
     CONSTRAINT customer FOREIGN KEY (customer_ptr_id) REFERENCES shop_customer (account_ptr_id))"];
const TOO_MANY: &str = "inherits from \"shop_account\" (Django's multi-table inheritance)";

fn grandchild() -> UserTable {
    UserTable { table: "shop_vip".into(), ..UserTable::default() }
}
