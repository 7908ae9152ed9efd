//! One SQLite file: a thread that writes, and connections that read.
//!
//! SQLite has one writer at a time and a disk flush with each commit. So all writing goes
//! through one thread, which takes whatever waits into one transaction, each job in a savepoint
//! of its own, and answers when the commit is on the disk. Reading takes microseconds and is
//! done on the thread that asks.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_channel::oneshot;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::connect::{self, OpenError};
use super::writer::{Job, Pending, serve};
use crate::error::{StoreError, StoreErrorKind};

/// How a [`SqliteDatabase`] is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// How long to wait for another process that holds the file's lock. Default: 5 seconds, as
    /// in Django.
    pub busy_timeout: Duration,
    /// Writes that may wait; one more is turned away with
    /// [`StoreErrorKind::Busy`]. Default: 4096.
    pub waiting: usize,
    /// Writes that share a commit at most. Default: 256.
    pub batch: usize,
    /// Connections for reading that are kept open. Default: 16.
    pub readers: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), waiting: 4096, batch: 256, readers: 16 }
    }
}

/// An SQLite file that is open for tokens and users. Clones share it; with the last one the
/// writing thread ends, after what waits is written.
///
/// The file is put into WAL mode, which lasts, and which Django takes as it is; if another
/// program holds the file at that moment it stays in the mode it had. `synchronous` is FULL: a
/// commit survives a power cut, or a spent token could come back to life.
///
/// ```
/// use simplejwt::Timestamp;
/// use simplejwt::sqlite::{SqliteDatabase, SqliteStore, migrate};
/// use simplejwt::sql::table::UserTable;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("db.sqlite3");
/// let database = SqliteDatabase::open_or_create(&path, Default::default())?;
/// let users = UserTable::default();
/// migrate::apply(&database, &users, Timestamp::from_secs(1_767_323_045)).await?;
/// let store = SqliteStore::open(&database, &users)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteDatabase {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    options: SqliteOptions,
    readers: Mutex<Vec<Connection>>,
    /// Taken when the database is closed.
    jobs: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for SqliteDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteDatabase")
            .field("path", &self.shared.path)
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl SqliteDatabase {
    /// Opens a file that is there.
    ///
    /// # Errors
    /// [`OpenError`], whose text says what to do.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        let path = path.as_ref();
        connect::check(path)?;
        Self::start(path, options)
    }

    /// Opens a file, made where there is none, with access for its owner only. Its tables are
    /// made by [`migrate::apply`](super::migrate::apply).
    ///
    /// # Errors
    /// [`OpenError`], whose text says what to do.
    pub fn open_or_create(
        path: impl AsRef<Path>,
        options: SqliteOptions,
    ) -> Result<Self, OpenError> {
        let path = path.as_ref();
        connect::create(path)?;
        Self::open(path, options)
    }

    fn start(path: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        let writer = connect::prepare(path, options.busy_timeout)?;
        let reader = connect_reader(path, options.busy_timeout)
            .map_err(|error| OpenError::sqlite(path, error))?;
        let (jobs, waiting) = sync_channel(options.waiting.max(1));
        let reconnect = {
            let path = path.to_owned();
            move || connect(&path, options.busy_timeout)
        };
        let thread = thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || serve(writer, &waiting, options, reconnect))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            shared: Arc::new(Shared {
                path: path.to_owned(),
                options,
                readers: Mutex::new(vec![reader]),
                jobs: Some(jobs),
                thread: Some(thread),
            }),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Runs `work` on a connection that only reads, on this thread.
    pub(crate) fn read<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let shared = &self.shared;
        let kept = shared.readers().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => connect_reader(&shared.path, shared.options.busy_timeout)
                .map_err(|error| store_error(operation, error))?,
        };
        match work(&connection) {
            Ok(value) => {
                let mut readers = shared.readers();
                if readers.len() < shared.options.readers {
                    readers.push(connection);
                }
                Ok(value)
            }
            // The connection goes: what ails it may be its own.
            Err(error) => Err(store_error(operation, error)),
        }
    }

    /// Commits a transaction that leaves the content as it is: sets the number that the file has for
    /// applications to what it is.
    pub(crate) async fn prove_commit(&self, operation: &'static str) -> Result<(), StoreError> {
        let same = |connection: &Connection| {
            let version: i32 =
                connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            connection.pragma_update(None, "user_version", version)
        };
        self.write(operation, same).await
    }

    /// Runs `work` in a transaction on the writing thread; the answer comes after the commit.
    /// What failed has changed nothing. Dropping the future doesn't call the write off.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = Pending::new(operation, work, answer);
        let sent = match &self.shared.jobs {
            Some(jobs) => jobs.try_send(Box::new(job)),
            None => return Err(StoreError::unavailable(operation, "the database is closed")),
        };
        match sent {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(StoreError::new(
                    operation,
                    StoreErrorKind::Busy,
                    "too many writes wait for the database",
                ));
            }
            Err(TrySendError::Disconnected(_)) => {
                return Err(StoreError::unavailable(operation, "the writing thread has ended"));
            }
        }
        answered.await.unwrap_or_else(|oneshot::Canceled| {
            Err(StoreError::unavailable(operation, "the write was given up"))
        })
    }
}

impl Shared {
    /// A panic with the lock held would leave the stack whole.
    fn readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.readers().clear();
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // It catches the panics of jobs and has none of its own to tell of.
            let _ = thread.join();
        }
    }
}

pub(super) fn connect(path: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Otherwise a statement that compares is compiled anew for each of its values.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Pages that are written again and again are copied into the file less often: 16 MB of log.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    Ok(connection)
}

/// Opened for writing all the same: after a crash of a program that wrote, whoever comes next
/// has to recover the file.
fn connect_reader(path: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let connection = connect(path, busy_timeout)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// SQLite's error as the contract has it. The texts hold names and SQL, never values.
pub(crate) fn store_error(operation: &'static str, error: rusqlite::Error) -> StoreError {
    StoreError::new(operation, kind(&error), error)
}

pub(super) fn kind(error: &rusqlite::Error) -> StoreErrorKind {
    use ErrorCode as Code;
    match error.sqlite_error_code() {
        Some(
            Code::DatabaseBusy
            | Code::DatabaseLocked
            | Code::DiskFull
            | Code::SystemIoFailure
            | Code::ReadOnly
            | Code::CannotOpen
            | Code::PermissionDenied
            | Code::OperationAborted
            | Code::OperationInterrupted
            | Code::OutOfMemory
            | Code::FileLockingProtocolFailed,
        ) => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Incompatible,
    }
}
