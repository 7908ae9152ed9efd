//! Custom user models: keys of other types, and tables of other forms.

use simplejwt::event::Cause;
use simplejwt::sql::manage::{ManageUsers, NewUser, UserOptions};
use simplejwt::sql::table::{KeyKind, UserTable};
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteStore, migrate};
use simplejwt::users::password::{Hasher, Hashers};
use simplejwt::{Credentials, UserStore as _};

use super::{DJANGO, NOW, site};
use crate::support::spelling;

const CUSTOM: &str = "CREATE TABLE \"odd \"\"name\" (uid char(32) NOT NULL PRIMARY KEY, \
    email varchar(254) NOT NULL UNIQUE, pw varchar(128) NOT NULL)";

fn custom() -> UserTable {
    UserTable {
        table: "odd \"name".into(),
        primary_key: "uid".into(),
        key: Some(KeyKind::Uuid),
        login: "email".into(),
        password: "pw".into(),
        is_active: None,
        is_staff: None,
        is_superuser: None,
        last_login: None,
        ..UserTable::default()
    }
}

fn ann(hashers: &Hashers) -> NewUser {
    NewUser {
        username: "Ann@Example.com".into(),
        password: hashers.encode("pw").unwrap(),
        ..NewUser::default()
    }
}

#[tokio::test]
async fn a_custom_user_model_with_a_uuid() {
    let site = site(CUSTOM, custom(), &[Hasher::Md5], UserOptions::default());
    let made = site.users.create_user(ann(&site.hashers), &Cause::at(NOW)).await.unwrap().outcome;
    let stored: String =
        site.raw.query_row("SELECT uid FROM \"odd \"\"name\"", (), |row| row.get(0)).unwrap();
    assert_eq!(stored.len(), 32);
    assert_eq!(made.id.as_str().replace('-', ""), stored);
    let ann = site.login("Ann@example.com", "pw").await.unwrap();
    assert_eq!(ann, made);
    assert!(ann.is_active);
    for id in [ann.id.as_str(), &stored, &ann.id.as_str().to_uppercase()] {
        assert_eq!(site.users.find(&id.into()).await.unwrap().as_ref(), Some(&made), "{id}");
    }
    assert!(site.users.find(&"1".into()).await.unwrap().is_none());
    let error = site.users.set_active("Ann@example.com", false, &Cause::at(NOW)).await.unwrap_err();
    assert!(error.to_string().contains("is_active"), "{error}");
}

#[tokio::test]
async fn an_id_in_another_spelling_is_the_users_or_nobodys() {
    let site = site(CUSTOM, custom(), &[Hasher::Md5], UserOptions::default());
    let made = site.users.create_user(ann(&site.hashers), &Cause::at(NOW)).await.unwrap().outcome;
    let path = site.directory.path().join("db.sqlite3");
    let database = SqliteDatabase::open(path, SqliteOptions::default()).unwrap();
    migrate::apply(&database, &custom(), NOW).await.unwrap();
    let store = SqliteStore::open(&database, &custom()).unwrap();
    let id = made.id.as_str();
    let (upper, digits) = (id.to_uppercase(), id.replace('-', ""));
    spelling::every_spelling_or_none(
        std::sync::Arc::new(site.users.clone()),
        std::sync::Arc::new(store),
        &Credentials::new("Ann@example.com", "pw"),
        &[id, &upper, &digits],
        &["11234567-89ab-4def-8123-456789abcdef", "ann", "1"],
    )
    .await;
}

#[tokio::test]
async fn the_login_name_as_the_id() {
    let table = UserTable { user_id_field: "username".into(), ..UserTable::default() };
    let site = site(DJANGO, table, &[Hasher::Md5], UserOptions::default());
    assert_eq!(site.login("alice", "correct horse").await.unwrap().id.as_str(), "alice");
    assert_eq!(site.users.find(&"alice".into()).await.unwrap().unwrap().username, "alice");
    assert!(site.users.find(&"1".into()).await.unwrap().is_none());
    site.users.update_last_login(&"alice".into(), NOW).await.unwrap();
    assert_eq!(site.text("last_login", "alice"), "2026-01-02 03:04:05.678901");
}

#[tokio::test]
async fn a_user_that_only_the_application_can_make_isnt_made() {
    let sql = format!("{CUSTOM}; ALTER TABLE \"odd \"\"name\" ADD shoe integer NOT NULL DEFAULT 1");
    let fine = site(&sql, custom(), &[Hasher::Md5], UserOptions::default());
    fine.users.create_user(ann(&fine.hashers), &Cause::at(NOW)).await.unwrap();

    let sql = CUSTOM.replace("pw varchar", "shoe integer NOT NULL, team text NOT NULL, pw varchar");
    let site = site(&sql, custom(), &[Hasher::Md5], UserOptions::default());
    let error = site.users.create_user(ann(&site.hashers), &Cause::at(NOW)).await.unwrap_err();
    assert!(error.to_string().contains("shoe, team"), "{error}");
    assert_eq!(site.users.list(None, 9).await.unwrap(), []);
}

/// The two tables between users and theirs are named after the users' table, and a column of
/// each after the model.
#[tokio::test]
async fn a_custom_user_model_has_tables_of_its_own_or_none() {
    let site = site(CUSTOM, custom(), &[Hasher::Md5], UserOptions::default());
    let uid = "0123456789abcdef0123456789abcdef";
    let error = site.users.groups(&uid.into()).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("\"odd \"name_groups\", which Django makes"), "{source}");
    assert_eq!(error.kind(), simplejwt::error::StoreErrorKind::Incompatible);
    assert!(site.users.permissions(&uid.into()).await.is_err());

    // Seen as soon as they are there.
    site.raw
        .execute_batch(
            "CREATE TABLE auth_group (id integer PRIMARY KEY, name text);\
             CREATE TABLE \"odd \"\"name_groups\" \
             (id integer PRIMARY KEY, account_id char(32), group_id integer);\
             INSERT INTO auth_group VALUES (1, 'writers');\
             INSERT INTO \"odd \"\"name\" VALUES \
             ('0123456789abcdef0123456789abcdef', 'a@example.com', '');\
             INSERT INTO \"odd \"\"name_groups\" SELECT 1, uid, 1 FROM \"odd \"\"name\"",
        )
        .unwrap();
    assert_eq!(site.users.groups(&uid.into()).await.unwrap(), ["writers"]);
    assert!(site.users.permissions(&uid.into()).await.is_err(), "those have no table yet");
}
