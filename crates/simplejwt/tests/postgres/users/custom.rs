//! Custom user models: keys of other types, and tables of other forms.

use simplejwt::event::{Act, Cause};
use simplejwt::postgres::{PostgresStore, migrate};
use simplejwt::sql::manage::{ManageUsers, NewUser, UserOptions};
use simplejwt::sql::table::{KeyKind, UserTable};
use simplejwt::store::OutstandingToken;
use simplejwt::users::password::{Hasher, Hashers};
use simplejwt::{Credentials, TokenStore as _, UserStore as _};

use super::{NOW, site, token};
use crate::support::postgres::Database;
use crate::support::spelling;

/// A table of users with a key of this type.
fn keyed(key: &str) -> String {
    format!(
        "CREATE TABLE \"odd \"\"name\" (uid {key} NOT NULL PRIMARY KEY, \
         email varchar(254) NOT NULL UNIQUE, pw varchar(128) NOT NULL)"
    )
}

fn custom(key: KeyKind) -> UserTable {
    UserTable {
        table: "odd \"name".into(),
        primary_key: "uid".into(),
        key: Some(key),
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

/// Every sort of key: the user logs in, is found, and owns tokens, which end together.
#[tokio::test]
async fn keys_of_every_type_are_those_of_users_and_of_tokens() {
    let cases = [
        ("uuid", KeyKind::Uuid, "6f1c3a52-9a38-4d5e-8a52-0123456789ab"),
        ("char(32)", KeyKind::Uuid, "6f1c3a529a384d5e8a520123456789ab"),
        ("bigint", KeyKind::Integer, "9007199254740993"),
        ("smallint", KeyKind::Integer, "7"),
        ("varchar(40)", KeyKind::Text, "anna's \"key\" ü"),
        ("text", KeyKind::Text, "1"),
    ];
    for (declared, kind, key) in cases {
        let database = Database::with(&keyed(declared)).await;
        let table = custom(kind);
        let connected = database.connect().await;
        migrate::apply(&connected, &table, NOW).await.unwrap();
        let store = PostgresStore::open(&connected, &table).await.unwrap();
        let site = site(database, table, &[Hasher::Md5], UserOptions::default()).await;
        let hash = site.hashers.encode("pw").unwrap();
        let insert =
            format!("INSERT INTO \"odd \"\"name\" VALUES ($1::text::{declared}, 'ann', $2)");
        site.raw.execute(&insert, &[&key, &hash]).await.unwrap();

        let ann = site.login("ann", "pw").await.unwrap();
        assert_eq!(ann.id.as_str().replace('-', ""), key.replace('-', ""), "{declared}");
        assert_eq!(site.users.find(&ann.id).await.unwrap(), Some(ann.clone()), "{declared}");
        for id in ["nobody", "0", "", "\0", "6f1c3a52-9a38-4d5e-8a52-000000000000"] {
            assert_eq!(site.users.find(&id.into()).await.unwrap(), None, "{declared} {id:?}");
        }
        let mine = OutstandingToken { user_id: Some(ann.id.clone()), ..token("mine") };
        let gone = OutstandingToken { user_id: Some("99".into()), ..token("gone") };
        store.record(&mine, &Act::at(NOW)).await.unwrap();
        store.record(&gone, &Act::at(NOW)).await.unwrap();
        let owner = "SELECT user_id::text FROM token_blacklist_outstandingtoken WHERE jti = $1";
        let mine: Option<String> = site.raw.query_one(owner, &[&"mine"]).await.unwrap().get(0);
        assert_eq!(mine.as_deref(), Some(key), "{declared}");
        let gone: Option<String> = site.raw.query_one(owner, &[&"gone"]).await.unwrap().get(0);
        assert_eq!(gone, None, "{declared}");
        assert_eq!(store.blacklist_all(&ann.id, NOW).await.unwrap(), 1, "{declared}");
        assert!(store.is_blacklisted("mine").await.unwrap(), "{declared}");
        assert!(!store.is_blacklisted("gone").await.unwrap(), "{declared}");
    }
}

#[tokio::test]
async fn a_custom_user_model_with_a_uuid() {
    let database = Database::with(&keyed("uuid")).await;
    let site = site(database, custom(KeyKind::Uuid), &[Hasher::Md5], UserOptions::default()).await;
    let made = site.users.create_user(ann(&site.hashers), &Cause::at(NOW)).await.unwrap().outcome;
    let sql = "SELECT uid::text FROM \"odd \"\"name\"";
    let stored: String = site.raw.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(made.id.as_str(), stored);
    let ann = site.login("Ann@example.com", "pw").await.unwrap();
    assert_eq!(ann, made);
    assert!(ann.is_active);
    for id in [stored.clone(), stored.replace('-', ""), stored.to_uppercase()] {
        assert_eq!(site.users.find(&id.as_str().into()).await.unwrap().as_ref(), Some(&made));
    }
    assert!(site.users.find(&"1".into()).await.unwrap().is_none());
    let error = site.users.set_active("Ann@example.com", false, &Cause::at(NOW)).await.unwrap_err();
    assert!(error.to_string().contains("is_active"), "{error}");
}

#[tokio::test]
async fn an_id_in_another_spelling_is_the_users_or_nobodys() {
    let database = Database::with(&keyed("uuid")).await;
    let connected = database.connect().await;
    migrate::apply(&connected, &custom(KeyKind::Uuid), NOW).await.unwrap();
    let store = PostgresStore::open(&connected, &custom(KeyKind::Uuid)).await.unwrap();
    let site = site(database, custom(KeyKind::Uuid), &[Hasher::Md5], UserOptions::default()).await;
    let made = site.users.create_user(ann(&site.hashers), &Cause::at(NOW)).await.unwrap().outcome;
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
    let database = Database::django().await;
    let site = site(database, table, &[Hasher::Md5], UserOptions::default()).await;
    assert_eq!(site.login("alice", "correct horse").await.unwrap().id.as_str(), "alice");
    assert_eq!(site.users.find(&"alice".into()).await.unwrap().unwrap().username, "alice");
    assert!(site.users.find(&"1".into()).await.unwrap().is_none());
    assert!(site.users.find(&"alice\0".into()).await.unwrap().is_none());
    site.users.update_last_login(&"alice".into(), NOW).await.unwrap();
    site.users.update_last_login(&"alice\0".into(), NOW).await.unwrap();
    let noted = site.text("last_login AT TIME ZONE 'UTC'", "alice").await;
    assert_eq!(noted.as_deref(), Some("2026-01-02 03:04:05.678901"));
}

#[tokio::test]
async fn a_user_that_only_the_application_can_make_isnt_made() {
    let sql = format!(
        "{}; ALTER TABLE \"odd \"\"name\" ADD shoe integer NOT NULL DEFAULT 1",
        keyed("uuid")
    );
    let table = custom(KeyKind::Uuid);
    let options = UserOptions::default();
    let fine = site(Database::with(&sql).await, table.clone(), &[Hasher::Md5], options).await;
    fine.users.create_user(ann(&fine.hashers), &Cause::at(NOW)).await.unwrap();

    let columns = "shoe integer NOT NULL, team text NOT NULL, pw varchar";
    let sql = keyed("uuid").replace("pw varchar", columns);
    let site = site(Database::with(&sql).await, table, &[Hasher::Md5], options).await;
    let error = site.users.create_user(ann(&site.hashers), &Cause::at(NOW)).await.unwrap_err();
    assert!(error.to_string().contains("shoe, team"), "{error}");
    assert_eq!(site.users.list(None, 9).await.unwrap(), []);
}
