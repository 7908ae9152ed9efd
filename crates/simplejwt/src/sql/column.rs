//! What the columns of a user's key, login name and flags hold, by the types that the database
//! declares them with, and so which texts can be compared with them.

use std::collections::BTreeSet;

use super::fields::{Field, fields};
use super::table::{Key, KeyKind, UserTable, hyphenated, uuid_digits};
use crate::sql::schema::{Column, SchemaError};
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
        self.shown(stored).into()
    }

    /// A stored value as text.
    pub(crate) fn shown(self, stored: String) -> String {
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
    fn word(self) -> &'static str {
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

/// A type as a database declares it, as far as keys and login names go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
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
    fn declared(self, column: &Column) -> Option<Declared> {
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

/// What is known of a table of users once its columns have been seen.
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
    /// Every column that there is.
    found: Vec<Column>,
}

impl UserColumns {
    /// Reads the columns of a table that has every one that is named.
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

    /// Everything that is wrong with the columns of a table of users.
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

    /// Columns that are taken for the digits of UUIDs because of their type, `char(32)`, which
    /// Django makes of a `UUIDField`. What is in them tells.
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

    /// Takes a guess back where one of a column's values is no UUID.
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

    /// A column, as the database describes it.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        look_up(&self.found, name)
    }

    /// What a column holds that says yes or no.
    pub(crate) fn flag(&self, table: &UserTable, name: &str) -> Result<Flag, SchemaError> {
        self.column(name).map_or(Ok(Flag::Number), |column| flag_of(table, column))
    }

    /// Whether registered tokens can refer to the key by a column that is declared so.
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
            // SQLite's names of types promise nothing.
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

/// How many values of a column are looked at to tell what it holds.
#[cfg(feature = "sql")]
pub(crate) const LOOKED_AT: u8 = 20;

fn flag_of(table: &UserTable, column: &Column) -> Result<Flag, SchemaError> {
    Flag::of(&column.kind).ok_or_else(|| SchemaError::UnreadableFlag {
        table: table.table.clone(),
        column: column.name.clone(),
        declared: column.declared.clone(),
    })
}

/// Not every database tells upper and lower case apart.
fn look_up<'a>(found: &'a [Column], name: &str) -> Option<&'a Column> {
    let same = |column: &&Column| column.name.eq_ignore_ascii_case(name);
    found.iter().find(|column| column.name == name).or_else(|| found.iter().find(same))
}

/// What a column holds, given what is configured.
fn resolve(
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
    fn of(declared: &str) -> Option<Self> {
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
mod tests {
    use super::*;

    fn column(kind: &str) -> Column {
        Column {
            name: "uid".into(),
            declared: kind.into(),
            kind: kind.into(),
            not_null: true,
            has_default: false,
        }
    }

    fn resolved(
        dialect: Dialect,
        kind: &str,
        configured: Option<KeyKind>,
    ) -> Result<ColumnType, String> {
        let (table, column) = (UserTable::default(), column(kind));
        resolve(&table, &column, dialect.declared(&column), configured).map_err(|e| e.to_string())
    }

    const INT: ColumnType = ColumnType::Integer { least: i32::MIN as i64, most: i32::MAX as u64 };

    #[test]
    fn only_the_canonical_text_of_an_integer_is_a_key() {
        let parse = |text: &str| ColumnType::BIGINT.parse(&text.into());
        assert_eq!(parse("1"), Some(Key::Integer(1)));
        assert_eq!(parse("0"), Some(Key::Integer(0)));
        assert_eq!(parse("-7"), Some(Key::Integer(-7)));
        assert_eq!(parse("9223372036854775807"), Some(Key::Integer(i64::MAX)));
        for text in ["", " 1", "1 ", "+1", "01", "-0", "1.0", "1_0", "abc", "٣", "--1", "0x1"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse("9223372036854775808"), None);
        assert_eq!(INT.parse(&"2147483648".into()), None);
        let unsigned = ColumnType::Integer { least: 0, most: u64::MAX };
        assert_eq!(unsigned.parse(&"-1".into()), None);
        assert_eq!(unsigned.parse(&"18446744073709551615".into()), Some(Key::Unsigned(u64::MAX)));
        assert_eq!(unsigned.parse(&"18446744073709551616".into()), None);
    }

    #[test]
    fn a_uuid_is_stored_as_digits_and_claimed_with_hyphens() {
        let digits = "0123456789abcdef0123456789abcdef";
        let claim = "01234567-89ab-cdef-0123-456789abcdef";
        for text in [digits, claim, &claim.to_uppercase()] {
            assert_eq!(ColumnType::Uuid.parse(&text.into()), Some(Key::Text(digits.into())));
        }
        assert_eq!(ColumnType::Uuid.id_of(digits.into()).as_str(), claim);
        for text in [
            "",
            "1",
            "0123456789abcdef0123456789abcdeg",
            "0123456-789ab-cdef-0123-456789abcdef",
            "0123456789abcdef0123456789abcdef0123",
            "--------------------------------",
            "ääääääääääääääää",
        ] {
            assert_eq!(ColumnType::Uuid.parse(&text.into()), None, "{text:?}");
        }
    }

    #[test]
    fn a_login_name_is_a_number_as_pythons_int_reads_it() {
        let parse = |name: &str| ColumnType::BIGINT.parse_login(name);
        for name in ["4711", " 4711 ", "\t4711\n", "+4711", "004711", "4_711", "\u{1c}4711\u{3000}"]
        {
            assert_eq!(parse(name), Some(Key::Integer(4711)), "{name:?}");
        }
        assert_eq!(parse("-4711"), Some(Key::Integer(-4711)));
        assert_eq!(parse("-9223372036854775808"), Some(Key::Integer(i64::MIN)));
        for name in [
            "",
            " ",
            "+",
            "-",
            "4711x",
            "x4711",
            "4711.0",
            "1e3",
            "4__711",
            "_4711",
            "4711_",
            "+-1",
            "47 11",
            "0x12",
            "٣",
            "４７１１",
            "4711\0",
            "NaN",
            "1.",
            ".1",
            "9223372036854775808",
            "-9223372036854775809",
            &"9".repeat(5000),
        ] {
            assert_eq!(parse(name), None, "{name:?}");
        }
        assert_eq!(INT.parse_login("2147483648"), None);
    }

    #[test]
    fn a_login_name_is_a_uuid_as_pythons_uuid_reads_it() {
        let digits = "6f1c3a529a384d5e8a520123456789ab";
        let parse = |name: &str| ColumnType::Uuid.parse_login(name);
        for name in [
            digits,
            "6F1C3A52-9A38-4D5E-8A52-0123456789AB",
            "{6f1c3a52-9a38-4d5e-8a52-0123456789ab}",
            "urn:uuid:6f1c3a52-9a38-4d5e-8a52-0123456789ab",
            "6-f1c3a529a384d5e8a520123456789a-b",
        ] {
            assert_eq!(parse(name), Some(Key::Text(digits.into())), "{name:?}");
        }
        for name in ["", "6f1c3a52", "6f1c3a529a384d5e8a520123456789ag", &digits.repeat(2), "{}"] {
            assert_eq!(parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn types_are_taken_from_the_column() {
        use ColumnType::{Integer, Text, Uuid};
        for (dialect, kind, expected) in [
            (Dialect::Strict, "smallint", Integer { least: -32_768, most: 32_767 }),
            (Dialect::Strict, "integer", INT),
            (Dialect::Strict, "bigint", ColumnType::BIGINT),
            (Dialect::Strict, "int(10) unsigned", Integer { least: 0, most: 4_294_967_295 }),
            (Dialect::Strict, "bigint(20) unsigned", Integer { least: 0, most: u64::MAX }),
            (Dialect::Strict, "tinyint(3) unsigned zerofill", Integer { least: 0, most: 255 }),
            (Dialect::Strict, "uuid", Uuid),
            (Dialect::Strict, "char(32)", Uuid),
            (Dialect::Strict, "character(32)", Uuid),
            (Dialect::Strict, "char(36)", Text),
            (Dialect::Strict, "character varying(150)", Text),
            (Dialect::Strict, "character varying(32)", Text),
            (Dialect::Strict, "varchar(32)", Text),
            (Dialect::Strict, "citext", Text),
            (Dialect::Strict, "extensions.citext", Text),
            (Dialect::Strict, "longtext", Text),
            (Dialect::Sqlite, "INTEGER", ColumnType::BIGINT),
            (Dialect::Sqlite, "smallint unsigned", ColumnType::BIGINT),
            (Dialect::Sqlite, "char(32)", Uuid),
            (Dialect::Sqlite, "varchar(150)", Text),
            (Dialect::Sqlite, "", Text),
            (Dialect::Sqlite, "STRING", Text),
        ] {
            assert_eq!(resolved(dialect, kind, None), Ok(expected), "{kind}");
        }
        for (dialect, kind) in [
            (Dialect::Strict, "numeric(10,2)"),
            (Dialect::Strict, "bytea"),
            (Dialect::Strict, "boolean"),
            (Dialect::Strict, "date"),
            (Dialect::Strict, "inet"),
            (Dialect::Strict, "binary(16)"),
            (Dialect::Strict, "enum('a','b')"),
            (Dialect::Sqlite, "decimal"),
            (Dialect::Sqlite, "datetime"),
        ] {
            let text = resolved(dialect, kind, None).unwrap_err();
            assert!(text.contains(&format!("has the type \"{kind}\"")), "{text}");
        }
    }

    #[test]
    fn a_configured_type_that_is_not_the_columns_is_refused_with_the_line_to_write() {
        use KeyKind::{Integer, Text, Uuid};
        for (kind, fits) in [
            ("bigint", &[Integer] as &[_]),
            ("uuid", &[Uuid]),
            ("char(32)", &[Uuid, Text]),
            ("varchar(32)", &[Uuid, Text]),
            ("text", &[Uuid, Text]),
            ("varchar(36)", &[Text]),
        ] {
            for configured in [Integer, Uuid, Text] {
                match resolved(Dialect::Strict, kind, Some(configured)) {
                    Ok(found) => {
                        assert!(fits.contains(&configured), "{kind} {configured:?}");
                        assert_eq!(found.word(), configured.as_str());
                    }
                    Err(text) => {
                        assert!(!fits.contains(&configured), "{kind} {configured:?}: {text}");
                        let told = text.contains(kind) && text.contains("key_type = \"");
                        assert!(told && text.contains("\"auth_user\""), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn flags_are_booleans_numbers_or_bits() {
        for (declared, expected) in [
            ("boolean", Some(Flag::Boolean)),
            ("bool", Some(Flag::Boolean)),
            ("tinyint(1)", Some(Flag::Number)),
            ("smallint", Some(Flag::Number)),
            ("INTEGER", Some(Flag::Number)),
            ("numeric(1,0)", Some(Flag::Number)),
            ("bit(1)", Some(Flag::Bits)),
            ("bit varying(8)", Some(Flag::Bits)),
            ("", Some(Flag::Number)),
            ("char(1)", None),
            ("character varying(5)", None),
            ("text", None),
            ("enum('Y','N')", None),
        ] {
            assert_eq!(Flag::of(declared), expected, "{declared}");
        }
    }
}
