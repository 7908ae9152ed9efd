//! The tables of a PostgreSQL database, from its catalogue: those that the search path finds.

use tokio_postgres::Client;

use super::tokens::PgResult;
use crate::sql::column::{ColumnType, Dialect, LOOKED_AT, UserColumns};
use crate::sql::schema::{
    BLACKLISTED, Column, FoundBy, OUTSTANDING, SESSION_ROWS, SESSION_TABLES, SchemaError, Table,
    ambiguous, doubled, or_inherited,
};
use crate::sql::table::{UserTable, quoted, relation};

/// Includes a domain's base type, also through other domains.
const COLUMNS: &str = "\
    SELECT attname::text, format_type(atttypid, atttypmod), attnotnull, \
    atthasdef OR attidentity <> '', coalesce((WITH RECURSIVE base (oid, typmod) AS (\
    SELECT typbasetype, typtypmod FROM pg_type WHERE oid = atttypid AND typtype = 'd' \
    UNION ALL SELECT t.typbasetype, t.typtypmod FROM base JOIN pg_type AS t ON t.oid = base.oid \
    WHERE t.typtype = 'd') SELECT format_type(base.oid, base.typmod) FROM base \
    JOIN pg_type AS t ON t.oid = base.oid WHERE t.typtype <> 'd'), \
    format_type(atttypid, atttypmod)) FROM pg_attribute \
    WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
/// Selects whether the relation could have a unique index, and whether it has one on this column
/// alone, over all rows. A check deferred to the end of the transaction is enough. An index with
/// another collation than the column's doesn't count if the latter considers different texts equal.
const UNIQUE_USERS: &str = "\
    SELECT c.relkind IN ('r', 'p'), EXISTS (SELECT 1 FROM pg_index AS i \
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
    LEFT JOIN pg_collation AS o ON o.oid = a.attcollation \
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL \
    AND i.indnkeyatts = 1 AND a.attname = $2 \
    AND (coalesce(o.collisdeterministic, true) OR i.indcollation[0] = a.attcollation)) \
    FROM pg_class AS c WHERE c.oid = to_regclass($1::text)";
const IS_TABLE: &str =
    "SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = to_regclass($1::text)";
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
const IS_THERE_AT_ALL: &str = "SELECT to_regclass(quote_ident($1)) IS NOT NULL";
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

/// Returns a table's description; one without columns doesn't exist.
pub(crate) async fn table(
    client: &Client,
    name: &str,
    users: &str,
) -> Result<Table, tokio_postgres::Error> {
    let quoted_name = relation(name);
    let columns = client.query(COLUMNS, &[&quoted_name]).await?;
    let unique = client.query(UNIQUE, &[&quoted_name]).await?;
    let refers = client.query(REFERS, &[&quoted_name, &relation(users)]).await?;
    let column = |row: &tokio_postgres::Row| {
        Ok(Column {
            name: row.try_get(0)?,
            declared: row.try_get(1)?,
            not_null: row.try_get(2)?,
            has_default: row.try_get(3)?,
            kind: row.try_get(4)?,
        })
    };
    let refer = |row: &tokio_postgres::Row| {
        // The catalogue quotes names; ours is compared as it is.
        let same = row.try_get::<_, Option<bool>>(1)?.unwrap_or(false);
        Ok((row.try_get(0)?, if same { users.to_owned() } else { row.try_get(2)? }))
    };
    Ok(Table {
        columns: columns.iter().map(column).collect::<Result<_, tokio_postgres::Error>>()?,
        unique: unique.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
        refers: refers.iter().map(refer).collect::<Result<_, tokio_postgres::Error>>()?,
    })
}

/// Adds the existing tables to an error.
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

/// Returns `true` if the index of this name can be used; `None` if there is none.
pub(crate) async fn index(
    client: &Client,
    name: &str,
) -> Result<Option<bool>, tokio_postgres::Error> {
    let row = client.query_opt(INDEX, &[&relation(name)]).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// A column's type in SQL, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyType {
    pub(crate) kind: ColumnType,
    /// The type that a parameter is cast to for comparison with the column.
    pub(crate) cast: String,
}

impl KeyType {
    fn of(kind: ColumnType, columns: &UserColumns, name: &str) -> Self {
        let declared = columns.column(name).map_or("", |column| column.kind.as_str());
        let cast = match kind {
            ColumnType::Integer { .. } => "bigint",
            ColumnType::Uuid if declared == "uuid" => "uuid",
            // Padded with blanks, which only its own type ignores.
            _ if declared.starts_with("character(") => "bpchar",
            _ if declared.ends_with("citext") => declared,
            ColumnType::Uuid | ColumnType::Text => "text",
        };
        Self { kind, cast: cast.to_owned() }
    }
}

/// The columns of the users' table, with the types in which its keys are compared.
pub(crate) struct Checked {
    pub(crate) user_id: KeyType,
    pub(crate) key: KeyType,
    pub(crate) login: KeyType,
    pub(crate) columns: UserColumns,
}

/// Returns the users' table with its name as [`relation`] takes it, and the one that inherits from
/// it if the users are in two. A table with a full stop in its name takes precedence over one with
/// a schema before it.
pub(crate) async fn resolved(client: &Client, users: &UserTable) -> PgResult<UserTable> {
    let users = located(client, users).await?;
    let named = table(client, &users.table, &users.table).await?;
    let (child, found) = match named.pointer() {
        Some((pointer, _)) if !named.has_logins(&users) => {
            let pointer = pointer.to_owned();
            (users.table.clone(), Some((pointer, named)))
        }
        _ => {
            let tokens = table(client, OUTSTANDING, &users.table).await?;
            let Some(owner) = tokens.other_users(&users.table).map(unquoted) else {
                return Ok(users);
            };
            let found = table(client, &owner, &users.table).await?;
            let pointer = found.pointer().filter(|(_, parent)| *parent == users.table);
            let pointer = pointer.map(|(pointer, _)| pointer.to_owned());
            (owner, pointer.map(|pointer| (pointer, found)))
        }
    };
    let Some((pointer, found)) = found else { return Ok(users) };
    let parent = found.parent().map(unquoted).unwrap_or_default();
    let of_parent = table(client, &parent, &parent).await?.columns;
    Ok(users.inheriting(&parent, &child, &pointer, &of_parent, &found.columns))
}

/// Returns a name from the catalogue, which quotes if necessary, as [`relation`] takes it.
fn unquoted(name: &str) -> String {
    let (mut parts, mut part, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                part.push('"');
            }
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
    }
    parts.push(part);
    parts.join("\".\"")
}

/// Returns the columns of users, including those of the table that inherits.
pub(crate) async fn columns_of(client: &Client, users: &UserTable) -> PgResult<Vec<Column>> {
    let mut found = table(client, &users.table, &users.table).await?.columns;
    if let Some(child) = &users.child {
        let further = table(client, &child.table, &child.table).await?.columns.into_iter();
        found.extend(further.filter(|column| users.is_childs(&column.name)));
    }
    Ok(found)
}

async fn located(client: &Client, users: &UserTable) -> PgResult<UserTable> {
    const IS_THERE: &str = "\
        SELECT EXISTS (SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
        WHERE n.nspname = $1 AND c.relname = $2)";
    let name = users.table.as_str();
    // As in SQL.
    let bare = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let bare = bare.filter(|name| name.contains("\".\"")).unwrap_or(name);
    let table = match bare.split_once('.') {
        Some((schema, table)) if !bare.contains('"') => {
            let is_whole: bool = client.query_one(IS_THERE_AT_ALL, &[&bare]).await?.try_get(0)?;
            let row = client.query_one(IS_THERE, &[&schema, &table]).await?;
            match !is_whole && row.try_get::<_, bool>(0)? {
                true => format!("{schema}\".\"{table}"),
                false => name.to_owned(),
            }
        }
        _ => bare.to_owned(),
    };
    Ok(UserTable { table, ..users.clone() })
}

/// Checks that the users' table has the named columns; returns what they hold.
pub(crate) async fn check_users(
    client: &Client,
    users: &UserTable,
) -> Result<Checked, SchemaError> {
    users.validate()?;
    let found = table(client, &users.table, &users.table).await?;
    let own = users.every_column().filter(|column| !users.is_childs(column));
    let complete = found.require(&users.table, own);
    complete.map_err(|error| or_inherited(error, &found))?;
    let found = columns_of(client, users).await?;
    let mut columns = UserColumns::of(users, found, Dialect::Strict)?;
    for name in columns.guessed(users) {
        let (column, table) = (quoted(&name), relation(&users.table));
        let sql = format!(
            "SELECT {column}::text FROM {table} WHERE {column} IS NOT NULL LIMIT {LOOKED_AT}"
        );
        let rows = client.query(&sql, &[]).await?;
        let values = rows.iter().map(|row| row.try_get(0)).collect::<PgResult<Vec<String>>>()?;
        columns.correct(users, &name, &values);
    }
    Ok(Checked {
        user_id: KeyType::of(columns.user_id, &columns, users.user_id_column()),
        key: KeyType::of(columns.key, &columns, &users.primary_key),
        login: KeyType::of(columns.login, &columns, &users.login),
        columns,
    })
}

/// Returns `true` for a table, to which foreign keys can refer: not a view or a foreign table.
pub(super) async fn is_table(client: &Client, name: &str) -> PgResult<bool> {
    let row = client.query_opt(IS_TABLE, &[&relation(name)]).await?;
    row.map_or(Ok(false), |row| row.try_get(0))
}

/// Checks that no two users can have the same value in a column that they are found by. A view
/// can't guarantee that, so its rows are checked.
pub(crate) async fn check_unique(
    client: &Client,
    users: &UserTable,
    found_by: &[FoundBy<'_>],
) -> Result<(), SchemaError> {
    let name = relation(&users.table);
    for by in found_by {
        let row = client.query_one(UNIQUE_USERS, &[&name, &by.0]).await?;
        let (is_table, is_unique): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
        if is_unique {
            continue;
        }
        if is_table {
            return Err(ambiguous(users, *by));
        }
        let column = quoted(by.0);
        let twice = format!(
            "SELECT 1 FROM {name} WHERE {column} IS NOT NULL GROUP BY {column} \
             HAVING count(*) > 1 LIMIT 1"
        );
        if client.query_opt(&twice, &[]).await?.is_some() {
            return Err(doubled(users, *by));
        }
    }
    Ok(())
}

/// Checks that the table of registered tokens is Django's, for the users of this table.
pub(super) async fn check_outstanding(
    client: &Client,
    users: &UserTable,
) -> Result<Table, SchemaError> {
    let owner = users.owner().0;
    let outstanding = table(client, OUTSTANDING, owner).await?;
    if let Some(child) = outstanding.other_users(owner)
        && table(client, &unquoted(child), owner).await?.parent() == Some(owner)
    {
        let (child, parent) = (child.to_owned(), owner.to_owned());
        return Err(SchemaError::InheritedUsers { child, parent });
    }
    outstanding.check_outstanding(owner)?;
    Ok(outstanding)
}

/// Checks that both tables of tokens are Django's, for these users.
pub(crate) async fn check_tokens(
    client: &Client,
    users: &UserTable,
    columns: &UserColumns,
) -> Result<(), SchemaError> {
    let outstanding = check_outstanding(client, users).await?;
    columns.check_reference(users, outstanding.column("user_id"), Dialect::Strict)?;
    table(client, BLACKLISTED, &users.table).await?.check_blacklisted()
}

/// Checks that the tables of the sessions exist.
pub(crate) async fn check_sessions(client: &Client) -> Result<(), SchemaError> {
    for (name, wanted) in SESSION_TABLES {
        table(client, name, name).await?.require(name, wanted.iter().copied())?;
    }
    Ok(())
}

/// Checks that the table of sessions as one row each exists.
pub(crate) async fn check_session_rows(client: &Client) -> Result<(), SchemaError> {
    let (name, wanted) = SESSION_ROWS;
    table(client, name, name).await?.require(name, wanted.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_catalogue_are_taken_apart() {
        for (name, expected) in [
            ("shop_customer", "shop_customer"),
            ("accounts.\"user\"", "accounts\".\"user"),
            ("\"Shop\".\"a.b\"", "Shop\".\"a.b"),
            ("\"a\"\"b\"", "a\"b"),
        ] {
            assert_eq!(unquoted(name), expected);
        }
    }
}
