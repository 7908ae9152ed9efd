//! A sample of the table's password hashes.

use deadpool_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::postgres::encoding::Text;
use crate::sql::sample::{
    AT_EACH_POINT, DJANGOS_RECORD, MADE_USERS, NEWEST, OLDEST, OUR_RECORD, Rows, points,
};
use crate::sql::table::{UserTable, quoted, relation};
use crate::users::login::PasswordSample;

pub(super) async fn take(
    client: &Client,
    table: &UserTable,
) -> Result<PasswordSample, tokio_postgres::Error> {
    let name = relation(&table.table);
    // Qualified by the table: ORDER BY would take the bare name for the first column, which is
    // text.
    let key = format!("{name}.{}", quoted(&table.primary_key));
    let select = format!(
        "SELECT {key}::text, {}::text, pg_typeof({key})::text FROM {name}",
        quoted(&table.password)
    );
    let newest = format!("{select} ORDER BY {key} DESC LIMIT {NEWEST}");
    let oldest = format!("{select} ORDER BY {key} LIMIT {OLDEST}");
    let mut rows = Rows::default();
    let newest = read(client, &newest, &[], &mut rows).await?;
    let oldest = read(client, &oldest, &[], &mut rows).await?;
    if let (Some((oldest, key_type)), Some((newest, _))) = (oldest, newest) {
        let from = format!(
            "{select} WHERE {key} >= CAST($1::text AS {key_type}) ORDER BY {key} \
             LIMIT {AT_EACH_POINT}"
        );
        for point in points(&oldest, &newest) {
            read(client, &from, &[&point], &mut rows).await?;
        }
    }
    let made_here = match made_here(client, table).await {
        // A table that this role may not read is somebody else's.
        Err(error) if error.as_db_error().is_some() => false,
        answered => answered?,
    };
    Ok(rows.into_sample(made_here))
}

/// Returns the key of the first row that the statement finds, and its type.
async fn read(
    client: &Client,
    statement: &str,
    values: &[&(dyn ToSql + Sync)],
    rows: &mut Rows,
) -> Result<Option<(String, String)>, tokio_postgres::Error> {
    let statement = client.prepare_cached(statement).await?;
    let mut first = None;
    for row in client.query(&statement, values).await? {
        let Text(key) = row.try_get(0)?;
        if first.is_none() {
            first = Some((key.clone(), row.try_get(2)?));
        }
        rows.add(key, row.try_get::<_, Option<Text>>(1)?.map(|hash| hash.0).unwrap_or_default());
    }
    Ok(first)
}

/// Returns `true` if `migrate` created the table, and Django hasn't migrated the database.
async fn made_here(client: &Client, table: &UserTable) -> Result<bool, tokio_postgres::Error> {
    let exists = async |name: &str| {
        let found = client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&name]).await?;
        found.try_get::<_, bool>(0)
    };
    let any =
        async |statement: String| client.query_one(&statement, &[]).await?.try_get::<_, bool>(0);
    if table.table != "auth_user" || !exists(OUR_RECORD).await? {
        return Ok(false);
    }
    let made = format!("SELECT EXISTS (SELECT 1 FROM {OUR_RECORD} WHERE name = '{MADE_USERS}')");
    if !any(made).await? {
        return Ok(false);
    }
    let by_django = exists(DJANGOS_RECORD).await?
        && any(format!("SELECT EXISTS (SELECT 1 FROM {DJANGOS_RECORD})")).await?;
    Ok(!by_django)
}
