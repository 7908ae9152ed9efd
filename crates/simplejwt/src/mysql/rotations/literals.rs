//! Values as a part of statements.
//!
//! A batch is sent as one text of several statements, which costs one round trip. Texts are written
//! in hexadecimal digits, so that nothing in them can be taken for SQL, whatever the settings of
//! the connection.

use mysql_async::Value;

use crate::clock::Timestamp;
use crate::mysql::datetime::datetime;
use crate::sql::table::Key;

pub(super) const NULL: &str = "NULL";

/// Returns a text.
pub(super) fn text(text: &str) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    let mut literal = String::with_capacity(12 + 2 * text.len());
    literal.push_str("_utf8mb4 X'");
    for byte in text.bytes() {
        literal.push(digit(byte >> 4));
        literal.push(digit(byte & 0x0f));
    }
    literal.push('\'');
    literal
}

/// Returns a text, or null.
pub(super) fn optional(value: Option<&String>) -> String {
    value.map_or_else(|| NULL.to_owned(), |value| text(value))
}

/// Returns a user's id.
pub(super) fn key(key: &Key) -> String {
    match key {
        Key::Integer(number) => number.to_string(),
        Key::Unsigned(number) => number.to_string(),
        Key::Text(value) => text(value),
    }
}

/// Returns a time for one of Django's columns.
pub(super) fn time(at: Timestamp) -> String {
    Value::as_sql(&datetime(at), true)
}

/// Returns values as a list, without parentheses.
pub(super) fn list(values: impl IntoIterator<Item = String>) -> String {
    values.into_iter().collect::<Vec<_>>().join(", ")
}

/// Returns the values of a row.
pub(super) fn row(values: &[String]) -> String {
    format!("({})", values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_digits_alone() {
        assert_eq!(text(""), "_utf8mb4 X''");
        assert_eq!(text("a'\\\"\0é"), "_utf8mb4 X'61275c2200c3a9'");
        assert_eq!(optional(None), "NULL");
        assert_eq!(key(&Key::Integer(-7)), "-7");
        assert_eq!(key(&Key::Unsigned(u64::MAX)), "18446744073709551615");
        assert_eq!(key(&Key::Text("1".into())), "_utf8mb4 X'31'");
    }

    #[test]
    fn a_time_is_written_to_the_microsecond() {
        assert_eq!(time(Timestamp::from_micros(1)), "'1970-01-01 00:00:00.000001'");
        // A date is its midnight.
        assert_eq!(time(Timestamp::from_secs(0)), "'1970-01-01'");
    }

    #[test]
    fn lists_and_rows() {
        assert_eq!(list(["1".to_owned(), "2".to_owned()]), "1, 2");
        assert_eq!(row(&["1".to_owned(), NULL.to_owned()]), "(1, NULL)");
    }
}
