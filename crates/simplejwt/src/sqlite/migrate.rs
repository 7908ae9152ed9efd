//! Creates the missing tables, and leaves existing ones as they are.
//!
//! The file's tables decide, not a list of what has been run: tables that Django created are used
//! as they are, and Django's own `django_migrations` is neither read nor written. What is created
//! here is what Django's migrations create. A file in which something was created gets a table
//! `simplejwt_migrations` that records what and when; Django ignores it.

use rusqlite::{Connection, params};

use super::SqliteDatabase;
use super::datetime::text;
use super::schema;
use crate::clock::Timestamp;
use crate::sql::sample::MADE_USERS;
use crate::sql::schema::{
    BLACKLISTED, COUNTERS, Column, EXPIRES_AT_INDEX, OUTSTANDING, SESSION_ROWS, SESSION_TABLES,
    SIGNING_KEYS, SchemaError, Step, only_of, unreferable,
};
use crate::sql::table::{UserTable, quoted};

pub use super::takeover::for_django;

const AUTH_USER_TABLE: &str = "auth_user";
const AUTH_USER: &str = include_str!("../../migrations/sqlite/0001_auth_user.sql");
const OUTSTANDING_TOKEN: &str = include_str!("../../migrations/sqlite/0002_outstanding_token.sql");
const BLACKLISTED_TOKEN: &str = include_str!("../../migrations/sqlite/0003_blacklisted_token.sql");
const AUTH_PERMISSION: &str = include_str!("../../migrations/sqlite/0004_auth_permission.sql");
const AUTH_PERMISSION_TABLE: &str = "auth_permission";
const SESSION: &str = include_str!("../../migrations/sqlite/0005_session.sql");
const EXPIRES_AT: &str = include_str!("../../migrations/sqlite/0006_expires_at.sql");
const REFRESH_SESSION: &str = include_str!("../../migrations/sqlite/0007_refresh_session.sql");
const SIGNING_KEY: &str = include_str!("../../migrations/sqlite/0008_signing_key.sql");
const THROTTLE: &str = include_str!("../../migrations/sqlite/0009_throttle.sql");
/// The clause of 0002 that depends on the users' table.
const USER_KEY: &str = r#""user_id" integer NULL REFERENCES "auth_user" ("id")"#;

const RECORD_TABLE: &str = "CREATE TABLE IF NOT EXISTS simplejwt_migrations (\
    name text NOT NULL PRIMARY KEY, applied_at datetime NOT NULL)";
const RECORD_NAME: &str = "simplejwt_migrations";
const RECORD: &str = "INSERT INTO simplejwt_migrations (name, applied_at) VALUES (?1, ?2) \
    ON CONFLICT (name) DO UPDATE SET applied_at = excluded.applied_at";

/// Returns what [`apply`] would do; nothing if all tables exist.
///
/// # Errors
/// [`SchemaError`] if a table has the name but not the columns of one that is needed, if a custom
/// user table is missing, or if the database can't be read.
pub fn plan(database: &SqliteDatabase, users: &UserTable) -> Result<Vec<Step>, SchemaError> {
    database.read("plan", |connection| Ok(steps(connection, users)))?
}

/// Creates the missing tables, all or none, and returns what it did. `at` is the current time.
///
/// May be run by any number of processes at once.
///
/// # Errors
/// As for [`plan`], and if the database can't be written. Nothing has been changed then.
pub async fn apply(
    database: &SqliteDatabase,
    users: &UserTable,
    at: Timestamp,
) -> Result<Vec<Step>, SchemaError> {
    let users = users.clone();
    let migrate = move |connection: &Connection| {
        // Planned again with the lock held: another process may have been quicker.
        let steps = match steps(connection, &users) {
            Ok(steps) => steps,
            Err(error) => return Ok(Err(error)),
        };
        for step in &steps {
            connection.execute_batch(&step.sql)?;
        }
        if !steps.is_empty() {
            connection.execute(RECORD_TABLE, ())?;
        }
        for step in &steps {
            connection.execute(RECORD, params![step.name, text(at)])?;
        }
        Ok(Ok(steps))
    };
    database.write("migrate", migrate).await?
}

fn steps(connection: &Connection, users: &UserTable) -> Result<Vec<Step>, SchemaError> {
    users.validate()?;
    let users = &schema::resolved(connection, users)?;
    let mut steps = Vec::new();
    let makes_users = is_missing(connection, &users.table)? && users.table == AUTH_USER_TABLE;
    let key_type = if makes_users {
        check_django_columns(users)?;
        steps.push(Step { name: MADE_USERS, table: AUTH_USER_TABLE, sql: AUTH_USER.to_owned() });
        "integer".to_owned()
    } else {
        schema::check_users(connection, users)?;
        let columns = schema::columns(connection, &users.table)?;
        schema::column(&columns, &users.primary_key).map_or_else(String::new, type_of)
    };
    if is_missing(connection, OUTSTANDING)? {
        // Rows that refer to a view can't be written.
        let is_view = schema::is_view(connection, &users.table)?;
        if !makes_users
            && !is_view
            && !schema::is_unique(connection, &users.table, &users.primary_key)?
        {
            return Err(unreferable(users));
        }
        let reference = match is_view {
            true => String::new(),
            false => {
                let (table, key) = users.owner();
                format!(" REFERENCES {} ({})", quoted(table), quoted(key))
            }
        };
        let clause = format!("\"user_id\" {key_type} NULL{reference}");
        steps.push(Step {
            name: "0002_outstanding_token",
            table: OUTSTANDING,
            sql: OUTSTANDING_TOKEN.replace(USER_KEY, &clause),
        });
    } else {
        schema::check_outstanding(connection, users)?;
    }
    if is_missing(connection, BLACKLISTED)? {
        steps.push(Step {
            name: "0003_blacklisted_token",
            table: BLACKLISTED,
            sql: BLACKLISTED_TOKEN.to_owned(),
        });
    } else {
        schema::check_blacklisted(connection)?;
    }
    if makes_users && is_missing(connection, AUTH_PERMISSION_TABLE)? {
        steps.push(Step {
            name: "0004_auth_permission",
            table: AUTH_PERMISSION_TABLE,
            sql: AUTH_PERMISSION.to_owned(),
        });
    }
    let mut missing = Vec::new();
    for (name, wanted) in SESSION_TABLES {
        match is_missing(connection, name)? {
            true => missing.push(*name),
            false => drop(schema::table(connection, name, wanted.iter().copied())?),
        }
    }
    if let Some(table) = missing.first() {
        steps.push(Step { name: "0005_session", table, sql: only_of(SESSION, &missing) });
    }
    if !schema::has_index(connection, EXPIRES_AT_INDEX)? {
        let sql = EXPIRES_AT.to_owned();
        steps.push(Step { name: "0006_expires_at", table: EXPIRES_AT_INDEX, sql });
    }
    for (name, (table, wanted), sql) in [
        ("0007_refresh_session", SESSION_ROWS, REFRESH_SESSION),
        ("0008_signing_key", SIGNING_KEYS, SIGNING_KEY),
        ("0009_throttle", COUNTERS, THROTTLE),
    ] {
        match is_missing(connection, table)? {
            true => steps.push(Step { name, table, sql: sql.to_owned() }),
            false => drop(schema::table(connection, table, wanted.iter().copied())?),
        }
    }
    Ok(steps)
}

/// Returns `true` if it was created here.
pub(super) fn is_recorded(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    if is_missing(connection, RECORD_NAME)? {
        return Ok(false);
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM simplejwt_migrations WHERE name = ?1)";
    connection.query_row(sql, [name], |row| row.get(0))
}

pub(super) fn is_missing(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    Ok(schema::columns(connection, table)?.is_empty())
}

/// Checks that the table that will be created has the named columns.
fn check_django_columns(users: &UserTable) -> Result<(), SchemaError> {
    let quoted_names = AUTH_USER.split('"').skip(1).step_by(2).skip(1);
    let django: Vec<String> = quoted_names.map(str::to_owned).collect();
    match users.every_column().find(|column| !django.iter().any(|name| name == column)) {
        Some(column) => Err(SchemaError::MissingColumn {
            table: users.table.clone(),
            column: column.to_owned(),
            found: django,
        }),
        None => Ok(()),
    }
}

/// Returns the declared type if it can be repeated: SQLite accepts nearly any text as one.
fn type_of(column: &Column) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '(' | ')' | ',');
    if column.declared.chars().all(plain) { column.declared.clone() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clause_that_is_replaced_is_in_the_file() {
        assert_eq!(OUTSTANDING_TOKEN.matches(USER_KEY).count(), 1);
    }

    #[test]
    fn the_columns_of_auth_user_are_read_out_of_its_statement() {
        assert!(check_django_columns(&UserTable::default()).is_ok());
        let by_email = UserTable { login: "email".into(), ..UserTable::default() };
        assert!(check_django_columns(&by_email).is_ok());
        for wrong in ["mail", "auth_user", ""] {
            let table = UserTable { login: wrong.into(), ..UserTable::default() };
            let error = check_django_columns(&table).unwrap_err();
            assert!(matches!(error, SchemaError::MissingColumn { column, .. } if column == wrong));
        }
    }
}
