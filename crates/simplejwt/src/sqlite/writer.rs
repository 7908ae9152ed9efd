//! The writing thread: runs the waiting writes in one transaction, and answers after the commit.
//!
//! Nearly all of them succeed, so they run without savepoints: with one, SQLite copies each page
//! before a job changes it. If one fails, the transaction is rolled back, and all of them run again,
//! each in a savepoint of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvError, TryRecvError};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;
use rusqlite::{Connection, ErrorCode, ffi};

use super::copying::Copying;
use super::database::{SqliteOptions, kind, store_error};
use super::queue::Exit;
use crate::error::StoreError;

/// A write, with a caller who waits for its outcome.
pub(super) trait Job: Send {
    /// Does the work; returns `true` to keep it. May be called again after a rollback.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Sends the outcome; `lost` is the reason the transaction failed.
    fn answer(self: Box<Self>, lost: Option<&rusqlite::Error>);
}

pub(super) struct Pending<W, T> {
    operation: &'static str,
    work: W,
    outcome: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<W, T> Pending<W, T> {
    pub(super) fn new(
        operation: &'static str,
        work: W,
        answer: oneshot::Sender<Result<T, StoreError>>,
    ) -> Self {
        Self { operation, work, outcome: None, answer }
    }
}

impl<W, T> Job for Pending<W, T>
where
    W: Fn(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        // Anything that a panic leaves in the database is rolled back.
        let outcome = match catch_unwind(AssertUnwindSafe(|| (self.work)(connection))) {
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
    jobs: &Exit<Box<dyn Job>>,
    options: SqliteOptions,
    copying: &Arc<Copying>,
    reconnect: impl Fn() -> rusqlite::Result<Connection>,
) {
    loop {
        // A job catches the panics of its work. One elsewhere ends the batch, whose callers see
        // their senders dropped, but not the thread.
        match catch_unwind(AssertUnwindSafe(|| {
            turn(&mut connection, jobs, options, copying, &reconnect)
        })) {
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
    jobs: &Exit<Box<dyn Job>>,
    options: SqliteOptions,
    copying: &Arc<Copying>,
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
    let (writes, lost) = (batch.len(), committed.err());
    for job in batch {
        job.answer(lost.as_ref());
    }
    copying.committed(writes);
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
    let is_done = transaction(connection, busy_timeout, || together(connection, batch))?;
    if is_done || batch.len() == 1 {
        return Ok(());
    }
    transaction(connection, busy_timeout, || apart(connection, batch)).map(drop)
}

/// Runs the work in a transaction, which is committed if it returns `true`.
fn transaction(
    connection: &Connection,
    busy_timeout: Duration,
    work: impl FnOnce() -> rusqlite::Result<bool>,
) -> rusqlite::Result<bool> {
    let committed = begin(connection, busy_timeout).and_then(|()| work()).and_then(|keep| {
        execute(connection, if keep { "COMMIT" } else { "ROLLBACK" })?;
        Ok(keep)
    });
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

/// Runs the jobs; returns `false` as soon as one of them fails.
fn together(connection: &Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<bool> {
    for job in batch {
        let keep = job.run(connection);
        still_open(connection)?;
        if !keep {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs the jobs, so that one that fails takes no other with it.
fn apart(connection: &Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<bool> {
    for job in batch {
        execute(connection, "SAVEPOINT job")?;
        let keep = job.run(connection);
        still_open(connection)?;
        if !keep {
            execute(connection, "ROLLBACK TO job")?;
        }
        execute(connection, "RELEASE job")?;
    }
    Ok(true)
}

/// A full disk or an I/O error can roll back the whole transaction, not just the statement.
fn still_open(connection: &Connection) -> rusqlite::Result<()> {
    match connection.is_autocommit() {
        true => Err(rusqlite::Error::SqliteFailure(
            ffi::Error::new(ffi::SQLITE_ABORT_ROLLBACK),
            Some("the transaction was rolled back by SQLite".into()),
        )),
        false => Ok(()),
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(()).map(drop)
}

#[cfg(test)]
mod tests;
