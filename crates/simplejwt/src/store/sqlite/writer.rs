//! The writing thread: takes what waits into one transaction and answers after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;

use futures_channel::oneshot;
use rusqlite::{Connection, ErrorCode, ffi};

use super::database::{kind, store_error};
use crate::error::StoreError;

/// Something to write, and somebody who waits for its outcome.
pub(super) trait Job: Send {
    /// Does the work inside a savepoint; whether it is to be kept.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Hands over the outcome; `lost` says why the transaction came to nothing.
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
        // What a panic leaves behind in the database is rolled back with the savepoint.
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
        // Nobody to take the answer: nothing to do about it.
        let _ = self.answer.send(outcome);
    }
}

/// Runs until the last sender is gone and nothing waits any more.
pub(super) fn serve(
    mut connection: Connection,
    jobs: &Receiver<Box<dyn Job>>,
    size: usize,
    reconnect: impl Fn() -> rusqlite::Result<Connection>,
) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(size - 1));
        let committed = commit(&connection, &mut batch);
        if let Err(error) = &committed {
            tracing::warn!(jobs = batch.len(), error = %error, "SQLite transaction failed");
        }
        let lost = committed.err();
        for job in batch {
            job.answer(lost.as_ref());
        }
        if lost.is_some_and(|error| is_of_the_connection(&error))
            && let Ok(fresh) = reconnect()
        {
            connection = fresh;
        }
    }
}

fn is_of_the_connection(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly)
    )
}

fn commit(connection: &Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let committed = run(connection, batch);
    if committed.is_err() && !connection.is_autocommit() {
        // Should this fail too, the next BEGIN fails and says so.
        let _ = execute(connection, "ROLLBACK");
    }
    committed
}

fn run(connection: &Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    execute(connection, "BEGIN IMMEDIATE")?;
    for job in batch {
        execute(connection, "SAVEPOINT job")?;
        let keep = job.run(connection);
        // A full disk or an I/O error can end the whole transaction, not the statement alone.
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
