//! Creates the missing tables, and leaves existing ones as they are.
//!
//! The database's tables decide, not a list of what has been run: tables that Django created are
//! used as they are, and Django's own `django_migrations` is neither read nor written. A database
//! in which something was created gets a table `simplejwt_migrations` that records what and when;
//! Django ignores it.
//!
//! MySQL commits after each statement that creates a table: the next run continues where an
//! interrupted one stopped. The lock that keeps other processes out is the server's, and a cluster
//! has several servers: if another node has created something in the meantime, that is no failure,
//! and the migration looks again.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Row, params};

use super::database::{Failure, attempt, column};
use super::datetime::datetime;
use super::schema::{self, exact_collation};
use super::{MysqlDatabase, may_migrate};
use crate::clock::Timestamp;
use crate::logging::with_causes;
use crate::sql::sample::MADE_USERS;
use crate::sql::schema::{
    BLACKLISTED, COUNTERS, EXPIRES_AT_INDEX, OUTSTANDING, SESSION_ROWS, SESSION_TABLES,
    SIGNING_KEYS, SchemaError, Step, unreferable,
};
use crate::sql::table::{UserTable, backticked};

pub use super::takeover::for_django;

const AUTH_USER_TABLE: &str = "auth_user";
const AUTH_USER: &str = include_str!("../../migrations/mysql/0001_auth_user.sql");
const OUTSTANDING_TOKEN: &str = include_str!("../../migrations/mysql/0002_outstanding_token.sql");
const BLACKLISTED_TOKEN: &str = include_str!("../../migrations/mysql/0003_blacklisted_token.sql");
const AUTH_PERMISSION: &str = include_str!("../../migrations/mysql/0004_auth_permission.sql");
/// The tables that 0004 creates.
const AUTH_TABLES: [&str; 5] = [
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
    "auth_user_groups",
    "auth_user_user_permissions",
];
const SESSION: &str = include_str!("../../migrations/mysql/0005_session.sql");
const EXPIRES_AT: &str = include_str!("../../migrations/mysql/0006_expires_at.sql");
const REFRESH_SESSION: &str = include_str!("../../migrations/mysql/0007_refresh_session.sql");
const SIGNING_KEY: &str = include_str!("../../migrations/mysql/0008_signing_key.sql");
const THROTTLE: &str = include_str!("../../migrations/mysql/0009_throttle.sql");
/// The clauses of 0002 that depend on the users' table.
const USER_KEY: &str = "`user_id` integer NULL";
const USER_CONSTRAINT: &str = ", CONSTRAINT `token_blacklist_outs_user_id_83bc629a_fk_auth_user` \
    FOREIGN KEY (`user_id`) REFERENCES `auth_user` (`id`)";
const USER_REFERENCE: &str = "REFERENCES `auth_user` (`id`)";
/// The collation in the files, which is MariaDB's.
const EXACT: &str = "utf8mb4_nopad_bin";

pub(super) const RECORD_TABLE: &str = "CREATE TABLE IF NOT EXISTS simplejwt_migrations (\
    name varchar(64) NOT NULL PRIMARY KEY, applied_at datetime(6) NOT NULL) ENGINE=InnoDB";
const RECORD: &str = "INSERT INTO simplejwt_migrations (name, applied_at) VALUES (:name, :at) \
    ON DUPLICATE KEY UPDATE applied_at = :at";
const IS_RECORDED: &str = "SELECT 1 FROM simplejwt_migrations WHERE name = :name";
pub(super) const RECORD_NAME: &str = "simplejwt_migrations";
/// The lock's name, in SQL. Locks belong to the server, not the database, hence its name in it.
const LOCK_NAME: &str = "CONCAT('simplejwt.', LEFT(SHA2(DATABASE(), 256), 32))";

/// An index on a big table takes a long time.
pub(super) const LIMIT: Duration = Duration::from_secs(6 * 3600);

/// Returns what [`apply`] would do; nothing if all tables exist.
///
/// # Errors
/// [`SchemaError`] if a table has the name but not the columns of one that is needed, if a custom
/// user table is missing, or if the database can't be read.
pub async fn plan(database: &MysqlDatabase, users: &UserTable) -> Result<Vec<Step>, SchemaError> {
    attempt!(database.attempts("plan"), |conn| async { Ok(steps(conn, users).await) })?
}

/// Creates the missing tables, and returns what this call did. `at` is the current time.
///
/// May be run by any number of processes at once, on any number of a cluster's nodes.
///
/// # Errors
/// As for [`plan`], and if the database can't be written. Whatever was created by then stays, and
/// another call continues from there.
pub async fn apply(
    database: &MysqlDatabase,
    users: &UserTable,
    at: Timestamp,
) -> Result<Vec<Step>, SchemaError> {
    let mut made = Vec::new();
    let outcome = attempt!(database.attempts_within("migrate", LIMIT), |conn| async {
        lock(conn).await?;
        let outcome = run(conn, users, at, &mut made).await;
        // The lock ends with the connection at the latest.
        unlock(conn).await?;
        repeatable(outcome)
    });
    match outcome {
        Ok(outcome) => outcome.map(|()| made),
        Err(error) => Err(SchemaError::Unmade(Box::new(error))),
    }
}

/// Takes the lock: one process at a time.
pub(super) async fn lock(conn: &mut Conn) -> Result<(), Failure> {
    let row: Option<Row> = conn.query_first(format!("SELECT GET_LOCK({LOCK_NAME}, 3600)")).await?;
    match row.map(|row| column::<Option<i64>>(&row, 0)).transpose()?.flatten() {
        Some(1) => Ok(()),
        _ => Err(Failure::Again),
    }
}

pub(super) async fn unlock(conn: &mut Conn) -> Result<(), Failure> {
    Ok(conn.query_drop(format!("DO RELEASE_LOCK({LOCK_NAME})")).await?)
}

/// Turns an error of the database into a failure that is retried if that helps; faults of the
/// tables remain as they are.
pub(super) fn repeatable<T>(
    outcome: Result<T, SchemaError>,
) -> Result<Result<T, SchemaError>, Failure> {
    let source = match outcome {
        Err(SchemaError::Database(source)) => source,
        other => return Ok(other),
    };
    match source.downcast::<Failure>() {
        Ok(failure) if is_of_another_process(&failure) => {
            tracing::info!(
                event = "migration_repeated",
                error = with_causes(&failure),
                "another process makes the tables, too: looking again"
            );
            Err(Failure::Again)
        }
        Ok(failure) => Err(*failure),
        Err(source) => Ok(Err(SchemaError::Database(source))),
    }
}

/// Returns `true` if something has appeared or vanished since a moment ago.
fn is_of_another_process(failure: &Failure) -> bool {
    let Failure::Mysql(Error::Server(error)) = failure else { return false };
    match error.code {
        // Table, column, index, foreign key, primary key's value; nothing to drop; a definition
        // that has changed.
        1050 | 1060 | 1061 | 1062 | 1091 | 1412 | 1615 | 1826 => true,
        // MariaDB's error for a foreign key whose name is taken.
        1005 => error.message.contains("121"),
        _ => false,
    }
}

async fn run(
    conn: &mut Conn,
    users: &UserTable,
    at: Timestamp,
    made: &mut Vec<Step>,
) -> Result<(), SchemaError> {
    // Planned with the lock held: another process may have been quicker.
    let steps = steps(conn, users).await?;
    if !steps.is_empty() {
        may_migrate::check(conn, &steps).await?;
        conn.query_drop(RECORD_TABLE).await.map_err(Failure::from)?;
    }
    for step in steps {
        // Recorded first: if it is interrupted, the next run creates it, and it is still ours.
        record(conn, step.name, at).await?;
        let mut is_made = false;
        for statement in statements(&step.sql) {
            conn.query_drop(statement).await.map_err(Failure::from)?;
            is_made |= makes(statement) && !was_there(conn).await?;
        }
        if is_made && !made.contains(&step) {
            made.push(step);
        }
    }
    Ok(())
}

/// Records that it was created here, and when.
pub(super) async fn record(conn: &mut Conn, name: &str, at: Timestamp) -> Result<(), Failure> {
    Ok(conn.exec_drop(RECORD, params! { "name" => name, "at" => datetime(at) }).await?)
}

/// Returns `true` if it was created here.
pub(super) async fn is_recorded(conn: &mut Conn, name: &str) -> Result<bool, Failure> {
    if is_missing(conn, RECORD_NAME).await? {
        return Ok(false);
    }
    super::database::exists(conn, IS_RECORDED, params! { "name" => name }).await
}

fn makes(statement: &str) -> bool {
    statement.starts_with("CREATE ") || statement.starts_with("ALTER ")
}

/// Returns `true` if the last statement found its table in existence.
async fn was_there(conn: &mut Conn) -> Result<bool, Failure> {
    const TABLE_EXISTS: i64 = 1050;
    if conn.get_warnings() == 0 {
        return Ok(false);
    }
    let rows: Vec<Row> = conn.query("SHOW WARNINGS").await?;
    for row in &rows {
        if column::<i64>(row, 1)? == TABLE_EXISTS {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the statements of a file, one a line.
pub(super) fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.lines().filter(|line| !line.is_empty() && !line.starts_with("--"))
}

async fn steps(conn: &mut Conn, users: &UserTable) -> Result<Vec<Step>, SchemaError> {
    users.validate()?;
    let users = &schema::resolved(conn, users).await?;
    let exact = exact_collation(conn).await?;
    let mut steps = Vec::new();
    let mut step = |name, table, sql: String| {
        steps.push(Step { name, table, sql: sql.replace(EXACT, &exact) });
    };
    let makes_users = is_missing(conn, &users.table).await? && users.table == AUTH_USER_TABLE;
    // Tables missing because of an interruption between this one and those of 0004 are still ours.
    let made_users =
        makes_users || (users.table == AUTH_USER_TABLE && is_recorded(conn, MADE_USERS).await?);
    let key_type = if makes_users {
        check_django_columns(users)?;
        step(MADE_USERS, AUTH_USER_TABLE, AUTH_USER.to_owned());
        "integer".to_owned()
    } else {
        schema::check_users(conn, users).await?;
        key_type(conn, users).await?
    };
    if is_missing(conn, OUTSTANDING).await? {
        let (table, key) = users.owner();
        let (table, key) = (backticked(table), backticked(key));
        // Nothing can refer to a view.
        let is_view = schema::is_view(conn, &users.table).await?;
        if !makes_users && !is_view && !schema::is_referable(conn, users).await? {
            return Err(unreferable(users));
        }
        let constraint = match is_view {
            true => String::new(),
            false => {
                USER_CONSTRAINT.replace(USER_REFERENCE, &format!("REFERENCES {table} ({key})"))
            }
        };
        let sql = OUTSTANDING_TOKEN
            .replace(USER_KEY, &format!("`user_id` {key_type} NULL"))
            .replace(USER_CONSTRAINT, &constraint);
        step("0002_outstanding_token", OUTSTANDING, sql);
    } else {
        schema::check_outstanding(conn, users).await?;
    }
    if is_missing(conn, BLACKLISTED).await? {
        step("0003_blacklisted_token", BLACKLISTED, BLACKLISTED_TOKEN.to_owned());
    } else {
        schema::check_blacklisted(conn).await?;
    }
    if made_users {
        for table in AUTH_TABLES {
            if is_missing(conn, table).await? {
                step("0004_auth_permission", AUTH_TABLES[0], AUTH_PERMISSION.to_owned());
                break;
            }
        }
    }
    let mut missing = None;
    for (table, wanted) in SESSION_TABLES {
        match schema::table(conn, table, wanted).await {
            Ok(_) => {}
            Err(SchemaError::MissingTable { .. }) => missing = missing.or(Some(*table)),
            Err(error) => return Err(error),
        }
    }
    if let Some(table) = missing {
        step("0005_session", table, SESSION.to_owned());
    }
    if !schema::has_index(conn, OUTSTANDING, EXPIRES_AT_INDEX).await? {
        step("0006_expires_at", EXPIRES_AT_INDEX, EXPIRES_AT.to_owned());
    }
    for (name, (table, wanted), sql) in [
        ("0007_refresh_session", SESSION_ROWS, REFRESH_SESSION),
        ("0008_signing_key", SIGNING_KEYS, SIGNING_KEY),
        ("0009_throttle", COUNTERS, THROTTLE),
    ] {
        match schema::table(conn, table, wanted).await {
            Ok(_) => {}
            Err(SchemaError::MissingTable { .. }) => step(name, table, sql.to_owned()),
            Err(error) => return Err(error),
        }
    }
    Ok(steps)
}

pub(super) async fn is_missing(conn: &mut Conn, table: &str) -> Result<bool, Failure> {
    Ok(schema::columns(conn, table).await?.is_empty())
}

/// Returns the type that a column needs to refer to the users' primary key.
async fn key_type(conn: &mut Conn, users: &UserTable) -> Result<String, Failure> {
    let columns = schema::columns(conn, &users.table).await?;
    let declared = schema::find(&columns, &users.primary_key).ok_or(Failure::Shape)?;
    let declared = declared.declared.clone();
    Ok(match schema::collation(conn, &users.table, &users.primary_key).await? {
        Some(schema::Collation { charset, name }) => {
            format!("{declared} CHARACTER SET {charset} COLLATE {name}")
        }
        None => declared,
    })
}

/// Checks that the table that will be created has the named columns.
fn check_django_columns(users: &UserTable) -> Result<(), SchemaError> {
    let names = AUTH_USER.split('`').skip(1).step_by(2).skip(1);
    let django: Vec<String> = names.map(str::to_owned).collect();
    match users.every_column().find(|column| !django.iter().any(|name| name == column)) {
        Some(column) => Err(SchemaError::MissingColumn {
            table: users.table.clone(),
            column: column.to_owned(),
            found: django,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clauses_that_are_replaced_are_in_the_file() {
        assert_eq!(OUTSTANDING_TOKEN.matches(USER_KEY).count(), 1);
        assert_eq!(OUTSTANDING_TOKEN.matches(USER_REFERENCE).count(), 1);
        assert_eq!(OUTSTANDING_TOKEN.matches(EXACT).count(), 1);
    }

    #[test]
    fn each_statement_has_a_line_of_its_own() {
        for (sql, count) in [
            (AUTH_USER, 1),
            (AUTH_PERMISSION, 7),
            (SESSION, 7),
            (EXPIRES_AT, 1),
            (REFRESH_SESSION, 1),
            (SIGNING_KEY, 1),
        ] {
            assert_eq!(statements(sql).count(), count);
            assert!(statements(sql).all(|statement| statement.ends_with(';')));
        }
    }

    #[test]
    fn the_columns_of_auth_user_are_read_out_of_its_statement() {
        assert!(check_django_columns(&UserTable::default()).is_ok());
        for wrong in ["mail", "auth_user", ""] {
            let table = UserTable { login: wrong.into(), ..UserTable::default() };
            let error = check_django_columns(&table).unwrap_err();
            assert!(matches!(error, SchemaError::MissingColumn { column, .. } if column == wrong));
        }
    }
}
