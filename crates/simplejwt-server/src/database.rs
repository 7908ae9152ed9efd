//! The configured database of any kind, with its errors as failures of a command.

mod mark;
mod sessions;

use std::error::Error;
use std::sync::Arc;

use simplejwt::mysql::MysqlUsers;
use simplejwt::mysql::{self, MysqlDatabase, MysqlOptions, MysqlStore};
use simplejwt::postgres::PostgresUsers;
use simplejwt::postgres::{self, PostgresDatabase, PostgresOptions, PostgresStore};
use simplejwt::sql::check::{self, Severity, Uses};
use simplejwt::sql::manage::{ManageUsers, UserOptions};
use simplejwt::sql::schema::SchemaError;
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::SqliteUsers;
use simplejwt::sqlite::{self, OpenError, SqliteDatabase, SqliteOptions, SqliteStore};
use simplejwt::store::{KeyStore, ThrottleStore};
use simplejwt::users::password::{Hashers, HashingPool, Rehash};
use simplejwt::{Clock as _, Settings, StoreError, SystemClock};

use crate::config::{Config, CounterStore, DatabaseUrl, KeyStorage};
use crate::failure::{Failure, chain};

/// A problem in the database, and what to do about it.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) text: String,
    pub(crate) severity: Severity,
}
/// The table of the counters.
const COUNTERS: &str = "simplejwt_throttle";

/// The message if no database is named.
pub(crate) const UNNAMED: &str = "no database is named: set DATABASE_URL=sqlite:////absolute/path/db.sqlite3, \
     postgres://user:password@host/database or mysql://user:password@host/database, or \
     DATABASE_URL_FILE, or url or path in [database] of a file that --config names";

/// The database, and the table of users that is expected in it.
#[derive(Debug)]
pub(crate) struct Database {
    backend: Backend,
    table: UserTable,
    wants_sessions: bool,
    settings: Settings,
}

#[derive(Debug)]
enum Backend {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
    Mysql(MysqlDatabase),
}

impl Database {
    /// Opens the configured database. A file must exist.
    pub(crate) async fn open(config: &Config) -> Result<Self, Failure> {
        Self::with(config, false).await
    }

    /// Opens the configured database. A file is created if it doesn't exist.
    pub(crate) async fn create(config: &Config) -> Result<Self, Failure> {
        Self::with(config, true).await
    }

    async fn with(config: &Config, create: bool) -> Result<Self, Failure> {
        let url = config.database.url.as_ref().ok_or_else(|| Failure::config(UNNAMED))?;
        let backend = match url {
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteOptions {
                    busy_timeout: config.database.busy_timeout,
                    ..SqliteOptions::default()
                };
                let opened = if create {
                    SqliteDatabase::open_or_create(path, options)
                } else {
                    SqliteDatabase::open(path, options)
                };
                Backend::Sqlite(opened.map_err(|error| not_opened(&error))?)
            }
            DatabaseUrl::Postgres(url) => {
                let options = PostgresOptions {
                    max_connections: config.database.max_connections,
                    connect_timeout: config.database.connect_timeout,
                    wait_timeout: config.database.wait_timeout,
                    operation_timeout: config.database.operation_timeout,
                };
                let opened = PostgresDatabase::connect(url, options).await;
                Backend::Postgres(opened.map_err(|error| {
                    use postgres::ConnectError::{Certificates, Identity, Url};
                    let is_configuration =
                        matches!(error, Url(_) | Certificates { .. } | Identity { .. });
                    not_connected(&error, is_configuration, error.is_transient())
                })?)
            }
            DatabaseUrl::Mysql(url) => {
                let options = MysqlOptions {
                    max_connections: config.database.max_connections,
                    connect_timeout: config.database.connect_timeout,
                    wait_timeout: config.database.wait_timeout,
                    operation_timeout: config.database.operation_timeout,
                };
                let opened = MysqlDatabase::connect(url, options).await;
                Backend::Mysql(opened.map_err(|error| {
                    let is_configuration = matches!(error, mysql::ConnectError::Url(_));
                    not_connected(&error, is_configuration, error.is_transient())
                })?)
            }
        };
        let wants_sessions = config.settings.has_sessions();
        let settings = config.settings.clone();
        Ok(Self { backend, table: user_table(config), wants_sessions, settings })
    }

    /// Returns the server's version as it states it, or that of the SQLite library.
    pub(crate) async fn version(&self) -> Result<String, Failure> {
        let version = match &self.backend {
            Backend::Sqlite(_) => Ok(sqlite::check::library_version().to_owned()),
            Backend::Postgres(database) => postgres::check::server_version(database).await,
            Backend::Mysql(database) => mysql::check::server_version(database).await,
        };
        version.map_err(|error| failed(&error))
    }

    /// Returns everything that is wrong in the database.
    pub(crate) async fn check(&self, config: &Config) -> Result<Vec<Problem>, Failure> {
        let mut uses = Uses::of(&config.settings);
        uses.signing_keys = config.keys.store == KeyStorage::Database;
        uses.throttle = self.counts(config).await;
        uses.rehash = config.password.rehash != Some(Rehash::Never);
        uses.purge &= config.database.purge_interval.is_some();
        let problems = match &self.backend {
            Backend::Sqlite(database) => sqlite::check::check(database, &self.table, &uses).await,
            Backend::Postgres(database) => {
                postgres::check::check(database, &self.table, &uses).await
            }
            Backend::Mysql(database) => mysql::check::check(database, &self.table, &uses).await,
        };
        let problems = problems.map_err(|error| failed(&error))?;
        let told = |problem: &check::Problem| Problem {
            text: with_command(&problem.to_string()),
            severity: problem.severity,
        };
        Ok(problems.iter().map(told).collect())
    }

    /// Refuses a database in which every login would fail, and returns its other problems.
    ///
    /// # Errors
    /// The problems that make requests fail until somebody changes something.
    pub(crate) async fn refuse_errors(&self, config: &Config) -> Result<Vec<String>, Failure> {
        let problems = self.check(config).await?;
        let (errors, others): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|problem| problem.severity == Severity::Error);
        let text = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.text);
        match errors.is_empty() {
            true => Ok(text(others).collect()),
            false => Err(Failure::Database(text(errors).collect::<Vec<_>>().join("\n"))),
        }
    }

    /// Returns the names of what `migrate` would create.
    pub(crate) async fn missing(&self) -> Result<Vec<String>, Failure> {
        let steps = match &self.backend {
            Backend::Sqlite(database) => sqlite::migrate::plan(database, &self.table),
            Backend::Postgres(database) => postgres::migrate::plan(database, &self.table).await,
            Backend::Mysql(database) => mysql::migrate::plan(database, &self.table).await,
        };
        Ok(names(steps.map_err(|error| schema(&error))?))
    }

    /// Creates what is missing, and returns the names.
    pub(crate) async fn migrate(&self) -> Result<Vec<String>, Failure> {
        let now = SystemClock.now();
        let steps = match &self.backend {
            Backend::Sqlite(database) => sqlite::migrate::apply(database, &self.table, now).await,
            Backend::Postgres(database) => {
                postgres::migrate::apply(database, &self.table, now).await
            }
            Backend::Mysql(database) => mysql::migrate::apply(database, &self.table, now).await,
        };
        Ok(names(steps.map_err(|error| schema(&error))?))
    }

    /// Records what was created here as migrated, for Django's `migrate`. Returns what wasn't
    /// recorded yet.
    pub(crate) async fn tell_django(&self, config: &Config) -> Result<Vec<String>, Failure> {
        let (now, users) = (SystemClock.now(), &self.table);
        let blacklist = config.settings.token_blacklist;
        let told = match &self.backend {
            Backend::Sqlite(database) => {
                sqlite::migrate::for_django(database, users, blacklist, now).await
            }
            Backend::Postgres(database) => {
                postgres::migrate::for_django(database, users, blacklist, now).await
            }
            Backend::Mysql(database) => {
                mysql::migrate::for_django(database, users, blacklist, now).await
            }
        };
        told.map_err(|error| schema(&error))
    }

    /// Returns the keys that follow each other.
    pub(crate) fn keys(&self) -> Arc<dyn KeyStore> {
        match &self.backend {
            Backend::Sqlite(database) => Arc::new(database.clone()),
            Backend::Postgres(database) => Arc::new(database.clone()),
            Backend::Mysql(database) => Arc::new(database.clone()),
        }
    }

    /// Returns the counters of failed logins.
    pub(crate) fn counters(&self) -> Arc<dyn ThrottleStore> {
        match &self.backend {
            Backend::Sqlite(database) => Arc::new(database.clone()),
            Backend::Postgres(database) => Arc::new(database.clone()),
            Backend::Mysql(database) => Arc::new(database.clone()),
        }
    }

    /// Returns `true` if failed logins are counted in it. If the configuration leaves that open, its
    /// tables decide; whatever keeps them from being read is reported elsewhere.
    pub(crate) async fn counts(&self, config: &Config) -> bool {
        match config.throttle.store {
            _ if !config.throttle.enabled => false,
            CounterStore::Memory => false,
            CounterStore::Database => true,
            CounterStore::Auto => self
                .missing()
                .await
                .is_ok_and(|missing| !missing.iter().any(|name| name == COUNTERS)),
        }
    }

    /// Returns `true` if it has the tables of Django's `token_blacklist`, created by Django or with
    /// tokens in them.
    pub(crate) async fn blacklist_in_use(&self) -> Result<bool, Failure> {
        let in_use = match &self.backend {
            Backend::Sqlite(database) => SqliteStore::blacklist_in_use(database),
            Backend::Postgres(database) => PostgresStore::blacklist_in_use(database).await,
            Backend::Mysql(database) => MysqlStore::blacklist_in_use(database).await,
        };
        in_use.map_err(|error| failed(&error))
    }

    /// Returns the users.
    pub(crate) async fn users(
        &self,
        config: &Config,
        pool: HashingPool,
    ) -> Result<Arc<dyn ManageUsers>, Failure> {
        let opened = self.open_users(self.table.clone(), config, pool).await;
        opened.map_err(|error| schema(&error))
    }

    /// Returns the users, with those of these columns that their table has as fields.
    pub(crate) async fn users_with(
        &self,
        config: &Config,
        pool: HashingPool,
        columns: &[&str],
    ) -> Result<Arc<dyn ManageUsers>, Failure> {
        let mut left: Vec<&str> = columns.to_vec();
        loop {
            let mut table = self.table.clone();
            table.columns.extend(left.iter().map(|column| (*column).to_owned()));
            let (column, error) = match self.open_users(table, config, pool.clone()).await {
                Ok(users) => return Ok(users),
                Err(error) => match &error {
                    SchemaError::MissingColumn { column, .. }
                    | SchemaError::UnreadableColumn { column, .. } => (column.clone(), error),
                    _ => return Err(schema(&error)),
                },
            };
            let before = left.len();
            left.retain(|other| *other != column);
            if left.len() == before {
                return Err(schema(&error));
            }
        }
    }

    async fn open_users(
        &self,
        table: UserTable,
        config: &Config,
        pool: HashingPool,
    ) -> Result<Arc<dyn ManageUsers>, SchemaError> {
        let options = UserOptions {
            allow_inactive_login: config.users.allow_inactive_login,
            session_rows: Uses::of(&self.settings).session_rows,
        };
        Ok(match &self.backend {
            Backend::Sqlite(database) => {
                Arc::new(SqliteUsers::open(database, table, pool, options)?) as Arc<dyn ManageUsers>
            }
            Backend::Postgres(database) => {
                Arc::new(PostgresUsers::open(database, table, pool, options).await?)
            }
            Backend::Mysql(database) => {
                Arc::new(MysqlUsers::open(database, table, pool, options).await?)
            }
        })
    }
}

fn names(steps: Vec<simplejwt::sql::schema::Step>) -> Vec<String> {
    steps.into_iter().map(|step| step.table.to_owned()).collect()
}

/// Starts the threads that hash passwords, as configured.
pub(crate) fn hashing_pool(config: &Config) -> Result<HashingPool, Failure> {
    let password = &config.password;
    let hashers = Hashers::new(password.hashers.iter().copied())
        .and_then(|hashers| hashers.with_parameters(password.parameters))
        .map_err(|error| Failure::config(format!("[password]: {error}")))?
        .with_rehash(password.rehash)
        .with_max_refusal_work(password.max_refusal_work);
    HashingPool::new(hashers, password.pool).map_err(|error| {
        Failure::Failed(format!("can't start the threads that hash passwords: {error}"))
    })
}

fn unopened(error: &OpenError) -> String {
    match error {
        // The message says everything; SQLite's own would only repeat it.
        OpenError::Locked { .. } => {
            error.to_string().replace("the busy timeout", "busy_timeout in [database]")
        }
        OpenError::NotADatabase { .. } => format!("{error}: name another file"),
        other => with_command(&chain(other)),
    }
}

/// Turns the error of a file into the failure of a command.
fn not_opened(error: &OpenError) -> Failure {
    let text = unopened(error);
    match error {
        OpenError::Locked { .. } => Failure::Unreachable(text),
        _ => Failure::Database(text),
    }
}

/// Turns the error of a server into the failure of a command. A wrong URL or file is a fault of the
/// configuration; everything else is the database's, and may be temporary.
fn not_connected(error: &dyn Error, is_configuration: bool, is_transient: bool) -> Failure {
    match (is_configuration, is_transient) {
        (true, _) => Failure::config(chain(error)),
        (false, true) => Failure::Unreachable(chain(error)),
        (false, false) => Failure::Database(chain(error)),
    }
}

fn user_table(config: &Config) -> UserTable {
    let users = config.users.clone();
    UserTable {
        table: users.table,
        primary_key: users.primary_key,
        key: users.key_type,
        login: users.username_field,
        user_id_field: config.settings.user_id_field.clone(),
        password: users.password,
        is_active: users.is_active,
        is_staff: users.is_staff,
        is_superuser: users.is_superuser,
        last_login: users.last_login,
        columns: config.claims.columns(),
        child: None,
    }
}

/// Turns wrong tables into the failure of a command.
pub(crate) fn schema(error: &SchemaError) -> Failure {
    Failure::Database(with_command(&chain(error)))
}

/// Turns the error of a store into the failure of a command.
pub(crate) fn failed(error: &StoreError) -> Failure {
    Failure::Database(chain(error))
}

/// Replaces the library's name for creating the tables by this program's command.
fn with_command(text: &str) -> String {
    text.replace("`migrate`", "`simplejwt migrate`")
        .replace("write key_type = ", "write in [users] key_type = ")
}
