//! The writing thread: runs the waiting writes in one transaction, and answers after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvError, TryRecvError};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;
use rusqlite::{Connection, ErrorCode, ffi};

use super::database::{SqliteOptions, kind, store_error};
use crate::error::StoreError;

/// A write, with a caller who waits for its outcome.
pub(super) trait Job: Send {
    /// Does the work inside a savepoint; returns `true` to keep it.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Sends the outcome; `lost` is the reason the transaction failed.
    fn answer(self: Box<Self>, lost: Option<&rusqlite::Error>);
}

pub(super) struct Pending<W, T> {
    operation: &'static str,
    work: Option<W>,
    outcome: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<W, T> Pending<W, T> {
    pub(super) fn new(
        operation: &'static str,
        work: W,
        answer: oneshot::Sender<Result<T, StoreError>>,
    ) -> Self {
        Self { operation, work: Some(work), outcome: None, answer }
    }
}

impl<W, T> Job for Pending<W, T>
where
    W: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        // Anything that a panic leaves in the database is rolled back with the savepoint.
        let outcome = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(store_error(self.operation, error)),
            Err(_) => Err(StoreError::unavailable(self.operation, "the write panicked")),
        };
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, lost: Option<&rusqlite::Error>) {
        let outcome = match (self.outcome, lost) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(error)) => {
                Err(StoreError::new(self.operation, kind(error), error.to_string()))
            }
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(StoreError::unavailable(self.operation, "the write was not run")),
        };
        // The caller may have gone.
        let _ = self.answer.send(outcome);
    }
}

/// The time that other processes have to take the file's lock between two transactions. SQLite has
/// no queue for its lock, so taking it again at once would starve the others.
const GAP: Duration = Duration::from_micros(100);
/// The interval of attempts to take a lock that another process holds. SQLite's own waiting tries
/// 100 ms apart, and so hardly ever meets a gap.
const RETRY: Duration = Duration::from_millis(1);

/// Runs until the last sender is gone and nothing is waiting.
pub(super) fn serve(
    mut connection: Connection,
    jobs: &Receiver<Box<dyn Job>>,
    options: SqliteOptions,
    reconnect: impl Fn() -> rusqlite::Result<Connection>,
) {
    loop {
        // A job catches the panics of its work. One elsewhere ends the batch, whose callers see
        // their senders dropped, but not the thread.
        match catch_unwind(AssertUnwindSafe(|| turn(&mut connection, jobs, options, &reconnect))) {
            Ok(Some(())) => {}
            Ok(None) => return,
            Err(_) => {
                tracing::error!(
                    event = "writer_panicked",
                    "the thread that writes to SQLite panicked, and goes on"
                );
                if !connection.is_autocommit() {
                    // If this fails, so does the next BEGIN, which reports it.
                    let _ = execute(&connection, "ROLLBACK");
                }
            }
        }
    }
}

/// Runs one transaction of the waiting jobs; returns `None` when no more will come.
fn turn(
    connection: &mut Connection,
    jobs: &Receiver<Box<dyn Job>>,
    options: SqliteOptions,
    reconnect: &impl Fn() -> rusqlite::Result<Connection>,
) -> Option<()> {
    let first = match jobs.try_recv() {
        Ok(job) => {
            thread::park_timeout(GAP);
            job
        }
        Err(TryRecvError::Empty) => match jobs.recv() {
            Ok(job) => job,
            Err(RecvError) => return None,
        },
        Err(TryRecvError::Disconnected) => return None,
    };
    let mut batch = vec![first];
    batch.extend(jobs.try_iter().take(options.batch.max(1) - 1));
    let committed = commit(connection, &mut batch, options.busy_timeout);
    if let Err(error) = &committed {
        tracing::warn!(event = "transaction_failed", jobs = batch.len(), %error, "SQLite transaction failed");
    }
    let lost = committed.err();
    for job in batch {
        job.answer(lost.as_ref());
    }
    if lost.is_some_and(|error| is_of_the_connection(&error))
        && let Ok(fresh) = reconnect()
    {
        *connection = fresh;
    }
    Some(())
}

fn is_of_the_connection(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly)
    )
}

fn commit(
    connection: &Connection,
    batch: &mut [Box<dyn Job>],
    busy_timeout: Duration,
) -> rusqlite::Result<()> {
    let committed = begin(connection, busy_timeout).and_then(|()| run(connection, batch));
    if committed.is_err() && !connection.is_autocommit() {
        // If this fails too, so does the next BEGIN, which reports it.
        let _ = execute(connection, "ROLLBACK");
    }
    committed
}

/// Takes the file's write lock, waiting for at most `busy_timeout`.
fn begin(connection: &Connection, busy_timeout: Duration) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let mut waited = Duration::ZERO;
    let begun = loop {
        match execute(connection, "BEGIN IMMEDIATE") {
            Err(error)
                if waited < busy_timeout
                    && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) =>
            {
                thread::park_timeout(RETRY);
                waited += RETRY;
            }
            outcome => break outcome,
        }
    };
    // In a file without WAL, the commit waits for readers.
    connection.busy_timeout(busy_timeout)?;
    begun
}

fn run(connection: &Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    for job in batch {
        execute(connection, "SAVEPOINT job")?;
        let keep = job.run(connection);
        // A full disk or an I/O error can roll back the whole transaction, not just the statement.
        if connection.is_autocommit() {
            return Err(rusqlite::Error::SqliteFailure(
                ffi::Error::new(ffi::SQLITE_ABORT_ROLLBACK),
                Some("the transaction was rolled back by SQLite".into()),
            ));
        }
        if !keep {
            execute(connection, "ROLLBACK TO job")?;
        }
        execute(connection, "RELEASE job")?;
    }
    execute(connection, "COMMIT")
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(()).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

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
            let big =
                |c: &Connection| c.execute("INSERT INTO t (text) VALUES (zeroblob(100000))", ());
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
}
