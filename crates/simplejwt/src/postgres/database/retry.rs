//! The attempts at an operation: on another connection or server, or after a conflict, until its
//! time is up.

use deadpool_postgres::{Object, PoolError, TimeoutType};
use tokio::time::{Instant, timeout_at};

use super::failure::{is_conflict, is_full, is_of_a_value, is_of_the_connection, store_error};
use super::{FULL_INTERVAL, PostgresDatabase, Shared};
use crate::error::{StoreError, StoreErrorKind};

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

/// The number of times that an operation is repeated on another connection: once for a server that
/// may have been promoted or restarted, and once more.
const MAX_LOST: u32 = 2;
/// The number of times that an operation is repeated after a conflict.
const MAX_CONFLICTS: u32 = 8;

impl PostgresDatabase {
    /// Returns the attempts at an operation, for [`run`].
    pub(crate) fn attempts(&self, operation: &'static str) -> Attempts<'_> {
        let deadline = Instant::now() + self.shared.options.operation_timeout;
        Attempts { shared: &self.shared, operation, deadline, lost: 0, conflicts: 0 }
    }
}

impl Attempts<'_> {
    /// Returns a connection; if the server has none left, one of those that are open, as soon as it
    /// is free.
    pub(crate) async fn client(&self) -> Result<Object, StoreError> {
        let waited = self.deadline.min(Instant::now() + self.shared.options.wait_timeout);
        loop {
            // Before asking, so that none that comes back meanwhile is missed.
            let returned = self.shared.returned.notified();
            if self.shared.is_full() && Instant::now() < waited {
                let _ = timeout_at(waited.min(Instant::now() + FULL_INTERVAL), returned).await;
                continue;
            }
            let error = match timeout_at(self.deadline, self.shared.pool.get()).await {
                Ok(Ok(client)) => return Ok(client),
                Ok(Err(error)) => error,
                Err(_) => return Err(self.too_late()),
            };
            let kind = match &error {
                PoolError::Timeout(TimeoutType::Wait) => StoreErrorKind::Busy,
                PoolError::Backend(error)
                    if is_full(error) && self.shared.pool.status().size > 0 =>
                {
                    self.shared.note_full();
                    if Instant::now() < waited {
                        continue;
                    }
                    StoreErrorKind::Busy
                }
                _ => StoreErrorKind::Unavailable,
            };
            return Err(StoreError::new(self.operation, kind, error));
        }
    }

    /// Closes the connections that are older than this one.
    fn forget_older_than(&self, client: &Object) {
        let created = Object::metrics(client).created;
        let _ = self.shared.pool.retain(|_, metrics| metrics.created > created);
    }

    /// Returns the end of this attempt's time. If there is another server to turn to, that is half
    /// of the operation's remaining time.
    pub(in crate::postgres) fn until(&self) -> Instant {
        let now = Instant::now();
        match self.may_turn_elsewhere() {
            true => now + self.deadline.saturating_duration_since(now) / 2,
            false => self.deadline,
        }
    }

    /// Runs the work until its time is up; returns `None` then.
    pub(crate) async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Option<Result<T, tokio_postgres::Error>> {
        timeout_at(self.until(), work).await.ok()
    }

    fn may_turn_elsewhere(&self) -> bool {
        self.shared.servers.count() > 1 && self.lost == 0
    }

    fn too_late(&self) -> StoreError {
        StoreError::unavailable(self.operation, "the database doesn't answer")
    }

    /// Returns the attempt's value, `None` to try again, or the error to give up with.
    pub(crate) fn settle<T>(
        &mut self,
        client: Object,
        outcome: Option<Result<T, tokio_postgres::Error>>,
    ) -> Result<Option<T>, StoreError> {
        let settled = self.settled(client, outcome);
        self.shared.returned.notify_one();
        settled
    }

    /// Handles an attempt without an answer: returns `None` to try another server, or the error to
    /// give up with.
    pub(in crate::postgres) fn timed_out<T>(&mut self) -> Result<Option<T>, StoreError> {
        let again = self.may_turn_elsewhere();
        self.lost += 1;
        if self.shared.servers.count() > 1 {
            // The other connections to that server needn't be waited for, too.
            self.shared.servers.current_failed();
            self.shared.forget();
        }
        if again { Ok(None) } else { Err(self.too_late()) }
    }

    fn settled<T>(
        &mut self,
        client: Object,
        outcome: Option<Result<T, tokio_postgres::Error>>,
    ) -> Result<Option<T>, StoreError> {
        let Some(outcome) = outcome else {
            // The answer may still arrive; it mustn't be taken for that to another request.
            drop(Object::take(client));
            return self.timed_out();
        };
        let error = match outcome {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        let state = error.code();
        let in_time = Instant::now() < self.deadline;
        if is_conflict(state) && self.conflicts < MAX_CONFLICTS && in_time {
            self.conflicts += 1;
            return Ok(None);
        }
        let lost = error.is_closed()
            || (state.is_none() && !is_of_a_value(&error))
            || is_of_the_connection(state);
        if lost {
            // Whatever ended this one has most likely ended those of the same age.
            self.forget_older_than(&client);
            drop(Object::take(client));
            if self.lost < MAX_LOST && Instant::now() < self.deadline {
                self.lost += 1;
                return Ok(None);
            }
        }
        Err(store_error(self.operation, error))
    }
}

/// A connection that is closed unless it is given back: if dropped in use, an answer may still
/// arrive, which mustn't be taken for that to another request.
pub(in crate::postgres) struct Own(Option<Object>);

impl Own {
    pub(in crate::postgres) fn new(client: Object) -> Self {
        Self(Some(client))
    }

    pub(in crate::postgres) fn client(&self) -> Option<&Object> {
        self.0.as_ref()
    }

    pub(in crate::postgres) fn client_mut(&mut self) -> Option<&mut Object> {
        self.0.as_mut()
    }

    pub(in crate::postgres) fn give_back(mut self) -> Option<Object> {
        self.0.take()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}

/// Runs an operation, and repeats it if that helps: `run!(database, "name", |client| …)`.
macro_rules! run {
    ($database:expr, $operation:expr, |$client:ident| $work:expr) => {{
        let mut attempts = $database.attempts($operation);
        loop {
            #[allow(unused_mut, reason = "not every operation needs a transaction")]
            let mut $client = attempts.client().await?;
            let outcome = attempts.limited($work).await;
            if let Some(value) = attempts.settle($client, outcome)? {
                break Ok::<_, StoreError>(value);
            }
        }
    }};
}
pub(crate) use run;
