//! What tables a PostgreSQL database has, by its catalogue; those that the search path finds.

use tokio_postgres::Client;

use crate::store::schema::{BLACKLISTED, Column, OUTSTANDING, SESSION_TABLES, SchemaError, Table};
use crate::users::fields::{Field, fields};
use crate::users::table::{KeyKind, UserTable, quoted};

const COLUMNS: &str = "\
    SELECT attname::text, format_type(atttypid, atttypmod), attnotnull, \
    atthasdef OR attidentity <> '' FROM pg_attribute \
    WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
const UNIQUE: &str = "\
    SELECT a.attname::text FROM pg_index AS i \
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
    WHERE i.indrelid = to_regclass($1::text) AND i.indisunique AND i.indisvalid AND i.indimmediate \
    AND i.indpred IS NULL AND i.indnkeyatts = 1";
const REFERS: &str = "\
    SELECT a.attname::text, c.confrelid = to_regclass($2::text), c.confrelid::regclass::text \
    FROM pg_constraint AS c \
    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
    WHERE c.contype = 'f' AND c.conrelid = to_regclass($1::text)";
const TABLES: &str = "\
    SELECT tablename::text FROM pg_tables WHERE schemaname = ANY (current_schemas(false)) \
    ORDER BY tablename";
const INDEX: &str = "\
    SELECT i.indisvalid FROM pg_class AS c JOIN pg_index AS i ON i.indexrelid = c.oid \
    WHERE c.oid = to_regclass($1::text)";

impl From<tokio_postgres::Error> for SchemaError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(Box::new(error))
    }
}

/// What there is of this name; a table without columns isn't there.
pub(crate) async fn table(
    client: &Client,
    name: &str,
    users: &str,
) -> Result<Table, tokio_postgres::Error> {
    let quoted_name = quoted(name);
    let columns = client.query(COLUMNS, &[&quoted_name]).await?;
    let unique = client.query(UNIQUE, &[&quoted_name]).await?;
    let refers = client.query(REFERS, &[&quoted_name, &quoted(users)]).await?;
    let column = |row: &tokio_postgres::Row| {
        Ok(Column {
            name: row.try_get(0)?,
            declared: row.try_get(1)?,
            not_null: row.try_get(2)?,
            has_default: row.try_get(3)?,
        })
    };
    let refer = |row: &tokio_postgres::Row| {
        // The catalogue quotes names; ours is taken as it is.
        let same = row.try_get::<_, Option<bool>>(1)?.unwrap_or(false);
        Ok((row.try_get(0)?, if same { users.to_owned() } else { row.try_get(2)? }))
    };
    Ok(Table {
        columns: columns.iter().map(column).collect::<Result<_, tokio_postgres::Error>>()?,
        unique: unique.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
        refers: refers.iter().map(refer).collect::<Result<_, tokio_postgres::Error>>()?,
    })
}

/// The same error with the tables that there are.
pub(crate) async fn with_tables(client: &Client, error: SchemaError) -> SchemaError {
    let SchemaError::MissingTable { table, near } = error else { return error };
    match client.query(TABLES, &[]).await {
        Ok(rows) => {
            let near = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
            SchemaError::MissingTable { table, near }
        }
        Err(_) => SchemaError::MissingTable { table, near },
    }
}

/// Whether an index of this name is there and can be used; `None` where there is none.
pub(crate) async fn index(
    client: &Client,
    name: &str,
) -> Result<Option<bool>, tokio_postgres::Error> {
    let row = client.query_opt(INDEX, &[&quoted(name)]).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// A key's type in SQL, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyType {
    pub(crate) kind: KeyKind,
    /// What a parameter is cast to, to be compared with the column.
    pub(crate) cast: &'static str,
}

fn key_type(kind: KeyKind, declared: &str) -> KeyType {
    let cast = match kind {
        KeyKind::Integer => "bigint",
        KeyKind::Uuid if declared == "uuid" => "uuid",
        KeyKind::Text if declared == "citext" => "citext",
        KeyKind::Uuid | KeyKind::Text => "text",
    };
    KeyType { kind, cast }
}

/// Whether the table of users has the columns that are named; what `USER_ID_FIELD`, the primary
/// key and the further columns hold.
pub(crate) async fn check_users(
    client: &Client,
    users: &UserTable,
) -> Result<(KeyType, KeyType, Vec<Field>), SchemaError> {
    users.validate()?;
    let found = table(client, &users.table, &users.table).await?;
    found.require(&users.table, users.every_column())?;
    let declared = |name: &str| found.column(name).map_or("", |column| column.declared.as_str());
    let user_id = declared(users.user_id_column());
    Ok((
        key_type(users.user_id_kind(user_id), user_id),
        key_type(users.key, declared(&users.primary_key)),
        fields(users, &found.columns)?,
    ))
}

/// Whether both tables of tokens are Django's.
pub(crate) async fn check_tokens(client: &Client, users: &UserTable) -> Result<(), SchemaError> {
    table(client, OUTSTANDING, &users.table).await?.check_outstanding(&users.table)?;
    table(client, BLACKLISTED, &users.table).await?.check_blacklisted()
}

/// Whether the tables of the sessions are there.
pub(crate) async fn check_sessions(client: &Client) -> Result<(), SchemaError> {
    for (name, wanted) in SESSION_TABLES {
        table(client, name, name).await?.require(name, wanted.iter().copied())?;
    }
    Ok(())
}
