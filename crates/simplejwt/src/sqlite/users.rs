//! Users in an SQLite file: Django's `auth_user` or the table of a custom user model.

mod delete;
mod manage;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, ToSql, params};

use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::sql::check::Uses;
use crate::sql::column::{ColumnType, UserColumns};
use crate::sql::fields::Field;
use crate::sql::lookup::only;
use crate::sql::manage::UserOptions;
use crate::sql::rights::{self, Dialect, Right, Rights};
use crate::sql::schema::{SchemaError, found_by};
use crate::sql::table::{Key, UserTable, quoted};
use crate::sqlite::SqliteDatabase;
use crate::sqlite::datetime::text;
use crate::sqlite::{schema, sessions};
use crate::users::login::{Found, LoginRows, PasswordSample, Passwords};
use crate::users::password::{HashingPool, PasswordSurvey};
use crate::users::{Credentials, User, UserId, UserStore, password_fingerprint};

/// The users in an [`SqliteDatabase`].
///
/// The login name is compared as Django compares it: by the rules of the column's type and
/// collation. A text isn't trimmed, folded or normalized.
#[derive(Clone)]
pub struct SqliteUsers {
    database: SqliteDatabase,
    passwords: Passwords,
    options: UserOptions,
    /// Whether the database has sessions, which may be tied to passwords.
    has_sessions: bool,
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

/// The statements, with the names of the table in them.
struct Sql {
    table: UserTable,
    key: ColumnType,
    user_id: ColumnType,
    login: ColumnType,
    fields: Vec<Field>,
    rights: Rights,
    by_login: String,
    by_user_id: String,
    page: String,
    replace_hash: String,
    last_login: Option<String>,
    set_password: String,
    set_active: Option<String>,
}

/// How many columns stand before the further ones.
const FIXED: usize = 7;

impl Sql {
    fn new(table: UserTable, columns: UserColumns) -> Self {
        let UserColumns { key: key_type, user_id, login: login_type, fields, .. } = columns;
        let name = quoted(&table.table);
        let key = quoted(&table.primary_key);
        let id = quoted(table.user_id_column());
        let login = quoted(&table.login);
        let password = quoted(&table.password);
        let flag = |column: &Option<String>, without: &str| match column {
            Some(column) => quoted(column),
            None => without.to_owned(),
        };
        let further: String = fields
            .iter()
            .map(|field| format!(", {}", table.expression(&field.name, quoted, quoted)))
            .collect();
        let inherits = table.and_inherits(&name, quoted, quoted);
        let select = format!(
            "SELECT {key}, {id}, {login}, {}, {}, {}, {password}{further} FROM {name}",
            flag(&table.is_active, "1"),
            flag(&table.is_staff, "0"),
            flag(&table.is_superuser, "0"),
        );
        let dialect = Dialect {
            quote: quoted,
            is_the_user: format!("{id} = ?1"),
            is_active: flag(&table.is_active, "1"),
            is_superuser: flag(&table.is_superuser, "0"),
        };
        let update = |column: &str| format!("UPDATE {name} SET {} = ?1", quoted(column));
        // Whoever has no id can't have tokens: they would be those of all who have none.
        let has_id = match table.user_id_column() == table.primary_key {
            true => String::new(),
            false => format!(" AND {id} IS NOT NULL"),
        };
        Self {
            // Two show what isn't unique.
            by_login: format!("{select} WHERE {login} = ?1{has_id}{inherits} LIMIT 2"),
            by_user_id: format!("{select} WHERE {id} = ?1{inherits} LIMIT 2"),
            page: format!(
                "{select} WHERE (?1 IS NULL OR {login} > ?1){inherits} ORDER BY {login} LIMIT ?2"
            ),
            replace_hash: format!(
                "{} WHERE {key} = ?2 AND {password} = ?3",
                update(&table.password)
            ),
            last_login: table
                .last_login
                .as_deref()
                .map(|column| format!("{} WHERE {id} = ?2", update(column))),
            set_password: format!("{} WHERE {login} = ?2{inherits}", update(&table.password)),
            set_active: table
                .is_active
                .as_deref()
                .map(|column| format!("{} WHERE {login} = ?2{inherits}", update(column))),
            key: key_type,
            user_id,
            login: login_type,
            fields,
            rights: Rights::new(&table, dialect),
            table,
        }
    }

    fn found(&self, row: &Row<'_>) -> rusqlite::Result<Found<Key>> {
        let key = match row.get_ref(0)? {
            ValueRef::Integer(number) => Key::Integer(number),
            other => Key::Text(shown(other)),
        };
        let user = User {
            id: self.user_id.id_of(shown(row.get_ref(1)?)),
            username: self.login.shown(shown(row.get_ref(2)?)),
            is_active: is_true(row.get_ref(3)?),
            is_staff: is_true(row.get_ref(4)?),
            is_superuser: is_true(row.get_ref(5)?),
            password: shown(row.get_ref(6)?),
            rehashed_from: None,
            fields: self.further(row)?,
        };
        Ok(Found { key, user })
    }

    fn further(&self, row: &Row<'_>) -> rusqlite::Result<BTreeMap<String, serde_json::Value>> {
        let json = |(at, field): (usize, &Field)| {
            let value = match row.get_ref(FIXED + at)? {
                ValueRef::Null => serde_json::Value::Null,
                value => field.kind.json(shown(value)),
            };
            Ok((field.name.clone(), value))
        };
        self.fields.iter().enumerate().map(json).collect()
    }

    /// The rows that a statement over the tables of groups and permissions finds.
    fn rights(
        &self,
        connection: &Connection,
        right: Right,
        user: &UserId,
    ) -> rusqlite::Result<Result<Vec<Vec<String>>, SchemaError>> {
        let statement = match self.rights.known(right) {
            Some(statement) => statement,
            None => {
                let tables = self.rights.tables(right);
                let found = tables.iter().map(|table| schema::columns(connection, table));
                match self.rights.learn(right, &found.collect::<Result<Vec<_>, _>>()?) {
                    Ok(Some(statement)) => statement,
                    Ok(None) => return Ok(Ok(Vec::new())),
                    Err(error) => return Ok(Err(error)),
                }
            }
        };
        let Some(key) = self.user_id.parse(user) else { return Ok(Ok(Vec::new())) };
        let mut statement = connection.prepare_cached(statement)?;
        let columns = 0..statement.column_count();
        let texts = |row: &Row<'_>| columns.clone().map(|at| Ok(shown(row.get_ref(at)?))).collect();
        statement.query_map([key], texts)?.collect::<Result<_, _>>().map(Ok)
    }

    /// The rows with a value that is unique: one, or more where it isn't any longer.
    fn all(
        &self,
        connection: &Connection,
        sql: &str,
        value: impl ToSql,
    ) -> rusqlite::Result<Vec<Found<Key>>> {
        connection.prepare_cached(sql)?.query_map([value], |row| self.found(row))?.collect()
    }
}

/// A value as text, whatever SQLite has stored it as; null is empty.
fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

fn is_true(value: ValueRef<'_>) -> bool {
    match value {
        ValueRef::Integer(number) => number != 0,
        ValueRef::Real(number) => number != 0.0,
        _ => false,
    }
}

/// Each statement that a request runs over the table.
pub(crate) fn statements(table: &UserTable, columns: UserColumns, uses: &Uses) -> Vec<String> {
    let Sql {
        table: _,
        key: _,
        user_id: _,
        login: _,
        fields: _,
        rights: _,
        by_login,
        by_user_id,
        page: _,
        replace_hash,
        last_login,
        set_password: _,
        set_active: _,
    } = Sql::new(table.clone(), columns);
    let mut statements = vec![by_login, by_user_id];
    statements.extend(uses.rehash.then_some(replace_hash));
    statements.extend(last_login.filter(|_| uses.last_login));
    statements
}

impl SqliteUsers {
    /// The users of a table. Passwords are compared by the threads of `pool`.
    ///
    /// # Errors
    /// [`SchemaError`] where the table or a column is missing, isn't of a type that can be used, or
    /// isn't unique although users are found by it; names it and says what there is.
    pub fn open(
        database: &SqliteDatabase,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<Self, SchemaError> {
        let check = |connection: &Connection| {
            let table = schema::resolved(connection, &table)?;
            let has_sessions = schema::check_sessions(connection).is_ok();
            let checked = schema::check_users(connection, &table).and_then(|columns| {
                schema::check_unique(connection, &table, &found_by(&table))?;
                Ok(columns)
            });
            Ok(checked.map(|columns| (table, columns, has_sessions)))
        };
        let (table, columns, has_sessions) = database.read("open", check)??;
        let sql = Arc::new(Sql::new(table, columns));
        Ok(Self {
            database: database.clone(),
            passwords: Passwords::new(pool),
            options,
            has_sessions,
            sql,
        })
    }

    /// The table that the users are in.
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
        let has_sessions = self.has_sessions;
        let replace = move |connection: &Connection| {
            let replaced =
                connection.prepare_cached(&sql.replace_hash)?.execute(params![new, key, old])?;
            if replaced > 0 && has_sessions {
                let (old, new) = (password_fingerprint(&old), password_fingerprint(&new));
                sessions::rehashed(connection, &id, &old, &new)?;
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
        // The collation may take another text for the same; the claim has to be the id itself.
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
