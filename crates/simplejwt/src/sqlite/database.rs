//! One SQLite file: a thread that writes, and connections that read.
//!
//! SQLite has one writer at a time, and flushes to the disk with each commit. So all writes go
//! through one thread, which puts those that are waiting into one transaction, and answers when the
//! commit is on the disk. Reads take microseconds, and are done on the calling thread.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::TrySendError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_channel::oneshot;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::connect::{self, OpenError};
use super::copying::Copying;
use super::queue::{Entry, queue};
use super::writer::{Job, Pending, serve};
use crate::error::{StoreError, StoreErrorKind};

/// The options of a [`SqliteDatabase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The time to wait for another process that holds the file's lock. Default: 5 seconds, as in
    /// Django.
    pub busy_timeout: Duration,
    /// The number of writes that may wait; another one fails with
    /// [`StoreErrorKind::Busy`]. Default: 4096.
    pub waiting: usize,
    /// The largest number of writes that share a commit. Default: 256.
    pub batch: usize,
    /// The number of connections for reading that are kept open. Default: 16.
    pub readers: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), waiting: 4096, batch: 256, readers: 16 }
    }
}

/// An SQLite file, open for tokens and users. Clones share it; when the last one is dropped, the
/// waiting writes are completed and the writing thread ends.
///
/// The file is put into WAL mode, which is permanent, and which Django accepts; if another program
/// holds the file at that moment, it stays in the mode that it had. `synchronous` is FULL: a commit
/// survives a power failure, since otherwise a spent token could become valid again.
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
    jobs: Option<Entry<Box<dyn Job>>>,
    /// The number of callers that wait for a write.
    waiting: AtomicUsize,
    copying: Arc<Copying>,
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
    /// Opens an existing file.
    ///
    /// # Errors
    /// [`OpenError`], whose text says what to do.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        let path = path.as_ref();
        connect::check(path)?;
        Self::start(path, options)
    }

    /// Opens a file, or creates it with access for its owner only. Its tables are created by
    /// [`migrate::apply`](super::migrate::apply).
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
        let (jobs, waiting) = queue(options.waiting.max(1));
        let copying = Copying::new(path, options.busy_timeout);
        let reconnect = {
            let path = path.to_owned();
            move || connect(&path, options.busy_timeout)
        };
        let thread = thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn({
                let copying = Arc::clone(&copying);
                move || serve(writer, &waiting, options, &copying, reconnect)
            })
            .map_err(OpenError::Thread)?;
        Ok(Self {
            shared: Arc::new(Shared {
                path: path.to_owned(),
                options,
                readers: Mutex::new(vec![reader]),
                jobs: Some(jobs),
                waiting: AtomicUsize::new(0),
                copying,
                thread: Some(thread),
            }),
        })
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Runs `work` on a read-only connection, on this thread.
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
            // The connection isn't kept, since it may be the cause.
            Err(error) => Err(store_error(operation, error)),
        }
    }

    /// Returns the number of callers that wait for a write.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// Has the log copied into the file sooner, since a batch of the purge fills it as several
    /// other writes do.
    pub(crate) fn has_flushed(&self) {
        self.shared.copying.committed(8);
    }

    /// Commits a transaction that changes nothing: it sets `user_version` to its present value.
    pub(crate) async fn prove_commit(&self, operation: &'static str) -> Result<(), StoreError> {
        let same = |connection: &Connection| {
            let version: i32 =
                connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            connection.pragma_update(None, "user_version", version)
        };
        self.write(operation, same).await
    }

    /// Runs `work` in a transaction on the writing thread, and answers after the commit. A failure
    /// changes nothing. Dropping the future doesn't cancel the write. If another write in the
    /// transaction fails, `work` is rolled back and runs again.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _waiting = Waiting::new(&self.shared.waiting);
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

/// Counts a caller for as long as it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Locks the stack, which a panic with the lock held leaves intact.
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
            // The thread catches the panics of jobs, and has none of its own to report.
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
    // Otherwise a statement with a comparison is recompiled for each value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Where the copies beside fall behind, the writing thread copies what is left of 16 MB.
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    Ok(connection)
}

/// Opens a connection for reading. The file is opened for writing all the same: after a writing
/// program crashed, the next connection has to recover it.
pub(super) fn connect_reader(path: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let connection = connect(path, busy_timeout)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Returns the store's error for one of SQLite's. Its text has names and SQL, never values.
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
