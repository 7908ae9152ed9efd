//! The tables of a database, and checks that they are those that are needed.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, params};

use super::database::{Failure, column};
use crate::sql::column::{Dialect, LOOKED_AT, UserColumns};
use crate::sql::schema::{
    BLACKLISTED, Column, FoundBy, OUTSTANDING, SESSION_ROWS, SESSION_TABLES, SchemaError,
    ambiguous, doubled, has_logins,
};
use crate::sql::table::{UserTable, backticked};

impl From<Failure> for SchemaError {
    fn from(failure: Failure) -> Self {
        Self::Database(Box::new(failure))
    }
}

const COLUMNS: &str = "\
    SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE = 'NO', \
    COLUMN_DEFAULT IS NOT NULL OR EXTRA LIKE '%auto_increment%' OR EXTRA LIKE '%GENERATED%', \
    CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLUMNS \
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :table ORDER BY ORDINAL_POSITION";

/// The charset and the collation of a column of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collation {
    pub(crate) charset: String,
    pub(crate) name: String,
}

/// Returns the columns of a table, and how their texts are compared.
pub(super) async fn described(
    conn: &mut Conn,
    table: &str,
) -> Result<Vec<(Column, Option<Collation>)>, Failure> {
    let rows: Vec<Row> = conn.exec(COLUMNS, params! { "table" => table }).await?;
    rows.iter()
        .map(|row| {
            let found = Column {
                name: column(row, 0)?,
                declared: column(row, 1)?,
                kind: column(row, 1)?,
                not_null: column(row, 2)?,
                has_default: column(row, 3)?,
            };
            let charset: Option<String> = column(row, 4)?;
            let name: Option<String> = column(row, 5)?;
            let collation = charset.zip(name).map(|(charset, name)| Collation { charset, name });
            Ok((found, collation))
        })
        .collect()
}

/// Returns the columns of a table; empty if there is no such table.
pub(crate) async fn columns(conn: &mut Conn, table: &str) -> Result<Vec<Column>, Failure> {
    Ok(described(conn, table).await?.into_iter().map(|(column, _)| column).collect())
}

/// Returns the collation of a column; `None` if it doesn't exist or doesn't hold text.
pub(crate) async fn collation(
    conn: &mut Conn,
    table: &str,
    name: &str,
) -> Result<Option<Collation>, Failure> {
    let found = described(conn, table).await?;
    Ok(found.into_iter().find(|(column, _)| is(column, name)).and_then(|(_, collation)| collation))
}

/// Returns the collation that considers texts equal only if their bytes are: MariaDB's or MySQL's.
pub(crate) async fn exact_collation(conn: &mut Conn) -> Result<String, Failure> {
    let row: Option<Row> = conn
        .query_first(
            "SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN \
             ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') ORDER BY COLLATION_NAME DESC LIMIT 1",
        )
        .await?;
    match row {
        Some(row) => column(&row, 0),
        None => Err(Failure::Shape),
    }
}

/// Compares names. MySQL's names of columns ignore case.
fn is(column: &Column, name: &str) -> bool {
    column.name.eq_ignore_ascii_case(name)
}

pub(crate) fn find<'a>(columns: &'a [Column], name: &str) -> Option<&'a Column> {
    columns.iter().find(|column| is(column, name))
}

/// Returns the columns of a table, which has to have the wanted ones.
pub(crate) async fn table(
    conn: &mut Conn,
    table: &str,
    wanted: &[&str],
) -> Result<Vec<Column>, SchemaError> {
    let found = columns(conn, table).await?;
    if found.is_empty() {
        let rows: Vec<Row> = conn
            .query(
                "SELECT TABLE_NAME FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME LIMIT 100",
            )
            .await
            .map_err(Failure::from)?;
        let near = rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
        return Err(SchemaError::MissingTable { table: table.to_owned(), near });
    }
    match wanted.iter().find(|name| find(&found, name).is_none()) {
        None => Ok(found),
        Some(name) => Err(SchemaError::MissingColumn {
            table: table.to_owned(),
            column: (*name).to_owned(),
            found: found.into_iter().map(|column| column.name).collect(),
        }),
    }
}

/// Returns `true` if this column alone is the primary key or has a unique index over its whole
/// length.
async fn is_unique(conn: &mut Conn, table: &str, name: &str) -> Result<bool, Failure> {
    let row: Option<Row> = conn
        .exec_first(
            "SELECT 1 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() \
             AND TABLE_NAME = :table AND NON_UNIQUE = 0 GROUP BY INDEX_NAME \
             HAVING COUNT(*) = 1 AND MIN(COLUMN_NAME) = :name AND MIN(SUB_PART) IS NULL",
            params! { "table" => table, "name" => name },
        )
        .await?;
    Ok(row.is_some())
}

/// Returns `true` if a foreign key can refer to the users' primary key: it is unique, and the
/// table's engine is InnoDB.
pub(super) async fn is_referable(conn: &mut Conn, users: &UserTable) -> Result<bool, Failure> {
    let row: Option<Row> = conn
        .exec_first(
            "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
             AND TABLE_NAME = :table AND ENGINE = 'InnoDB'",
            params! { "table" => &users.table },
        )
        .await?;
    Ok(row.is_some() && is_unique(conn, &users.table, &users.primary_key).await?)
}

/// Returns `true` if there is a view of this name.
pub(super) async fn is_view(conn: &mut Conn, name: &str) -> Result<bool, Failure> {
    let row: Option<Row> = conn
        .exec_first(
            "SELECT 1 FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE() \
             AND TABLE_NAME = :table",
            params! { "table" => name },
        )
        .await?;
    Ok(row.is_some())
}

/// Checks that no two users can have the same value in a column that they are found by. A view
/// can't guarantee that, so its rows are checked.
pub(crate) async fn check_unique(
    conn: &mut Conn,
    users: &UserTable,
    found_by: &[FoundBy<'_>],
) -> Result<(), SchemaError> {
    for by in found_by {
        if is_unique(conn, &users.table, by.0).await? {
            continue;
        }
        if !is_view(conn, &users.table).await? {
            return Err(ambiguous(users, *by));
        }
        let (table, column) = (backticked(&users.table), backticked(by.0));
        let twice = format!(
            "SELECT 1 FROM {table} WHERE {column} IS NOT NULL GROUP BY {column} \
             HAVING COUNT(*) > 1 LIMIT 1"
        );
        let row: Option<Row> = conn.query_first(twice).await.map_err(Failure::from)?;
        if row.is_some() {
            return Err(doubled(users, *by));
        }
    }
    Ok(())
}

async fn token_table(
    conn: &mut Conn,
    name: &str,
    wanted: &[&str],
    unique: &str,
) -> Result<(), SchemaError> {
    let found = table(conn, name, wanted).await?;
    if let Some(foreign) = found
        .iter()
        .find(|column| column.must_be_filled() && !wanted.iter().any(|name| is(column, name)))
    {
        return Err(SchemaError::ForeignColumn {
            table: name.to_owned(),
            column: foreign.name.clone(),
        });
    }
    if !is_unique(conn, name, unique).await? {
        return Err(SchemaError::NotUnique { table: name.to_owned(), column: unique.to_owned() });
    }
    Ok(())
}

/// Returns the table that another inherits from by Django's multi-table inheritance.
async fn parent(conn: &mut Conn, table: &str) -> Result<Option<String>, Failure> {
    Ok(pointer(conn, table).await?.map(|(_, parent)| parent))
}

/// Returns the column by which a table inherits from another, and that table.
async fn pointer(conn: &mut Conn, table: &str) -> Result<Option<(String, String)>, Failure> {
    let row: Option<Row> = conn
        .exec_first(
            "SELECT COLUMN_NAME, REFERENCED_TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :table \
             AND REFERENCED_TABLE_NAME IS NOT NULL AND COLUMN_NAME LIKE '%\\_ptr\\_id'",
            params! { "table" => table },
        )
        .await?;
    row.map(|row| Ok((column(&row, 0)?, column(&row, 1)?))).transpose()
}

/// Returns the users' table, with the one that inherits from it if the users are in two.
pub(crate) async fn resolved(conn: &mut Conn, users: &UserTable) -> Result<UserTable, Failure> {
    let named = users.table.as_str();
    let (child, found) = match pointer(conn, named).await? {
        Some(found) if !has_logins(users, &columns(conn, named).await?) => {
            (named.to_owned(), Some(found))
        }
        _ => {
            let owner = refers_to(conn).await?.into_iter().next().unwrap_or_default();
            let found = pointer(conn, &owner).await?;
            (owner, found.filter(|(_, parent)| parent.eq_ignore_ascii_case(named)))
        }
    };
    let Some((pointer, parent)) = found else { return Ok(users.clone()) };
    let of_parent = columns(conn, &parent).await?;
    let of_child = columns(conn, &child).await?;
    Ok(users.inheriting(&parent, &child, &pointer, &of_parent, &of_child))
}

/// Returns the tables that registered tokens refer to as their users'.
async fn refers_to(conn: &mut Conn) -> Result<Vec<String>, Failure> {
    let rows: Vec<Row> = conn
        .exec(
            "SELECT REFERENCED_TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :table AND COLUMN_NAME = 'user_id' \
             AND REFERENCED_TABLE_NAME IS NOT NULL",
            params! { "table" => OUTSTANDING },
        )
        .await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

/// Returns the columns of users, including those of the table that inherits.
pub(crate) async fn columns_of(conn: &mut Conn, users: &UserTable) -> Result<Vec<Column>, Failure> {
    let mut found = columns(conn, &users.table).await?;
    if let Some(child) = &users.child {
        let further = columns(conn, &child.table).await?.into_iter();
        found.extend(further.filter(|column| users.is_childs(&column.name)));
    }
    Ok(found)
}

/// Checks that the table of registered tokens is Django's, for the users of this table.
pub(crate) async fn check_outstanding(
    conn: &mut Conn,
    users: &UserTable,
) -> Result<(), SchemaError> {
    let wanted = ["token", "created_at", "expires_at", "user_id", "jti", "id"];
    token_table(conn, OUTSTANDING, &wanted, "jti").await?;
    let owner = users.owner().0;
    for refers_to in refers_to(conn).await? {
        if !refers_to.eq_ignore_ascii_case(owner) {
            if parent(conn, &refers_to)
                .await?
                .is_some_and(|found| found.eq_ignore_ascii_case(&users.table))
            {
                let (child, parent) = (refers_to, users.table.clone());
                return Err(SchemaError::InheritedUsers { child, parent });
            }
            return Err(SchemaError::OtherUsers { refers_to, users: users.table.clone() });
        }
    }
    Ok(())
}

/// Checks that the blacklist is Django's.
pub(crate) async fn check_blacklisted(conn: &mut Conn) -> Result<(), SchemaError> {
    token_table(conn, BLACKLISTED, &["blacklisted_at", "token_id", "id"], "token_id").await
}

/// Checks that both tables of tokens are Django's, for these users.
pub(crate) async fn check_tokens(
    conn: &mut Conn,
    users: &UserTable,
    user_columns: &UserColumns,
) -> Result<(), SchemaError> {
    check_outstanding(conn, users).await?;
    let columns = columns(conn, OUTSTANDING).await?;
    user_columns.check_reference(users, find(&columns, "user_id"), Dialect::Strict)?;
    check_blacklisted(conn).await
}

/// Checks that the tables of the sessions exist.
pub(crate) async fn check_sessions(conn: &mut Conn) -> Result<(), SchemaError> {
    for (name, wanted) in SESSION_TABLES {
        table(conn, name, wanted).await?;
    }
    Ok(())
}

/// Checks that the table of sessions as one row each exists.
pub(crate) async fn check_session_rows(conn: &mut Conn) -> Result<(), SchemaError> {
    let (name, wanted) = SESSION_ROWS;
    table(conn, name, wanted).await.map(drop)
}

/// Returns `true` if the table has an index of this name.
pub(crate) async fn has_index(conn: &mut Conn, table: &str, name: &str) -> Result<bool, Failure> {
    let row: Option<Row> = conn
        .exec_first(
            "SELECT 1 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() \
             AND TABLE_NAME = :table AND INDEX_NAME = :name",
            params! { "table" => table, "name" => name },
        )
        .await?;
    Ok(row.is_some())
}

/// Checks that the users' table has the named columns; returns what they hold.
pub(crate) async fn check_users(
    conn: &mut Conn,
    users: &UserTable,
) -> Result<UserColumns, SchemaError> {
    users.validate()?;
    let wanted: Vec<&str> =
        users.every_column().filter(|column| !users.is_childs(column)).collect();
    let found = match table(conn, &users.table, &wanted).await {
        Err(error @ SchemaError::MissingColumn { .. }) => {
            return Err(match parent(conn, &users.table).await? {
                Some(parent) => SchemaError::InheritedUsers { child: users.table.clone(), parent },
                None => error,
            });
        }
        found => {
            found?;
            columns_of(conn, users).await?
        }
    };
    let mut columns = UserColumns::of(users, found, Dialect::Strict)?;
    for name in columns.guessed(users) {
        let (column_name, table) = (backticked(&name), backticked(&users.table));
        let sql = format!(
            "SELECT CONVERT({column_name} USING utf8mb4) FROM {table} \
             WHERE {column_name} IS NOT NULL LIMIT {LOOKED_AT}"
        );
        let rows: Vec<Row> = conn.query(sql).await.map_err(Failure::from)?;
        let values = rows.iter().map(|row| column(row, 0)).collect::<Result<Vec<String>, _>>()?;
        columns.correct(users, &name, &values);
    }
    Ok(columns)
}
