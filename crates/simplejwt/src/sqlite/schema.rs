//! The tables of a file, and checks that they are those that are needed.

use rusqlite::{Connection, OptionalExtension as _};

use crate::sql::column::{Dialect, LOOKED_AT, UserColumns};
use crate::sql::schema::{
    BLACKLISTED, Column, FoundBy, OUTSTANDING, SESSION_ROWS, SESSION_TABLES, SchemaError,
    ambiguous, doubled, has_logins,
};
use crate::sql::table::{UserTable, quoted};

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Box::new(error))
    }
}

/// Returns the columns of a table, including generated ones; empty if there is no such table.
pub(crate) fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\", \
         dflt_value IS NOT NULL OR hidden > 1 OR (pk > 0 AND lower(type) = 'integer') \
         FROM pragma_table_xinfo(?1) WHERE hidden <> 1",
    )?;
    let rows = statement.query_map([table], |row| {
        Ok(Column {
            name: row.get(0)?,
            declared: row.get(1)?,
            kind: row.get(1)?,
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

/// Returns the columns of a table, which has to have the wanted ones.
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

/// Finds a column by its name. SQLite's names ignore the case of ASCII letters.
pub(crate) fn column<'a>(columns: &'a [Column], name: &str) -> Option<&'a Column> {
    columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
}

/// Returns `true` if this column alone is the primary key or has a unique index over all rows. A
/// primary key that is the rowid has no index. SQLite's names ignore case.
pub(super) fn is_unique(
    connection: &Connection,
    table: &str,
    column: &str,
) -> rusqlite::Result<bool> {
    connection
        .prepare(
            "SELECT 1 FROM pragma_index_list(?1) AS i WHERE i.\"unique\" AND NOT i.partial \
             AND (SELECT count(*) = 1 AND max(name) = ?2 COLLATE NOCASE \
             FROM pragma_index_info(i.name)) \
             UNION ALL SELECT 1 FROM (SELECT count(*) AS n, max(name) AS name \
             FROM pragma_table_info(?1) WHERE pk > 0) WHERE n = 1 AND name = ?2 COLLATE NOCASE",
        )?
        .exists([table, column])
}

/// Returns `true` if there is a view of this name.
pub(super) fn is_view(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE")?
        .exists([name])
}

/// Checks that no two users can have the same value in a column that they are found by. A view
/// can't guarantee that, so its rows are checked.
pub(crate) fn check_unique(
    connection: &Connection,
    users: &UserTable,
    found_by: &[FoundBy<'_>],
) -> Result<(), SchemaError> {
    for by in found_by {
        if is_unique(connection, &users.table, by.0)? {
            continue;
        }
        if !is_view(connection, &users.table)? {
            return Err(ambiguous(users, *by));
        }
        let (table, column) = (quoted(&users.table), quoted(by.0));
        let twice = format!(
            "SELECT 1 FROM {table} WHERE {column} IS NOT NULL GROUP BY {column} \
             HAVING count(*) > 1 LIMIT 1"
        );
        if connection.prepare(&twice)?.exists(())? {
            return Err(doubled(users, *by));
        }
    }
    Ok(())
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

/// Returns the table that another inherits from by Django's multi-table inheritance.
fn parent(connection: &Connection, table: &str) -> rusqlite::Result<Option<String>> {
    Ok(pointer(connection, table)?.map(|(_, parent)| parent))
}

/// Returns the column by which a table inherits from another, and that table.
fn pointer(connection: &Connection, table: &str) -> rusqlite::Result<Option<(String, String)>> {
    connection
        .prepare(
            "SELECT \"from\", \"table\" FROM pragma_foreign_key_list(?1) \
             WHERE \"from\" LIKE '%\\_ptr\\_id' ESCAPE '\\'",
        )?
        .query_row([table], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Returns the users' table, with the one that inherits from it if the users are in two.
pub(crate) fn resolved(connection: &Connection, users: &UserTable) -> rusqlite::Result<UserTable> {
    let named = users.table.as_str();
    let (child, found) = match pointer(connection, named)? {
        Some(found) if !has_logins(users, &columns(connection, named)?) => {
            (named.to_owned(), Some(found))
        }
        _ => {
            let owner = refers_to(connection)?.into_iter().next().unwrap_or_default();
            let found = pointer(connection, &owner)?;
            (owner, found.filter(|(_, parent)| parent.eq_ignore_ascii_case(named)))
        }
    };
    let Some((pointer, parent)) = found else { return Ok(users.clone()) };
    let of_parent = columns(connection, &parent)?;
    let of_child = columns(connection, &child)?;
    Ok(users.inheriting(&parent, &child, &pointer, &of_parent, &of_child))
}

/// Returns the tables that registered tokens refer to as their users'.
fn refers_to(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT \"table\" FROM pragma_foreign_key_list(?1) WHERE \"from\" = 'user_id'")?
        .query_map([OUTSTANDING], |row| row.get::<_, String>(0))?
        .collect()
}

/// Returns the columns of users, including those of the table that inherits.
pub(crate) fn columns_of(
    connection: &Connection,
    users: &UserTable,
) -> rusqlite::Result<Vec<Column>> {
    let mut found = columns(connection, &users.table)?;
    if let Some(child) = &users.child {
        let further = columns(connection, &child.table)?.into_iter();
        found.extend(further.filter(|column| users.is_childs(&column.name)));
    }
    Ok(found)
}

/// Checks that the table of registered tokens is Django's, for the users of this table.
pub(crate) fn check_outstanding(
    connection: &Connection,
    users: &UserTable,
) -> Result<(), SchemaError> {
    let wanted = ["token", "created_at", "expires_at", "user_id", "jti", "id"];
    token_table(connection, OUTSTANDING, &wanted, "jti")?;
    let owner = users.owner().0;
    match refers_to(connection)?.into_iter().find(|table| !table.eq_ignore_ascii_case(owner)) {
        Some(child) if parent(connection, &child)?.as_ref() == Some(&users.table) => {
            Err(SchemaError::InheritedUsers { child, parent: users.table.clone() })
        }
        Some(refers_to) => Err(SchemaError::OtherUsers { refers_to, users: users.table.clone() }),
        None => Ok(()),
    }
}

/// Checks that the blacklist is Django's.
pub(crate) fn check_blacklisted(connection: &Connection) -> Result<(), SchemaError> {
    token_table(connection, BLACKLISTED, &["blacklisted_at", "token_id", "id"], "token_id")
}

/// Checks that both tables of tokens are Django's, for these users.
pub(crate) fn check_tokens(
    connection: &Connection,
    users: &UserTable,
    user_columns: &UserColumns,
) -> Result<(), SchemaError> {
    check_outstanding(connection, users)?;
    let columns = columns(connection, OUTSTANDING)?;
    user_columns.check_reference(users, column(&columns, "user_id"), Dialect::Sqlite)?;
    check_blacklisted(connection)
}

/// Checks that the tables of the sessions exist.
pub(crate) fn check_sessions(connection: &Connection) -> Result<(), SchemaError> {
    for (name, wanted) in SESSION_TABLES {
        table(connection, name, wanted.iter().copied())?;
    }
    Ok(())
}

/// Checks that the table of sessions as one row each exists.
pub(crate) fn check_session_rows(connection: &Connection) -> Result<(), SchemaError> {
    let (name, wanted) = SESSION_ROWS;
    table(connection, name, wanted.iter().copied()).map(drop)
}

/// Returns `true` if there is an index of this name.
pub(crate) fn has_index(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?1")?
        .exists([name])
}

/// Checks that the users' table has the named columns; returns what they hold.
pub(crate) fn check_users(
    connection: &Connection,
    users: &UserTable,
) -> Result<UserColumns, SchemaError> {
    users.validate()?;
    let own = users.every_column().filter(|column| !users.is_childs(column));
    let found = match table(connection, &users.table, own) {
        Err(error @ SchemaError::MissingColumn { .. }) => {
            return Err(match parent(connection, &users.table)? {
                Some(parent) => SchemaError::InheritedUsers { child: users.table.clone(), parent },
                None => error,
            });
        }
        found => found.map(drop).and_then(|()| Ok(columns_of(connection, users)?))?,
    };
    let mut columns = UserColumns::of(users, found, Dialect::Sqlite)?;
    for name in columns.guessed(users) {
        let (column, table) = (quoted(&name), quoted(&users.table));
        let sql = format!(
            "SELECT CAST({column} AS text) FROM {table} WHERE {column} IS NOT NULL \
             LIMIT {LOOKED_AT}"
        );
        let mut statement = connection.prepare(&sql)?;
        let values = statement.query_map((), |row| row.get(0))?.collect::<Result<Vec<_>, _>>()?;
        columns.correct(users, &name, &values);
    }
    Ok(columns)
}
