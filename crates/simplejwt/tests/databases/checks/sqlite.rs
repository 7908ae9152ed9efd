//! Files that lack something.

use rusqlite::Connection;
use simplejwt::Timestamp;
use simplejwt::sql::check::Severity;
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, check, migrate};

use super::alterations::alterations;
use super::definition::definitions;
use super::{every_use, texts};
use crate::support::NOW;

const MIGRATIONS: [&str; 7] = [
    include_str!("../../../migrations/sqlite/0002_outstanding_token.sql"),
    include_str!("../../../migrations/sqlite/0003_blacklisted_token.sql"),
    include_str!("../../../migrations/sqlite/0005_session.sql"),
    include_str!("../../../migrations/sqlite/0006_expires_at.sql"),
    include_str!("../../../migrations/sqlite/0007_refresh_session.sql"),
    include_str!("../../../migrations/sqlite/0008_signing_key.sql"),
    include_str!("../../../migrations/sqlite/0009_throttle.sql"),
];

async fn migrated(path: &std::path::Path) -> SqliteDatabase {
    let database = SqliteDatabase::open_or_create(path, SqliteOptions::default()).unwrap();
    migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    database
}

#[tokio::test]
async fn whatever_is_taken_away_is_named_with_the_line_that_mends_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let (database, users, uses) = (migrated(&path).await, UserTable::default(), every_use());
    let check = || check::check(&database, &users, &uses);
    assert_eq!(texts(&check().await.unwrap()), [""; 0]);
    let direct = Connection::open(&path).unwrap();
    direct.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF").unwrap();
    let definitions = definitions(&MIGRATIONS);
    assert_eq!(definitions.len(), 11);
    let mut count = 0;
    for altered in alterations(&definitions, true) {
        count += 1;
        let table = &altered.table.table;
        let drop = format!("DROP TABLE IF EXISTS \"{table}\"");
        direct.execute_batch(&drop).unwrap();
        if altered.is_there {
            direct.execute_batch(&altered.table.statements().join(";\n")).unwrap();
        }
        let problems = check().await.unwrap();
        let found = texts(&problems);
        let is_named = |text: &&String| altered.names.iter().all(|name| text.contains(name));
        let named = found.iter().find(is_named);
        assert!(named.is_some(), "{altered:#?}: {found:#?}");
        // Nothing else is suspected.
        assert!(found.iter().all(|text| text.contains(table)), "{altered:#?}: {found:#?}");
        for problem in &problems {
            assert!(!problem.remedy.is_empty(), "{problem}");
            if problem.remedy.starts_with("CREATE") {
                direct.execute_batch(&problem.remedy).unwrap();
                assert!(!texts(&check().await.unwrap()).contains(&problem.to_string()));
            }
        }
        let original = definitions.iter().find(|one| one.table == *table).unwrap();
        direct.execute_batch(&drop).unwrap();
        direct.execute_batch(&original.statements().join(";\n")).unwrap();
    }
    assert!(count > 90, "{count}");
    assert_eq!(texts(&check().await.unwrap()), [""; 0]);
}

#[tokio::test]
async fn a_table_of_ours_that_is_gone_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let (database, users, uses) = (migrated(&path).await, UserTable::default(), every_use());
    let direct = Connection::open(&path).unwrap();
    let revoked = "INSERT INTO simplejwt_revocation VALUES (7, 'token', 'a', 1, 2)";
    direct.execute(revoked, ()).unwrap();
    for table in ["simplejwt_lease", "simplejwt_sequence", "simplejwt_user"] {
        direct.execute_batch(&format!("DROP TABLE {table}")).unwrap();
        let found = texts(&check::check(&database, &users, &uses).await.unwrap());
        assert!(found[0].contains(table) && found[0].contains("run `migrate`"), "{found:?}");
        migrate::apply(&database, &users, Timestamp::from_secs(1)).await.unwrap();
        assert_eq!(texts(&check::check(&database, &users, &uses).await.unwrap()), [""; 0]);
    }
    // The counter goes on where it was.
    let value = direct.query_row("SELECT value FROM simplejwt_sequence", (), |row| row.get(0));
    assert_eq!(value, Ok(7));
    direct.execute_batch("DELETE FROM simplejwt_sequence").unwrap();
    let problems = check::check(&database, &users, &uses).await.unwrap();
    assert_eq!(texts(&problems).len(), 1);
    direct.execute_batch(&problems.iter().next().unwrap().remedy).unwrap();
    let value = direct.query_row("SELECT value FROM simplejwt_sequence", (), |row| row.get(0));
    assert_eq!(value, Ok(7));
}

#[tokio::test]
async fn the_first_migrations_of_token_blacklist_are_known() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let (database, users, uses) = (migrated(&path).await, UserTable::default(), every_use());
    let direct = Connection::open(&path).unwrap();
    // After 0004 of 2017, beside the old column.
    direct
        .execute_batch(
            "PRAGMA foreign_keys = OFF; DROP TABLE token_blacklist_outstandingtoken; \
             CREATE TABLE token_blacklist_outstandingtoken (id integer PRIMARY KEY AUTOINCREMENT, \
             jti char(32) NOT NULL UNIQUE, token text NOT NULL, created_at datetime NOT NULL, \
             expires_at datetime NOT NULL, user_id integer NOT NULL REFERENCES auth_user (id), \
             jti_hex varchar(255) NOT NULL UNIQUE)",
        )
        .unwrap();
    let found = texts(&check::check(&database, &users, &uses).await.unwrap());
    let named = found.iter().find(|text| text.contains("jti_hex")).unwrap();
    assert!(named.ends_with("python manage.py migrate token_blacklist"), "{named}");
}

#[tokio::test]
async fn a_file_that_another_program_holds_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    drop(migrated(&path).await);
    let options = SqliteOptions {
        busy_timeout: std::time::Duration::from_millis(50),
        ..SqliteOptions::default()
    };
    let database = SqliteDatabase::open(&path, options).unwrap();
    let (users, uses) = (UserTable::default(), every_use());
    let direct = Connection::open(&path).unwrap();
    direct.execute_batch("BEGIN IMMEDIATE").unwrap();
    let problems = check::check(&database, &users, &uses).await.unwrap();
    let found = texts(&problems);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("db.sqlite3 can't be written (database is locked)"), "{found:?}");
    assert_eq!(problems.iter().next().unwrap().severity, Severity::Passing);
    direct.execute_batch("ROLLBACK").unwrap();
    assert!(check::check(&database, &users, &uses).await.unwrap().is_empty());
}
