//! A sample of the table's password hashes.

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::value_text;
use crate::sql::sample::{
    AT_EACH_POINT, DJANGOS_RECORD, MADE_USERS, NEWEST, OLDEST, OUR_RECORD, Rows, points,
};
use crate::sql::table::{UserTable, quoted};
use crate::sqlite::schema;
use crate::users::login::PasswordSample;

pub(super) fn take(connection: &Connection, table: &UserTable) -> rusqlite::Result<PasswordSample> {
    let key = quoted(&table.primary_key);
    let select = format!("SELECT {key}, {} FROM {}", quoted(&table.password), quoted(&table.table));
    let mut rows = Rows::default();
    let mut read = |rest: &str, limit: u32, from: Option<Value>| {
        let mut statement = connection.prepare_cached(&format!("{select} {rest} LIMIT ?1"))?;
        let mut found = match from {
            Some(from) => statement.query(params![limit, from])?,
            None => statement.query([limit])?,
        };
        let mut first = None;
        while let Some(row) = found.next()? {
            let key = value_text(row.get_ref(0)?);
            first.get_or_insert_with(|| key.clone());
            rows.add(key, value_text(row.get_ref(1)?));
        }
        Ok::<_, rusqlite::Error>(first)
    };
    let newest = read(&format!("ORDER BY {key} DESC"), NEWEST, None)?;
    let oldest = read(&format!("ORDER BY {key}"), OLDEST, None)?;
    if let (Some(oldest), Some(newest)) = (oldest, newest) {
        for point in points(&oldest, &newest) {
            let point = point.parse().map_or(Value::Text(point), Value::Integer);
            read(&format!("WHERE {key} >= ?2 ORDER BY {key}"), AT_EACH_POINT, Some(point))?;
        }
    }
    Ok(rows.into_sample(made_here(connection, table)?))
}

/// Returns `true` if `migrate` created the table, and Django hasn't migrated the file.
fn made_here(connection: &Connection, table: &UserTable) -> rusqlite::Result<bool> {
    let has =
        |table: &str| Ok::<_, rusqlite::Error>(!schema::columns(connection, table)?.is_empty());
    if table.table != "auth_user" || !has(OUR_RECORD)? {
        return Ok(false);
    }
    let made = format!("SELECT count(*) FROM {OUR_RECORD} WHERE name = ?1");
    let made: i64 = connection.query_row(&made, [MADE_USERS], |row| row.get(0))?;
    if made == 0 || !has(DJANGOS_RECORD)? {
        return Ok(made > 0);
    }
    let django = format!("SELECT EXISTS (SELECT 1 FROM {DJANGOS_RECORD})");
    connection.query_row(&django, (), |row| row.get::<_, bool>(0)).map(|django| !django)
}
