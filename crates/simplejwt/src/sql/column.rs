//! What the columns of a user's key, login name and flags hold, by the types that the database
//! declares them with, and so which texts can be compared with them.

mod declared;
mod table;

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub(crate) use declared::Dialect;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub(crate) use table::{LOOKED_AT, UserColumns};

use super::table::{Key, KeyKind, hyphenated, uuid_digits};
use crate::users::UserId;

/// What the column of a key or a login name holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// Whole numbers of this range.
    Integer { least: i64, most: u64 },
    /// A UUID: in a type of the database's own, or as 32 hexadecimal digits.
    Uuid,
    /// Any text.
    Text,
}

impl ColumnType {
    /// Every whole number that a signed column of eight bytes holds.
    pub(crate) const BIGINT: Self = Self::Integer { least: i64::MIN, most: i64::MAX as u64 };

    /// The key that a claim's text names; `None` where no such key can be.
    ///
    /// Only the canonical form of an integer is one: Python's `int` would take `" 1 "`, `+1` and
    /// `01` as well, and one user would have several ids.
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

    /// The value that a login name names, by the rules of Django's field for the type; `None`
    /// where no user can have it.
    pub(crate) fn parse_login(self, name: &str) -> Option<Key> {
        match self {
            Self::Integer { .. } => python_int(name).and_then(|number| self.number(number)),
            Self::Uuid => python_uuid(name).map(Key::Text),
            Self::Text => Some(Key::Text(name.to_owned())),
        }
    }

    /// A value that the column can hold, whether or not a row has it.
    pub(crate) fn any(self) -> Key {
        match self {
            Self::Integer { .. } => Key::Integer(0),
            Self::Uuid => Key::Text("0".repeat(32)),
            Self::Text => Key::Text(String::new()),
        }
    }

    /// The claim's text for a stored key: `str()` of the Python value.
    pub(crate) fn id_of(self, stored: String) -> UserId {
        self.canonical(stored).into()
    }

    /// A stored value as text.
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

    /// The word for it in the settings.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Integer { .. } => KeyKind::Integer.as_str(),
            Self::Uuid => KeyKind::Uuid.as_str(),
            Self::Text => KeyKind::Text.as_str(),
        }
    }
}

/// The number that Python's `int()` reads out of a text of ASCII digits: white space around it, a
/// sign, zeros at its beginning and single underscores between digits are no matter.
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

/// The digits of what Python's `uuid.UUID()` takes: with hyphens anywhere or none, in braces, as a
/// URN (RFC 9562 section 4), in either case.
fn python_uuid(text: &str) -> Option<String> {
    let text = text.replace("urn:", "").replace("uuid:", "");
    let digits = text.trim_matches(['{', '}']).replace('-', "").to_ascii_lowercase();
    (digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

/// What a column holds that says yes or no: `is_active` and its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    Boolean,
    /// A number: zero is no.
    Number,
    /// A string of bits: no if none is set.
    Bits,
}

impl Flag {
    pub(super) fn of(declared: &str) -> Option<Self> {
        let declared = declared.to_ascii_lowercase();
        let base = declared.split(['(', ' ']).next().unwrap_or_default();
        Some(match base {
            "bool" | "boolean" => Self::Boolean,
            "bit" => Self::Bits,
            // A view's column needn't have a type in SQLite.
            "" | "numeric" | "decimal" | "number" => Self::Number,
            base if base.contains("int") => Self::Number,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
