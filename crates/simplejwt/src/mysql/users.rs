//! Users in MySQL or MariaDB: Django's `auth_user` or the table of a custom user model.

mod delete;
mod manage;
mod sample;
mod sql;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, Value, params};

pub(crate) use self::sql::statements;
use self::sql::{Sql, value_text};
use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::mysql::database::changed;
use crate::mysql::database::{Failure, attempt, begin, commit};
use crate::mysql::datetime::datetime;
use crate::mysql::lookup::{self, Lookup, Wanted};
use crate::mysql::{MysqlDatabase, rows, schema, sessions};
use crate::sql::batch::Batches;
use crate::sql::column::{ColumnType, UserColumns};
use crate::sql::lookup::{nothing_of, only};
use crate::sql::manage::UserOptions;
use crate::sql::rights::{self, Right};
use crate::sql::schema::{SchemaError, found_by};
use crate::sql::table::{Key, UserTable};
use crate::users::login::{Found, LoginRows, PasswordSample, Passwords};
use crate::users::password::{HashingPool, PasswordSurvey};
use crate::users::{Credentials, User, UserId, UserStore, password_fingerprint};

/// The users in a [`MysqlDatabase`].
///
/// The login name is compared by the column's collation, as in Django: with MySQL's usual ones,
/// `ALICE` logs in as `alice`. There is one user, and the tokens are that user's.
#[derive(Clone)]
pub struct MysqlUsers {
    database: MysqlDatabase,
    passwords: Passwords,
    options: UserOptions,
    /// `true` if the database has sessions, which may be tied to passwords.
    has_sessions: bool,
    /// `true` if it has them as one row each.
    has_rows: bool,
    sql: Arc<Sql>,
    by_id: Batches<Lookup<Found<Key>>>,
}

impl fmt::Debug for MysqlUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlUsers")
            .field("database", &self.database)
            .field("table", &self.sql.table.table)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Returns the lookup of users by the value of `USER_ID_FIELD`.
fn by_id(database: &MysqlDatabase, sql: &Arc<Sql>) -> Lookup<Found<Key>> {
    let of = Arc::clone(sql);
    Lookup::new(database, "find", &sql.by_user_ids, "?", move |row| {
        let found = of.found(row)?;
        let key = of.user_id.parse(&found.user.id).ok_or(Failure::Shape)?;
        Ok((tag(&key), found))
    })
}

/// Returns a text that only this key has.
fn tag(key: &Key) -> String {
    match key {
        Key::Integer(number) => number.to_string(),
        Key::Unsigned(number) => number.to_string(),
        Key::Text(text) => text.clone(),
    }
}

async fn check(
    conn: &mut Conn,
    table: &UserTable,
) -> Result<(UserTable, UserColumns), SchemaError> {
    let table = schema::resolved(conn, table).await?;
    let columns = schema::check_users(conn, &table).await?;
    schema::check_unique(conn, &table, &found_by(&table)).await?;
    Ok((table, columns))
}

impl MysqlUsers {
    /// Opens the users of a table. Passwords are verified by the threads of `pool`.
    ///
    /// # Errors
    /// [`SchemaError`] names the table or column that is missing, has an unusable type, or isn't
    /// unique although users are found by it, and says what was found.
    pub async fn open(
        database: &MysqlDatabase,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<Self, SchemaError> {
        let (checked, has_sessions, has_rows) =
            attempt!(database.attempts("open"), |conn| async {
                let has_sessions = schema::check_sessions(conn).await.is_ok();
                let has_rows =
                    options.session_rows && schema::check_session_rows(conn).await.is_ok();
                Ok((check(conn, &table).await, has_sessions, has_rows))
            })?;
        let (table, columns) = checked?;
        let sql = Arc::new(Sql::new(table, columns));
        Ok(Self {
            database: database.clone(),
            passwords: Passwords::new(pool),
            options,
            has_sessions,
            has_rows,
            by_id: Batches::new(by_id(database, &sql), database.patience()),
            sql,
        })
    }

    /// Returns the table that the users are in.
    pub fn table(&self) -> &UserTable {
        &self.sql.table
    }

    async fn learn(&self, right: Right) -> Result<Option<&str>, StoreError> {
        let operation = right.operation();
        let tables = self.sql.rights.tables(right);
        let found = attempt!(self.database.attempts(operation), |conn| async {
            let mut found = Vec::new();
            for name in &tables {
                found.push(schema::columns(conn, name).await?);
            }
            Ok(found)
        })?;
        self.sql
            .rights
            .learn(right, &found)
            .map_err(|error| StoreError::new(operation, StoreErrorKind::Incompatible, error))
    }

    /// Returns the rows that a statement over the tables of groups and permissions finds.
    async fn rights(&self, right: Right, user: &UserId) -> Result<Vec<Vec<String>>, StoreError> {
        let known = match self.sql.rights.known(right) {
            Some(statement) => Some(statement),
            None => self.learn(right).await?,
        };
        let (Some(sql), Some(key)) = (known, self.sql.user_id.parse(user)) else {
            return Ok(Vec::new());
        };
        let found = attempt!(self.database.attempts(right.operation()), |conn| async {
            let rows: Vec<Row> = conn.exec(sql, params! { "value" => Value::from(&key) }).await?;
            let texts = |row: &Row| {
                let text = |at| value_text(row.as_ref(at).ok_or(Failure::Shape)?);
                (0..row.len()).map(text).collect()
            };
            rows.iter().map(texts).collect()
        });
        nothing_of(user.as_str(), found)
    }

    /// Returns the one row with a unique value.
    async fn one(
        &self,
        operation: &'static str,
        sql: &str,
        key: &Key,
        text: &str,
    ) -> Result<Option<Found<Key>>, StoreError> {
        let found =
            attempt!(self.database.attempts(operation), |conn| self.sql.all(conn, sql, key));
        only(operation, nothing_of(text, found)?)
    }

    async fn replace(
        &self,
        conn: &mut Conn,
        found: &Found<Key>,
        new: &str,
    ) -> Result<bool, Failure> {
        let old = &found.user.password;
        let values = params! { "value" => new, "key" => Value::from(&found.key), "old" => old };
        begin(conn).await?;
        let replaced = changed(conn, &self.sql.replace_hash, values).await? > 0;
        let (old, new) = (password_fingerprint(old), password_fingerprint(new));
        if replaced && self.has_sessions {
            sessions::rehashed(conn, &found.user.id, &old, &new).await?;
        }
        if replaced && self.has_rows {
            rows::rehashed(conn, &found.user.id, &old, &new).await?;
        }
        commit(conn).await?;
        Ok(replaced)
    }
}

#[async_trait]
impl LoginRows for MysqlUsers {
    type Key = Key;

    async fn by_login(&self, name: &str) -> Result<Option<Found<Key>>, StoreError> {
        let Some(key) = self.sql.login.parse_login(name) else { return Ok(None) };
        self.one("authenticate", &self.sql.by_login, &key, name).await
    }

    async fn replace_hash(&self, found: &Found<Key>, new: &str) -> Result<bool, StoreError> {
        let attempts = self.database.attempts("authenticate");
        attempt!(attempts, |conn| self.replace(conn, found, new))
    }

    async fn password_sample(&self) -> Result<PasswordSample, StoreError> {
        let table = &self.sql.table;
        attempt!(self.database.attempts("sample"), |conn| sample::take(conn, table))
    }
}

#[async_trait]
impl UserStore for MysqlUsers {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<User>, StoreError> {
        let allow_inactive = self.options.allow_inactive_login;
        self.passwords.authenticate(self, allow_inactive, credentials).await
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let sql = &self.sql;
        let Some(key) = sql.user_id.parse(id) else { return Ok(None) };
        let wanted = Wanted { key: tag(&key), value: Value::from(&key) };
        let found = match self.by_id.run(wanted).await? {
            lookup::Found::One(found) => Some(found),
            lookup::Found::Nothing => None,
            lookup::Found::Unknown => self.one("find", &sql.by_user_id, &key, id.as_str()).await?,
        };
        // The collation may consider another text equal; the claim has to be the id itself.
        let exact = |user: &User| sql.user_id != ColumnType::Text || user.id == *id;
        Ok(found.map(|found| found.user).filter(exact))
    }

    async fn survey_passwords(&self) -> Result<PasswordSurvey, StoreError> {
        self.passwords.survey(self).await
    }

    async fn update_last_login(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        let Some(key) = self.sql.user_id.parse(id) else { return Ok(()) };
        let Some(statement) = &self.sql.last_login else { return Ok(()) };
        let updated = attempt!(self.database.attempts("update_last_login"), |conn| async {
            let values = params! { "value" => datetime(at), "key" => Value::from(&key) };
            changed(conn, statement, values).await.map(drop)
        });
        nothing_of(id.as_str(), updated)
    }

    async fn groups(&self, user: &UserId) -> Result<Vec<String>, StoreError> {
        Ok(rights::groups(self.rights(Right::Groups, user).await?))
    }

    async fn permissions(&self, user: &UserId) -> Result<BTreeSet<String>, StoreError> {
        Ok(rights::permissions(self.rights(Right::Permissions, user).await?))
    }
}
