//! What tables a file has, and whether they are the ones that are needed.

use std::error::Error as StdError;

use rusqlite::Connection;

use crate::error::StoreError;
use crate::users::table::{KeyKind, NameError, UserTable};

pub(crate) const OUTSTANDING: &str = "token_blacklist_outstandingtoken";
pub(crate) const BLACKLISTED: &str = "token_blacklist_blacklistedtoken";

/// Why the tables of a database can't be used as they are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A table isn't there.
    #[error("{}", missing_table(.table, .near))]
    MissingTable {
        /// The table.
        table: String,
        /// Tables there are.
        near: Vec<String>,
    },
    /// A column isn't there.
    #[error("the table \"{table}\" has no column \"{column}\"; it has {}", list(.found))]
    MissingColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The columns there are.
        found: Vec<String>,
    },
    /// Two rows could have the same value, so that nothing could decide a race.
    #[error("the column \"{column}\" of the table \"{table}\" isn't unique, as Django makes it")]
    NotUnique {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// There is a column that is never null, has no default, and isn't ours to fill.
    #[error(
        "the table \"{table}\" has a column \"{column}\" that Django's token_blacklist has not \
         and that can't be left empty: it belongs to something else"
    )]
    ForeignColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The tokens belong to the users of another table.
    #[error(
        "\"user_id\" of \"{OUTSTANDING}\" refers to the table \"{refers_to}\", but the users are \
         to be in \"{users}\": name {refers_to} as the users' table"
    )]
    OtherUsers {
        /// What the column refers to.
        refers_to: String,
        /// The table that the settings name.
        users: String,
    },
    /// A name in the settings that no table or column can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The database didn't answer.
    #[error("can't read the database's tables")]
    Database(#[source] Box<dyn StdError + Send + Sync>),
}

fn missing_table(table: &str, near: &[String]) -> String {
    let there = if near.is_empty() {
        "it has no tables at all".to_owned()
    } else {
        format!("it has {}", list(near))
    };
    format!(
        "the database has no table \"{table}\" ({there}): run `migrate`, or check the path and \
         the table's name"
    )
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(" and more");
    }
    text
}

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Box::new(error))
    }
}

impl From<StoreError> for SchemaError {
    fn from(error: StoreError) -> Self {
        Self::Database(Box::new(error))
    }
}

/// A column as `PRAGMA table_info` shows it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) declared: String,
    pub(crate) not_null: bool,
    pub(crate) has_default: bool,
    pub(crate) primary_key: bool,
}

impl Column {
    /// Whether an INSERT has to give it a value.
    pub(crate) fn must_be_filled(&self) -> bool {
        let rowid = self.primary_key && self.declared.eq_ignore_ascii_case("integer");
        self.not_null && !self.has_default && !rowid
    }
}

/// The columns of a table; empty where there is none of that name.
pub(crate) fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk > 0 FROM pragma_table_info(?1)",
    )?;
    let rows = statement.query_map([table], |row| {
        Ok(Column {
            name: row.get(0)?,
            declared: row.get(1)?,
            not_null: row.get(2)?,
            has_default: row.get(3)?,
            primary_key: row.get(4)?,
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

/// Whether the table of users has the columns that are named; what `USER_ID_FIELD` holds.
pub(crate) fn check_users(
    connection: &Connection,
    users: &UserTable,
) -> Result<KeyKind, SchemaError> {
    users.validate()?;
    let found = table(connection, &users.table, users.columns())?;
    let declared = column(&found, users.user_id_column()).map_or("", |column| &column.declared);
    Ok(users.user_id_kind(declared))
}
