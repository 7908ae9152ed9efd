//! What a batch guarantees to those who share it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use super::*;
use crate::error::StoreErrorKind;
use crate::sqlite::SqliteDatabase;

fn database(options: SqliteOptions) -> (tempfile::TempDir, SqliteDatabase) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE t (n integer PRIMARY KEY, text text);\
             CREATE TABLE child (n integer REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)",
        )
        .unwrap();
    let database = SqliteDatabase::open(path, options).unwrap();
    (directory, database)
}

async fn insert(database: &SqliteDatabase, n: i64) -> Result<usize, StoreError> {
    database.write("insert", move |c| c.execute("INSERT INTO t (n) VALUES (?1)", [n])).await
}

fn stored(database: &SqliteDatabase) -> Vec<i64> {
    let all = |c: &Connection| {
        c.prepare("SELECT n FROM t ORDER BY n")?.query_map((), |row| row.get(0))?.collect()
    };
    database.read("all", all).unwrap()
}

/// Blocks the writing thread until it is told to continue.
fn hold(
    database: &SqliteDatabase,
) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), StoreError>>) {
    let (go_on, held) = mpsc::channel();
    let (begun, has_begun) = mpsc::channel();
    let database = database.clone();
    let task = tokio::spawn(async move {
        let wait = move |_: &Connection| {
            begun.send(()).unwrap();
            held.recv().unwrap();
            Ok(())
        };
        database.write("hold", wait).await
    });
    has_begun.recv().unwrap();
    (go_on, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_in_a_batch_takes_nobody_with_it() {
    let (_directory, database) = database(SqliteOptions::default());
    let (go_on, held) = hold(&database);
    let failing = database.write("fail", |c| {
        c.execute("INSERT INTO t (n) VALUES (100)", ())?;
        c.execute("INSERT INTO nowhere VALUES (1)", ())
    });
    let panicking = database.write::<()>("panic", |c| {
        c.execute("INSERT INTO t (n) VALUES (200)", ())?;
        panic!("on purpose")
    });
    // Polled together, so that all wait for the thread and share a transaction.
    let (first, failed, panicked, last, ()) =
        tokio::join!(insert(&database, 1), failing, panicking, insert(&database, 2), async {
            go_on.send(()).unwrap()
        },);
    held.await.unwrap().unwrap();
    assert_eq!((first.unwrap(), last.unwrap()), (1, 1));
    let failed = failed.unwrap_err();
    assert_eq!((failed.operation(), failed.kind()), ("fail", StoreErrorKind::Incompatible));
    assert_eq!(panicked.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert_eq!(stored(&database), [1, 2]);
    insert(&database, 3).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_runs_once_and_again_only_beside_one_that_fails() {
    let (_directory, database) = database(SqliteOptions::default());
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = |n: i64| {
        let runs = Arc::clone(&runs);
        database.write("insert", move |c| {
            runs.fetch_add(1, Ordering::Relaxed);
            c.execute("INSERT INTO t (n) VALUES (?1)", [n])
        })
    };
    let (go_on, held) = hold(&database);
    let (first, second, ()) =
        tokio::join!(counted(1), counted(2), async { go_on.send(()).unwrap() });
    held.await.unwrap().unwrap();
    assert_eq!((first.unwrap(), second.unwrap()), (1, 1));
    assert_eq!(runs.swap(0, Ordering::Relaxed), 2);
    let (go_on, held) = hold(&database);
    let failing = database.write("fail", |c| c.execute("INSERT INTO nowhere VALUES (1)", ()));
    let (before, failed, ()) = tokio::join!(counted(3), failing, async { go_on.send(()).unwrap() });
    held.await.unwrap().unwrap();
    assert_eq!(before.unwrap(), 1);
    assert!(failed.is_err());
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(stored(&database), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_outside_of_the_work_ends_no_thread_either() {
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("on purpose");
            }
        }
    }
    let (_directory, database) = database(SqliteOptions::default());
    let (go_on, held) = hold(&database);
    {
        // Nobody receives its outcome, so the thread drops it.
        let work = |c: &Connection| {
            c.execute("INSERT INTO t (n) VALUES (7)", ())?;
            Ok(PanicsWhenDropped)
        };
        let mut write = std::pin::pin!(database.write("panic", work));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(write.as_mut().poll(&mut context).is_pending());
    }
    // Behind it in the same batch: it is answered in any case, and not left waiting.
    let (behind, ()) = tokio::join!(insert(&database, 8), async { go_on.send(()).unwrap() });
    held.await.unwrap().unwrap();
    assert_eq!(behind.unwrap_err().kind(), StoreErrorKind::Unavailable);
    insert(&database, 9).await.unwrap();
    assert!(stored(&database).contains(&9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_fails_for_the_whole_batch_and_no_other() {
    let (_directory, database) = database(SqliteOptions::default());
    let (go_on, held) = hold(&database);
    // The commit finds the violated deferred constraint.
    let orphan = database.write("orphan", |c| c.execute("INSERT INTO child VALUES (77)", ()));
    let (orphan, other, ()) =
        tokio::join!(orphan, insert(&database, 1), async { go_on.send(()).unwrap() });
    held.await.unwrap().unwrap();
    assert!(orphan.is_err());
    assert!(other.is_err(), "its commit failed");
    assert_eq!(stored(&database), [0; 0]);
    insert(&database, 1).await.unwrap();
    assert_eq!(stored(&database), [1]);
}

#[tokio::test]
async fn a_full_disk_is_an_error_until_there_is_room_again() {
    let (_directory, database) = database(SqliteOptions::default());
    let limit = async |pages: i64| {
        let set = move |c: &Connection| c.pragma_update(None, "max_page_count", pages);
        database.write("limit", set).await.unwrap();
    };
    let fill = async || {
        let big = |c: &Connection| c.execute("INSERT INTO t (text) VALUES (zeroblob(100000))", ());
        database.write("fill", big).await
    };
    fill().await.unwrap();
    limit(1).await;
    let error = fill().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert_eq!(stored(&database).len(), 1);
    limit(1_000_000).await;
    fill().await.unwrap();
    assert_eq!(stored(&database).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_turns_away_and_nothing_that_is_in_it() {
    let options = SqliteOptions { waiting: 2, ..SqliteOptions::default() };
    let (_directory, database) = database(options);
    let (go_on, held) = hold(&database);
    let (first, second, third, ()) =
        tokio::join!(insert(&database, 1), insert(&database, 2), insert(&database, 3), async {
            go_on.send(()).unwrap()
        },);
    held.await.unwrap().unwrap();
    first.unwrap();
    second.unwrap();
    assert_eq!(third.unwrap_err().kind(), StoreErrorKind::Busy);
    assert_eq!(stored(&database), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_doesnt_call_its_write_off_and_closing_waits_for_it() {
    let (directory, database) = database(SqliteOptions::default());
    let (go_on, held) = hold(&database);
    {
        let mut write = std::pin::pin!(insert(&database, 1));
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(write.as_mut().poll(&mut context).is_pending());
    }
    go_on.send(()).unwrap();
    held.await.unwrap().unwrap();
    drop(database);
    let path = directory.path().join("db.sqlite3");
    assert!(!path.with_extension("sqlite3-wal").exists(), "the log is in the file");
    let again = SqliteDatabase::open(path, SqliteOptions::default()).unwrap();
    assert_eq!(stored(&again), [1]);
}

#[tokio::test]
async fn readers_cannot_write_and_commits_are_synchronous() {
    let (_directory, database) = database(SqliteOptions::default());
    let write = |c: &Connection| c.execute("INSERT INTO t (n) VALUES (1)", ());
    assert!(database.read("read", write).is_err());
    let settings = |c: &Connection| {
        let one = |name: &str| c.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok((one("synchronous")?, one("foreign_keys")?))
    };
    let full = 2;
    assert_eq!(database.write("settings", settings).await.unwrap(), (full, 1));
}
