//! Further columns of a user's row as JSON, in the form of DRF's field for their type.

use serde_json::{Number, Value};

use super::table::{UserTable, hyphenated, uuid_digits};
use crate::sql::schema::{Column, SchemaError};

/// A column's type, as far as it matters for JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldType {
    Text,
    Integer,
    Boolean,
    Float,
    Decimal,
    Uuid,
    /// A time, which the database stores in UTC.
    Moment,
    /// A date and time of day in an unknown time zone.
    Local,
    Date,
    Time,
    Json,
}

/// A column that is read into [`User::fields`](crate::users::User::fields).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: FieldType,
    /// The type with which the column was declared.
    pub(crate) declared: String,
}

impl FieldType {
    /// Returns the type for a declaration in any of the databases; `None` if it has no form in
    /// JSON.
    pub(crate) fn of(declared: &str) -> Option<Self> {
        let declared = declared.to_ascii_lowercase();
        let declared = declared.trim_end_matches(" unsigned");
        let base = declared.split('(').next().unwrap_or_default().trim();
        Some(match base {
            // Django's BooleanField in MySQL, and its UUIDField if the database has no type for it.
            "tinyint" if declared == "tinyint(1)" => Self::Boolean,
            "char" if declared == "char(32)" => Self::Uuid,
            "bool" | "boolean" => Self::Boolean,
            "integer" | "int" | "bigint" | "smallint" | "mediumint" | "tinyint" => Self::Integer,
            "character varying" | "varchar" | "character" | "char" | "text" | "citext"
            | "longtext" | "mediumtext" | "tinytext" | "inet" => Self::Text,
            "uuid" => Self::Uuid,
            "numeric" | "decimal" => Self::Decimal,
            "real" | "double precision" | "double" | "float" => Self::Float,
            _ if base.starts_with("timestamp") && declared.ends_with("without time zone") => {
                Self::Local
            }
            "timestamp" | "timestamp with time zone" | "datetime" => Self::Moment,
            "date" => Self::Date,
            "time" | "time without time zone" => Self::Time,
            "json" | "jsonb" => Self::Json,
            _ => return None,
        })
    }

    /// Returns a value that isn't null as JSON, from the database's text for it.
    pub(crate) fn json(self, text: String) -> Value {
        match self {
            Self::Text | Self::Decimal | Self::Date => Value::String(text),
            Self::Integer => match (text.parse::<i64>(), text.parse::<u64>()) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) => number.into(),
                _ => Value::String(text),
            },
            Self::Boolean => Value::Bool(matches!(text.as_str(), "1" | "true" | "t")),
            Self::Float => match text.parse().ok().and_then(Number::from_f64) {
                Some(number) => Value::Number(number),
                None => Value::Null,
            },
            Self::Uuid => match uuid_digits(&text) {
                Some(digits) => Value::String(hyphenated(&digits)),
                None => Value::String(text),
            },
            Self::Moment | Self::Local => {
                let (text, era) = match text.strip_suffix(" BC") {
                    Some(text) => (text, " BC"),
                    None => (text.as_str(), ""),
                };
                let zone = if self == Self::Moment { "Z" } else { "" };
                Value::String(iso(text) + zone + era)
            }
            Self::Time => Value::String(iso(&text)),
            Self::Json => serde_json::from_str(&text).unwrap_or(Value::Null),
        }
    }
}

/// Formats a time like Python's `isoformat`: a `T` between date and time, and six decimals or none.
fn iso(text: &str) -> String {
    let text = text.replacen(' ', "T", 1);
    match text.split_once('.') {
        None => text,
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole.to_owned(),
        Some((whole, fraction)) => format!("{whole}.{fraction:0<6.6}"),
    }
}

/// Returns the columns that the table's description asks for, among the existing ones.
pub(crate) fn fields(table: &UserTable, found: &[Column]) -> Result<Vec<Field>, SchemaError> {
    let asked = |name: &String| {
        if table.is_secret(name) {
            return Err(SchemaError::SecretColumn { column: name.clone() });
        }
        // Not every database distinguishes upper and lower case.
        let column = found
            .iter()
            .find(|column| column.name == *name)
            .or_else(|| found.iter().find(|column| column.name.eq_ignore_ascii_case(name)));
        let declared = column.map_or("", |column| &column.declared).to_owned();
        match FieldType::of(&declared) {
            Some(kind) => Ok(Field { name: name.clone(), kind, declared }),
            None => Err(SchemaError::UnreadableColumn {
                table: table.table.clone(),
                column: name.clone(),
                declared,
            }),
        }
    };
    table.columns.iter().map(asked).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_known_by_the_names_that_the_databases_have_for_them() {
        for (declared, expected) in [
            ("varchar(254)", Some(FieldType::Text)),
            ("character varying(254)", Some(FieldType::Text)),
            ("char(32)", Some(FieldType::Uuid)),
            ("char(31)", Some(FieldType::Text)),
            ("BIGINT", Some(FieldType::Integer)),
            ("int(10) unsigned", Some(FieldType::Integer)),
            ("integer unsigned", Some(FieldType::Integer)),
            ("tinyint(1)", Some(FieldType::Boolean)),
            ("tinyint(4)", Some(FieldType::Integer)),
            ("bool", Some(FieldType::Boolean)),
            ("numeric(10,2)", Some(FieldType::Decimal)),
            ("datetime(6)", Some(FieldType::Moment)),
            ("timestamp with time zone", Some(FieldType::Moment)),
            ("timestamp(3) with time zone", Some(FieldType::Moment)),
            ("timestamp without time zone", Some(FieldType::Local)),
            ("timestamp(3) without time zone", Some(FieldType::Local)),
            ("time without time zone", Some(FieldType::Time)),
            ("jsonb", Some(FieldType::Json)),
            ("bytea", None),
            ("blob", None),
            ("text[]", None),
            ("integer[]", None),
            ("interval", None),
            ("", None),
        ] {
            assert_eq!(FieldType::of(declared), expected, "{declared}");
        }
    }

    #[test]
    fn values_are_written_as_drf_does() {
        for (kind, text, expected) in [
            (FieldType::Text, "Zoë", json!("Zoë")),
            (FieldType::Integer, "-7", json!(-7)),
            (FieldType::Integer, "18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            (FieldType::Boolean, "1", json!(true)),
            (FieldType::Boolean, "0", json!(false)),
            (FieldType::Boolean, "true", json!(true)),
            (FieldType::Float, "0.5", json!(0.5)),
            (FieldType::Float, "NaN", Value::Null),
            (FieldType::Decimal, "10.50", json!("10.50")),
            (
                FieldType::Uuid,
                "0123456789abcdef0123456789abcdef",
                json!("01234567-89ab-cdef-0123-456789abcdef"),
            ),
            (FieldType::Moment, "2026-01-02 03:04:05.600000", json!("2026-01-02T03:04:05.600000Z")),
            (FieldType::Moment, "2026-01-02 03:04:05.6", json!("2026-01-02T03:04:05.600000Z")),
            (FieldType::Moment, "2026-01-02T03:04:05.000000", json!("2026-01-02T03:04:05Z")),
            (FieldType::Local, "2026-01-02 03:04:05", json!("2026-01-02T03:04:05")),
            (FieldType::Time, "03:04:05.000001", json!("03:04:05.000001")),
            (FieldType::Date, "2026-01-02", json!("2026-01-02")),
            (FieldType::Date, "0044-03-15 BC", json!("0044-03-15 BC")),
            (FieldType::Local, "0044-03-15 10:00:00.000000 BC", json!("0044-03-15T10:00:00 BC")),
            (
                FieldType::Moment,
                "0044-03-15 10:00:00.500000 BC",
                json!("0044-03-15T10:00:00.500000Z BC"),
            ),
            (FieldType::Time, "-25:00:00.000000", json!("-25:00:00")),
            (FieldType::Json, r#"{"a": [1, null]}"#, json!({"a": [1, null]})),
        ] {
            assert_eq!(kind.json(text.to_owned()), expected, "{kind:?} {text}");
        }
    }
}
