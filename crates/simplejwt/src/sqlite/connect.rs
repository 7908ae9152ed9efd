//! Opening a file, with errors that say what to do.

use std::error::Error as StdError;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::database::connect;

/// The reason an SQLite file can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file.
    #[error(
        "there is no database file {}: check the path, or have the file made by `migrate`",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The path is a directory, or something else that isn't a file.
    #[error("{} is not a file: give the path of the database file itself", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A database in memory, such as `:memory:`.
    #[error(
        "{path:?} is not the path of a file: databases in memory can't be shared between \
         connections, use a file or the stores of `memory.rs`"
    )]
    InMemory {
        /// The path.
        path: PathBuf,
    },
    /// The file couldn't be created.
    #[error(
        "can't make the database file {}: its directory has to exist and be writable",
        path.display()
    )]
    Create {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    /// The file or its directory can't be written.
    #[error(
        "can't write the database {}: the file and its directory (SQLite makes files beside it) \
         have to be writable for this user",
        path.display()
    )]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// SQLite's or the operating system's error.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The file isn't an SQLite database.
    #[error("{} is not an SQLite database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Another program held the file's lock for longer than `busy_timeout`.
    #[error(
        "the database {} is locked by another program: end that program or its transaction, or \
         raise the busy timeout",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The writing thread couldn't be started.
    #[error("can't start the thread that writes to the database")]
    Thread(#[source] io::Error),
    /// Any other error.
    #[error("can't open the database {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl OpenError {
    pub(super) fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let code = error.sqlite_error_code();
        let source = Box::new(error);
        match code {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::NotADatabase { path, source }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Locked { path, source }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::NotWritable { path, source }
            }
            _ => Self::Sqlite { path, source },
        }
    }
}

/// Checks that the file exists: SQLite itself only says "unable to open".
pub(super) fn check(path: &Path) -> Result<(), OpenError> {
    if in_memory(path) {
        return Err(OpenError::InMemory { path: path.to_owned() });
    }
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(OpenError::NotAFile { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(OpenError::Missing { path: path.to_owned() })
        }
        Err(error) => {
            Err(OpenError::NotWritable { path: path.to_owned(), source: Box::new(error) })
        }
    }
}

/// Creates an empty file, which SQLite accepts as an empty database, unless there is one.
pub(super) fn create(path: &Path) -> Result<(), OpenError> {
    if in_memory(path) || fs::exists(path).unwrap_or(false) {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        // It will contain password hashes and tokens.
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(OpenError::Create { path: path.to_owned(), source }),
    }
}

fn in_memory(path: &Path) -> bool {
    let text = path.as_os_str();
    text.is_empty() || text == ":memory:" || text.as_encoded_bytes().starts_with(b"file:")
}

/// Returns the writer's connection, with the file in WAL mode unless something prevents it.
pub(super) fn prepare(path: &Path, busy_timeout: Duration) -> Result<Connection, OpenError> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = connect(path, busy_timeout)?;
        // The first access to the file: is it a database?
        let _: i64 = connection.pragma_query_value(None, "schema_version", |row| row.get(0))?;
        if connection.is_readonly(rusqlite::MAIN_DB)? {
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY),
                None,
            ));
        }
        match connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
        {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => {}
            Ok(mode) => tracing::warn!(
                event = "wal_mode_refused",
                mode,
                "SQLite file can't be put into WAL mode"
            ),
            Err(error)
                if matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                ) =>
            {
                tracing::warn!(event = "wal_mode_refused", %error, "SQLite file is in use and not put into WAL mode");
            }
            Err(error) => return Err(error),
        }
        Ok(connection)
    };
    open().map_err(|error| OpenError::sqlite(path, error))
}
