//! The types of a user's key, login name and flags, from their columns' declarations, and which
//! texts can be compared with them.

mod declared;
mod table;

pub(crate) use declared::Dialect;
pub(crate) use table::{LOOKED_AT, UserColumns};

use super::table::{Key, KeyKind, hyphenated, uuid_digits};
use crate::users::UserId;

/// The type of a key's or a login name's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// Integers in this range.
    Integer { least: i64, most: u64 },
    /// A UUID, in a type of the database's own or as 32 hexadecimal digits.
    Uuid,
    /// Any text.
    Text,
}

impl ColumnType {
    /// All integers that a signed column of eight bytes can hold.
    pub(crate) const BIGINT: Self = Self::Integer { least: i64::MIN, most: i64::MAX as u64 };

    /// Returns the key for a claim's text; `None` if there can be no such key.
    ///
    /// An integer has to be in its canonical form: Python's `int` would also accept `" 1 "`, `+1`
    /// and `01`, and one user would have several ids.
    pub(crate) fn parse(self, id: &UserId) -> Option<Key> {
        let text = id.as_str();
        match self {
            Self::Integer { .. } => {
                let number: i128 = text.parse().ok()?;
                (number.to_string() == text).then(|| self.number(number)).flatten()
            }
            Self::Uuid => uuid_digits(text).map(Key::Text),
            Self::Text => Some(Key::Text(text.to_owned())),
        }
    }

    /// Returns the value for a login name, by the rules of Django's field for the type; `None` if
    /// no user can have it.
    pub(crate) fn parse_login(self, name: &str) -> Option<Key> {
        match self {
            Self::Integer { .. } => python_int(name).and_then(|number| self.number(number)),
            Self::Uuid => python_uuid(name).map(Key::Text),
            Self::Text => Some(Key::Text(name.to_owned())),
        }
    }

    /// Returns a value that the column can hold, whether or not a row has it.
    pub(crate) fn any(self) -> Key {
        match self {
            Self::Integer { .. } => Key::Integer(0),
            Self::Uuid => Key::Text("0".repeat(32)),
            Self::Text => Key::Text(String::new()),
        }
    }

    /// Returns the claim's text for a stored key: `str()` of the Python value.
    pub(crate) fn id_of(self, stored: String) -> UserId {
        self.canonical(stored).into()
    }

    /// Returns a stored value as text.
    pub(crate) fn canonical(self, stored: String) -> String {
        match self {
            Self::Uuid => uuid_digits(&stored).map_or(stored, |digits| hyphenated(&digits)),
            Self::Integer { .. } | Self::Text => stored,
        }
    }

    fn number(self, number: i128) -> Option<Key> {
        let Self::Integer { least, most } = self else { return None };
        if number < i128::from(least) || number > i128::from(most) {
            return None;
        }
        match i64::try_from(number) {
            Ok(number) => Some(Key::Integer(number)),
            Err(_) => u64::try_from(number).ok().map(Key::Unsigned),
        }
    }

    /// Returns its name in the settings.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Integer { .. } => KeyKind::Integer.as_str(),
            Self::Uuid => KeyKind::Uuid.as_str(),
            Self::Text => KeyKind::Text.as_str(),
        }
    }
}

/// Parses ASCII digits like Python's `int()`: ignores surrounding white space, leading zeros and
/// single underscores between digits, and accepts a sign.
fn python_int(text: &str) -> Option<i128> {
    let is_blank = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    let text = text.trim_matches(is_blank);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut plain = String::with_capacity(digits.len());
    for group in digits.split('_') {
        if group.is_empty() || !group.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        plain.push_str(group);
    }
    let number: i128 = plain.parse().ok()?;
    Some(if text.starts_with('-') { -number } else { number })
}

/// Returns the digits of whatever Python's `uuid.UUID()` accepts: with or without hyphens anywhere,
/// in braces, as a URN (RFC 9562 section 4), in either case.
fn python_uuid(text: &str) -> Option<String> {
    let text = text.replace("urn:", "").replace("uuid:", "");
    let digits = text.trim_matches(['{', '}']).replace('-', "").to_ascii_lowercase();
    (digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

/// The type of a boolean column such as `is_active`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    Boolean,
    /// A number: zero is false.
    Number,
    /// A string of bits: false if none is set.
    Bits,
}

impl Flag {
    pub(super) fn of(declared: &str) -> Option<Self> {
        let declared = declared.to_ascii_lowercase();
        let base = declared.split(['(', ' ']).next().unwrap_or_default();
        Some(match base {
            "bool" | "boolean" => Self::Boolean,
            "bit" => Self::Bits,
            // In SQLite, a view's column may have no type.
            "" | "numeric" | "decimal" | "number" => Self::Number,
            base if base.contains("int") => Self::Number,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
