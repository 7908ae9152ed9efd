//! Creating and changing users, for the command line.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, ffi, params, params_from_iter};

use super::Sql;
use super::delete::{NotThere, UserFound};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Cause, Recorded, UserChange};
use crate::sql::check::{Access, Lines, trial};
use crate::sql::manage::{
    Change, Field, ManageError, ManageUsers, NewUser, Reference, added, field_of, longest_name,
};
use crate::sql::naming::as_django;
use crate::sql::table::{Key, quoted};
use crate::sqlite::SqliteUsers;
use crate::sqlite::datetime::text;
use crate::sqlite::schema;
use crate::users::login::LoginRows as _;
use crate::users::{User, UserId};

#[async_trait]
impl ManageUsers for SqliteUsers {
    async fn ping(&self, writes_last_login: bool) -> Result<(), StoreError> {
        let (sql, key) = (&self.sql, self.sql.login.any());
        self.database.read("ping", |connection| sql.all(connection, &sql.by_login, key))?;
        match sql.table.last_login.as_deref().filter(|_| writes_last_login) {
            Some(column) => {
                let (table, lines) = (quoted(&sql.table.table), Lines::Sqlite);
                let trial = trial(&table, Access::Update, &[column], &lines);
                let run = move |connection: &Connection| connection.execute(&trial, ()).map(drop);
                self.database.write("ping", run).await
            }
            None => Ok(()),
        }
    }

    async fn create_user(
        &self,
        user: NewUser,
        cause: &Cause,
    ) -> Result<Recorded<User>, ManageError> {
        let user = as_django(user, &self.sql.table)?;
        let (sql, cause) = (Arc::clone(&self.sql), cause.clone());
        let create = move |connection: &Connection| {
            let created = create(connection, &sql, &user, cause.at)?;
            Ok(created.map(|user| added(user, &cause)))
        };
        self.database.write("create_user", create).await?
    }

    async fn set_password(
        &self,
        username: &str,
        hash: &str,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError> {
        let statement = self.sql.set_password.clone();
        let (value, change) = (Value::Text(hash.to_owned()), Change::Password);
        self.change("set_password", statement, username, value, change, cause).await
    }

    async fn set_active(
        &self,
        username: &str,
        active: bool,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError> {
        let Some(statement) = self.sql.set_active.clone() else {
            let table = self.sql.table.table.clone();
            return Err(ManageError::NoColumn { table, setting: "is_active" });
        };
        let (value, change) = (Value::Integer(active.into()), Change::active(active));
        self.change("set_active", statement, username, value, change, cause).await
    }

    async fn references(&self, username: &str) -> Result<Vec<Reference>, ManageError> {
        let found = self.delete("references", username, false).await?;
        found.map(|found| found.references).map_err(|_| unknown(username))
    }

    async fn delete_user(
        &self,
        username: &str,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError> {
        match self.delete("delete_user", username, true).await? {
            Err(NotThere) => Err(unknown(username)),
            Ok(UserFound { user_id, references }) if references.is_empty() => {
                Ok(Change::User(UserChange::Deleted).recorded(user_id, cause))
            }
            Ok(UserFound { references, .. }) => {
                Err(ManageError::Referred { username: username.to_owned(), references })
            }
        }
    }

    async fn by_username(&self, username: &str) -> Result<Option<User>, StoreError> {
        Ok(self.by_login(username).await?.map(|found| found.user))
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<User>, StoreError> {
        let after = match after.map(|after| self.sql.login.parse_login(after)) {
            None => None,
            Some(Some(key)) => Some(key),
            // No user comes after a name that no user can have.
            Some(None) => return Ok(Vec::new()),
        };
        self.database.read("list", |connection| {
            connection
                .prepare_cached(&self.sql.page)?
                .query_map(params![after, limit], |row| Ok(self.sql.found(row)?.user))?
                .collect()
        })
    }
}

impl SqliteUsers {
    async fn change(
        &self,
        operation: &'static str,
        statement: String,
        username: &str,
        value: Value,
        change: Change,
        cause: &Cause,
    ) -> Result<Recorded<UserId>, ManageError> {
        let Some(key) = self.sql.login.parse_login(username) else {
            return Err(ManageError::NoSuchUser { username: username.to_owned() });
        };
        let (sql, cause) = (Arc::clone(&self.sql), cause.clone());
        let work = move |connection: &Connection| {
            connection.prepare_cached(&statement)?.execute(params![value, key])?;
            let found = sql.all(connection, &sql.by_login, &key)?.into_iter().next();
            Ok(found.map(|found| change.recorded(found.user.id, &cause)))
        };
        self.database.write(operation, work).await?.ok_or_else(|| unknown(username))
    }
}

fn unknown(username: &str) -> ManageError {
    ManageError::NoSuchUser { username: username.to_owned() }
}

fn create(
    connection: &Connection,
    sql: &Sql,
    user: &NewUser,
    at: Timestamp,
) -> rusqlite::Result<Result<User, ManageError>> {
    let table = &sql.table;
    let columns = schema::columns(connection, &table.table)?;
    let max = schema::column(&columns, &table.login)
        .map_or(usize::MAX, |column| longest_name(sql.login, &column.declared));
    if user.username.is_empty() || user.username.chars().count() > max {
        return Ok(Err(ManageError::BadUsername { max }));
    }
    let Some(key) = sql.login.parse_login(&user.username) else {
        return Ok(Err(ManageError::of_name(table, &user.username)));
    };
    let mut filled = Vec::new();
    let mut unknown = Vec::new();
    for column in &columns {
        match field_of(table, sql.key, &column.name, user, at).map(stored) {
            Some(_) if column.name.eq_ignore_ascii_case(&table.login) => {
                filled.push((quoted(&column.name), value_of(&key)));
            }
            Some(value) => filled.push((quoted(&column.name), value)),
            None if column.must_be_filled() => unknown.push(column.name.clone()),
            None => {}
        }
    }
    if !unknown.is_empty() {
        let table = table.table.clone();
        return Ok(Err(ManageError::UnknownColumns { table, columns: unknown }));
    }
    let (names, values): (Vec<_>, Vec<_>) = filled.into_iter().unzip();
    let insert = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quoted(&table.table),
        names.join(", "),
        vec!["?"; names.len()].join(", "),
    );
    match connection.execute(&insert, params_from_iter(values)) {
        Ok(_) => {}
        Err(error) if is_duplicate(&error) => {
            return Ok(Err(ManageError::AlreadyExists { username: user.username.clone() }));
        }
        Err(error) => return Err(error),
    }
    match sql.all(connection, &sql.by_login, &key)?.into_iter().next() {
        Some(found) => Ok(Ok(found.user)),
        None => Err(rusqlite::Error::QueryReturnedNoRows),
    }
}

fn is_duplicate(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|error| error.extended_code),
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
    )
}

fn value_of(key: &Key) -> Value {
    match key {
        Key::Integer(number) => Value::Integer(*number),
        // No column here can hold it.
        Key::Unsigned(_) => Value::Null,
        Key::Text(text) => Value::Text(text.clone()),
    }
}

/// Returns the value as Django's SQLite backend stores it.
fn stored(field: Field) -> Value {
    match field {
        Field::Text(text) => Value::Text(text),
        Field::Flag(flag) => Value::Integer(flag.into()),
        Field::Uuid(digits) => Value::Text(digits),
        Field::Time(at) => Value::Text(text(at)),
    }
}
