//! The columns of a users' table.

use std::collections::BTreeSet;

use super::declared::{Declared, Dialect, resolve};
use super::{ColumnType, Flag};
use crate::sql::fields::{Field, fields};
use crate::sql::schema::{Column, SchemaError};
use crate::sql::table::{KeyKind, UserTable, uuid_digits};

/// The types of a users' table, once its columns have been read.
#[derive(Clone, Debug)]
pub(crate) struct UserColumns {
    /// The primary key.
    pub(crate) key: ColumnType,
    /// The column of `USER_ID_FIELD`.
    pub(crate) user_id: ColumnType,
    /// The column of the login name.
    pub(crate) login: ColumnType,
    /// The further columns.
    pub(crate) fields: Vec<Field>,
    /// All existing columns.
    found: Vec<Column>,
}

impl UserColumns {
    /// Reads the columns of a table, which has all named ones.
    pub(crate) fn of(
        table: &UserTable,
        found: Vec<Column>,
        dialect: Dialect,
    ) -> Result<Self, SchemaError> {
        let key_of = |name: &str, configured: Option<KeyKind>| {
            let column = look_up(&found, name);
            column.map_or(Ok(ColumnType::Text), |column| {
                resolve(table, column, dialect.declared(column), configured)
            })
        };
        let user_id = table.user_id_column();
        let is_key = user_id.eq_ignore_ascii_case(&table.primary_key);
        let columns = Self {
            key: key_of(&table.primary_key, table.key)?,
            user_id: key_of(user_id, if is_key { table.key } else { None })?,
            login: key_of(&table.login, None)?,
            fields: fields(table, &found)?,
            found,
        };
        for name in table.flags() {
            columns.flag(table, name)?;
        }
        Ok(columns)
    }

    /// Returns everything that is wrong with the columns of a users' table.
    pub(crate) fn every_error(
        table: &UserTable,
        found: &[Column],
        dialect: Dialect,
    ) -> Vec<SchemaError> {
        let mut errors = Vec::new();
        let is_missing = |name: &&str| look_up(found, name).is_none();
        for column in table.every_column().filter(is_missing).collect::<BTreeSet<_>>() {
            errors.push(SchemaError::MissingColumn {
                table: table.table.clone(),
                column: column.to_owned(),
                found: found.iter().map(|column| column.name.clone()).collect(),
            });
        }
        let is_key = table.user_id_column().eq_ignore_ascii_case(&table.primary_key);
        let keys = [
            (table.primary_key.as_str(), table.key),
            (table.user_id_column(), if is_key { table.key } else { None }),
            (table.login.as_str(), None),
        ];
        for (name, configured) in keys {
            let Some(column) = look_up(found, name) else { continue };
            errors.extend(resolve(table, column, dialect.declared(column), configured).err());
        }
        for name in table.flags() {
            let Some(column) = look_up(found, name) else { continue };
            errors.extend(flag_of(table, column).err());
        }
        let there = |name: &&String| look_up(found, name).is_some();
        for name in table.columns.iter().filter(there) {
            let one = UserTable { columns: vec![name.clone()], ..table.clone() };
            errors.extend(fields(&one, found).err());
        }
        errors
    }

    /// Returns columns that are assumed to hold UUIDs because of their type, `char(32)`, which
    /// Django uses for a `UUIDField`. Only their content can confirm it.
    pub(crate) fn guessed(&self, table: &UserTable) -> Vec<String> {
        let is_key = table.user_id_column().eq_ignore_ascii_case(&table.primary_key);
        let guesses = [
            (table.primary_key.as_str(), self.key, table.key.is_none()),
            (table.user_id_column(), self.user_id, !is_key || table.key.is_none()),
            (table.login.as_str(), self.login, true),
        ];
        let is_guess = |(name, kind, is_free): &(&str, ColumnType, bool)| {
            let is_text = |column: &Column| !column.kind.eq_ignore_ascii_case("uuid");
            *is_free && *kind == ColumnType::Uuid && self.column(name).is_some_and(is_text)
        };
        let names = guesses.into_iter().filter(is_guess).map(|(name, ..)| name.to_owned());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Revokes the assumption if one of a column's values isn't a UUID.
    pub(crate) fn correct(&mut self, table: &UserTable, name: &str, values: &[String]) {
        if values.iter().all(|value| uuid_digits(value.trim_end()).is_some()) {
            return;
        }
        for (column, kind) in [
            (table.primary_key.as_str(), &mut self.key),
            (table.user_id_column(), &mut self.user_id),
            (table.login.as_str(), &mut self.login),
        ] {
            if column == name {
                *kind = ColumnType::Text;
            }
        }
    }

    /// Returns a column, as the database describes it.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        look_up(&self.found, name)
    }

    /// Returns the type of a boolean column.
    pub(crate) fn flag(&self, table: &UserTable, name: &str) -> Result<Flag, SchemaError> {
        self.column(name).map_or(Ok(Flag::Number), |column| flag_of(table, column))
    }

    /// Checks that registered tokens can refer to the key by a column of this type.
    pub(crate) fn check_reference(
        &self,
        table: &UserTable,
        reference: Option<&Column>,
        dialect: Dialect,
    ) -> Result<(), SchemaError> {
        let Some(reference) = reference else { return Ok(()) };
        let fits = match (dialect.declared(reference), self.key) {
            (Some(Declared::Integer(_)), ColumnType::Integer { .. }) => true,
            (Some(Declared::Uuid), ColumnType::Uuid) => true,
            (Some(Declared::Text { .. }), ColumnType::Uuid | ColumnType::Text) => true,
            // In SQLite, names of types guarantee nothing.
            (None, _) => dialect == Dialect::Sqlite,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(SchemaError::OtherKey {
            declared: reference.declared.clone(),
            users: table.table.clone(),
            primary_key: table.primary_key.clone(),
            key: self.column(&table.primary_key).map_or_else(String::new, |c| c.declared.clone()),
        })
    }
}

/// The number of a column's values that are examined to determine its type.
pub(crate) const LOOKED_AT: u8 = 20;

fn flag_of(table: &UserTable, column: &Column) -> Result<Flag, SchemaError> {
    Flag::of(&column.kind).ok_or_else(|| SchemaError::UnreadableFlag {
        table: table.table.clone(),
        column: column.name.clone(),
        declared: column.declared.clone(),
    })
}

/// Finds a column. Not every database distinguishes upper and lower case.
fn look_up<'a>(found: &'a [Column], name: &str) -> Option<&'a Column> {
    let same = |column: &&Column| column.name.eq_ignore_ascii_case(name);
    found.iter().find(|column| column.name == name).or_else(|| found.iter().find(same))
}
