//! What a declared type says of a column.

use super::ColumnType;
use crate::sql::schema::{Column, SchemaError};
use crate::sql::table::{KeyKind, UserTable};

/// A type as a database declares it, as far as keys and login names go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    Integer(ColumnType),
    Uuid,
    /// Text of at most so many characters, where there is a limit.
    Text {
        longest: Option<usize>,
        /// `char(32)`, which Django makes of a `UUIDField` where there is no type for it.
        is_digits: bool,
    },
}

/// The databases, by what they call their types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The type of a column is what its name suggests (its affinity), and integers have eight
    /// bytes.
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
                // What Django and others make for anything but text; a name that nobody knows is
                // most likely one.
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
            // An extension's type keeps the name of its schema, where that isn't searched.
            (_, base) if base.ends_with(".citext") => text(false),
            _ => None,
        }
    }
}

/// What a column holds, given what is configured.
pub(super) fn resolve(
    table: &UserTable,
    column: &Column,
    declared: Option<Declared>,
    configured: Option<KeyKind>,
) -> Result<ColumnType, SchemaError> {
    let found = match (declared, configured) {
        (Some(Declared::Text { is_digits: true, .. }), Some(KeyKind::Text)) => ColumnType::Text,
        // Digits in another column than Django makes for them.
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
