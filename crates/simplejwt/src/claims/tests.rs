use proptest::prelude::*;

use std::time::Duration;

use super::read::Object;
use super::*;
use crate::clock::Timestamp;
use crate::error::TokenError;
use crate::jws::MAX_DEPTH;
use crate::settings::{Audience, Settings};

fn parse(json: &str) -> Result<Claims, TokenError> {
    Claims::parse(json.as_bytes().to_vec())
}

fn checked(json: &str, settings: &Settings) -> Result<(), TokenError> {
    parse(json)?.check_registered(settings, Timestamp::from_secs(1000))
}

#[test]
fn unknown_values_keep_their_text_and_order() {
    let json = r#"{"b":1.50,"a":123456789012345678901234567890,"c":"\ud800","d":{"x":[1e400]}}"#;
    assert_eq!(parse(json).unwrap().to_json(), json);
}

#[test]
fn values_are_written_in_ascii_without_spaces() {
    let claims = parse("{\"n\": [1, \"a b\\\\\", {\"é\": \"😀\u{7f}\"}] }").unwrap();
    assert_eq!(claims.to_json(), r#"{"n":[1,"a b\\",{"\u00e9":"\ud83d\ude00\u007f"}]}"#);
}

#[test]
fn doubled_names_are_refused_however_they_are_spelt() {
    for json in [
        r#"{"exp":1,"exp":2}"#,
        r#"{"exp":1,"\u0065xp":2}"#,
        r#"{"\u0065xp":1,"exp":2}"#,
        r#"{"\u0065xp":1,"e\u0078p":2}"#,
    ] {
        assert_eq!(parse(json), Err(TokenError::Invalid), "{json}");
    }
    assert_eq!(parse(r#"{"\u0065xp":7}"#).unwrap().raw("exp"), Some("7"));
    for count in [1, 15, 16, 17, 1000] {
        let members: String = (0..count).map(|n| format!(",\"a{n}\":1")).collect();
        assert!(parse(&format!("{{\"exp\":1{members}}}")).is_ok(), "{count}");
        let last = format!("{{\"exp\":1{members},\"a{}\":2}}", count - 1);
        let first = format!("{{\"exp\":1{members},\"exp\":2}}");
        for doubled in [last, first] {
            assert_eq!(parse(&doubled), Err(TokenError::Invalid), "{count}");
        }
    }
}

#[test]
fn what_is_not_a_json_object_is_refused() {
    for json in ["", "[]", "1", "null", "{} ", "{", "{\"a\":NaN}", "{\"a\":1}x", "\u{feff}{}"] {
        let refused = parse(json) == Err(TokenError::Invalid);
        assert_eq!(refused, json != "{} ", "{json:?}");
    }
    assert_eq!(Claims::parse(vec![b'{', 0xff, b'}']), Err(TokenError::Invalid));
}

#[test]
fn nesting_is_bounded() {
    let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
    assert!(parse(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(parse(&nested(MAX_DEPTH + 1)), Err(TokenError::Invalid));
    assert!(parse(&format!("{{\"a\":[\"{}\"]}}", "[".repeat(100))).is_ok());
}

#[test]
fn set_replaces_in_place_or_appends() {
    let mut claims = parse(r#"{"a":1,"b":2}"#).unwrap();
    claims.set("a", "x").unwrap();
    claims.set_int("c", -3);
    claims.set_str("d", "quote\" and é");
    assert!(claims.remove("b"));
    assert!(!claims.remove("b"));
    assert_eq!(claims.to_json(), r#"{"a":"x","c":-3,"d":"quote\" and \u00e9"}"#);
}

#[test]
fn the_boundary_second_is_expired() {
    let strict = Settings::default();
    assert_eq!(checked(r#"{"exp":1000}"#, &strict), Err(TokenError::Expired));
    assert_eq!(checked(r#"{"exp":1001}"#, &strict), Ok(()));
    assert_eq!(checked(r#"{"exp":1000.9}"#, &strict), Err(TokenError::Expired));
    assert_eq!(checked(r#"{"exp":1001.5}"#, &strict), Ok(()));
    let lenient = Settings { leeway: Duration::from_secs(10), ..Settings::default() };
    assert_eq!(checked(r#"{"exp":991}"#, &lenient), Ok(()));
    assert_eq!(checked(r#"{"exp":990}"#, &lenient), Err(TokenError::Expired));
    assert_eq!(checked(r#"{"nbf":1010,"iat":1010}"#, &lenient), Ok(()));
    assert_eq!(checked(r#"{"nbf":1011}"#, &lenient), Err(TokenError::Invalid));
}

#[test]
fn dates_of_a_wrong_type_or_out_of_range_are_invalid() {
    for date in ["\"2000\"", "null", "true", "[]", "1e400", "253402300800", "1e300"] {
        let json = format!("{{\"exp\":{date}}}");
        assert_eq!(checked(&json, &Settings::default()), Err(TokenError::Invalid), "{json}");
    }
    for date in ["-1", "-1e300", "0", "-9223372036854775809"] {
        let json = format!("{{\"exp\":{date}}}");
        assert_eq!(checked(&json, &Settings::default()), Err(TokenError::Expired), "{json}");
    }
    assert_eq!(checked(r#"{"nbf":"1"}"#, &Settings::default()), Err(TokenError::Invalid));
    assert_eq!(checked(r#"{"iat":1001}"#, &Settings::default()), Err(TokenError::Invalid));
    assert_eq!(checked(r#"{"iat":null}"#, &Settings::default()), Err(TokenError::Invalid));
}

#[test]
fn audience_and_issuer() {
    let settings = Settings {
        audience: Some(Audience::Many(vec!["a".into(), "b".into()])),
        issuer: Some("me".into()),
        ..Settings::default()
    };
    for good in [r#"{"aud":"b","iss":"me"}"#, r#"{"aud":["x","a"],"iss":"me"}"#] {
        assert_eq!(checked(good, &settings), Ok(()), "{good}");
    }
    for bad in [
        r#"{"iss":"me"}"#,
        r#"{"aud":"ab","iss":"me"}"#,
        r#"{"aud":["a",1],"iss":"me"}"#,
        r#"{"aud":null,"iss":"me"}"#,
        r#"{"aud":"a"}"#,
        r#"{"aud":"a","iss":["me"]}"#,
        r#"{"aud":"a","iss":"me2"}"#,
    ] {
        assert_eq!(checked(bad, &settings), Err(TokenError::Invalid), "{bad}");
    }
    assert_eq!(checked(r#"{"aud":5,"iss":5}"#, &Settings::default()), Ok(()));
}

#[test]
fn an_empty_issuer_is_one() {
    let settings = Settings { issuer: Some(String::new()), ..Settings::default() };
    assert_eq!(checked(r#"{"iss":""}"#, &settings), Ok(()));
    for other in ["{}", r#"{"iss":"me"}"#, r#"{"iss":null}"#] {
        assert_eq!(checked(other, &settings), Err(TokenError::Invalid), "{other}");
    }
    let tokens = crate::Tokens::new(Settings {
        signing_key: Some("a secret of at least thirty-two bytes".into()),
        ..settings
    });
    let tokens = tokens.unwrap();
    let sent = tokens.encode(&tokens.issue::<crate::Access>("1")).unwrap();
    let read = tokens.decode::<crate::Access>(&sent).unwrap();
    assert_eq!(read.claims().raw("iss"), Some("\"\""));
}

#[test]
fn sub_and_jti_are_strings() {
    assert_eq!(checked(r#"{"sub":"1","jti":"x"}"#, &Settings::default()), Ok(()));
    assert_eq!(checked(r#"{"sub":1}"#, &Settings::default()), Err(TokenError::Invalid));
    assert_eq!(checked(r#"{"jti":null}"#, &Settings::default()), Err(TokenError::Invalid));
}

#[test]
fn the_user_claim_is_a_string_or_an_integer() {
    let id = |json: &str| parse(json).unwrap().user_id("user_id");
    assert_eq!(id(r#"{"user_id":"1"}"#), UserClaim::Id("1".into()));
    assert_eq!(id(r#"{"user_id":12}"#), UserClaim::Id("12".into()));
    assert_eq!(id("{}"), UserClaim::Missing);
    for bad in ["1.0", "1e0", "true", "null", "[1]", r#""\ud800""#] {
        assert_eq!(id(&format!("{{\"user_id\":{bad}}}")), UserClaim::Malformed, "{bad}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(bytes: Vec<u8>) {
        let _ = Claims::parse(bytes);
    }

    /// The fast path gives the same result as the general one.
    #[test]
    fn plain_objects_are_read_alike(
        json in r#"\{("[a-c\\\\\u00e9]{0,2}":("[x \\\\\u{1}]{0,2}"|-?[0-9]{0,3}|1\.5|null|\[\]) ?,?){0,4}\}?"#,
    ) {
        if let Some(plain) = Object::parse_plain(&json) {
            let long = Object::parse(&json).expect("is JSON");
            let spans = |object: &Object| -> Vec<_> {
                let spans = object.members.iter().map(|m| (m.name, m.value));
                spans.map(|(n, v)| (n.start, n.end, v.start, v.end)).collect()
            };
            prop_assert_eq!(spans(&plain), spans(&long));
        }
    }

    #[test]
    fn what_serde_writes_comes_back(map: std::collections::BTreeMap<String, (String, i64, f32)>) {
        let json = serde_json::to_string(&map).unwrap();
        let claims = parse(&json).unwrap();
        for (name, value) in &map {
            if value.2.is_finite() {
                let read: Option<(String, i64, f32)> = claims.get(name).unwrap();
                prop_assert_eq!(read.as_ref(), Some(value));
            }
        }
        let ascii = claims.to_json();
        prop_assert!(ascii.is_ascii());
        let back = parse(&ascii).unwrap();
        prop_assert_eq!(back.len(), claims.len());
        for (name, value) in claims.iter() {
            let same: serde_json::Value = serde_json::from_str(value).unwrap();
            prop_assert_eq!(back.get::<serde_json::Value>(name).unwrap(), Some(same));
        }
    }
}
