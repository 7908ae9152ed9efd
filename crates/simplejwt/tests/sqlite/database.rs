//! The SQLite file: opening it, its tables, and Django's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod django;
mod opening;

use std::time::Duration;

use rusqlite::Connection;
use simplejwt::error::StoreErrorKind;
use simplejwt::event::{Act, Cause};
use simplejwt::sql::schema::SchemaError;
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteStore, migrate};
use simplejwt::store::retention::Retention;
use simplejwt::store::{Blacklisting, FlushExpired, OutstandingToken, Rotation};
use simplejwt::{Timestamp, TokenStore as _};
use tempfile::TempDir;

const DJANGO: &str = include_str!("../fixtures/django_sqlite.sql");
const NOW: Timestamp = Timestamp::from_micros(1_767_323_045_678_901);
const TABLES: [&str; 8] = [
    "auth_user",
    "token_blacklist_outstandingtoken",
    "token_blacklist_blacklistedtoken",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
    "auth_user_groups",
    "auth_user_user_permissions",
];

/// What is ours: the tables of the sessions, and the index of the purge.
const OURS: [&str; 5] = [
    "simplejwt_session",
    "simplejwt_outstandingtoken_expires_at",
    "simplejwt_refresh_session",
    "simplejwt_signing_key",
    "simplejwt_throttle",
];

fn no_wait() -> SqliteOptions {
    SqliteOptions { busy_timeout: Duration::ZERO, ..SqliteOptions::default() }
}

fn made_by(sql: &str) -> (TempDir, SqliteDatabase) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let database = SqliteDatabase::open(path, no_wait()).unwrap();
    (directory, database)
}

fn raw(database: &SqliteDatabase) -> Connection {
    Connection::open(database.path()).unwrap()
}

fn token(jti: &str, user: &str) -> OutstandingToken {
    OutstandingToken {
        jti: jti.into(),
        token: format!("header.{jti}.signature"),
        user_id: Some(user.into()),
        created_at: NOW,
        expires_at: Timestamp::from_secs(1_767_323_105),
    }
}

/// A table and its indexes with their statements, to the letter.
fn schema(connection: &Connection, table: &str) -> Vec<(String, String)> {
    let sql = "SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE tbl_name = ?1 ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// Or whoever has one spent token could keep the disk busy.
#[tokio::test]
async fn a_replay_writes_nothing_to_the_disk() {
    let (_directory, database) = made_by(DJANGO);
    let store = SqliteStore::open(&database, &UserTable::default()).unwrap();
    let spent = token("6c0e1d2f3a4b4c5d8e9f0a1b2c3d4e5f", "1");
    let log = database.path().with_extension("sqlite3-wal");
    let written = || std::fs::metadata(&log).unwrap().len();
    let _ = store.rotate(&token("a", "1"), &token("b", "1"), &Cause::at(NOW)).await.unwrap();
    let before = written();
    assert!(before > 0);
    for _ in 0..10 {
        let rotation =
            store.rotate(&spent, &token("x", "1"), &Cause::at(NOW)).await.unwrap().outcome;
        assert_eq!(rotation, Rotation::Replayed);
        let outcome = store.blacklist(&spent, &Act::at(NOW)).await.unwrap().outcome;
        assert_eq!(outcome, Blacklisting::AlreadyBlacklisted);
        store.record(&spent, &Act::at(NOW)).await.unwrap();
    }
    assert_eq!(written(), before);
    let _ = store.blacklist(&token("b", "1"), &Act::at(NOW)).await.unwrap();
    assert!(written() > before);
}

#[tokio::test]
async fn flushing_leaves_no_blacklist_entry_without_its_token() {
    let (_directory, database) = made_by(DJANGO);
    let store = SqliteStore::open(&database, &UserTable::default()).unwrap();
    let later = Timestamp::from_secs(1_800_000_000);
    let retention = Retention::of(&simplejwt::Settings::default());
    let flush = FlushExpired::new(retention, later, 100);
    assert_eq!(store.flush_expired(&flush).await.unwrap().deleted, 2);
    let left: i64 = raw(&database)
        .query_row(
            "SELECT (SELECT count(*) FROM token_blacklist_blacklistedtoken) \
             + (SELECT count(*) FROM token_blacklist_outstandingtoken)",
            (),
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn only_what_is_missing_is_made() {
    let (_directory, database) = made_by(DJANGO);
    raw(&database).execute_batch("DROP TABLE token_blacklist_blacklistedtoken").unwrap();
    let error = SqliteStore::open(&database, &UserTable::default()).unwrap_err();
    assert!(error.to_string().contains("run `migrate`"), "{error}");
    let steps = migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    assert_eq!(steps.len(), 1 + OURS.len());
    assert_eq!(steps[0].table, "token_blacklist_blacklistedtoken");
    SqliteStore::open(&database, &UserTable::default()).unwrap();
}

#[tokio::test]
async fn tables_of_the_same_name_that_are_something_else_are_refused() {
    let outstanding = |columns: &str| {
        let all = "CREATE TABLE auth_user (id integer PRIMARY KEY, password, last_login, \
             is_superuser, username UNIQUE, is_staff, is_active);\
             CREATE TABLE token_blacklist_outstandingtoken";
        format!("{all} ({columns})")
    };
    let cases = [
        (
            outstanding("token, created_at, expires_at, user_id, id integer PRIMARY KEY"),
            "no column \"jti\"; it has token, created_at, expires_at, user_id, id",
        ),
        (
            outstanding("token, created_at, expires_at, user_id, jti, id integer PRIMARY KEY"),
            "\"jti\" of the table \"token_blacklist_outstandingtoken\" isn't unique",
        ),
        (
            outstanding(
                "token, created_at, expires_at, user_id, jti UNIQUE, tenant text NOT NULL, \
                 id integer PRIMARY KEY",
            ),
            "column \"tenant\" that Django's token_blacklist has not",
        ),
        (
            outstanding(
                "token, created_at, expires_at, user_id REFERENCES member (id), jti UNIQUE, \
                 id integer PRIMARY KEY",
            ),
            "refers to the table \"member\"",
        ),
        (
            "CREATE TABLE auth_user (id integer PRIMARY KEY, name text)".into(),
            "the table \"auth_user\" has no column \"username\"; it has id, name",
        ),
    ];
    for (sql, expected) in cases {
        let (_directory, database) = made_by(&sql);
        let before = schema(&raw(&database), "auth_user");
        let error = migrate::apply(&database, &UserTable::default(), NOW).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(schema(&raw(&database), "auth_user"), before);
        assert!(schema(&raw(&database), "token_blacklist_blacklistedtoken").is_empty());
        assert!(schema(&raw(&database), "simplejwt_migrations").is_empty());
    }
}

#[tokio::test]
async fn a_table_that_only_an_application_can_make_isnt_made() {
    let (_directory, database) = made_by("CREATE TABLE accounts_member (id integer)");
    let users = UserTable { table: "accounts_user".into(), ..UserTable::default() };
    let error = migrate::apply(&database, &users, NOW).await.unwrap_err();
    assert!(matches!(&error, SchemaError::MissingTable { table, .. } if table == "accounts_user"));
    assert!(error.to_string().contains("it has accounts_member"), "{error}");
    let nameless = UserTable { table: String::new(), ..UserTable::default() };
    assert!(matches!(migrate::plan(&database, &nameless), Err(SchemaError::Name(_))));
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_is_an_error_and_changes_nothing() {
    let (_directory, database) = made_by(DJANGO);
    let store = SqliteStore::open(&database, &UserTable::default()).unwrap();
    let holder = raw(&database);
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error =
        store.rotate(&token("a", "1"), &token("b", "1"), &Cause::at(NOW)).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (StoreErrorKind::Unavailable, "rotate"));
    assert_eq!(store.ping().await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert!(!store.is_blacklisted("a").await.unwrap(), "reading goes on");
    holder.execute_batch("ROLLBACK").unwrap();
    store.ping().await.unwrap();
    let rotation =
        store.rotate(&token("a", "1"), &token("b", "1"), &Cause::at(NOW)).await.unwrap().outcome;
    assert_eq!(rotation, Rotation::Rotated);
}

#[tokio::test]
async fn a_table_that_is_gone_is_no_passing_trouble() {
    let (_directory, database) = made_by(DJANGO);
    let store = SqliteStore::open(&database, &UserTable::default()).unwrap();
    raw(&database).execute_batch("DROP TABLE token_blacklist_blacklistedtoken").unwrap();
    let error = store.is_blacklisted("a").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Incompatible);
    let error = store.blacklist(&token("a", "1"), &Act::at(NOW)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Incompatible);
    let registered: i64 = raw(&database)
        .query_row("SELECT count(*) FROM token_blacklist_outstandingtoken", (), |r| r.get(0))
        .unwrap();
    assert_eq!(registered, 2, "half of a blacklisting was kept");
}

#[tokio::test]
async fn debug_shows_no_token() {
    let (_directory, database) = made_by(DJANGO);
    let store = SqliteStore::open(&database, &UserTable::default()).unwrap();
    let token = OutstandingToken { token: "topsecret".into(), ..token("a", "1") };
    raw(&database).execute_batch("DROP TABLE token_blacklist_blacklistedtoken").unwrap();
    let error = store.blacklist(&token, &Act::at(NOW)).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let shown = format!("{store:?} {token:?} {error:?} {error} {source}");
    assert!(shown.contains("db.sqlite3") && !shown.contains("topsecret"), "{shown}");
}
