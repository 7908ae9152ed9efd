//! Values of the settings about keys.

use serde_json::{Map, Value};

use super::value::{boolean, shown, text};
use super::{FurtherKey, KeyId};
use crate::keys::Algorithm;

/// Reads the setting `kid`: `true` for the thumbprint, `false` for none, or the key id itself.
///
/// ```
/// use simplejwt::settings::{KeyId, keys::key_id};
///
/// assert_eq!(key_id(&true.into()), Ok(KeyId::Thumbprint));
/// assert_eq!(key_id(&"2026-11".into()), Ok(KeyId::Named("2026-11".into())));
/// ```
///
/// # Errors
/// The end of a sentence that begins with the setting's name.
pub fn key_id(value: &Value) -> Result<KeyId, String> {
    if value.is_null() {
        return Ok(KeyId::None);
    }
    match boolean(value) {
        Ok(true) => Ok(KeyId::Thumbprint),
        Ok(false) => Ok(KeyId::None),
        Err(_) => match text(value) {
            Ok(kid) if kid.len() > LONGEST_KID || kid.chars().any(char::is_control) => {
                Err(format!(
                    "is {}, not a key id: write at most {LONGEST_KID} characters",
                    shown(value)
                ))
            }
            Ok(kid) => Ok(KeyId::Named(kid)),
            Err(problem) => Err(format!("{problem}: write true, false or a key id")),
        },
    }
}

/// A key id is in every token.
const LONGEST_KID: usize = 128;

/// Reads the setting `verifying_keys`: a list of keys, each as text or as a table with `key`, and
/// `algorithm` and `kid` where they differ from the settings'. Also the same list as JSON in a
/// string, or a single key.
///
/// ```
/// use serde_json::json;
/// use simplejwt::settings::keys::further_keys;
///
/// let keys = further_keys(&json!(["an old secret", {"key": "another", "algorithm": "HS512"}]));
/// assert_eq!(keys.unwrap().len(), 2);
/// ```
///
/// # Errors
/// The end of a sentence that begins with the setting's name. It doesn't quote the value, which may
/// be a key.
pub fn further_keys(value: &Value) -> Result<Vec<FurtherKey>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(keys) => keys.iter().map(further_key).collect(),
        Value::String(text) if text.trim_start().starts_with('[') => {
            match serde_json::from_str::<Value>(text) {
                Ok(list @ Value::Array(_)) => further_keys(&list),
                _ => Err("is not a list of keys, in JSON".into()),
            }
        }
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(_) => Ok(vec![further_key(value)?]),
        _ => Err("is not a list of keys: write [\"…\", { key = \"…\", algorithm = \"…\" }]".into()),
    }
}

fn further_key(value: &Value) -> Result<FurtherKey, String> {
    match value {
        Value::String(key) if !key.is_empty() => Ok(key.as_str().into()),
        Value::Object(members) => of_table(members),
        _ => Err("contains something that is neither a key nor a table with a key".into()),
    }
}

fn of_table(members: &Map<String, Value>) -> Result<FurtherKey, String> {
    const NAMES: [&str; 3] = ["key", "algorithm", "kid"];
    if let Some(name) = members.keys().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(format!(
            "contains a table with {name}, which is not one of key, algorithm, kid"
        ));
    }
    let member = |name| match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.as_str())),
        Some(_) => Err(format!("contains a table whose {name} is not a string")),
    };
    let key = member("key")?.ok_or("contains a table without a key")?;
    let algorithm = member("algorithm")?.map(str::parse::<Algorithm>).transpose();
    let algorithm = algorithm
        .map_err(|_| "contains a table whose algorithm is not one such as HS256 or ES256")?;
    Ok(FurtherKey { key: key.into(), algorithm, kid: member("kid")?.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_id_is_a_switch_or_a_name() {
        for (value, expected) in [
            (json!(null), KeyId::None),
            (json!(false), KeyId::None),
            (json!("off"), KeyId::None),
            (json!("true"), KeyId::Thumbprint),
            (json!("2026"), KeyId::Named("2026".into())),
        ] {
            assert_eq!(key_id(&value), Ok(expected), "{value}");
        }
        for bad in [json!(7), json!(""), json!([]), json!("a\u{7}b"), json!("k".repeat(129))] {
            assert!(key_id(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_texts_or_tables() {
        let list = json!(["a", {"key": "b", "algorithm": "EdDSA", "kid": "old"}]);
        let keys = further_keys(&list).unwrap();
        assert_eq!(keys[0], "a".into());
        assert_eq!(keys[1].algorithm, Some(Algorithm::EdDsa));
        assert_eq!(keys[1].kid.as_deref(), Some("old"));
        assert_eq!(further_keys(&json!(list.to_string())).unwrap(), keys);
        assert_eq!(further_keys(&json!("a")).unwrap(), ["a".into()]);
        for empty in [json!([]), json!(null), json!("")] {
            assert_eq!(further_keys(&empty), Ok(vec![]), "{empty}");
        }
        for bad in [
            json!(7),
            json!({"key": "a"}),
            json!([""]),
            json!([7]),
            json!([{}]),
            json!([{"key": 7}]),
            json!([{"key": "secret", "alg": "HS256"}]),
            json!([{"key": "secret", "algorithm": "HS257"}]),
            json!("[secret"),
        ] {
            let problem = further_keys(&bad).unwrap_err();
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
