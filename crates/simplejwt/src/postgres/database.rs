//! A PostgreSQL database, with a pool of connections.

mod failure;
mod retry;
mod server;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Timeouts};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use tokio_postgres::{AsyncMessage, Client};

pub(super) use failure::{is_conflict, store_error};
pub(super) use retry::Own;
pub(crate) use retry::run;

use super::explain::ConnectError;
use super::pooler::Pooling;
use super::servers::Servers;
use super::tls::MakeTls;
use super::url::Target;
use super::watch::Watch;

/// The options of a [`PostgresDatabase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// The number of connections that may be open at a time. Default: 16.
    pub max_connections: usize,
    /// The time to wait for a server to accept a connection. Default: 5 seconds.
    pub connect_timeout: Duration,
    /// The time to wait for a free connection, after which the operation fails with
    /// [`StoreErrorKind::Busy`](crate::error::StoreErrorKind::Busy). Default: 5 seconds.
    pub wait_timeout: Duration,
    /// The time limit of a whole operation: waiting for a connection and for the answer, and trying
    /// again. A connection without an answer is closed. Default: 5 seconds.
    pub operation_timeout: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        let timeout = Duration::from_secs(5);
        Self {
            max_connections: 16,
            connect_timeout: timeout,
            wait_timeout: timeout,
            operation_timeout: timeout,
        }
    }
}

/// A PostgreSQL database, connected to on demand. Clones share the connections.
///
/// Every transaction is at READ COMMITTED, and as durable as the server's
/// `synchronous_commit` makes it.
///
/// ```no_run
/// use simplejwt::postgres::{PostgresDatabase, PostgresStore, migrate};
/// use simplejwt::sql::table::UserTable;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let url = "postgres://app:secret@db.example.com/app?sslmode=verify-full";
/// let database = PostgresDatabase::connect(url, Default::default()).await?;
/// let users = UserTable::default();
/// # let now = simplejwt::Timestamp::from_secs(0);
/// migrate::apply(&database, &users, now).await?;
/// let store = PostgresStore::open(&database, &users).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresDatabase {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Pool,
    target: Target,
    servers: Servers,
    options: PostgresOptions,
    /// Whether the server reports its timeline; see `server.rs`.
    timeline: AtomicU8,
    /// Notified when a connection is free again.
    returned: Notify,
    /// The last time that the server had no connection left.
    full_at: Mutex<Option<Instant>>,
    /// Whether there is a pooler before the server, once that is known.
    pooling: Arc<OnceLock<Pooling>>,
    _watch: Watch,
}

impl Shared {
    fn new(
        pool: Pool,
        target: Target,
        servers: Servers,
        options: PostgresOptions,
        pooling: Arc<OnceLock<Pooling>>,
        watch: impl FnOnce(&Weak<Self>, &Servers) -> Watch,
    ) -> Arc<Self> {
        Arc::new_cyclic(|shared| Self {
            _watch: watch(shared, &servers),
            pool,
            target,
            servers,
            options,
            timeline: AtomicU8::new(0),
            returned: Notify::new(),
            full_at: Mutex::default(),
            pooling,
        })
    }

    /// Returns `true` if the server has just had no connection left, and none has come back.
    fn is_full(&self) -> bool {
        let full_at = *self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        full_at.is_some_and(|at| at + FULL_INTERVAL > Instant::now())
            && self.pool.status().available == 0
    }

    fn note_full(&self) {
        *self.full_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Closes all idle connections; those in use are closed when they come back.
    fn forget(&self) {
        let _ = self.pool.retain(|_, _| false);
    }
}

/// The time to wait for a connection to come back before asking a server again that had none left.
const FULL_INTERVAL: Duration = Duration::from_millis(100);

/// A database that accepts any bytes returns them only to clients that claim no encoding.
const BYTES: &str = "SELECT set_config('client_encoding', 'SQL_ASCII', false) \
    WHERE current_setting('server_encoding') = 'SQL_ASCII'";
/// The idle time after which a connection is probed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Omits the password.
impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDatabase")
            .field("target", &self.shared.target)
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl PostgresDatabase {
    /// Connects to the database of a URL in libpq's form: `postgres://user:password@host/db`,
    /// several hosts separated by commas, `sslmode` and `sslrootcert`, `host=/run/postgresql` for a
    /// socket.
    ///
    /// Of several hosts, the writable one is used; if there are several, the one on the newest
    /// timeline, so that a former primary that comes back is left alone. The promotion of a standby
    /// is noticed within about a second. A read-only host is used only if none is writable, and
    /// with `target_session_attrs=read-write` not even then.
    ///
    /// # Errors
    /// [`ConnectError`], whose text says what to do.
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Self, ConnectError> {
        let (target, servers, per_server) = servers_of(url, &options)?;
        let count = u32::try_from(servers.count()).unwrap_or(u32::MAX);
        // The servers' own limits apply first, and then the settings.
        let create = per_server.saturating_mul(count).saturating_add(options.operation_timeout);
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(target.config.clone(), servers.clone(), config);
        let settings = format!(
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
             SET plan_cache_mode = force_generic_plan; SET statement_timeout = {time}; \
             SET idle_in_transaction_session_timeout = {time}; {BYTES}",
            time = options.operation_timeout.saturating_mul(2).as_millis()
        );
        let pooling = Arc::new(OnceLock::new());
        let (known, set) = (Arc::clone(&pooling), settings.clone());
        let pool = Pool::builder(manager)
            .max_size(options.max_connections.max(1))
            .timeouts(Timeouts {
                wait: Some(options.wait_timeout),
                create: Some(create),
                recycle: Some(options.operation_timeout),
            })
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .pre_recycle({
                let servers = servers.clone();
                Hook::sync_fn(move |_, metrics| match servers.is_outdated(metrics.created) {
                    true => Err(HookError::message("it leads to a server that was given up")),
                    false => Ok(()),
                })
            })
            .post_create(Hook::async_fn(move |client, _| {
                let settings = (known.get() == Some(&Pooling::Session)).then(|| set.clone());
                Box::pin(async move {
                    let Some(settings) = settings else { return Ok(()) };
                    client
                        .batch_execute(&settings)
                        .await
                        .map_err(deadpool_postgres::HookError::Backend)
                })
            }))
            .build()
            .map_err(|error| ConnectError::Setup(error.into()))?;
        let shared = Shared::new(pool, target, servers, options, pooling, |shared, servers| {
            match servers.count() {
                0 | 1 => Watch::default(),
                _ => Watch::over(servers, options.connect_timeout, shared, Shared::forget),
            }
        });
        let database = Self { shared };
        database.look_at_sessions(&settings).await?;
        Ok(database)
    }

    /// Uses a pool that the application already has. The URL is that of the same database, for the
    /// connection that listens for revocations, which can't be borrowed from a pool for good. Of
    /// the options, `operation_timeout` and `connect_timeout` apply; for the rest the pool has its
    /// own. Its transactions should be READ COMMITTED, PostgreSQL's default.
    ///
    /// ```no_run
    /// use deadpool_postgres::{Manager, Pool};
    /// use simplejwt::postgres::PostgresDatabase;
    /// use tokio_postgres::NoTls;
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let url = "postgres://app:secret@localhost/app";
    /// let pool = Pool::builder(Manager::new(url.parse()?, NoTls)).build()?;
    /// let database = PostgresDatabase::with_pool(pool.clone(), url, Default::default())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError`] if the URL isn't one, or its certificates can't be read.
    pub fn with_pool(
        pool: Pool,
        url: &str,
        options: PostgresOptions,
    ) -> Result<Self, ConnectError> {
        let (target, servers, _) = servers_of(url, &options)?;
        let shared =
            Shared::new(pool, target, servers, options, Arc::default(), |_, _| Watch::default());
        Ok(Self { shared })
    }

    /// Opens a connection outside the pool, without time limits, which ends when another server is
    /// chosen. Sends to `notices` on each notification from the server.
    pub(super) async fn alone(
        &self,
        notices: Option<UnboundedSender<()>>,
    ) -> Result<Client, tokio_postgres::Error> {
        let (client, mut connection) = self.shared.servers.connect().await?;
        let mut moves = self.shared.servers.moves();
        tokio::spawn(async move {
            let mut moved = pin!(moves.changed());
            // The client's user gets the error.
            while let Some(Ok(message)) = poll_fn(|context| match moved.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => connection.poll_message(context),
            })
            .await
            {
                if let (AsyncMessage::Notification(_), Some(notices)) = (message, &notices)
                    && notices.send(()).is_err()
                {
                    return;
                }
            }
        });
        Ok(client)
    }

    /// Returns the time to wait for an operation of a batch: a little longer than its limit, so that
    /// it has noted what goes on by itself before whoever waits for it asks again.
    pub(crate) fn patience(&self) -> Duration {
        let limit = self.shared.options.operation_timeout;
        limit.saturating_add(limit / 8)
    }

    /// Returns the number of connections that may be open at a time.
    pub(crate) fn max_connections(&self) -> usize {
        self.shared.pool.status().max_size
    }

    /// Returns the number of connections in use, and of callers that wait for one.
    pub(crate) fn waiting(&self) -> usize {
        let status = self.shared.pool.status();
        status.size.saturating_sub(status.available).saturating_add(status.waiting)
    }
}

/// Returns the database and the servers of a URL, and the time limit for connecting to one of them.
fn servers_of(
    url: &str,
    options: &PostgresOptions,
) -> Result<(Target, Servers, Duration), ConnectError> {
    let mut target = Target::parse(url)?;
    if target.config.get_connect_timeout().is_none() {
        target.config.connect_timeout(options.connect_timeout);
    }
    let per_server =
        target.config.get_connect_timeout().copied().unwrap_or(options.connect_timeout);
    // A connection that only listens sends nothing by itself.
    if target.config.get_keepalives_idle() > KEEPALIVE_IDLE {
        target.config.keepalives_idle(KEEPALIVE_IDLE);
        target.config.keepalives_interval(Duration::from_secs(10));
        target.config.keepalives_retries(3);
    }
    // So that a peer that vanished silently is noticed eventually.
    if target.config.get_tcp_user_timeout().is_none() {
        target.config.tcp_user_timeout(options.operation_timeout.saturating_mul(2));
    }
    let servers = Servers::new(&target.config, MakeTls::new(&target)?, per_server);
    Ok((target, servers, per_server))
}
