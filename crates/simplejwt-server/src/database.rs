//! The SQLite file, opened as configured, with its errors as those of a command.

use std::path::Path;

use simplejwt::store::schema::SchemaError;
use simplejwt::store::sqlite::{OpenError, SqliteDatabase, SqliteOptions, SqliteStore, migrate};
use simplejwt::users::manage::UserOptions;
use simplejwt::users::password::{Hashers, HashingPool};
use simplejwt::users::sqlite::SqliteUsers;
use simplejwt::users::table::{KeyKind, UserTable};
use simplejwt::{Clock as _, StoreError, SystemClock};

use crate::config::{Config, KeyType};
use crate::failure::{Failure, chain};

/// The file and the table of users that is expected in it.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) file: SqliteDatabase,
    pub(crate) table: UserTable,
}

impl Database {
    /// Opens the configured file, which has to be there.
    pub(crate) fn open(config: &Config) -> Result<Self, Failure> {
        Self::with(config, |path, options| SqliteDatabase::open(path, options))
    }

    /// Opens the configured file, made where there is none.
    pub(crate) fn create(config: &Config) -> Result<Self, Failure> {
        Self::with(config, |path, options| SqliteDatabase::open_or_create(path, options))
    }

    fn with(
        config: &Config,
        open: impl FnOnce(&Path, SqliteOptions) -> Result<SqliteDatabase, OpenError>,
    ) -> Result<Self, Failure> {
        let path = config.database.path.as_deref().ok_or_else(|| {
            Failure::config(
                "no database is named: set DATABASE_URL=sqlite:///absolute/path/db.sqlite3, or \
                 path in [database]",
            )
        })?;
        let options = SqliteOptions {
            busy_timeout: config.database.busy_timeout,
            ..SqliteOptions::default()
        };
        let file = open(path, options).map_err(|error| Failure::Database(unopened(&error)))?;
        Ok(Self { file, table: user_table(config) })
    }

    /// The tables that `migrate` would make.
    pub(crate) fn missing(&self) -> Result<Vec<String>, Failure> {
        let steps = migrate::plan(&self.file, &self.table).map_err(|e| schema(&e))?;
        Ok(steps.into_iter().map(|step| step.table.to_owned()).collect())
    }

    /// Makes the tables that are missing, and says which.
    pub(crate) async fn migrate(&self) -> Result<Vec<String>, Failure> {
        let steps = migrate::apply(&self.file, &self.table, SystemClock.now())
            .await
            .map_err(|e| schema(&e))?;
        Ok(steps.into_iter().map(|step| step.table.to_owned()).collect())
    }

    /// The tokens in it.
    pub(crate) fn store(&self) -> Result<SqliteStore, Failure> {
        SqliteStore::open(&self.file, &self.table).map_err(|error| schema(&error))
    }

    /// The users in it.
    pub(crate) fn users(&self, config: &Config, pool: HashingPool) -> Result<SqliteUsers, Failure> {
        let options = UserOptions { allow_inactive_login: config.users.allow_inactive_login };
        SqliteUsers::open(&self.file, self.table.clone(), pool, options)
            .map_err(|error| schema(&error))
    }
}

/// The threads that hash passwords as configured.
pub(crate) fn hashing_pool(config: &Config) -> Result<HashingPool, Failure> {
    let password = &config.password;
    let hashers = Hashers::new(password.hashers.iter().copied())
        .and_then(|hashers| hashers.with_parameters(password.parameters))
        .map_err(|error| Failure::config(format!("[password]: {error}")))?;
    HashingPool::new(hashers, password.pool).map_err(|error| {
        Failure::Failed(format!("can't start the threads that hash passwords: {error}"))
    })
}

fn unopened(error: &OpenError) -> String {
    match error {
        // Says everything; SQLite's words for it would only repeat that.
        OpenError::Locked { .. } => {
            error.to_string().replace("the busy timeout", "busy_timeout in [database]")
        }
        OpenError::NotADatabase { .. } => format!("{error}: name another file"),
        other => with_command(&chain(other)),
    }
}

fn user_table(config: &Config) -> UserTable {
    let users = config.users.clone();
    UserTable {
        table: users.table,
        primary_key: users.primary_key,
        key: match users.key_type {
            KeyType::Integer => KeyKind::Integer,
            KeyType::Uuid => KeyKind::Uuid,
            KeyType::Text => KeyKind::Text,
        },
        login: users.username_field,
        user_id_field: config.settings.user_id_field.clone(),
        password: users.password,
        is_active: users.is_active,
        is_staff: users.is_staff,
        is_superuser: users.is_superuser,
        last_login: users.last_login,
    }
}

/// Tables that aren't as they have to be.
pub(crate) fn schema(error: &SchemaError) -> Failure {
    Failure::Database(with_command(&chain(error)))
}

/// What a store said, as a failure of a command.
pub(crate) fn failed(error: &StoreError) -> Failure {
    Failure::Database(chain(error))
}

/// The library's word for making the tables, as the command of this program.
fn with_command(text: &str) -> String {
    text.replace("`migrate`", "`simplejwt migrate`")
}
