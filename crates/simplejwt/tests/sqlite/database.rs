//! The SQLite file: opening it, its tables, and Django's.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use simplejwt::error::StoreErrorKind;
use simplejwt::event::{Act, Cause};
use simplejwt::sql::schema::SchemaError;
use simplejwt::sql::table::{KeyKind, UserTable};
use simplejwt::sqlite::{OpenError, SqliteDatabase, SqliteOptions, SqliteStore, migrate};
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
const OURS: [&str; 2] = ["simplejwt_session", "simplejwt_outstandingtoken_expires_at"];

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

#[tokio::test]
async fn what_is_made_here_is_what_django_makes() {
    let (_there, ours) = made_by("");
    let (_here, django) = made_by(DJANGO);
    let steps = migrate::apply(&ours, &UserTable::default(), NOW).await.unwrap();
    let made: Vec<_> = steps.iter().map(|step| step.table).collect();
    assert_eq!(made[..4], TABLES[..4]);
    assert_eq!(made[4..], OURS);
    for table in TABLES {
        let expected = schema(&raw(&django), table);
        assert!(!expected.is_empty());
        let mut made = schema(&raw(&ours), table);
        made.retain(|(name, _)| name != OURS[1]);
        assert_eq!(made, expected);
    }
    let recorded: Vec<(String, String)> = raw(&ours)
        .prepare("SELECT name, applied_at FROM simplejwt_migrations ORDER BY name")
        .unwrap()
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let names: Vec<_> = recorded.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "0001_auth_user",
            "0002_outstanding_token",
            "0003_blacklisted_token",
            "0004_auth_permission",
            "0005_session",
            "0006_expires_at",
        ]
    );
    assert_eq!(recorded[0].1, "2026-01-02 03:04:05.678901");

    assert_eq!(migrate::plan(&ours, &UserTable::default()).unwrap(), []);
    assert_eq!(migrate::apply(&ours, &UserTable::default(), NOW).await.unwrap(), []);
}

#[tokio::test]
async fn a_database_of_djangos_is_used_as_it_is() {
    let (_directory, database) = made_by(DJANGO);
    let users = UserTable::default();
    let before = TABLES.map(|table| schema(&raw(&database), table));
    let steps = migrate::apply(&database, &users, NOW).await.unwrap();
    assert_eq!(steps.iter().map(|step| step.table).collect::<Vec<_>>(), OURS);
    for (table, before) in TABLES.iter().zip(before) {
        let mut after = schema(&raw(&database), table);
        after.retain(|(name, _)| name != OURS[1]);
        assert_eq!(after, before, "{table} was changed");
    }

    let store = SqliteStore::open(&database, &users).unwrap();
    let (live, spent) = ("5c0e1d2f3a4b4c5d8e9f0a1b2c3d4e5f", "6c0e1d2f3a4b4c5d8e9f0a1b2c3d4e5f");
    assert!(!store.is_blacklisted(live).await.unwrap());
    assert!(store.is_blacklisted(spent).await.unwrap());
    let rotation =
        store.rotate(&token(spent, "1"), &token("x", "1"), &Cause::at(NOW)).await.unwrap().outcome;
    assert_eq!(rotation, Rotation::Replayed);
    let rotation = store
        .rotate(&token(live, "1"), &token("next", "1"), &Cause::at(NOW))
        .await
        .unwrap()
        .outcome;
    assert_eq!(rotation, Rotation::Rotated);
    store.record(&token("gone", "999"), &Act::at(NOW)).await.unwrap();

    type Row = (String, String, String, Option<i64>, String, i64);
    let rows: Vec<Row> = raw(&database)
        .prepare(
            "SELECT token, created_at, expires_at, user_id, jti, id \
             FROM token_blacklist_outstandingtoken WHERE id > 2 ORDER BY id",
        )
        .unwrap()
        .query_map((), |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let (created, expires) = ("2026-01-02 03:04:05.678901", "2026-01-02 03:05:05");
    let row = |jti: &str, user, id| {
        let token = format!("header.{jti}.signature");
        (token, created.to_owned(), expires.to_owned(), user, jti.to_owned(), id)
    };
    assert_eq!(rows, [row("next", Some(1), 3), row("gone", None, 4)]);
    let blacklisted: (String, i64) = raw(&database)
        .query_row(
            "SELECT blacklisted_at, token_id FROM token_blacklist_blacklistedtoken WHERE id = 2",
            (),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(blacklisted, (created.to_owned(), 1));
    let problems: i64 = raw(&database)
        .query_row("SELECT count(*) FROM pragma_foreign_key_check", (), |row| row.get(0))
        .unwrap();
    assert_eq!(problems, 0);
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
async fn tokens_of_a_custom_user_model() {
    let (_directory, database) = made_by(
        "CREATE TABLE accounts_user (uid char(32) NOT NULL PRIMARY KEY, email varchar(254) \
         NOT NULL UNIQUE, pw varchar(128) NOT NULL);\
         INSERT INTO accounts_user VALUES ('0123456789abcdef0123456789abcdef', 'a@b.c', '!')",
    );
    let users = UserTable {
        table: "accounts_user".into(),
        primary_key: "uid".into(),
        key: Some(KeyKind::Uuid),
        login: "email".into(),
        password: "pw".into(),
        is_active: None,
        is_staff: None,
        is_superuser: None,
        last_login: None,
        ..UserTable::default()
    };
    let steps = migrate::apply(&database, &users, NOW).await.unwrap();
    assert_eq!(steps.len(), 2 + OURS.len(), "auth_user isn't needed");
    let store = SqliteStore::open(&database, &users).unwrap();
    let alice = "01234567-89ab-cdef-0123-456789abcdef";
    store.record(&token("a", alice), &Act::at(NOW)).await.unwrap();
    store.record(&token("b", "11111111-1111-1111-1111-111111111111"), &Act::at(NOW)).await.unwrap();
    store.record(&token("c", "1"), &Act::at(NOW)).await.unwrap();
    let stored: Vec<Option<String>> = raw(&database)
        .prepare("SELECT user_id FROM token_blacklist_outstandingtoken ORDER BY jti")
        .unwrap()
        .query_map((), |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(stored, [Some("0123456789abcdef0123456789abcdef".into()), None, None]);
    assert_eq!(store.blacklist_all(&alice.into(), NOW).await.unwrap(), 1);

    // By a column that isn't the key: what is stored is the key all the same.
    let by_email = UserTable { user_id_field: "email".into(), ..users };
    let store = SqliteStore::open(&database, &by_email).unwrap();
    store.record(&token("d", "a@b.c"), &Act::at(NOW)).await.unwrap();
    assert_eq!(store.blacklist_all(&"a@b.c".into(), NOW).await.unwrap(), 1);
    assert!(store.is_blacklisted("d").await.unwrap());
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

fn refused(path: &Path) -> String {
    SqliteDatabase::open(path, no_wait()).unwrap_err().to_string()
}

#[test]
fn opening_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("db.sqlite3");
    let text = refused(&missing);
    assert!(text.contains("there is no database file") && text.contains("migrate"), "{text}");
    assert!(!missing.exists());
    assert!(refused(directory.path()).contains("is not a file"));
    assert!(refused(Path::new(":memory:")).contains("memory"));
    assert!(refused(Path::new("")).contains("memory"));

    let nowhere = directory.path().join("no/such/directory/db.sqlite3");
    let error = SqliteDatabase::open_or_create(&nowhere, no_wait()).unwrap_err();
    assert!(matches!(error, OpenError::Create { .. }));
    assert!(error.to_string().contains("directory has to exist"), "{error}");

    let text_file = directory.path().join("notes.txt");
    std::fs::write(&text_file, "not a database, but long enough to have a header ".repeat(40))
        .unwrap();
    assert!(refused(&text_file).contains("is not an SQLite database"));

    let locked = directory.path().join("locked.sqlite3");
    let holder = Connection::open(&locked).unwrap();
    holder.execute_batch("CREATE TABLE a (b); BEGIN EXCLUSIVE").unwrap();
    assert!(refused(&locked).contains("is locked by another program"));
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    SqliteDatabase::open_or_create(&path, no_wait()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn somebody_who_reads_does_not_stand_in_the_way_of_opening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch(DJANGO).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM auth_user").unwrap();
    let journal = || -> String {
        let other = Connection::open(&path).unwrap();
        other.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap()
    };

    let database = SqliteDatabase::open(&path, no_wait()).unwrap();
    assert_eq!(journal(), "delete");
    let store = SqliteStore::open(&database, &UserTable::default()).unwrap();
    let error = store.blacklist(&token("a", "1"), &Act::at(NOW)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    reader.execute_batch("ROLLBACK").unwrap();
    let outcome = store.blacklist(&token("a", "1"), &Act::at(NOW)).await.unwrap().outcome;
    assert_eq!(outcome, Blacklisting::Blacklisted);
    assert!(store.is_blacklisted("a").await.unwrap());
    drop((store, database));

    SqliteDatabase::open(&path, no_wait()).unwrap();
    assert_eq!(journal(), "wal");
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

#[tokio::test]
async fn django_is_told_once_what_was_made_here() {
    let (_directory, database) = made_by(
        "CREATE TABLE django_content_type (id integer NOT NULL PRIMARY KEY, name varchar(100) NOT NULL, \
         app_label varchar(100) NOT NULL, model varchar(100) NOT NULL)",
    );
    let users = UserTable::default();
    let tell = async |blacklist| migrate::for_django(&database, &users, blacklist, NOW).await;
    assert!(matches!(tell(true).await.unwrap_err(), SchemaError::DjangosOwn { .. }));
    migrate::apply(&database, &users, NOW).await.unwrap();
    let told = tell(false).await.unwrap();
    assert_eq!((told.len(), told[0].as_str()), (14, "contenttypes.0001_initial"));
    // A run of Django's that stopped at our tables had left this.
    let columns = "SELECT group_concat(name) FROM pragma_table_info('django_content_type')";
    let columns: String = raw(&database).query_row(columns, (), |row| row.get(0)).unwrap();
    assert_eq!(columns, "id,app_label,model");
    assert!(tell(false).await.unwrap().is_empty());
    raw(&database).execute("DELETE FROM django_migrations WHERE app = 'auth'", ()).unwrap();
    assert_eq!(tell(true).await.unwrap().len(), 24);
    assert!(tell(true).await.unwrap().is_empty());
    let (_other, django) = made_by(DJANGO);
    migrate::apply(&django, &users, NOW).await.unwrap();
    let refused = migrate::for_django(&django, &users, true, NOW).await.unwrap_err();
    assert!(matches!(refused, SchemaError::DjangosOwn { .. }), "{refused}");
}
