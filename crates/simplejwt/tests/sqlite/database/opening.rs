//! Opening a file: refusals, rights, and other programs that have it.

use std::path::Path;

use rusqlite::Connection;
use simplejwt::TokenStore as _;
use simplejwt::error::StoreErrorKind;
use simplejwt::event::Act;
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::{OpenError, SqliteDatabase, SqliteStore};
use simplejwt::store::Blacklisting;

use super::{DJANGO, NOW, no_wait, token};

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
