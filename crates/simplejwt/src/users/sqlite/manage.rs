//! Making and changing users: what the command line does.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, ffi, params, params_from_iter};

use super::{Sql, SqliteUsers};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::random;
use crate::store::sqlite::datetime::text;
use crate::store::sqlite::schema::{self, Column};
use crate::users::User;
use crate::users::login::LoginRows as _;
use crate::users::table::{KeyKind, UserTable, quoted};

/// A user to be made. `Debug` leaves the hash out.
#[derive(Clone, Default)]
pub struct NewUser {
    /// The login name.
    pub username: String,
    /// The e-mail address; its domain is stored in lower case, as Django does.
    pub email: String,
    /// The password's hash, of [`Hashers::encode`](crate::users::password::Hashers::encode) or
    /// [`unusable_password`](crate::users::password::unusable_password).
    pub password: String,
    /// May use Django's admin.
    pub is_staff: bool,
    /// Has every permission.
    pub is_superuser: bool,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser")
            .field("username", &self.username)
            .field("email", &self.email)
            .field("is_staff", &self.is_staff)
            .field("is_superuser", &self.is_superuser)
            .finish_non_exhaustive()
    }
}

/// Why a user couldn't be made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManageError {
    /// There is a user of that name (or with another value that is unique).
    #[error("there is a user \"{username}\" already")]
    AlreadyExists {
        /// The login name.
        username: String,
    },
    /// There is no user of that name.
    #[error("there is no user \"{username}\"")]
    NoSuchUser {
        /// The login name.
        username: String,
    },
    /// The login name is empty or longer than Django's column.
    #[error("a user's name has 1 to {max} characters")]
    BadUsername {
        /// The longest that the column takes.
        max: usize,
    },
    /// A custom user model has columns that only its application can fill.
    #[error(
        "the table \"{table}\" has columns that have to be filled and mean nothing here ({}): \
         make the user with your application",
        .columns.join(", ")
    )]
    UnknownColumns {
        /// The table.
        table: String,
        /// The columns.
        columns: Vec<String>,
    },
    /// The table has no such column, so that there is nothing to change.
    #[error("the table \"{table}\" has no column for that: no `{setting}` is configured")]
    NoColumn {
        /// The table.
        table: String,
        /// The field of the user table that names it.
        setting: &'static str,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SqliteUsers {
    /// Makes a user, active, who joined at `at`, which is the current time.
    ///
    /// In a custom user model's table it fills the columns that the table's description names
    /// and those named as in Django's `AbstractUser`.
    ///
    /// # Errors
    /// [`ManageError::AlreadyExists`], [`ManageError::BadUsername`],
    /// [`ManageError::UnknownColumns`], or the database's.
    pub async fn create_user(&self, user: NewUser, at: Timestamp) -> Result<User, ManageError> {
        let sql = Arc::clone(&self.sql);
        self.database
            .write("create_user", move |connection| create(connection, &sql, &user, at))
            .await?
    }

    /// Stores another password hash for the user of this name.
    ///
    /// # Errors
    /// [`ManageError::NoSuchUser`], or the database's.
    pub async fn set_password(&self, username: &str, hash: &str) -> Result<(), ManageError> {
        let statement = self.sql.set_password.clone();
        self.change("set_password", statement, username, Value::Text(hash.to_owned())).await
    }

    /// Makes the user of this name active or inactive.
    ///
    /// # Errors
    /// [`ManageError::NoSuchUser`], [`ManageError::NoColumn`], or the database's.
    pub async fn set_active(&self, username: &str, active: bool) -> Result<(), ManageError> {
        let Some(statement) = self.sql.set_active.clone() else {
            let table = self.sql.table.table.clone();
            return Err(ManageError::NoColumn { table, setting: "is_active" });
        };
        self.change("set_active", statement, username, Value::Integer(active.into())).await
    }

    /// The user of this name.
    ///
    /// # Errors
    /// The database's.
    pub async fn by_username(&self, username: &str) -> Result<Option<User>, StoreError> {
        Ok(self.by_login(username).await?.map(|found| found.user))
    }

    /// At most `limit` users by login name, from the one after `after` on.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.database.read("list", |connection| {
            connection
                .prepare_cached(&self.sql.page)?
                .query_map(params![after, limit], |row| Ok(self.sql.found(row)?.user))?
                .collect()
        })
    }

    async fn change(
        &self,
        operation: &'static str,
        statement: String,
        username: &str,
        value: Value,
    ) -> Result<(), ManageError> {
        let name = username.to_owned();
        let change = move |connection: &Connection| {
            connection.prepare_cached(&statement)?.execute(params![value, name])
        };
        match self.database.write(operation, change).await? {
            0 => Err(ManageError::NoSuchUser { username: username.to_owned() }),
            _ => Ok(()),
        }
    }
}

fn create(
    connection: &Connection,
    sql: &Sql,
    user: &NewUser,
    at: Timestamp,
) -> rusqlite::Result<Result<User, ManageError>> {
    let table = &sql.table;
    let columns = schema::columns(connection, &table.table)?;
    let max = schema::column(&columns, &table.login).map_or(usize::MAX, longest);
    if user.username.is_empty() || user.username.chars().count() > max {
        return Ok(Err(ManageError::BadUsername { max }));
    }
    let mut filled = Vec::new();
    let mut unknown = Vec::new();
    for column in &columns {
        match value_of(table, column, user, at) {
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
    match sql.one(connection, &sql.by_login, &user.username)? {
        Some(found) => Ok(Ok(found.user)),
        None => Err(rusqlite::Error::QueryReturnedNoRows),
    }
}

/// What goes into a column of a new user's row; `None` for what the database fills or nobody
/// here knows.
fn value_of(table: &UserTable, column: &Column, user: &NewUser, at: Timestamp) -> Option<Value> {
    let is = |name: &str| column.name.eq_ignore_ascii_case(name);
    let is_optional = |name: &Option<String>| name.as_deref().is_some_and(is);
    if is(&table.login) {
        Some(Value::Text(user.username.clone()))
    } else if is(&table.password) {
        Some(Value::Text(user.password.clone()))
    } else if is_optional(&table.is_active) {
        Some(Value::Integer(1))
    } else if is_optional(&table.is_staff) {
        Some(Value::Integer(user.is_staff.into()))
    } else if is_optional(&table.is_superuser) {
        Some(Value::Integer(user.is_superuser.into()))
    } else if is(&table.primary_key) {
        (table.key == KeyKind::Uuid).then(|| Value::Text(random::uuid4_hex()))
    } else if is("email") {
        Some(Value::Text(normalized(&user.email)))
    } else if is("first_name") || is("last_name") {
        Some(Value::Text(String::new()))
    } else if is("date_joined") {
        Some(Value::Text(text(at)))
    } else {
        None
    }
}

/// Django's `normalize_email`: the domain in lower case.
fn normalized(email: &str) -> String {
    match email.trim().rsplit_once('@') {
        Some((name, domain)) => format!("{name}@{}", domain.to_lowercase()),
        None => email.to_owned(),
    }
}

/// The length in a type such as `varchar(150)`, which SQLite itself doesn't enforce.
fn longest(column: &Column) -> usize {
    let length = column.declared.rsplit_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    length.and_then(|length| length.parse().ok()).unwrap_or(usize::MAX)
}

fn is_duplicate(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_extended_error_code(),
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_an_address_is_lower_case() {
        assert_eq!(normalized("Ann@Example.COM"), "Ann@example.com");
        assert_eq!(normalized(" a@b@C "), "a@b@c");
        assert_eq!(normalized("nothing"), "nothing");
        assert_eq!(normalized(""), "");
    }

    #[test]
    fn debug_shows_no_hash() {
        let user = NewUser { password: "topsecret".into(), ..NewUser::default() };
        assert!(!format!("{user:?}").contains("topsecret"));
    }
}
