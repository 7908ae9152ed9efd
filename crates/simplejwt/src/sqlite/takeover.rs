//! Tells Django about the tables that were created here.

use rusqlite::{Connection, params};

use super::SqliteDatabase;
use super::datetime::text;
use super::migrate::{is_missing, is_recorded};
use super::schema;
use crate::clock::Timestamp;
use crate::sql::django::{CONTENT_TYPES, OLD_COLUMN, migrations, named};
use crate::sql::sample::MADE_USERS;
use crate::sql::schema::SchemaError;
use crate::sql::table::UserTable;

const MAKE_CONTENT_TYPES: &str = r#"
CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL);
CREATE UNIQUE INDEX "django_content_type_app_label_model_76bd3d3b_uniq" ON "django_content_type" ("app_label", "model");"#;
const MAKE_RECORD: &str = r#"
CREATE TABLE IF NOT EXISTS "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL)"#;
const TELL: &str = "INSERT INTO django_migrations (app, name, applied) SELECT ?1, ?2, ?3 \
    WHERE NOT EXISTS (SELECT 1 FROM django_migrations WHERE app = ?1 AND name = ?2)";

/// Tells Django's `migrate` what [`apply`](super::migrate::apply) created, so that it continues
/// from there: creates the table of content types and `django_migrations`, and records in the
/// latter which migrations are done. Returns those that weren't in it. Includes those of
/// `token_blacklist` only with `blacklist`.
///
/// Call it after [`apply`](super::migrate::apply). It may be called again; nothing is done twice.
/// Either all of it is done, or nothing.
///
/// # Errors
/// [`SchemaError::DjangosOwn`] if the users' table wasn't created here; others if the database
/// fails.
pub async fn for_django(
    database: &SqliteDatabase,
    users: &UserTable,
    blacklist: bool,
    at: Timestamp,
) -> Result<Vec<String>, SchemaError> {
    let table = users.table.clone();
    let tell = move |connection: &Connection| {
        if table != "auth_user" || !is_recorded(connection, MADE_USERS)? {
            return Ok(Err(SchemaError::DjangosOwn { table: table.clone() }));
        }
        if is_missing(connection, CONTENT_TYPES)? {
            connection.execute_batch(MAKE_CONTENT_TYPES)?;
        }
        let columns = schema::columns(connection, CONTENT_TYPES)?;
        if schema::column(&columns, OLD_COLUMN).is_some() {
            let sql = format!("ALTER TABLE {CONTENT_TYPES} DROP COLUMN {OLD_COLUMN}");
            connection.execute(&sql, ())?;
        }
        connection.execute_batch(MAKE_RECORD)?;
        let mut told = Vec::new();
        for (app, name) in migrations(blacklist) {
            if connection.execute(TELL, params![app, name, text(at)])? > 0 {
                told.push(named(app, name));
            }
        }
        Ok(Ok(told))
    };
    database.write("migrate", tell).await?
}
