//! Finds everything that is wrong with an SQLite file.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::schema::{self, column, columns, is_unique};
use super::statements::{self, BLACKLIST, IS_BLACKLISTED, IS_REGISTERED, NEWEST, Sql};
use super::{SqliteDatabase, feed, flush, keys, rows, throttle};
use crate::error::{StoreError, StoreErrorKind};
use crate::sql::check::{
    FoundTable, Lines, Problem, Problems, Relation, Severity, Uses, column_faults, judge, needed,
    no_sequence, of_owners, of_users, refused,
};
use crate::sql::column::{Dialect, UserColumns};
use crate::sql::schema::{OUTSTANDING, SchemaError, Table, found_by};
use crate::sql::table::UserTable;

/// The unique indexes that cover a column, and what disqualifies each.
const NEARLY_UNIQUE: &str = "\
    SELECT c.name, i.name, i.partial, (SELECT count(*) FROM pragma_index_info(i.name)) \
    FROM pragma_index_list(?1) AS i, pragma_index_info(i.name) AS c WHERE i.\"unique\"";
const INDEXED: &str = "\
    SELECT c.name FROM pragma_index_list(?1) AS i, pragma_index_info(i.name) AS c \
    WHERE NOT i.partial AND c.seqno = 0 AND c.name IS NOT NULL \
    UNION SELECT name FROM pragma_table_info(?1) WHERE pk = 1";
const KIND: &str = "\
    SELECT type FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
const REFERS: &str = "SELECT \"from\", \"table\" FROM pragma_foreign_key_list(?1)";
const HAS_SEQUENCE: &str = "SELECT 1 FROM simplejwt_sequence WHERE name = 'revocation'";

/// Returns the version of the SQLite library in this program, such as `3.50.2`.
#[must_use]
pub fn library_version() -> &'static str {
    rusqlite::version()
}

/// Returns everything that is wrong with the file for these users and uses; nothing if every
/// request will find what it needs. Commits a transaction that changes nothing.
///
/// # Errors
/// [`StoreError`] if the file can't be read.
pub async fn check(
    database: &SqliteDatabase,
    users: &UserTable,
    uses: &Uses,
) -> Result<Problems, StoreError> {
    let (table, uses) = (users.clone(), *uses);
    let mut problems =
        database.read("check", |connection| all(connection, &table, &uses).map(Ok))??;
    if let Err(error) = database.prove_commit("check").await {
        let path = database.path().display();
        let cause = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
        let severity = match error.kind() {
            StoreErrorKind::Incompatible => Severity::Error,
            _ => Severity::Passing,
        };
        problems.push(Problem::general(
            severity,
            format!("the database {path} can't be written ({cause})"),
            "the file, its directory and what SQLite makes beside it (-wal, -shm) have to be \
             writable for this user, with room on the disk, and no other program may hold the lock",
        ));
    }
    Ok(Problems::new(problems))
}

fn all(connection: &Connection, users: &UserTable, uses: &Uses) -> rusqlite::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let users = &schema::resolved(connection, users)?;
    let checked = users_table(connection, users, &mut problems)?;
    let has_users = found(connection, &users.table)?.relation != Relation::Missing;
    for needed in needed(uses) {
        let found = found(connection, needed.name)?;
        problems.extend(judge(needed, &found, &Lines::Sqlite));
        if found.relation != Relation::Table {
            continue;
        }
        if needed.name == OUTSTANDING && has_users {
            problems.extend(owners(connection, users, &found, checked.as_ref()));
        }
        let has_columns = found.table.columns.iter().any(|column| column.name == "name");
        if needed.name == "simplejwt_sequence"
            && has_columns
            && !connection.prepare(HAS_SEQUENCE)?.exists(())?
        {
            problems.push(no_sequence(&Lines::Sqlite));
        }
    }
    if let Some(checked) = checked {
        let mut refusals = Vec::new();
        let theirs = crate::sqlite::users::statements(users, checked.clone(), uses);
        let every = match uses.tokens {
            true => every(&Sql::new(users, checked.user_id), uses),
            false => Vec::new(),
        };
        let of_keys = uses.signing_keys.then_some(keys::STATEMENTS).into_iter().flatten();
        let of_keys = of_keys.map(|(sql, _)| sql.to_owned());
        let of_throttle = uses.throttle.then_some(throttle::STATEMENTS).into_iter().flatten();
        let of_throttle = of_throttle.map(|(sql, _)| sql.to_owned());
        for sql in theirs.into_iter().chain(every).chain(of_keys).chain(of_throttle) {
            if let Err(error) = connection.prepare(&sql) {
                refusals.extend(refused(&problems, &sql, &error.to_string()));
            }
        }
        problems.extend(refusals);
    }
    Ok(problems)
}

/// Returns the file's description of a table.
fn found(connection: &Connection, name: &str) -> rusqlite::Result<FoundTable> {
    let kind: Option<String> =
        connection.prepare(KIND)?.query_row([name], |row| row.get(0)).optional()?;
    let relation = match kind.as_deref() {
        None => return Ok(FoundTable::default()),
        Some("table") => Relation::Table,
        Some(_) => Relation::Other("a view"),
    };
    let columns = columns(connection, name)?;
    let mut unique = Vec::new();
    for column in &columns {
        if is_unique(connection, name, &column.name)? {
            unique.push(column.name.clone());
        }
    }
    let mut nearly_unique = BTreeMap::new();
    let mut statement = connection.prepare(NEARLY_UNIQUE)?;
    let mut rows = statement.query([name])?;
    while let Some(row) = rows.next()? {
        let (Some(column), index): (Option<String>, String) = (row.get(0)?, row.get(1)?) else {
            continue;
        };
        let why = match (row.get::<_, i64>(3)? > 1, row.get(2)?) {
            (true, _) => format!("{index} is on several columns"),
            (false, true) => format!("{index} has a condition"),
            (false, false) => continue,
        };
        nearly_unique.insert(column, why);
    }
    let refers = connection
        .prepare(REFERS)?
        .query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let indexed = connection
        .prepare(INDEXED)?
        .query_map([name], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(FoundTable { relation, table: Table { columns, unique, refers }, nearly_unique, indexed })
}

/// Checks the users' table; returns its columns if it can be used.
fn users_table(
    connection: &Connection,
    users: &UserTable,
    problems: &mut Vec<Problem>,
) -> rusqlite::Result<Option<UserColumns>> {
    let name = users.table.as_str();
    let of = |error: &SchemaError| of_users(name, error, &Lines::Sqlite);
    if let Err(error) = users.validate() {
        problems.push(of(&error.into()));
        return Ok(None);
    }
    let table = found(connection, name)?;
    if table.relation == Relation::Missing {
        problems.extend(schema::check_users(connection, users).err().as_ref().map(of));
        return Ok(None);
    }
    let table = table.table;
    let every = schema::columns_of(connection, users)?;
    let mut errors = column_faults(users, &every, &table, Dialect::Sqlite);
    let is_there = |name: &str| column(&table.columns, name).is_some();
    for by in found_by(users).iter().filter(|by| is_there(by.0)) {
        errors.extend(schema::check_unique(connection, users, &[*by]).err());
    }
    problems.extend(errors.iter().map(of));
    match errors.is_empty() {
        true => Ok(schema::check_users(connection, users).ok()),
        false => Ok(None),
    }
}

/// Checks whose tokens are registered.
fn owners(
    connection: &Connection,
    users: &UserTable,
    found: &FoundTable,
    columns: Option<&UserColumns>,
) -> Option<Problem> {
    let outstanding = schema::check_outstanding(connection, users);
    let user_id = column(&found.table.columns, "user_id");
    of_owners(users, outstanding, user_id, columns, Dialect::Sqlite, &Lines::Sqlite)
}

/// Returns all statements over the tables of tokens and sessions.
fn every(sql: &Sql, uses: &Uses) -> Vec<String> {
    let Sql { user_id: _, record, blacklist_all, blacklist_others } = sql;
    let mut statements: Vec<String> =
        [BLACKLIST, IS_BLACKLISTED, IS_REGISTERED, NEWEST, record, blacklist_all]
            .map(str::to_owned)
            .to_vec();
    if uses.purge {
        statements.extend(flush::statements());
    }
    if uses.sessions {
        statements.push(blacklist_others.clone());
        statements.extend(feed::STATEMENTS.map(str::to_owned));
        statements.extend(statements::statements());
    }
    if uses.session_rows {
        statements.extend(rows::STATEMENTS.map(str::to_owned));
    }
    statements
}
