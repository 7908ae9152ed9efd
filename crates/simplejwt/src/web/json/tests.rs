use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Value, String> {
    parse(text, &["a", "b"])
}

#[test]
fn refusals_have_pythons_words_and_positions() {
    for (text, error) in [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        (" ", "Expecting value: line 1 column 2 (char 1)"),
        (
            r#"{"a":1,}"#,
            "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
        ),
        (r#"{"a" 1}"#, "Expecting ':' delimiter: line 1 column 6 (char 5)"),
        (r#"{a:1}"#, "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (r#"{"a":"\x"}"#, "Invalid \\escape: line 1 column 7 (char 6)"),
        (r#"{"a":"\u12"}"#, "Invalid \\uXXXX escape: line 1 column 8 (char 7)"),
        (r#"{"a":""#, "Unterminated string starting at: line 1 column 6 (char 5)"),
        ("{\"a\":\"\n\"}", "Invalid control character at: line 1 column 7 (char 6)"),
        (r#"{"a":tru}"#, "Expecting value: line 1 column 6 (char 5)"),
        ("[1,]", "Expecting value: line 1 column 4 (char 3)"),
        ("[1 2]", "Expecting ',' delimiter: line 1 column 4 (char 3)"),
        (r#"{"a":1}x"#, "Extra data: line 1 column 8 (char 7)"),
        (r#"{"a":NaN}"#, "Out of range float values are not JSON compliant: 'NaN'"),
        (r#"{"a":-Infinity}"#, "Out of range float values are not JSON compliant: '-Infinity'"),
        (r#"{"a":01}"#, "Expecting ',' delimiter: line 1 column 7 (char 6)"),
        (r#"{"a":-}"#, "Expecting value: line 1 column 6 (char 5)"),
        ("\u{feff}{}", "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"),
        (r#"{"a":"\ud800\u"}"#, "Invalid \\uXXXX escape: line 1 column 14 (char 13)"),
        (r#"{"a": "b\"#, "Unterminated string starting at: line 1 column 7 (char 6)"),
        ("{\n \"é\": nope}", "Expecting value: line 2 column 7 (char 8)"),
    ] {
        assert_eq!(read(text), Err(error.to_owned()), "{text:?}");
    }
}

#[test]
fn numbers_become_pythons_text() {
    for (json, text) in [
        ("12345", Value::Int("12345".into())),
        ("-0", Value::Int("0".into())),
        ("1.50", Value::Float("1.5".into())),
        ("-0.0", Value::Float("-0.0".into())),
        ("1e5", Value::Float("100000.0".into())),
        ("1e16", Value::Float("1e+16".into())),
        ("123456789012345680.0", Value::Float("1.2345678901234568e+17".into())),
        ("0.0001", Value::Float("0.0001".into())),
        ("0.00001", Value::Float("1e-05".into())),
        ("1e400", Value::Float("inf".into())),
    ] {
        assert_eq!(read(json), Ok(text), "{json}");
    }
    assert!(read(&"9".repeat(4300)).is_ok());
    assert!(read(&"9".repeat(4301)).unwrap_err().starts_with("Exceeds the limit"));
}

#[test]
fn the_last_of_doubled_names_counts_and_surrogates_are_noted() {
    let Ok(Value::Object(members)) = read(r#"{"a":1,"b":"\ud83d\ude00\udc00","a":null}"#) else {
        panic!("an object");
    };
    assert_eq!(members.len(), 2);
    assert_eq!(members[0], ("a".into(), Value::Null));
    let text = Text { value: "😀\u{fffd}".into(), surrogate: Some(0xdc00) };
    assert_eq!(members[1], ("b".into(), Value::Text(text)));
    for (json, value, surrogate) in [
        (r#"{"a":"\ud800"}"#, "\u{fffd}", Some(0xd800)),
        (r#"{"a":"\ud800\ud83d\ude00x"}"#, "\u{fffd}😀x", Some(0xd800)),
        (r#"{"a":"\ud800x\udc00"}"#, "\u{fffd}x\u{fffd}", Some(0xd800)),
        (r#"{"\u0061":"\\\"\/\b\f\n\r\t\u00e9é"}"#, "\\\"/\u{8}\u{c}\n\r\téé", None),
    ] {
        let text = Value::Text(Text { value: value.into(), surrogate });
        assert_eq!(read(json), Ok(Value::Object(vec![("a".into(), text)])), "{json}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested =
        |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(read(&nested(MAX_DEPTH)).is_ok());
    assert!(read(&nested(MAX_DEPTH + 1)).unwrap_err().starts_with("Too deeply nested"));
    assert!(read(&"[".repeat(100_000)).unwrap_err().starts_with("Too deeply nested"));
}

#[test]
fn only_what_is_wanted_is_kept() {
    let json = r#"{"x":"1","a":{"a":1},"y":[{"b":2}],"\u0078":3,"b":2.50}"#;
    let members =
        vec![("a".into(), Value::Object(vec![])), ("b".into(), Value::Float("2.5".into()))];
    assert_eq!(read(json), Ok(Value::Object(members)));
    // Unwanted members are still checked.
    assert!(read(r#"{"x":"\x"}"#).unwrap_err().starts_with("Invalid \\escape"));
    assert!(read(r#"{"x":[NaN]}"#).unwrap_err().contains("not JSON compliant"));
}

proptest! {
    #[test]
    fn what_serde_json_takes_is_taken(text in r#"[\[\]{}",:0-9a-eE.+\\ untrlsf-]{0,24}"#) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        if theirs {
            prop_assert!(read(&text).is_ok());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = read(&text);
    }
}
