//! Tells Django about the tables that were created here.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, params};

use super::database::changed;
use super::database::{Failure, attempt, begin, commit};
use super::datetime::datetime;
use super::migrate::{LIMIT, is_recorded, lock, repeatable, unlock};
use super::{MysqlDatabase, schema};
use crate::clock::Timestamp;
use crate::sql::django::{CONTENT_TYPES, OLD_COLUMN, migrations, named};
use crate::sql::sample::MADE_USERS;
use crate::sql::schema::SchemaError;
use crate::sql::table::{UserTable, backticked};

const MAKE_CONTENT_TYPES: &str = "\
    CREATE TABLE IF NOT EXISTS `django_content_type` \
    (`id` integer AUTO_INCREMENT NOT NULL PRIMARY KEY, `app_label` varchar(100) NOT NULL, \
    `model` varchar(100) NOT NULL, UNIQUE KEY \
    `django_content_type_app_label_model_76bd3d3b_uniq` (`app_label`, `model`)) ENGINE=InnoDB";
const MAKE_RECORD: &str = "\
    CREATE TABLE IF NOT EXISTS `django_migrations` \
    (`id` bigint AUTO_INCREMENT NOT NULL PRIMARY KEY, `app` varchar(255) NOT NULL, \
    `name` varchar(255) NOT NULL, `applied` datetime(6) NOT NULL) ENGINE=InnoDB";
const TELL: &str = "\
    INSERT INTO django_migrations (app, name, applied) SELECT :app, :name, :at FROM DUAL \
    WHERE NOT EXISTS (SELECT 1 FROM django_migrations WHERE app = :app AND name = :name)";

/// Tells Django's `migrate` what [`apply`](super::migrate::apply) created, so that it continues
/// from there: creates the table of content types and `django_migrations`, and records in the
/// latter which migrations are done. Returns those that weren't in it. Includes those of
/// `token_blacklist` only with `blacklist`.
///
/// Call it after [`apply`](super::migrate::apply). It may be called again, and by several processes
/// at once; nothing is done twice. Either all rows are written, or none.
///
/// # Errors
/// [`SchemaError::DjangosOwn`] if the users' table wasn't created here; others if the database
/// fails.
pub async fn for_django(
    database: &MysqlDatabase,
    users: &UserTable,
    blacklist: bool,
    at: Timestamp,
) -> Result<Vec<String>, SchemaError> {
    let outcome = attempt!(database.attempts_within("migrate", LIMIT), |conn| async {
        lock(conn).await?;
        let outcome = tell(conn, users, blacklist, at).await;
        unlock(conn).await?;
        repeatable(outcome)
    });
    outcome.unwrap_or_else(|error| Err(SchemaError::Unmade(Box::new(error))))
}

async fn tell(
    conn: &mut Conn,
    users: &UserTable,
    blacklist: bool,
    at: Timestamp,
) -> Result<Vec<String>, SchemaError> {
    if users.table != "auth_user" || !is_recorded(conn, MADE_USERS).await? {
        return Err(SchemaError::DjangosOwn { table: users.table.clone() });
    }
    for statement in [MAKE_CONTENT_TYPES, MAKE_RECORD] {
        conn.query_drop(statement).await.map_err(Failure::from)?;
    }
    let columns = schema::columns(conn, CONTENT_TYPES).await?;
    if schema::find(&columns, OLD_COLUMN).is_some() {
        let (table, column) = (backticked(CONTENT_TYPES), backticked(OLD_COLUMN));
        let statement = format!("ALTER TABLE {table} DROP COLUMN {column}");
        conn.query_drop(statement).await.map_err(Failure::from)?;
    }
    let mut told = Vec::new();
    begin(conn).await?;
    for (app, name) in migrations(blacklist) {
        let values = params! { "app" => app, "name" => name, "at" => datetime(at) };
        if changed(conn, TELL, values).await? > 0 {
            told.push(named(app, name));
        }
    }
    commit(conn).await?;
    Ok(told)
}
