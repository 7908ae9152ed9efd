//! A pool of connections to one database, and how often an operation is tried.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mysql_async::prelude::{FromValue, Queryable as _};
use mysql_async::{Conn, Error, Row};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::connect::Connector;
use super::explain::ConnectError;
use super::servers::{Link, Servers};
use super::tls::Tls;
use super::url::Target;
use crate::error::{StoreError, StoreErrorKind};

/// How a [`MysqlDatabase`] is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MysqlOptions {
    /// Connections at most. Default: 16.
    pub max_connections: usize,
    /// How long to wait for a connection that is free; after it the operation is turned away
    /// with [`StoreErrorKind::Busy`]. Default: 2 seconds.
    pub wait_timeout: Duration,
    /// How long to try to connect to one host. Default: 3 seconds.
    pub connect_timeout: Duration,
    /// How long an operation may take, with everything. Default: 5 seconds.
    pub operation_timeout: Duration,
}

impl Default for MysqlOptions {
    fn default() -> Self {
        Self {
            max_connections: 16,
            wait_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(3),
            operation_timeout: Duration::from_secs(5),
        }
    }
}

/// A MySQL or MariaDB database, open for tokens and users. Clones share its connections.
///
/// The URL is `mysql://user:password@host:3306/database`, or `mariadb://…`. A character with a
/// meaning of its own is written as `%` and two digits. Of several hosts (`host1:3306,host2:3306`)
/// the first one that answers and can be written is used, of a Galera cluster the first that is in
/// touch with the others; it is used as long as that is so. Parameters: `socket=/run/mysqld/mysqld.sock`,
/// `ssl-mode=disabled|preferred|required|verify_ca|verify_identity` as in MySQL's own programs,
/// `ssl-ca=FILE`, `ssl-cert=FILE` and `ssl-key=FILE` for servers that ask for a client's certificate.
///
/// Needs a Tokio runtime.
#[derive(Clone)]
pub struct MysqlDatabase {
    shared: Arc<Shared>,
}

struct Shared {
    servers: Servers,
    options: MysqlOptions,
    idle: Mutex<Vec<(Conn, Link)>>,
    places: Arc<Semaphore>,
    /// Told when a connection is free again.
    returned: Notify,
    /// When the server had no connection left.
    full_at: Mutex<Option<Instant>>,
}

/// How long to wait for a connection to come back before looking again, where the server has none
/// left.
const FULL_INTERVAL: Duration = Duration::from_millis(100);

impl fmt::Debug for MysqlDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlDatabase")
            .field("target", self.shared.servers.target())
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl MysqlDatabase {
    /// Connects, which shows that the server answers; more connections are made as they are
    /// needed.
    ///
    /// # Errors
    /// [`ConnectError`], whose text says what to do.
    pub async fn connect(url: &str, options: MysqlOptions) -> Result<Self, ConnectError> {
        let target = Target::parse(url)?;
        let connector = Connector {
            tls: Tls::new(&target)?,
            connect_timeout: target.connect_timeout.unwrap_or(options.connect_timeout),
            target,
            lock_timeout: options.operation_timeout,
        };
        let servers = Servers::new(connector);
        let first = servers.connect().await?;
        let shared = Shared {
            servers,
            options,
            idle: Mutex::new(vec![first]),
            places: Arc::new(Semaphore::new(options.max_connections.max(1))),
            returned: Notify::new(),
            full_at: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.shared.servers.target().database
    }

    /// How many connections there may be at once.
    pub(crate) fn max_connections(&self) -> usize {
        self.shared.options.max_connections.max(1)
    }

    /// The attempts at one operation, which share its time.
    pub(crate) fn attempts(&self, operation: &'static str) -> Attempts<'_> {
        self.attempts_within(operation, self.shared.options.operation_timeout)
    }

    pub(crate) fn attempts_within(&self, operation: &'static str, limit: Duration) -> Attempts<'_> {
        let deadline = Instant::now() + limit;
        Attempts { shared: &self.shared, operation, deadline, lost: 0, conflicts: 0 }
    }
}

impl Shared {
    /// A panic with the lock held would leave the list whole.
    fn idle(&self) -> MutexGuard<'_, Vec<(Conn, Link)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What leads to a server that isn't used any more is closed.
    fn give_back(&self, conn: Conn, link: Link) {
        if self.servers.uses(link) {
            self.idle().push((conn, link));
        }
        self.returned.notify_one();
    }

    /// Another server is to be looked for: the connections that nobody uses lead to this one.
    fn leave(&self, link: Link) {
        self.servers.failed(link);
        self.idle().clear();
    }

    fn full_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server had no connection left just now.
    fn is_full(&self) -> bool {
        self.full_at().is_some_and(|at| at + FULL_INTERVAL > Instant::now())
    }

    /// Whether somebody has a connection that will come back, besides the one who asks.
    fn has_others(&self) -> bool {
        self.places.available_permits() + 1 < self.options.max_connections.max(1)
            || !self.idle().is_empty()
    }
}

/// Why an attempt came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Mysql(#[from] Error),
    #[error("a column holds a value of another type than is expected")]
    Shape,
    #[error("the token's id is that of another token but for the case of its letters")]
    Collision,
    /// Something changed in the meantime: from the beginning.
    #[error("other transactions came between, again and again")]
    Again,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// The connection is gone, or leads to a server that can't be written any more.
    Reconnect,
    /// The transaction lost against another one.
    Repeat,
    /// Nothing.
    GiveUp(StoreErrorKind),
}

impl Failure {
    fn remedy(&self) -> Remedy {
        let error = match self {
            Self::Mysql(error) => error,
            Self::Again => return Remedy::Repeat,
            Self::Shape | Self::Collision => {
                return Remedy::GiveUp(StoreErrorKind::Incompatible);
            }
        };
        match error {
            Error::Server(error) => match error.code {
                // Deadlock (also over the next number of AUTO_INCREMENT), lock wait, a row that
                // changed, and a foreign key whose row has only just come or gone (1216 and 1217 to
                // an account of MySQL 8.0 that hasn't every right).
                1213 | 1205 | 1020 | 1216 | 1217 | 1451 | 1452 | 1467 => Remedy::Repeat,
                // Shutdown, killed, the server's limits of idleness; read-only.
                1053
                | 1077
                | 1078
                | 1079
                | 1080
                | 1152..=1161
                | 1184
                | 1927
                | 4031
                | 1290
                | 1792
                | 1836
                | 3100
                | 1047
                // Something went wrong while it was committed: nobody knows how it ended.
                | 1180 => Remedy::Reconnect,
                // A text with a character that the column's charset lacks, stored or compared, or
                // one that is too long for it.
                1366 | 1406 | 1267 | 1270 | 1271 | 1977 | 3854 | 3988 => {
                    Remedy::GiveUp(StoreErrorKind::Unstorable)
                }
                // No such table or column, another number of values, a type that doesn't fit.
                1054 | 1064 | 1109 | 1146 | 1136 | 1364 | 1264 | 1265 | 1292 | 1048 | 1062 => {
                    Remedy::GiveUp(StoreErrorKind::Incompatible)
                }
                _ => Remedy::GiveUp(StoreErrorKind::Unavailable),
            },
            Error::Url(_) => Remedy::GiveUp(StoreErrorKind::Incompatible),
            _ => Remedy::Reconnect,
        }
    }

    /// Whether a foreign key refused a row, because the other table has none to refer to.
    pub(crate) fn is_of_the_user(&self) -> bool {
        matches!(self, Self::Mysql(Error::Server(error)) if matches!(error.code, 1216 | 1452))
    }

    /// Whether a unique key refused a row.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Mysql(Error::Server(error)) if error.code == 1062)
    }
}

/// A connection for one attempt. Dropped before it is settled, it is closed, and the server
/// undoes what wasn't committed.
pub(crate) struct Lent {
    pub(crate) conn: Conn,
    pub(super) link: Link,
    pub(super) place: OwnedSemaphorePermit,
}

/// The attempts at one operation.
pub(crate) struct Attempts<'a> {
    shared: &'a Shared,
    operation: &'static str,
    deadline: Instant,
    lost: u32,
    conflicts: u32,
}

/// How often an operation is begun again on another connection.
const MOST_LOST: u32 = 2;
/// How often an operation is begun again after losing against another one.
const MOST_CONFLICTS: u32 = 20;

impl Attempts<'_> {
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
            // Before it is asked, so that none that comes back meanwhile is missed.
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

    /// Until when an attempt may take: where there is another server to turn to, that is half of
    /// what is left of the operation's time.
    pub(super) fn until(&self) -> Instant {
        let now = Instant::now();
        match self.may_turn_elsewhere() {
            true => now + self.deadline.saturating_duration_since(now) / 2,
            false => self.deadline,
        }
    }

    fn may_turn_elsewhere(&self) -> bool {
        self.shared.servers.count() > 1 && self.lost == 0
    }

    /// Runs the work until its time is up: `None` then.
    pub(crate) async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Option<Result<T, Failure>> {
        timeout_at(self.until(), work).await.ok()
    }

    /// Takes the connection back, and says whether to try again.
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
            // Who knows what it would answer to the next question.
            None => return self.timed_out(lent.link),
            Some(Err(failure)) => failure,
        };
        let remedy = failure.remedy();
        if remedy == Remedy::Reconnect {
            // The others will hardly be better.
            self.shared.leave(lent.link);
            self.lost += 1;
            if self.lost <= MOST_LOST && Instant::now() < self.deadline {
                return ControlFlow::Continue(());
            }
            return ControlFlow::Break(Err(StoreError::unavailable(self.operation, failure)));
        }
        // What a Galera node has aborted leaves nothing behind that is used again.
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

    /// There was no answer in time: whether to try another server.
    pub(super) fn timed_out<T>(&mut self, link: Link) -> ControlFlow<Result<T, StoreError>> {
        let again = self.may_turn_elsewhere();
        self.lost += 1;
        if self.shared.servers.count() > 1 {
            // The others that lead there needn't be waited for, too.
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
/// `&mut Conn`, made anew for each attempt, that leaves no transaction open where it succeeds.
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

pub(crate) async fn begin(conn: &mut Conn) -> Result<(), Failure> {
    Ok(conn.query_drop("START TRANSACTION").await?)
}

pub(crate) async fn commit(conn: &mut Conn) -> Result<(), Failure> {
    Ok(conn.query_drop("COMMIT").await?)
}

pub(crate) async fn rollback(conn: &mut Conn) -> Result<(), Failure> {
    Ok(conn.query_drop("ROLLBACK").await?)
}

/// A column of a row, without the panic that the driver's own conversion ends in.
pub(crate) fn column<T: FromValue>(row: &Row, at: usize) -> Result<T, Failure> {
    match row.get_opt(at) {
        Some(Ok(value)) => Ok(value),
        _ => Err(Failure::Shape),
    }
}
