//! The meaning of a column's declared type.

use super::ColumnType;
use crate::sql::schema::{Column, SchemaError};
use crate::sql::table::{KeyKind, UserTable};

/// A declared type, as far as it matters for keys and login names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    Integer(ColumnType),
    Uuid,
    /// Text with a maximum number of characters, if there is a limit.
    Text {
        longest: Option<usize>,
        /// `char(32)`, which Django uses for a `UUIDField` if the database has no type for it.
        is_digits: bool,
    },
}

/// The databases, by their names of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A column's type is what its name suggests (its affinity), and integers have eight bytes.
    Sqlite,
    /// Names mean what they say.
    Strict,
}

impl Dialect {
    pub(super) fn declared(self, column: &Column) -> Option<Declared> {
        let kind = column.kind.to_ascii_lowercase();
        let is_unsigned = kind.contains(" unsigned") || kind.contains(" zerofill");
        let base = kind.split(['(', ' ']).next().unwrap_or_default();
        let longest = kind
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .and_then(|(length, _)| length.trim().parse().ok());
        let text = |is_digits| Some(Declared::Text { longest, is_digits });
        let integer = |least, most, unsigned| {
            let (least, most) = if is_unsigned { (0, unsigned) } else { (least, most) };
            Some(Declared::Integer(ColumnType::Integer { least, most }))
        };
        match (self, base) {
            (_, "uuid") => Some(Declared::Uuid),
            (_, "char" | "character") if !kind.contains("varying") => text(longest == Some(32)),
            (Self::Sqlite, _) if kind.contains("int") => {
                Some(Declared::Integer(ColumnType::BIGINT))
            }
            (Self::Sqlite, base) => {
                // The types that Django and others use for anything but text; an unknown name is
                // most likely text.
                const OTHERS: [&str; 14] = [
                    "blob",
                    "bool",
                    "boolean",
                    "date",
                    "datetime",
                    "decimal",
                    "double",
                    "float",
                    "json",
                    "numeric",
                    "number",
                    "real",
                    "time",
                    "timestamp",
                ];
                if OTHERS.contains(&base) { None } else { text(false) }
            }
            (_, "tinyint") => integer(-128, 127, 255),
            (_, "smallint") => integer(-32_768, 32_767, 65_535),
            (_, "mediumint") => integer(-8_388_608, 8_388_607, 16_777_215),
            (_, "int" | "integer") => {
                integer(i64::from(i32::MIN), i32::MAX as u64, u64::from(u32::MAX))
            }
            (_, "bigint") => integer(i64::MIN, i64::MAX as u64, u64::MAX),
            (
                _,
                "character" | "varchar" | "text" | "citext" | "tinytext" | "mediumtext"
                | "longtext" | "varbinary",
            ) => text(false),
            // An extension's type is prefixed by its schema, unless that is searched.
            (_, base) if base.ends_with(".citext") => text(false),
            _ => None,
        }
    }
}

/// Returns a column's type, given the configured kind of key.
pub(super) fn resolve(
    table: &UserTable,
    column: &Column,
    declared: Option<Declared>,
    configured: Option<KeyKind>,
) -> Result<ColumnType, SchemaError> {
    let found = match (declared, configured) {
        (Some(Declared::Text { is_digits: true, .. }), Some(KeyKind::Text)) => ColumnType::Text,
        // Digits in a column that isn't of Django's type for them.
        (Some(Declared::Text { longest: None | Some(32), .. }), Some(KeyKind::Uuid)) => {
            ColumnType::Uuid
        }
        (Some(Declared::Integer(range)), _) => range,
        (Some(Declared::Uuid | Declared::Text { is_digits: true, .. }), _) => ColumnType::Uuid,
        (Some(Declared::Text { .. }), _) => ColumnType::Text,
        (None, _) => {
            return Err(SchemaError::UncomparableColumn {
                table: table.table.clone(),
                column: column.name.clone(),
                declared: column.declared.clone(),
            });
        }
    };
    match configured {
        Some(configured) if configured.as_str() != found.word() => Err(SchemaError::OtherKeyType {
            table: table.table.clone(),
            column: column.name.clone(),
            declared: column.declared.clone(),
            configured: configured.as_str(),
            found: found.word(),
        }),
        _ => Ok(found),
    }
}
