//! A MySQL or MariaDB database, with a pool of connections.

mod failure;
mod query;
mod retry;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mysql_async::Conn;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

pub(crate) use failure::{Failure, column};
pub(crate) use query::{changed, exists};
pub(crate) use retry::{Attempts, Lent, attempt, begin, commit, rollback};

use super::connect::Connector;
use super::explain::ConnectError;
use super::servers::{Link, Servers};
use super::tls::Tls;
use super::url::Target;

/// The options of a [`MysqlDatabase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MysqlOptions {
    /// The number of connections that may be open at a time. Default: 16.
    pub max_connections: usize,
    /// The time to wait for a free connection, after which the operation fails with
    /// [`StoreErrorKind::Busy`](crate::error::StoreErrorKind::Busy). Default: 2 seconds.
    pub wait_timeout: Duration,
    /// The time to wait for a host to accept a connection. Default: 3 seconds.
    pub connect_timeout: Duration,
    /// The time limit of a whole operation: waiting for a connection and for the answer, and trying
    /// again. A connection without an answer is closed. Default: 5 seconds.
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
/// The URL is `mysql://user:password@host:3306/database`, or `mariadb://…`. Special characters are
/// percent-encoded. Of several hosts (`host1:3306,host2:3306`), the first that answers and is
/// writable is used, of a Galera cluster the first that is in touch with the others; it is used as
/// long as that lasts. Parameters: `socket=/run/mysqld/mysqld.sock`,
/// `ssl-mode=disabled|preferred|required|verify_ca|verify_identity` as in MySQL's own programs,
/// `ssl-ca=FILE`, and `ssl-cert=FILE` and `ssl-key=FILE` for servers that ask for a client
/// certificate.
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
    /// Notified when a connection is free again.
    returned: Notify,
    /// The last time that the server had no connection left.
    full_at: Mutex<Option<Instant>>,
}

/// The time to wait for a connection to come back before asking a server again that had none left.
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
    /// Connects, which shows that the server answers; further connections are opened as needed.
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

    /// Returns the name of the database.
    pub fn name(&self) -> &str {
        &self.shared.servers.target().database
    }

    /// Returns the time to wait for an operation of a batch: a little longer than its limit, so that
    /// it has noted what goes on by itself before whoever waits for it asks again.
    pub(crate) fn patience(&self) -> Duration {
        let limit = self.shared.options.operation_timeout;
        limit.saturating_add(limit / 8)
    }

    /// Returns the number of connections that may be open at a time.
    pub(crate) fn max_connections(&self) -> usize {
        self.shared.options.max_connections.max(1)
    }

    /// Returns the number of connections in use.
    pub(crate) fn waiting(&self) -> usize {
        self.max_connections().saturating_sub(self.shared.places.available_permits())
    }
}

impl Shared {
    /// Locks the list, which a panic with the lock held leaves intact.
    fn idle(&self) -> MutexGuard<'_, Vec<(Conn, Link)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection back. It is closed if its server is no longer used.
    fn give_back(&self, conn: Conn, link: Link) {
        if self.servers.uses(link) {
            self.idle().push((conn, link));
        }
        self.returned.notify_one();
    }

    /// Leaves a server for another: idle connections lead to it, and are closed.
    fn leave(&self, link: Link) {
        self.servers.failed(link);
        self.idle().clear();
    }

    fn full_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if the server has just had no connection left.
    fn is_full(&self) -> bool {
        self.full_at().is_some_and(|at| at + FULL_INTERVAL > Instant::now())
    }

    /// Returns `true` if somebody other than the caller has a connection, which will come back.
    fn has_others(&self) -> bool {
        self.places.available_permits() + 1 < self.options.max_connections.max(1)
            || !self.idle().is_empty()
    }
}
