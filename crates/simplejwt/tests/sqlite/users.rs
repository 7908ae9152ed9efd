//! Users in an SQLite file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod conform;
mod custom;
mod hashes;

use rusqlite::Connection;
use simplejwt::event::Cause;
use simplejwt::sql::manage::{ManageError, ManageUsers, NewUser, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteUsers};
use simplejwt::users::password::{
    Hasher, Hashers, HashingPool, Parameters, PoolOptions, unusable_password,
};
use simplejwt::{Credentials, Timestamp, UserStore as _};
use tempfile::TempDir;

use crate::support::rights;

const DJANGO: &str = include_str!("../fixtures/django_sqlite.sql");
const NOW: Timestamp = Timestamp::from_micros(1_767_323_045_678_901);

struct Site {
    users: SqliteUsers,
    hashers: Hashers,
    raw: Connection,
    directory: TempDir,
}

fn hashers(list: &[Hasher]) -> Hashers {
    let parameters = Parameters { pbkdf2_iterations: 10, ..Parameters::default() };
    Hashers::new(list.iter().copied()).unwrap().with_parameters(parameters).unwrap()
}

fn site(sql: &str, table: UserTable, list: &[Hasher], options: UserOptions) -> Site {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(sql).unwrap();
    let database = SqliteDatabase::open(path, SqliteOptions::default()).unwrap();
    let hashers = hashers(list);
    let pool = HashingPool::new(hashers.clone(), PoolOptions { threads: 1, waiting: 9 }).unwrap();
    let users = SqliteUsers::open(&database, table, pool, options).unwrap();
    Site { users, hashers, raw, directory }
}

/// Django's database, whose hashes are of the preferred kind.
fn django() -> Site {
    site(DJANGO, UserTable::default(), &[Hasher::Md5], UserOptions::default())
}

impl Site {
    fn column(&self, column: &str, username: &str) -> rusqlite::types::Value {
        let sql = format!("SELECT {column} FROM auth_user WHERE username = ?1");
        self.raw.query_row(&sql, [username], |row| row.get(0)).unwrap()
    }

    fn text(&self, column: &str, username: &str) -> String {
        match self.column(column, username) {
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{column} is {other:?}"),
        }
    }

    async fn login(&self, username: &str, password: &str) -> Option<simplejwt::User> {
        self.users.authenticate(&Credentials::new(username, password)).await.unwrap()
    }
}

#[tokio::test]
async fn a_login_outlives_a_rewrite_that_fails() {
    let list = [Hasher::Pbkdf2Sha256, Hasher::Md5];
    let site = site(DJANGO, UserTable::default(), &list, UserOptions::default());
    site.raw
        .execute_batch(
            "CREATE TRIGGER no BEFORE UPDATE ON auth_user BEGIN SELECT raise(ABORT, 'no'); END",
        )
        .unwrap();
    let alice = site.login("alice", "correct horse").await.unwrap();
    assert_eq!(alice.password, site.text("password", "alice"));
    assert!(alice.password.starts_with("md5$"));
}

#[tokio::test]
async fn last_login_is_noted_as_django_writes_it() {
    let site = django();
    site.users.update_last_login(&"1".into(), NOW).await.unwrap();
    assert_eq!(site.text("last_login", "alice"), "2026-01-02 03:04:05.678901");
    assert_eq!(site.column("last_login", "bob"), rusqlite::types::Value::Null);
    for nobody in ["99", "abc"] {
        site.users.update_last_login(&nobody.into(), NOW).await.unwrap();
    }
    let table = UserTable { last_login: None, ..UserTable::default() };
    let without = self::site(DJANGO, table, &[Hasher::Md5], UserOptions::default());
    without.users.update_last_login(&"1".into(), NOW).await.unwrap();
    assert_eq!(without.column("last_login", "alice"), rusqlite::types::Value::Null);
}

#[tokio::test]
async fn a_new_users_row_is_as_django_makes_it() {
    let site = django();
    let new = NewUser {
        username: "carol".into(),
        email: "Carol@Example.COM".into(),
        password: site.hashers.encode("s3cret").unwrap(),
        is_staff: true,
        is_superuser: false,
    };
    let carol = site.users.create_user(new.clone(), &Cause::at(NOW)).await.unwrap().outcome;
    assert_eq!(carol.id.as_str(), "3");
    assert!(carol.is_active && carol.is_staff && !carol.is_superuser);
    let row: (String, String, String, String, i64, i64, i64, Option<String>) = site
        .raw
        .query_row(
            "SELECT email, first_name, last_name, date_joined, is_staff, is_active, is_superuser, \
             last_login FROM auth_user WHERE username = 'carol'",
            (),
            |r| {
                Ok((
                    r.get(0)?,
                    r.get(1)?,
                    r.get(2)?,
                    r.get(3)?,
                    r.get(4)?,
                    r.get(5)?,
                    r.get(6)?,
                    r.get(7)?,
                ))
            },
        )
        .unwrap();
    let joined = "2026-01-02 03:04:05.678901".to_owned();
    assert_eq!(
        row,
        ("Carol@example.com".into(), String::new(), String::new(), joined, 1, 1, 0, None)
    );
    assert!(site.login("carol", "s3cret").await.is_some());

    let error = site.users.create_user(new.clone(), &Cause::at(NOW)).await.unwrap_err();
    assert!(matches!(error, ManageError::AlreadyExists { username } if username == "carol"));
    for username in [String::new(), "x".repeat(151)] {
        let error =
            site.users.create_user(NewUser { username, ..new.clone() }, &Cause::at(NOW)).await;
        assert!(matches!(error, Err(ManageError::BadUsername { max: 150 })));
    }
    let longest = NewUser { username: "ü".repeat(150), ..new };
    site.users.create_user(longest, &Cause::at(NOW)).await.unwrap();
}

#[tokio::test]
async fn users_are_changed_and_listed() {
    let site = django();
    let hash = site.hashers.encode("another").unwrap();
    site.users.set_password("alice", &hash, &Cause::at(NOW)).await.unwrap();
    assert!(site.login("alice", "correct horse").await.is_none());
    assert!(site.login("alice", "another").await.is_some());
    site.users.set_password("alice", &unusable_password(), &Cause::at(NOW)).await.unwrap();
    assert!(site.login("alice", "another").await.is_none());

    site.users.set_active("bob", true, &Cause::at(NOW)).await.unwrap();
    assert!(site.login("bob", "battery staple").await.is_some());
    site.users.set_active("bob", false, &Cause::at(NOW)).await.unwrap();
    assert!(site.login("bob", "battery staple").await.is_none());

    let error = site.users.set_active("nobody", false, &Cause::at(NOW)).await.unwrap_err();
    assert!(matches!(error, ManageError::NoSuchUser { username } if username == "nobody"));
    let error = site.users.set_password("nobody", "x", &Cause::at(NOW)).await.unwrap_err();
    assert!(matches!(error, ManageError::NoSuchUser { .. }));

    let names = async |after: Option<&str>, limit| -> Vec<String> {
        let page = site.users.list(after, limit).await.unwrap();
        page.into_iter().map(|user| user.username).collect()
    };
    assert_eq!(names(None, 10).await, ["alice", "bob"]);
    assert_eq!(names(None, 1).await, ["alice"]);
    assert_eq!(names(Some("alice"), 1).await, ["bob"]);
    assert_eq!(names(Some("bob"), 1).await, [""; 0]);
    assert_eq!(site.users.by_username("bob").await.unwrap().unwrap().id.as_str(), "2");
}

#[test]
fn what_is_missing_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    Connection::open(&path).unwrap().execute_batch(DJANGO).unwrap();
    let database = SqliteDatabase::open(path, SqliteOptions::default()).unwrap();
    let pool = HashingPool::new(hashers(&[Hasher::Md5]), PoolOptions::default()).unwrap();
    let refused = |table: UserTable| {
        let options = UserOptions::default();
        SqliteUsers::open(&database, table, pool.clone(), options).unwrap_err().to_string()
    };
    let table = "accounts_user".to_owned();
    let text = refused(UserTable { table, ..UserTable::default() });
    assert!(text.contains("no table \"accounts_user\"") && text.contains("auth_user"), "{text}");
    let login = "mail".to_owned();
    let text = refused(UserTable { login, ..UserTable::default() });
    assert!(text.contains("\"auth_user\" has no column \"mail\"; it has id, password"), "{text}");
    let user_id_field = "public_id".to_owned();
    let text = refused(UserTable { user_id_field, ..UserTable::default() });
    assert!(text.contains("no column \"public_id\""), "{text}");
    let injection = Some("is_active\" OR 1=1 --".to_owned());
    let text = refused(UserTable { is_active: injection, ..UserTable::default() });
    assert!(text.contains("no column"), "{text}");
}

#[tokio::test]
async fn further_columns_are_read_as_drf_writes_them() {
    let more = "ALTER TABLE auth_user ADD COLUMN score decimal NULL;\
        ALTER TABLE auth_user ADD COLUMN public_id char(32) NULL;\
        ALTER TABLE auth_user ADD COLUMN seen datetime NULL;\
        ALTER TABLE auth_user ADD COLUMN born date NULL;\
        ALTER TABLE auth_user ADD COLUMN wakes time NULL;\
        ALTER TABLE auth_user ADD COLUMN ratio real NULL;\
        ALTER TABLE auth_user ADD COLUMN visits bigint NULL;\
        ALTER TABLE auth_user ADD COLUMN vip bool NULL;\
        ALTER TABLE auth_user ADD COLUMN note text NULL;\
        ALTER TABLE auth_user ADD COLUMN photo BLOB NULL;";
    let columns = rights::COLUMNS.map(str::to_owned).into();
    let table = UserTable { columns, ..UserTable::default() };
    let sql = format!("{DJANGO};{more}");
    let site = site(&sql, table, &[Hasher::Md5], UserOptions::default());
    rights::people(&site.users).await;
    site.raw.execute_batch(&rights::values("2026-01-02 03:04:05.600000", "1")).unwrap();
    rights::check_fields(&site.users).await;

    let database =
        SqliteDatabase::open(site.raw.path().unwrap(), SqliteOptions::default()).unwrap();
    for (column, told) in [
        ("password", "holds a secret"),
        ("PASSWORD", "holds a secret"),
        ("nowhere", "no column \"nowhere\"; it has"),
        ("photo", "has the type \"BLOB\""),
        ("email\" FROM auth_user --", "no column"),
        ("", "can't be the name"),
    ] {
        let table = UserTable { columns: vec![column.into()], ..UserTable::default() };
        let pool =
            HashingPool::new(hashers(&[Hasher::Md5]), PoolOptions { threads: 1, waiting: 9 });
        let opened = SqliteUsers::open(&database, table, pool.unwrap(), UserOptions::default());
        let text = opened.unwrap_err().to_string();
        assert!(text.contains(told), "{column}: {text}");
    }
}

/// A database that was made here has no content types, which every permission belongs to.
#[tokio::test]
async fn without_content_types_nobody_has_permissions() {
    let site = django();
    site.raw
        .execute_batch("DROP TABLE django_content_type; INSERT INTO auth_group VALUES (1, 'a')")
        .unwrap();
    assert!(site.users.permissions(&"1".into()).await.unwrap().is_empty());
    assert!(site.users.groups(&"1".into()).await.unwrap().is_empty());
}
