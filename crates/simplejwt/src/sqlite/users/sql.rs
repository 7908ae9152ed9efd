//! The statements over a users' table, and reading its rows.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, ToSql};

use crate::sql::check::Uses;
use crate::sql::column::{ColumnType, UserColumns};
use crate::sql::fields::Field;
use crate::sql::rights::{Dialect, Right, Rights};
use crate::sql::schema::SchemaError;
use crate::sql::table::{Key, UserTable, quoted};
use crate::sqlite::schema;
use crate::users::login::Found;
use crate::users::{User, UserId};

/// The statements, with the table's names in them.
pub(super) struct Sql {
    pub(super) table: UserTable,
    pub(super) key: ColumnType,
    pub(super) user_id: ColumnType,
    pub(super) login: ColumnType,
    pub(super) fields: Vec<Field>,
    pub(super) rights: Rights,
    pub(super) by_login: String,
    pub(super) by_user_id: String,
    pub(super) page: String,
    pub(super) replace_hash: String,
    pub(super) last_login: Option<String>,
    pub(super) set_password: String,
    pub(super) set_active: Option<String>,
}

/// The number of columns before the further ones.
const FIXED: usize = 7;

impl Sql {
    pub(super) fn new(table: UserTable, columns: UserColumns) -> Self {
        let UserColumns { key: key_type, user_id, login: login_type, fields, .. } = columns;
        let name = quoted(&table.table);
        let key = quoted(&table.primary_key);
        let id = quoted(table.user_id_column());
        let login = quoted(&table.login);
        let password = quoted(&table.password);
        let flag = |column: &Option<String>, without: &str| match column {
            Some(column) => quoted(column),
            None => without.to_owned(),
        };
        let further: String = fields
            .iter()
            .map(|field| format!(", {}", table.expression(&field.name, quoted, quoted)))
            .collect();
        let inherits = table.and_inherits(&name, quoted, quoted);
        let select = format!(
            "SELECT {key}, {id}, {login}, {}, {}, {}, {password}{further} FROM {name}",
            flag(&table.is_active, "1"),
            flag(&table.is_staff, "0"),
            flag(&table.is_superuser, "0"),
        );
        let dialect = Dialect {
            quote: quoted,
            is_the_user: format!("{id} = ?1"),
            is_active: flag(&table.is_active, "1"),
            is_superuser: flag(&table.is_superuser, "0"),
        };
        let update = |column: &str| format!("UPDATE {name} SET {} = ?1", quoted(column));
        // A user without an id can't have tokens: they would be those of every user without one.
        let has_id = match table.user_id_column() == table.primary_key {
            true => String::new(),
            false => format!(" AND {id} IS NOT NULL"),
        };
        Self {
            // Two rows reveal a value that isn't unique.
            by_login: format!("{select} WHERE {login} = ?1{has_id}{inherits} LIMIT 2"),
            by_user_id: format!("{select} WHERE {id} = ?1{inherits} LIMIT 2"),
            page: format!(
                "{select} WHERE (?1 IS NULL OR {login} > ?1){inherits} ORDER BY {login} LIMIT ?2"
            ),
            replace_hash: format!(
                "{} WHERE {key} = ?2 AND {password} = ?3",
                update(&table.password)
            ),
            last_login: table
                .last_login
                .as_deref()
                .map(|column| format!("{} WHERE {id} = ?2", update(column))),
            set_password: format!("{} WHERE {login} = ?2{inherits}", update(&table.password)),
            set_active: table
                .is_active
                .as_deref()
                .map(|column| format!("{} WHERE {login} = ?2{inherits}", update(column))),
            key: key_type,
            user_id,
            login: login_type,
            fields,
            rights: Rights::new(&table, dialect),
            table,
        }
    }

    pub(super) fn found(&self, row: &Row<'_>) -> rusqlite::Result<Found<Key>> {
        let key = match row.get_ref(0)? {
            ValueRef::Integer(number) => Key::Integer(number),
            other => Key::Text(value_text(other)),
        };
        let user = User {
            id: self.user_id.id_of(value_text(row.get_ref(1)?)),
            username: self.login.canonical(value_text(row.get_ref(2)?)),
            is_active: is_true(row.get_ref(3)?),
            is_staff: is_true(row.get_ref(4)?),
            is_superuser: is_true(row.get_ref(5)?),
            password: value_text(row.get_ref(6)?),
            rehashed_from: None,
            fields: self.further(row)?,
        };
        Ok(Found { key, user })
    }

    pub(super) fn further(
        &self,
        row: &Row<'_>,
    ) -> rusqlite::Result<BTreeMap<String, serde_json::Value>> {
        let json = |(at, field): (usize, &Field)| {
            let value = match row.get_ref(FIXED + at)? {
                ValueRef::Null => serde_json::Value::Null,
                value => field.kind.json(value_text(value)),
            };
            Ok((field.name.clone(), value))
        };
        self.fields.iter().enumerate().map(json).collect()
    }

    /// Returns the rows that a statement over the tables of groups and permissions finds.
    pub(super) fn rights(
        &self,
        connection: &Connection,
        right: Right,
        user: &UserId,
    ) -> rusqlite::Result<Result<Vec<Vec<String>>, SchemaError>> {
        let statement = match self.rights.known(right) {
            Some(statement) => statement,
            None => {
                let tables = self.rights.tables(right);
                let found = tables.iter().map(|table| schema::columns(connection, table));
                match self.rights.learn(right, &found.collect::<Result<Vec<_>, _>>()?) {
                    Ok(Some(statement)) => statement,
                    Ok(None) => return Ok(Ok(Vec::new())),
                    Err(error) => return Ok(Err(error)),
                }
            }
        };
        let Some(key) = self.user_id.parse(user) else { return Ok(Ok(Vec::new())) };
        let mut statement = connection.prepare_cached(statement)?;
        let columns = 0..statement.column_count();
        let texts =
            |row: &Row<'_>| columns.clone().map(|at| Ok(value_text(row.get_ref(at)?))).collect();
        statement.query_map([key], texts)?.collect::<Result<_, _>>().map(Ok)
    }

    /// Returns the rows with a unique value: one at most, or more if it is no longer unique.
    pub(super) fn all(
        &self,
        connection: &Connection,
        sql: &str,
        value: impl ToSql,
    ) -> rusqlite::Result<Vec<Found<Key>>> {
        connection.prepare_cached(sql)?.query_map([value], |row| self.found(row))?.collect()
    }
}

/// Returns a value as text, however SQLite has stored it; null is empty.
pub(super) fn value_text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

pub(super) fn is_true(value: ValueRef<'_>) -> bool {
    match value {
        ValueRef::Integer(number) => number != 0,
        ValueRef::Real(number) => number != 0.0,
        _ => false,
    }
}

/// Returns all statements that requests run over the table.
pub(crate) fn statements(table: &UserTable, columns: UserColumns, uses: &Uses) -> Vec<String> {
    let Sql {
        table: _,
        key: _,
        user_id: _,
        login: _,
        fields: _,
        rights: _,
        by_login,
        by_user_id,
        page: _,
        replace_hash,
        last_login,
        set_password: _,
        set_active: _,
    } = Sql::new(table.clone(), columns);
    let mut statements = vec![by_login, by_user_id];
    statements.extend(uses.rehash.then_some(replace_hash));
    statements.extend(last_login.filter(|_| uses.last_login));
    statements
}
