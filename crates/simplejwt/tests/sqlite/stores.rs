//! The stores against the suite of what every store has to do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::sync::Mutex;

use simplejwt::event::Cause;
use simplejwt::sql::manage::{ManageUsers as _, NewUser, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::SqliteUsers;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions, SqliteStore, migrate};
use simplejwt::store::conformance::{self, Task};
use simplejwt::store::memory::MemoryStore;
use simplejwt::store::rows::BySession;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions, unusable_password};
use simplejwt::{Settings, Timestamp};
use tempfile::TempDir;

use crate::support::{moves, references};

const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);

fn spawn(task: Task) {
    tokio::spawn(task);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory() {
    conformance::all(|| async { MemoryStore::default() }, spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_sessions() {
    conformance::sessions(|| async { MemoryStore::default() }, spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_by_session() {
    let make = || async { BySession::new(MemoryStore::default(), &Settings::default()) };
    conformance::all(make, spawn).await;
    conformance::sessions(make, spawn).await;
}

async fn sqlite_in(directory: &TempDir, options: SqliteOptions) -> SqliteStore {
    let path = directory.path().join("db.sqlite3");
    let database = SqliteDatabase::open_or_create(path, options).unwrap();
    let table = UserTable::default();
    migrate::apply(&database, &table, NOW).await.unwrap();
    let pool =
        HashingPool::new(Hashers::default(), PoolOptions { threads: 1, waiting: 1 }).unwrap();
    let users = SqliteUsers::open(&database, table.clone(), pool, UserOptions::default()).unwrap();
    for (name, id) in [("one", "1"), ("two", "2")] {
        let new =
            NewUser { username: name.into(), password: unusable_password(), ..Default::default() };
        assert_eq!(users.create_user(new, &Cause::at(NOW)).await.unwrap().outcome.id.as_str(), id);
    }
    SqliteStore::open(&database, &table).unwrap()
}

async fn conforms(options: SqliteOptions) {
    let directories = Mutex::new(Vec::new());
    conformance::all(
        || async {
            let directory = tempfile::tempdir().unwrap();
            let store = sqlite_in(&directory, options).await;
            directories.lock().unwrap().push(directory);
            store
        },
        spawn,
    )
    .await;
    assert!(directories.lock().unwrap().len() > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite() {
    conforms(SqliteOptions::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_without_group_commit() {
    conforms(SqliteOptions { batch: 1, readers: 0, ..SqliteOptions::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_sessions() {
    let directories = Mutex::new(Vec::new());
    conformance::sessions(
        || async {
            let directory = tempfile::tempdir().unwrap();
            let store = sqlite_in(&directory, SqliteOptions::default()).await;
            directories.lock().unwrap().push(directory);
            store
        },
        spawn,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_by_session() {
    let directories = Mutex::new(Vec::new());
    let make = || async {
        let directory = tempfile::tempdir().unwrap();
        let store = sqlite_in(&directory, SqliteOptions::default()).await;
        directories.lock().unwrap().push(directory);
        BySession::new(store, &Settings::default())
    };
    conformance::all(make, spawn).await;
    conformance::sessions(make, spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_of_a_ring() {
    conformance::keys(|| async { MemoryStore::default() }, spawn).await;
    let directories = Mutex::new(Vec::new());
    conformance::keys(|| migrated(&directories), spawn).await;
}

/// A new file, whose directory is kept.
async fn migrated(directories: &Mutex<Vec<TempDir>>) -> SqliteDatabase {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let database = SqliteDatabase::open_or_create(path, SqliteOptions::default()).unwrap();
    migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    directories.lock().unwrap().push(directory);
    database
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counters_of_a_throttle() {
    let directories = Mutex::new(Vec::new());
    conformance::throttle(|| migrated(&directories), spawn).await;
}

#[tokio::test]
async fn moved_to_rows_and_back() {
    let directory = tempfile::tempdir().unwrap();
    moves::sessions_go_on(sqlite_in(&directory, SqliteOptions::default()).await).await;
}

/// The writing thread needs no runtime, and neither does the suite.
#[test]
fn without_tokio() {
    struct Thread(std::thread::Thread);
    impl std::task::Wake for Thread {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    fn block_on<T>(task: impl Future<Output = T>) -> T {
        let waker = std::sync::Arc::new(Thread(std::thread::current())).into();
        let mut context = std::task::Context::from_waker(&waker);
        let mut task = std::pin::pin!(task);
        loop {
            if let std::task::Poll::Ready(value) = task.as_mut().poll(&mut context) {
                return value;
            }
            std::thread::park();
        }
    }

    let directories = Mutex::new(Vec::new());
    block_on(conformance::all(
        || async {
            let directory = tempfile::tempdir().unwrap();
            let store = sqlite_in(&directory, SqliteOptions::default()).await;
            directories.lock().unwrap().push(directory);
            store
        },
        |task| {
            std::thread::spawn(|| block_on(task));
        },
    ));
}

#[tokio::test]
async fn tables_that_refer_to_tokens() {
    // As Django makes them, and otherwise.
    let django = references::Dialect::SQLITE;
    for dialect in [django, references::Dialect { deferred: "", ..django }] {
        for case in 0..3 {
            let directory = tempfile::tempdir().unwrap();
            let store = sqlite_in(&directory, SqliteOptions::default()).await;
            let raw = rusqlite::Connection::open(directory.path().join("db.sqlite3")).unwrap();
            raw.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
            let run = async |sql: String| raw.execute_batch(&sql).unwrap();
            let count = async |sql: &str| raw.query_one(sql, (), |row| row.get(0)).unwrap();
            match case {
                0 => references::what_is_referred_to_stays(&store, dialect, run, count).await,
                1 => references::a_table_that_comes_in_between(&store, dialect, run).await,
                _ => references::users_stay(&store, dialect, run, count).await,
            }
        }
    }
}
