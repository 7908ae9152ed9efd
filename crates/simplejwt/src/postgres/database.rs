//! A PostgreSQL server, by a pool of connections, and what becomes of an operation that fails.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, TimeoutType,
    Timeouts,
};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{WasNull, WrongType};
use tokio_postgres::{AsyncMessage, Client};

use super::explain::ConnectError;
use super::pooler::{Pooling, is_of_statements, pooling};
use super::refusal::Refusal;
use super::servers::{Servers, TIMELINE};
use super::tls::MakeTls;
use super::tokens::PgResult;
use super::url::Target;
use super::watch::Watch;
use crate::error::{StoreError, StoreErrorKind};

/// How a [`PostgresDatabase`] is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Connections that are open at a time. Default: 16.
    pub max_connections: usize,
    /// How long to wait for the server to take a connection. Default: 5 seconds.
    pub connect_timeout: Duration,
    /// How long to wait for a connection that is free. Default: 5 seconds.
    pub wait_timeout: Duration,
    /// How long an operation may take, with everything: waiting for a connection, for the answer,
    /// and trying again. A connection without an answer is thrown away. Default: 5 seconds.
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

/// A PostgreSQL database that is connected to when it is needed. Clones share the connections.
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
    /// Whether the server tells its timeline, once that is known.
    timeline: AtomicU8,
    /// Told when a connection is free again.
    returned: Notify,
    /// When the server had no connection left.
    full_at: Mutex<Option<Instant>>,
    /// Whether sessions are ours. Unknown where the application has the pool.
    pooling: Arc<OnceLock<Pooling>>,
    _watch: Watch,
}

const TELLS_TIMELINE: u8 = 1;
const TELLS_NO_TIMELINE: u8 = 2;

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

    /// Whether the server had no connection left just now, and nobody has given one back.
    fn is_full(&self) -> bool {
        let full_at = *self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        full_at.is_some_and(|at| at + FULL_INTERVAL > Instant::now())
            && self.pool.status().available == 0
    }

    fn note_full(&self) {
        *self.full_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Closes every connection that nobody uses; those in use are closed when they come back.
    fn forget(&self) {
        let _ = self.pool.retain(|_, _| false);
    }
}

/// A database that takes any bytes gives them out only to whoever claims no encoding.
const BYTES: &str = "SELECT set_config('client_encoding', 'SQL_ASCII', false) \
    WHERE current_setting('server_encoding') = 'SQL_ASCII'";
/// How long a connection may be silent before it is asked whether anybody is there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Leaves the password out.
impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDatabase")
            .field("target", &self.shared.target)
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl PostgresDatabase {
    /// Connects to the database of a URL, as libpq has them: `postgres://user:password@host/db`,
    /// several hosts with commas between them, `sslmode` and `sslrootcert`,
    /// `host=/run/postgresql` for a socket.
    ///
    /// Of several hosts the one that can be written is used, and where several can, that of the
    /// newest timeline: a primary that was given up is left alone when it is there again. A
    /// standby that is promoted is noticed within about a second. Only where none can be written
    /// is one used that only reads, and with `target_session_attrs=read-write` none.
    ///
    /// # Errors
    /// [`ConnectError`], whose text says what to do.
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Self, ConnectError> {
        let (target, servers, per_server) = servers_of(url, &options)?;
        let count = u32::try_from(servers.count()).unwrap_or(u32::MAX);
        // The servers' own limits come first, and the settings after them.
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

    /// Finds out whether a session is ours, and sets up those that are there by then.
    async fn look_at_sessions(&self, settings: &str) -> Result<(), ConnectError> {
        let shared = &self.shared;
        let refused = |error| ConnectError::of(&shared.target, error);
        let first = match shared.pool.get().await {
            Ok(first) => first,
            Err(error) => return Err(ConnectError::of_first(&shared.target, error).await),
        };
        let several = shared.options.max_connections > 1;
        // What can't be had is no reason to fail: it is looked at by one that can.
        let second = if several { shared.pool.get().await.ok() } else { None };
        let pooling = match &second {
            Some(second) => pooling(&first, second).await,
            None => match self.alone(None).await {
                Ok(second) => pooling(&first, &second).await,
                Err(_) => Ok(Pooling::Session),
            },
        };
        let pooling = pooling.map_err(|error| refused(PoolError::Backend(error)))?;
        let _ = shared.pooling.set(pooling);
        match pooling {
            Pooling::Unprepared => {
                return Err(ConnectError::Unprepared { server: shared.target.server() });
            }
            Pooling::Transaction => {
                tracing::info!(
                    event = "pooler_found",
                    "a pooler gives each transaction another connection to PostgreSQL: settings of \
                     sessions and LISTEN aren't used, and revocations are only asked for"
                );
            }
            Pooling::Session => {
                for client in [Some(first), second].into_iter().flatten() {
                    let set = client.batch_execute(settings).await;
                    set.map_err(|error| refused(PoolError::Backend(error)))?;
                }
            }
        }
        Ok(())
    }

    /// Whether a connection has a session of its own, by which the server can tell it something.
    pub(super) async fn has_sessions(&self, client: &Client) -> PgResult<bool> {
        let pooling = match self.shared.pooling.get() {
            Some(known) => *known,
            None => {
                let found = pooling(client, &self.alone(None).await?).await?;
                *self.shared.pooling.get_or_init(|| found)
            }
        };
        Ok(pooling == Pooling::Session)
    }

    /// Uses a pool that the application has already. The URL is that of the same database: for the
    /// connection that listens for revocations, which no pool lends out for good. Of the options,
    /// `operation_timeout` and `connect_timeout` count; the pool has its own for the rest, and its
    /// transactions should be at READ COMMITTED, PostgreSQL's default.
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

    /// A connection of its own, without time limits; what it is notified of is told by `notices`.
    /// It ends when another server is chosen.
    pub(super) async fn alone(
        &self,
        notices: Option<UnboundedSender<()>>,
    ) -> Result<Client, tokio_postgres::Error> {
        let (client, mut connection) = self.shared.servers.connect().await?;
        let mut moves = self.shared.servers.moves();
        tokio::spawn(async move {
            let mut moved = pin!(moves.changed());
            // Whoever uses the client is told of an error.
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

    /// Whether the server tells its timeline: managed ones may not.
    pub(super) async fn tells_timeline(&self) -> bool {
        match self.shared.timeline.load(Ordering::Relaxed) {
            TELLS_TIMELINE => return true,
            TELLS_NO_TIMELINE => return false,
            _ => {}
        }
        let attempts = self.attempts("revocations");
        let Ok(client) = attempts.client().await else { return false };
        let sql = format!("SELECT {TIMELINE}");
        let told = match attempts.limited(client.simple_query(&sql)).await {
            Some(Ok(_)) => TELLS_TIMELINE,
            Some(Err(error)) if error.code().is_some() => TELLS_NO_TIMELINE,
            // Nobody knows; and nobody takes the answer for that of another question.
            _ => {
                drop(Object::take(client));
                return false;
            }
        };
        self.shared.timeline.store(told, Ordering::Relaxed);
        told == TELLS_TIMELINE
    }

    /// How long anybody waits for a connection and an answer.
    pub(crate) fn patience(&self) -> Duration {
        self.shared.options.operation_timeout
    }

    /// How many connections there may be at once.
    pub(crate) fn max_connections(&self) -> usize {
        self.shared.pool.status().max_size
    }

    pub(crate) fn attempts(&self, operation: &'static str) -> Attempts<'_> {
        let deadline = Instant::now() + self.shared.options.operation_timeout;
        Attempts { shared: &self.shared, operation, deadline, lost: 0, conflicts: 0 }
    }
}

/// The servers of a URL, and how long each may take to be connected to.
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
    // What is gone without a word is noticed at last.
    if target.config.get_tcp_user_timeout().is_none() {
        target.config.tcp_user_timeout(options.operation_timeout.saturating_mul(2));
    }
    let servers = Servers::new(&target.config, MakeTls::new(&target)?, per_server);
    Ok((target, servers, per_server))
}

/// Tries an operation until it has worked, or can't.
pub(crate) struct Attempts<'a> {
    shared: &'a Shared,
    operation: &'static str,
    deadline: Instant,
    /// Connections that turned out dead.
    lost: u32,
    /// Transactions that stood in each other's way.
    conflicts: u32,
}

/// How often an operation is begun again on another connection: once per server that may have
/// been promoted or restarted, and once more.
const MAX_LOST: u32 = 2;
const MAX_CONFLICTS: u32 = 8;

/// How long to wait for a connection to come back before looking again, where the server has none
/// left.
const FULL_INTERVAL: Duration = Duration::from_millis(100);

impl Attempts<'_> {
    /// A connection; where the server has none left for us, one of those there are, when it is
    /// free.
    pub(crate) async fn client(&self) -> Result<Object, StoreError> {
        let waited = self.deadline.min(Instant::now() + self.shared.options.wait_timeout);
        loop {
            // Before it is asked, so that none that comes back meanwhile is missed.
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

    /// Closes the connections that were there before this one was made.
    fn forget_older_than(&self, client: &Object) {
        let created = Object::metrics(client).created;
        let _ = self.shared.pool.retain(|_, metrics| metrics.created > created);
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

    /// Runs the work until its time is up: `None` then.
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

    /// The value; `None` to try again; or the error that it comes to.
    pub(crate) fn settle<T>(
        &mut self,
        client: Object,
        outcome: Option<Result<T, tokio_postgres::Error>>,
    ) -> Result<Option<T>, StoreError> {
        let settled = self.settled(client, outcome);
        self.shared.returned.notify_one();
        settled
    }

    /// There was no answer in time: whether to try another server.
    pub(super) fn timed_out<T>(&mut self) -> Result<Option<T>, StoreError> {
        let again = self.may_turn_elsewhere();
        self.lost += 1;
        if self.shared.servers.count() > 1 {
            // The others that lead there needn't be waited for, too.
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
            // The answer may still come; nobody must take it for that of another question.
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
            // What has ended one has most likely ended those that were there with it.
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

/// A connection that is closed unless it is given back: dropped on its way, it may still have an
/// answer to come, which nobody must take for that of another question.
pub(super) struct Own(Option<Object>);

impl Own {
    pub(super) fn new(client: Object) -> Self {
        Self(Some(client))
    }

    pub(super) fn client(&self) -> Option<&Object> {
        self.0.as_ref()
    }

    pub(super) fn client_mut(&mut self) -> Option<&mut Object> {
        self.0.as_mut()
    }

    pub(super) fn give_back(mut self) -> Option<Object> {
        self.0.take()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}

/// Runs an operation, and again where that is what helps: `run!(database, "name", |client| …)`.
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

/// Whether the server has no connection left: of all, for this role or for this database.
fn is_full(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS)
}

/// Transactions that can't both be: the one that was given up is begun again. So is one whose
/// user was deleted in the meantime, which then has none.
pub(super) fn is_conflict(state: Option<&SqlState>) -> bool {
    const CONFLICTS: [&SqlState; 4] = [
        &SqlState::T_R_DEADLOCK_DETECTED,
        &SqlState::T_R_SERIALIZATION_FAILURE,
        &SqlState::LOCK_NOT_AVAILABLE,
        &SqlState::FOREIGN_KEY_VIOLATION,
    ];
    state.is_some_and(|state| CONFLICTS.contains(&state))
}

/// Whether a value isn't of the type that it is read as.
fn is_of_a_value(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(|source| {
        source.is::<WrongType>() || source.is::<WasNull>() || source.is::<std::str::Utf8Error>()
    })
}

/// The server is going, or has become one that only reads; or a prepared statement is one of a
/// table that has been changed since (0A000), or of another server behind a pooler (26000).
fn is_of_the_connection(state: Option<&SqlState>) -> bool {
    const GONE: [&SqlState; 5] = [
        &SqlState::ADMIN_SHUTDOWN,
        &SqlState::CRASH_SHUTDOWN,
        &SqlState::CANNOT_CONNECT_NOW,
        &SqlState::READ_ONLY_SQL_TRANSACTION,
        &SqlState::FEATURE_NOT_SUPPORTED,
    ];
    is_of_statements(state)
        || state.is_some_and(|state| GONE.contains(&state) || state.code().starts_with("08"))
}

/// What a pooler without prepared statements comes to, where it wasn't noticed when connecting.
#[derive(Debug, thiserror::Error)]
#[error("{}", super::pooler::WITHOUT_STATEMENTS)]
struct Unprepared(#[source] Refusal);

/// PostgreSQL's error as the contract has it, without the values that it shows.
pub(crate) fn store_error(operation: &'static str, error: tokio_postgres::Error) -> StoreError {
    // Too long for its column, with a NUL, or with a character that the database's encoding lacks.
    const UNSTORABLE: [&SqlState; 3] = [
        &SqlState::STRING_DATA_RIGHT_TRUNCATION,
        &SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        &SqlState::UNTRANSLATABLE_CHARACTER,
    ];
    if error.code().is_some_and(|state| UNSTORABLE.contains(&state)) {
        return StoreError::new(operation, StoreErrorKind::Unstorable, Refusal(error));
    }
    if is_of_statements(error.code()) {
        let cause = Unprepared(Refusal(error));
        return StoreError::unavailable(operation, cause);
    }
    let incompatible = is_of_a_value(&error)
        || error.code().is_some_and(|state| {
            // Syntax and names, data that doesn't fit, constraints: no passing trouble.
            ["42", "22", "23", "0A"].iter().any(|class| state.code().starts_with(class))
                && *state != SqlState::INSUFFICIENT_PRIVILEGE
        });
    let kind =
        if incompatible { StoreErrorKind::Incompatible } else { StoreErrorKind::Unavailable };
    StoreError::new(operation, kind, Refusal(error))
}
