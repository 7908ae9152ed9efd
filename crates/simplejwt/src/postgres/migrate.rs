//! Creates the missing tables, and leaves existing ones as they are.
//!
//! The tables decide, not a list of what has been run: see
//! [`sqlite::migrate`](crate::sqlite::migrate).

use std::time::Duration;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::{PostgresDatabase, may_migrate, schema};
use crate::clock::Timestamp;
use crate::sql::sample::MADE_USERS;
use crate::sql::schema::{
    BLACKLISTED, COUNTERS, EXPIRES_AT_INDEX, OUTSTANDING, SESSION_ROWS, SESSION_TABLES,
    SIGNING_KEYS, SchemaError, Step, Table, only_of, unreferable,
};
use crate::sql::table::{UserTable, quoted, relation};

pub use super::takeover::for_django;

const AUTH_USER_TABLE: &str = "auth_user";
const AUTH_USER: &str = include_str!("../../migrations/postgres/0001_auth_user.sql");
const OUTSTANDING_TOKEN: &str =
    include_str!("../../migrations/postgres/0002_outstanding_token.sql");
const BLACKLISTED_TOKEN: &str =
    include_str!("../../migrations/postgres/0003_blacklisted_token.sql");
const AUTH_PERMISSION: &str = include_str!("../../migrations/postgres/0004_auth_permission.sql");
const AUTH_PERMISSION_TABLE: &str = "auth_permission";
const SESSION: &str = include_str!("../../migrations/postgres/0005_session.sql");
const EXPIRES_AT: &str = include_str!("../../migrations/postgres/0006_expires_at.sql");
const REFRESH_SESSION: &str = include_str!("../../migrations/postgres/0007_refresh_session.sql");
const SIGNING_KEY: &str = include_str!("../../migrations/postgres/0008_signing_key.sql");
const THROTTLE: &str = include_str!("../../migrations/postgres/0009_throttle.sql");
/// The clauses of 0002 that depend on the users' table.
const USER_COLUMN: &str = "\"user_id\" integer NULL";
const USER_REFERENCE: &str = "REFERENCES \"auth_user\" (\"id\")";

pub(super) const RECORD_NAME: &str = "simplejwt_migrations";
const RECORD_TABLE: &str = "CREATE TABLE IF NOT EXISTS simplejwt_migrations (\
    name varchar(64) NOT NULL PRIMARY KEY, applied_at timestamp with time zone NOT NULL)";
const RECORD: &str = "INSERT INTO simplejwt_migrations (name, applied_at) VALUES ($1, $2) \
    ON CONFLICT (name) DO UPDATE SET applied_at = excluded.applied_at";
const IS_RECORDED: &str = "SELECT EXISTS (SELECT 1 FROM simplejwt_migrations WHERE name = $1)";
/// Any number that nobody else locks: one migration at a time.
///
/// Polled rather than waited for: a waiting statement has a snapshot, for which CREATE INDEX
/// CONCURRENTLY in the other process would wait in turn.
const LOCK: &str = "SELECT pg_try_advisory_xact_lock(7341653)";
const LOCK_INTERVAL: Duration = Duration::from_millis(50);
/// Idle for as long as an index takes, at a level at which an idle transaction has no snapshot.
const LOCKING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SET LOCAL idle_in_transaction_session_timeout = 0; \
    SELECT set_config('transaction_timeout', '0', true) \
    WHERE current_setting('transaction_timeout', true) IS NOT NULL";

/// Returns what [`apply`] would do; nothing if everything exists.
///
/// # Errors
/// [`SchemaError`] if a table has the name but not the columns of one that is needed, if a custom
/// user table is missing, or if the database can't be read.
pub async fn plan(
    database: &PostgresDatabase,
    users: &UserTable,
) -> Result<Vec<Step>, SchemaError> {
    let client = database.alone(None).await?;
    steps(&client, users).await
}

/// Creates what is missing, and returns what it did. `at` is the current time.
///
/// May be run by any number of processes at once. The tables are created by one transaction, all or
/// none; the purge's index is built afterwards, without blocking writes.
///
/// # Errors
/// As for [`plan`], and if the database can't be written.
pub async fn apply(
    database: &PostgresDatabase,
    users: &UserTable,
    at: Timestamp,
) -> Result<Vec<Step>, SchemaError> {
    let lock = lock(database).await?;
    let mut client = database.alone(None).await?;
    let applied = apply_locked(&mut client, users, at).await;
    // The lock ends with the connection, too.
    let _ = lock.batch_execute("COMMIT").await;
    applied
}

/// Returns the connection whose transaction keeps others from migrating: behind a pooler, a
/// session's lock would be somebody else's.
pub(super) async fn lock(database: &PostgresDatabase) -> Result<Client, SchemaError> {
    let client = database.alone(None).await?;
    loop {
        client.batch_execute(LOCKING).await?;
        // By the simple protocol: a portal would keep its snapshot until the end of the
        // transaction.
        if client.simple_query(LOCK).await?.iter().any(is_true) {
            return Ok(client);
        }
        client.batch_execute("ROLLBACK").await?;
        tokio::time::sleep(LOCK_INTERVAL).await;
    }
}

fn is_true(message: &SimpleQueryMessage) -> bool {
    matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"))
}

/// Returns `true` if it was created here.
pub(super) async fn is_recorded(client: &Client, name: &str) -> Result<bool, SchemaError> {
    let found = schema::table(client, RECORD_NAME, RECORD_NAME).await?;
    if found.columns.is_empty() {
        return Ok(false);
    }
    Ok(client.query_one(IS_RECORDED, &[&name]).await?.try_get(0)?)
}

async fn apply_locked(
    client: &mut Client,
    users: &UserTable,
    at: Timestamp,
) -> Result<Vec<Step>, SchemaError> {
    let steps = steps(client, users).await?;
    if steps.is_empty() {
        return Ok(steps);
    }
    may_migrate::check(client, &steps).await?;
    let now = super::tokens::moment(at);
    let (alone, together): (Vec<_>, Vec<_>) =
        steps.iter().partition(|step| step.table == EXPIRES_AT_INDEX);
    let transaction = client.transaction().await?;
    transaction.batch_execute(RECORD_TABLE).await?;
    for step in together {
        transaction.batch_execute(&step.sql).await?;
        transaction.execute(RECORD, &[&step.name, &now]).await?;
    }
    transaction.commit().await?;
    for step in alone {
        if schema::index(client, EXPIRES_AT_INDEX).await? == Some(false) {
            let drop = format!("DROP INDEX CONCURRENTLY {}", quoted(EXPIRES_AT_INDEX));
            client.batch_execute(&drop).await?;
        }
        client.batch_execute(&step.sql).await?;
        client.execute(RECORD, &[&step.name, &now]).await?;
    }
    Ok(steps)
}

async fn steps(client: &Client, users: &UserTable) -> Result<Vec<Step>, SchemaError> {
    users.validate()?;
    let users = &schema::resolved(client, users).await?;
    let table = async |name: &str| schema::table(client, name, &users.table).await;
    let mut steps = Vec::new();
    let found = table(&users.table).await?;
    let makes_users = found.columns.is_empty() && users.table == AUTH_USER_TABLE;
    let key_type = if makes_users {
        check_django_columns(users)?;
        let sql = AUTH_USER.to_owned();
        steps.push(Step { name: MADE_USERS, table: AUTH_USER_TABLE, sql });
        "integer".to_owned()
    } else {
        if let Err(error) = schema::check_users(client, users).await {
            return Err(schema::with_tables(client, error).await);
        }
        found.column(&users.primary_key).map_or_else(String::new, |key| key.declared.clone())
    };
    let outstanding = table(OUTSTANDING).await?;
    if outstanding.columns.is_empty() {
        let (owner, key) = users.owner();
        let reference = format!("REFERENCES {} ({})", relation(owner), quoted(key));
        // Nothing can refer to a view.
        let can_refer = makes_users || schema::is_table(client, &users.table).await?;
        if can_refer && !makes_users && !found.unique.contains(&users.primary_key) {
            return Err(unreferable(users));
        }
        let sql: String = OUTSTANDING_TOKEN
            .split_inclusive('\n')
            .filter(|line| can_refer || !line.contains(USER_REFERENCE))
            .collect();
        let sql = sql
            .replace(USER_COLUMN, &format!("\"user_id\" {key_type} NULL"))
            .replace(USER_REFERENCE, &reference);
        steps.push(Step { name: "0002_outstanding_token", table: OUTSTANDING, sql });
    } else {
        schema::check_outstanding(client, users).await?;
    }
    let blacklisted = table(BLACKLISTED).await?;
    if blacklisted.columns.is_empty() {
        let sql = BLACKLISTED_TOKEN.to_owned();
        steps.push(Step { name: "0003_blacklisted_token", table: BLACKLISTED, sql });
    } else {
        blacklisted.check_blacklisted()?;
    }
    if makes_users && table(AUTH_PERMISSION_TABLE).await?.columns.is_empty() {
        let sql = AUTH_PERMISSION.to_owned();
        steps.push(Step { name: "0004_auth_permission", table: AUTH_PERMISSION_TABLE, sql });
    }
    let mut missing = Vec::new();
    for (name, wanted) in SESSION_TABLES {
        let found = table(name).await?;
        match found.columns.is_empty() {
            true => missing.push(*name),
            false => found.require(name, wanted.iter().copied())?,
        }
    }
    if let Some(table) = missing.first() {
        steps.push(Step { name: "0005_session", table, sql: only_of(SESSION, &missing) });
    }
    if schema::index(client, EXPIRES_AT_INDEX).await? != Some(true) {
        let sql = EXPIRES_AT.to_owned();
        steps.push(Step { name: "0006_expires_at", table: EXPIRES_AT_INDEX, sql });
    }
    for (name, (own, wanted), sql) in [
        ("0007_refresh_session", SESSION_ROWS, REFRESH_SESSION),
        ("0008_signing_key", SIGNING_KEYS, SIGNING_KEY),
        ("0009_throttle", COUNTERS, THROTTLE),
    ] {
        let found = table(own).await?;
        match found.columns.is_empty() {
            true => steps.push(Step { name, table: own, sql: sql.to_owned() }),
            false => found.require(own, wanted.iter().copied())?,
        }
    }
    Ok(steps)
}

/// Checks that the table that will be created has the named columns.
fn check_django_columns(users: &UserTable) -> Result<(), SchemaError> {
    let names = AUTH_USER.split('"').skip(1).step_by(2).skip(1);
    let column = |name: &str| crate::sql::schema::Column {
        name: name.to_owned(),
        declared: String::new(),
        kind: String::new(),
        not_null: false,
        has_default: false,
    };
    let django = Table { columns: names.map(column).collect(), ..Table::default() };
    django.require(&users.table, users.every_column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clauses_that_are_replaced_are_in_the_file() {
        assert_eq!(OUTSTANDING_TOKEN.matches(USER_COLUMN).count(), 1);
        assert_eq!(OUTSTANDING_TOKEN.matches(USER_REFERENCE).count(), 1);
    }

    #[test]
    fn the_columns_of_auth_user_are_read_out_of_its_statement() {
        assert!(check_django_columns(&UserTable::default()).is_ok());
        let wrong = UserTable { login: "mail".into(), ..UserTable::default() };
        let error = check_django_columns(&wrong).unwrap_err();
        assert!(matches!(error, SchemaError::MissingColumn { column, .. } if column == "mail"));
    }
}
