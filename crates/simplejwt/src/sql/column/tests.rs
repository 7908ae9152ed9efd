//! Types, and the texts that can be compared with columns of them.

use super::declared::resolve;
use super::*;
use crate::sql::schema::Column;
use crate::sql::table::UserTable;

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
    for name in ["4711", " 4711 ", "\t4711\n", "+4711", "004711", "4_711", "\u{1c}4711\u{3000}"] {
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
