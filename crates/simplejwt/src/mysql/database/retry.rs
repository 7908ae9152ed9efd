//! The attempts at an operation: on another connection or server, or after a conflict, until its
//! time is up.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::failure::{Failure, Remedy};
use super::{FULL_INTERVAL, MysqlDatabase, Shared};
use crate::error::{StoreError, StoreErrorKind};
use crate::mysql::explain::ConnectError;
use crate::mysql::servers::Link;

/// A connection for one attempt. If it is dropped before it is settled, it is closed, and the
/// server rolls back whatever wasn't committed.
pub(crate) struct Lent {
    pub(crate) conn: Conn,
    pub(in crate::mysql) link: Link,
    pub(in crate::mysql) place: OwnedSemaphorePermit,
}

/// The attempts at one operation, which share its time.
pub(crate) struct Attempts<'a> {
    shared: &'a Shared,
    operation: &'static str,
    deadline: Instant,
    /// The number of connections that turned out to be dead, so far.
    lost: u32,
    /// The number of conflicts with other transactions, so far.
    conflicts: u32,
}

/// The number of times that an operation is repeated on another connection.
const MOST_LOST: u32 = 2;
/// The number of times that an operation is repeated after a conflict.
const MOST_CONFLICTS: u32 = 20;

impl MysqlDatabase {
    /// Returns the attempts at an operation.
    pub(crate) fn attempts(&self, operation: &'static str) -> Attempts<'_> {
        self.attempts_within(operation, self.shared.options.operation_timeout)
    }

    /// Returns the attempts at an operation, with a time limit of its own.
    pub(crate) fn attempts_within(&self, operation: &'static str, limit: Duration) -> Attempts<'_> {
        let deadline = Instant::now() + limit;
        Attempts { shared: &self.shared, operation, deadline, lost: 0, conflicts: 0 }
    }
}

impl Attempts<'_> {
    /// Returns a connection; if the server has none left, one of those that are open, as soon as it
    /// is free.
    pub(crate) async fn connection(&mut self) -> Result<Lent, StoreError> {
        let shared = self.shared;
        let waited = self.deadline.min(Instant::now() + shared.options.wait_timeout);
        let place = match timeout_at(waited, Arc::clone(&shared.places).acquire_owned()).await {
            Ok(Ok(place)) => place,
            _ => {
                let cause = "all connections to the database are in use";
                return Err(StoreError::new(self.operation, StoreErrorKind::Busy, cause));
            }
        };
        loop {
            let kept = shared.idle().pop();
            if let Some((mut conn, mut link)) = kept {
                let until = self.until();
                if timeout_at(until, shared.servers.is_still_good(&mut conn, &mut link)).await
                    == Ok(true)
                {
                    return Ok(Lent { conn, link, place });
                }
                shared.leave(link);
                continue;
            }
            // Before asking, so that none that comes back meanwhile is missed.
            let returned = shared.returned.notified();
            if shared.is_full() && Instant::now() < waited {
                let _ = timeout_at(waited.min(Instant::now() + FULL_INTERVAL), returned).await;
                continue;
            }
            match timeout_at(self.deadline, shared.servers.connect()).await {
                Ok(Ok((conn, link))) => return Ok(Lent { conn, link, place }),
                Ok(Err(error @ ConnectError::Full { .. })) if shared.has_others() => {
                    *shared.full_at() = Some(Instant::now());
                    if Instant::now() >= waited {
                        return Err(StoreError::new(self.operation, StoreErrorKind::Busy, error));
                    }
                }
                Ok(Err(error)) => return Err(StoreError::unavailable(self.operation, error)),
                Err(_) => return Err(self.too_late()),
            }
        }
    }

    /// Returns the end of this attempt's time. If there is another server to turn to, that is half
    /// of the operation's remaining time.
    pub(in crate::mysql) fn until(&self) -> Instant {
        let now = Instant::now();
        match self.may_turn_elsewhere() {
            true => now + self.deadline.saturating_duration_since(now) / 2,
            false => self.deadline,
        }
    }

    fn may_turn_elsewhere(&self) -> bool {
        self.shared.servers.count() > 1 && self.lost == 0
    }

    /// Runs the work until its time is up; returns `None` then.
    pub(crate) async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Option<Result<T, Failure>> {
        timeout_at(self.until(), work).await.ok()
    }

    /// Takes the connection back; returns `Continue` to try again, or the attempt's value or error.
    pub(crate) async fn settle<T>(
        &mut self,
        mut lent: Lent,
        outcome: Option<Result<T, Failure>>,
    ) -> ControlFlow<Result<T, StoreError>> {
        let failure = match outcome {
            Some(Ok(value)) => {
                self.shared.give_back(lent.conn, lent.link);
                return ControlFlow::Break(Ok(value));
            }
            // The connection is closed, since an answer may still arrive, which mustn't be taken
            // for another.
            None => return self.timed_out(lent.link),
            Some(Err(failure)) => failure,
        };
        let remedy = failure.remedy();
        if remedy == Remedy::Reconnect {
            // The other connections are probably no better.
            self.shared.leave(lent.link);
            self.lost += 1;
            if self.lost <= MOST_LOST && Instant::now() < self.deadline {
                return ControlFlow::Continue(());
            }
            return ControlFlow::Break(Err(StoreError::unavailable(self.operation, failure)));
        }
        // A transaction that a Galera node has aborted leaves a connection that isn't used again.
        let is_over = lent.link.is_galera && remedy == Remedy::Repeat;
        if !is_over
            && matches!(
                timeout_at(self.deadline, lent.conn.query_drop("ROLLBACK")).await,
                Ok(Ok(()))
            )
        {
            self.shared.give_back(lent.conn, lent.link);
        }
        let kind = match remedy {
            Remedy::Repeat => {
                self.conflicts += 1;
                if self.conflicts <= MOST_CONFLICTS && Instant::now() < self.deadline {
                    return ControlFlow::Continue(());
                }
                StoreErrorKind::Unavailable
            }
            Remedy::GiveUp(kind) => kind,
            Remedy::Reconnect => StoreErrorKind::Unavailable,
        };
        ControlFlow::Break(Err(StoreError::new(self.operation, kind, failure)))
    }

    /// Handles an attempt without an answer: returns `Continue` to try another server, or the error
    /// to give up with.
    pub(in crate::mysql) fn timed_out<T>(
        &mut self,
        link: Link,
    ) -> ControlFlow<Result<T, StoreError>> {
        let again = self.may_turn_elsewhere();
        self.lost += 1;
        if self.shared.servers.count() > 1 {
            // The other connections to that server needn't be waited for, too.
            self.shared.leave(link);
        }
        match again {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(Err(self.too_late())),
        }
    }

    fn too_late(&self) -> StoreError {
        StoreError::unavailable(self.operation, "the database didn't answer in time")
    }
}

/// Runs an operation on a connection until it succeeds or can't. The work is a future over
/// `&mut Conn`, created anew for each attempt, that leaves no transaction open on success.
macro_rules! attempt {
    ($attempts:expr, |$conn:ident| $work:expr) => {{
        let mut attempts = $attempts;
        loop {
            let mut lent = match attempts.connection().await {
                Ok(lent) => lent,
                Err(error) => break Err(error),
            };
            let outcome = {
                let $conn = &mut lent.conn;
                attempts.limited($work).await
            };
            if let std::ops::ControlFlow::Break(done) = attempts.settle(lent, outcome).await {
                break done;
            }
        }
    }};
}
pub(crate) use attempt;

/// Begins a transaction.
pub(crate) async fn begin(conn: &mut Conn) -> Result<(), Failure> {
    Ok(conn.query_drop("START TRANSACTION").await?)
}

/// Commits the transaction.
pub(crate) async fn commit(conn: &mut Conn) -> Result<(), Failure> {
    Ok(conn.query_drop("COMMIT").await?)
}

/// Rolls the transaction back.
pub(crate) async fn rollback(conn: &mut Conn) -> Result<(), Failure> {
    Ok(conn.query_drop("ROLLBACK").await?)
}
