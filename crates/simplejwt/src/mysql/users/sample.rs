//! A sample of the table's password hashes.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Params, Row, Value, params};

use super::value_text;
use crate::mysql::database::{Failure, column};
use crate::mysql::schema;
use crate::sql::sample::{
    AT_EACH_POINT, DJANGOS_RECORD, MADE_USERS, NEWEST, OLDEST, OUR_RECORD, Rows, points,
};
use crate::sql::table::{UserTable, backticked};
use crate::users::login::PasswordSample;

pub(super) async fn take(conn: &mut Conn, table: &UserTable) -> Result<PasswordSample, Failure> {
    let (name, key) = (backticked(&table.table), backticked(&table.primary_key));
    let select = format!("SELECT {key}, {} FROM {name}", backticked(&table.password));
    let newest = format!("{select} ORDER BY {key} DESC LIMIT {NEWEST}");
    let oldest = format!("{select} ORDER BY {key} LIMIT {OLDEST}");
    let mut rows = Rows::default();
    let newest = read(conn, &newest, Params::Empty, &mut rows).await?;
    let oldest = read(conn, &oldest, Params::Empty, &mut rows).await?;
    if let (Some(oldest), Some(newest)) = (oldest, newest) {
        let from = format!("{select} WHERE {key} >= :point ORDER BY {key} LIMIT {AT_EACH_POINT}");
        for point in points(&oldest, &newest) {
            let point = match point.parse::<i64>() {
                Ok(number) => Value::Int(number),
                Err(_) => Value::from(point),
            };
            read(conn, &from, params! { "point" => point }, &mut rows).await?;
        }
    }
    let made_here = match made_here(conn, table).await {
        // A table that this account may not read is somebody else's.
        Err(Failure::Mysql(Error::Server(error))) if error.code == 1142 => false,
        answered => answered?,
    };
    Ok(rows.into_sample(made_here))
}

/// Returns the key of the first row that the statement finds.
async fn read(
    conn: &mut Conn,
    statement: &str,
    values: Params,
    rows: &mut Rows,
) -> Result<Option<String>, Failure> {
    let found: Vec<Row> = conn.exec(statement, values).await?;
    let mut first = None;
    for row in &found {
        let at = |at: usize| value_text(row.as_ref(at).ok_or(Failure::Shape)?);
        let key = at(0)?;
        first.get_or_insert_with(|| key.clone());
        rows.add(key, at(1)?);
    }
    Ok(first)
}

/// Returns `true` if `migrate` created the table, and Django hasn't migrated the database.
async fn made_here(conn: &mut Conn, table: &UserTable) -> Result<bool, Failure> {
    if table.table != "auth_user" || schema::columns(conn, OUR_RECORD).await?.is_empty() {
        return Ok(false);
    }
    let made = format!("SELECT 1 FROM {OUR_RECORD} WHERE name = '{MADE_USERS}'");
    if !any(conn, &made).await? {
        return Ok(false);
    }
    let has_djangos = !schema::columns(conn, DJANGOS_RECORD).await?.is_empty();
    let django = format!("SELECT 1 FROM {DJANGOS_RECORD} LIMIT 1");
    Ok(!(has_djangos && any(conn, &django).await?))
}

async fn any(conn: &mut Conn, statement: &str) -> Result<bool, Failure> {
    let row: Option<Row> = conn.query_first(statement).await?;
    row.map(|row| column::<i64>(&row, 0)).transpose().map(|found| found.is_some())
}
