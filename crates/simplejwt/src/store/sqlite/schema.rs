//! What tables a file has, and whether they are the ones that are needed.

use rusqlite::Connection;

use crate::store::schema::{BLACKLISTED, Column, OUTSTANDING, SESSION_TABLES, SchemaError};
use crate::users::fields::{Field, fields};
use crate::users::table::{KeyKind, UserTable};

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Box::new(error))
    }
}

/// The columns of a table; empty where there is none of that name.
pub(crate) fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\", \
         dflt_value IS NOT NULL OR (pk > 0 AND lower(type) = 'integer') \
         FROM pragma_table_info(?1)",
    )?;
    let rows = statement.query_map([table], |row| {
        Ok(Column {
            name: row.get(0)?,
            declared: row.get(1)?,
            not_null: row.get(2)?,
            has_default: row.get(3)?,
        })
    })?;
    rows.collect()
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' \
         ESCAPE '\\' ORDER BY name",
    )?;
    statement.query_map((), |row| row.get(0))?.collect()
}

/// The columns of a table that has at least the wanted ones.
pub(crate) fn table<'a>(
    connection: &Connection,
    table: &str,
    wanted: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Column>, SchemaError> {
    let found = columns(connection, table)?;
    if found.is_empty() {
        return Err(SchemaError::MissingTable {
            table: table.to_owned(),
            near: tables(connection)?,
        });
    }
    for name in wanted {
        if column(&found, name).is_none() {
            return Err(SchemaError::MissingColumn {
                table: table.to_owned(),
                column: name.to_owned(),
                found: found.into_iter().map(|column| column.name).collect(),
            });
        }
    }
    Ok(found)
}

/// SQLite's names ignore the case of ASCII letters.
pub(crate) fn column<'a>(columns: &'a [Column], name: &str) -> Option<&'a Column> {
    columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
}

/// Whether a unique index that covers all rows is on this column alone, or it is the primary key.
fn is_unique(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<bool> {
    connection
        .prepare(
            "SELECT 1 FROM pragma_index_list(?1) AS i WHERE i.\"unique\" AND NOT i.partial \
             AND (SELECT group_concat(name) FROM pragma_index_info(i.name)) = ?2",
        )?
        .exists([table, column])
}

fn token_table(
    connection: &Connection,
    name: &str,
    wanted: &[&str],
    unique: &str,
) -> Result<(), SchemaError> {
    let found = table(connection, name, wanted.iter().copied())?;
    if let Some(foreign) = found
        .iter()
        .find(|column| column.must_be_filled() && !wanted.contains(&column.name.as_str()))
    {
        return Err(SchemaError::ForeignColumn {
            table: name.to_owned(),
            column: foreign.name.clone(),
        });
    }
    if !is_unique(connection, name, unique)? {
        return Err(SchemaError::NotUnique { table: name.to_owned(), column: unique.to_owned() });
    }
    Ok(())
}

/// Whether the table of registered tokens is Django's, for the users of this table.
pub(crate) fn check_outstanding(
    connection: &Connection,
    users: &UserTable,
) -> Result<(), SchemaError> {
    let wanted = ["token", "created_at", "expires_at", "user_id", "jti", "id"];
    token_table(connection, OUTSTANDING, &wanted, "jti")?;
    let refers_to = connection
        .prepare("SELECT \"table\" FROM pragma_foreign_key_list(?1) WHERE \"from\" = 'user_id'")?
        .query_map([OUTSTANDING], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    match refers_to.into_iter().find(|table| !table.eq_ignore_ascii_case(&users.table)) {
        Some(refers_to) => Err(SchemaError::OtherUsers { refers_to, users: users.table.clone() }),
        None => Ok(()),
    }
}

/// Whether the blacklist is Django's.
pub(crate) fn check_blacklisted(connection: &Connection) -> Result<(), SchemaError> {
    token_table(connection, BLACKLISTED, &["blacklisted_at", "token_id", "id"], "token_id")
}

/// Whether both tables of tokens are Django's.
pub(crate) fn check_tokens(connection: &Connection, users: &UserTable) -> Result<(), SchemaError> {
    check_outstanding(connection, users)?;
    check_blacklisted(connection)
}

/// Whether the tables of the sessions are there.
pub(crate) fn check_sessions(connection: &Connection) -> Result<(), SchemaError> {
    for (name, wanted) in SESSION_TABLES {
        table(connection, name, wanted.iter().copied())?;
    }
    Ok(())
}

/// Whether an index with this name is there.
pub(crate) fn has_index(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?1")?
        .exists([name])
}

/// Whether the table of users has the columns that are named; what `USER_ID_FIELD` and the
/// further columns hold.
pub(crate) fn check_users(
    connection: &Connection,
    users: &UserTable,
) -> Result<(KeyKind, Vec<Field>), SchemaError> {
    users.validate()?;
    let found = table(connection, &users.table, users.every_column())?;
    let declared = column(&found, users.user_id_column()).map_or("", |column| &column.declared);
    Ok((users.user_id_kind(declared), fields(users, &found)?))
}
