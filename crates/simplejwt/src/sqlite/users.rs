//! Users in an SQLite file: Django's `auth_user` or the table of a custom user model.

mod delete;
mod manage;
mod sample;
mod sql;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};

pub(crate) use self::sql::statements;
use self::sql::{Sql, value_text};
use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::sql::column::ColumnType;
use crate::sql::lookup::only;
use crate::sql::manage::UserOptions;
use crate::sql::rights::{self, Right};
use crate::sql::schema::{SchemaError, found_by};
use crate::sql::table::{Key, UserTable};
use crate::sqlite::datetime::text;
use crate::sqlite::{SqliteDatabase, rows, schema, sessions};
use crate::users::login::{Found, LoginRows, PasswordSample, Passwords};
use crate::users::password::{HashingPool, PasswordSurvey};
use crate::users::{Credentials, User, UserId, UserStore, password_fingerprint};

/// The users in an [`SqliteDatabase`].
///
/// The login name is compared as in Django, by the rules of the column's type and collation. It
/// isn't trimmed, folded or normalized.
#[derive(Clone)]
pub struct SqliteUsers {
    database: SqliteDatabase,
    passwords: Passwords,
    options: UserOptions,
    /// `true` if the database has sessions, which may be tied to passwords.
    has_sessions: bool,
    /// `true` if it has them as one row each.
    has_rows: bool,
    sql: Arc<Sql>,
}

impl fmt::Debug for SqliteUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteUsers")
            .field("database", &self.database)
            .field("table", &self.sql.table.table)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl SqliteUsers {
    /// Opens the users of a table. Passwords are verified by the threads of `pool`.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing, has an unusable type, or isn't
    /// unique although users are found by it, and says what was found.
    pub fn open(
        database: &SqliteDatabase,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<Self, SchemaError> {
        let check = |connection: &Connection| {
            let table = schema::resolved(connection, &table)?;
            let has_sessions = schema::check_sessions(connection).is_ok();
            let has_rows = options.session_rows && schema::check_session_rows(connection).is_ok();
            let checked = schema::check_users(connection, &table).and_then(|columns| {
                schema::check_unique(connection, &table, &found_by(&table))?;
                Ok(columns)
            });
            Ok(checked.map(|columns| (table, columns, has_sessions, has_rows)))
        };
        let (table, columns, has_sessions, has_rows) = database.read("open", check)??;
        let sql = Arc::new(Sql::new(table, columns));
        Ok(Self {
            database: database.clone(),
            passwords: Passwords::new(pool),
            options,
            has_sessions,
            has_rows,
            sql,
        })
    }

    /// Returns the table that the users are in.
    pub fn table(&self) -> &UserTable {
        &self.sql.table
    }

    fn rights(&self, right: Right, user: &UserId) -> Result<Vec<Vec<String>>, StoreError> {
        let operation = right.operation();
        let read = |connection: &Connection| self.sql.rights(connection, right, user);
        self.database
            .read(operation, read)?
            .map_err(|error| StoreError::new(operation, StoreErrorKind::Incompatible, error))
    }
}

#[async_trait]
impl LoginRows for SqliteUsers {
    type Key = Key;

    async fn by_login(&self, name: &str) -> Result<Option<Found<Key>>, StoreError> {
        let sql = &self.sql;
        let Some(key) = sql.login.parse_login(name) else { return Ok(None) };
        let found = self
            .database
            .read("authenticate", |connection| sql.all(connection, &sql.by_login, key))?;
        only("authenticate", found)
    }

    async fn replace_hash(&self, found: &Found<Key>, new: &str) -> Result<bool, StoreError> {
        let (sql, key, id) = (Arc::clone(&self.sql), found.key.clone(), found.user.id.clone());
        let (old, new) = (found.user.password.clone(), new.to_owned());
        let (has_sessions, has_rows) = (self.has_sessions, self.has_rows);
        let replace = move |connection: &Connection| {
            let replaced =
                connection.prepare_cached(&sql.replace_hash)?.execute(params![new, key, old])?;
            let (old, new) = (password_fingerprint(&old), password_fingerprint(&new));
            if replaced > 0 && has_sessions {
                sessions::rehashed(connection, &id, &old, &new)?;
            }
            if replaced > 0 && has_rows {
                rows::rehashed(connection, &id, &old, &new)?;
            }
            Ok(replaced > 0)
        };
        self.database.write("authenticate", replace).await
    }

    async fn password_sample(&self) -> Result<PasswordSample, StoreError> {
        let table = &self.sql.table;
        self.database.read("sample", |connection| sample::take(connection, table))
    }
}

#[async_trait]
impl UserStore for SqliteUsers {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<User>, StoreError> {
        let allow_inactive = self.options.allow_inactive_login;
        self.passwords.authenticate(self, allow_inactive, credentials).await
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let sql = &self.sql;
        let Some(key) = sql.user_id.parse(id) else { return Ok(None) };
        let found =
            self.database.read("find", |connection| sql.all(connection, &sql.by_user_id, key))?;
        // The collation may consider another text equal; the claim has to be the id itself.
        let exact = |user: &User| sql.user_id != ColumnType::Text || user.id == *id;
        Ok(only("find", found)?.map(|found| found.user).filter(exact))
    }

    async fn survey_passwords(&self) -> Result<PasswordSurvey, StoreError> {
        self.passwords.survey(self).await
    }

    async fn update_last_login(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        let sql = Arc::clone(&self.sql);
        let Some(key) = sql.user_id.parse(id) else { return Ok(()) };
        if sql.last_login.is_none() {
            return Ok(());
        }
        let update = move |connection: &Connection| match &sql.last_login {
            Some(statement) => {
                connection.prepare_cached(statement)?.execute(params![text(at), key]).map(drop)
            }
            None => Ok(()),
        };
        self.database.write("update_last_login", update).await
    }

    async fn groups(&self, user: &UserId) -> Result<Vec<String>, StoreError> {
        Ok(rights::groups(self.rights(Right::Groups, user)?))
    }

    async fn permissions(&self, user: &UserId) -> Result<BTreeSet<String>, StoreError> {
        Ok(rights::permissions(self.rights(Right::Permissions, user)?))
    }
}
