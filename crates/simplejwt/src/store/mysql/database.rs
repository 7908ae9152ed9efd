//! A pool of connections to one database, and how often an operation is tried.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mysql_async::prelude::{FromValue, Queryable as _};
use mysql_async::{Conn, Error, Row};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::connect::{ConnectError, Connector};
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
/// meaning of its own is written as `%` and two digits. Several hosts (`host1:3306,host2:3306`):
/// the first that can be written is used. Parameters: `socket=/run/mysqld/mysqld.sock`,
/// `ssl-mode=disabled|preferred|required|verify_ca|verify_identity` as in MySQL's own programs,
/// `ssl-ca=FILE`.
///
/// Needs a Tokio runtime.
#[derive(Clone)]
pub struct MysqlDatabase {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    options: MysqlOptions,
    idle: Mutex<Vec<Conn>>,
    places: Arc<Semaphore>,
}

impl fmt::Debug for MysqlDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlDatabase")
            .field("target", &self.shared.connector.target)
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
        let connector = Connector {
            target: Target::parse(url)?,
            connect_timeout: options.connect_timeout,
            lock_timeout: options.operation_timeout,
        };
        let first = connector.connect().await?;
        let places = Arc::new(Semaphore::new(options.max_connections.max(1)));
        let idle = Mutex::new(vec![first]);
        Ok(Self { shared: Arc::new(Shared { connector, options, idle, places }) })
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.shared.connector.target.database
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
    fn idle(&self) -> MutexGuard<'_, Vec<Conn>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
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
                // changed, and a foreign key whose row has only just come or gone.
                1213 | 1205 | 1020 | 1451 | 1452 | 1467 => Remedy::Repeat,
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
                | 1047 => Remedy::Reconnect,
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
        matches!(self, Self::Mysql(Error::Server(error)) if error.code == 1452)
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
    _place: OwnedSemaphorePermit,
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
        let kept = shared.idle().pop();
        let conn = match kept {
            Some(conn) => conn,
            None => match timeout_at(self.deadline, shared.connector.connect()).await {
                Ok(Ok(conn)) => conn,
                Ok(Err(error)) => return Err(StoreError::unavailable(self.operation, error)),
                Err(_) => return Err(self.too_late()),
            },
        };
        Ok(Lent { conn, _place: place })
    }

    /// Runs the work until the operation's time is up: `None` then.
    pub(crate) async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Option<Result<T, Failure>> {
        timeout_at(self.deadline, work).await.ok()
    }

    /// Takes the connection back, and says whether to try again.
    pub(crate) async fn settle<T>(
        &mut self,
        mut lent: Lent,
        outcome: Option<Result<T, Failure>>,
    ) -> ControlFlow<Result<T, StoreError>> {
        let failure = match outcome {
            Some(Ok(value)) => {
                self.shared.idle().push(lent.conn);
                return ControlFlow::Break(Ok(value));
            }
            // Who knows what it would answer to the next question.
            None => {
                if self.shared.connector.target.addresses.len() > 1 {
                    // The others that lead there needn't be waited for, too.
                    self.shared.idle().clear();
                }
                return ControlFlow::Break(Err(self.too_late()));
            }
            Some(Err(failure)) => failure,
        };
        let remedy = failure.remedy();
        if remedy == Remedy::Reconnect {
            // The others will hardly be better.
            self.shared.idle().clear();
            self.lost += 1;
            if self.lost <= MOST_LOST && Instant::now() < self.deadline {
                return ControlFlow::Continue(());
            }
            return ControlFlow::Break(Err(StoreError::unavailable(self.operation, failure)));
        }
        if matches!(timeout_at(self.deadline, lent.conn.query_drop("ROLLBACK")).await, Ok(Ok(()))) {
            self.shared.idle().push(lent.conn);
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
