//! Fields, validated as Django REST framework's `CharField` does.

use std::fmt::Write as _;

use super::body::Data;
use super::json::Value;
use super::object::{Json, object, texts};

/// The maximum length of a password, in bytes: the time for hashing is proportional to it.
const MAX_PASSWORD_BYTES: usize = 4096;

/// The way a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CharField {
    /// White space around the value is removed.
    Trimmed,
    /// Taken exactly as sent, up to a maximum length.
    Password,
}

/// The invalid fields with their reasons, in the order of the fields: the body of a 400.
pub(crate) type Errors = Json;

/// Reads `fields` from a client's data; reports all failures at once.
pub(crate) fn fields<const N: usize>(
    data: &Data,
    fields: [(&str, CharField); N],
) -> Result<[String; N], Errors> {
    let mut errors = Vec::new();
    if let Data::Json(value) = data
        && !matches!(value, Value::Object(_))
    {
        let reason = match python_type(value) {
            Some(name) => format!("Invalid data. Expected a dictionary, but got {name}."),
            None => "No data provided".to_owned(),
        };
        return Err(object([("non_field_errors", texts([reason]))]));
    }
    let values = fields.map(|(name, kind)| match field(data.field(name), kind) {
        Ok(value) => value,
        Err(reasons) => {
            errors.push((name.to_owned().into(), texts(reasons)));
            String::new()
        }
    });
    if errors.is_empty() { Ok(values) } else { Err(Json::Object(errors)) }
}

/// Reads a field that may be left out.
pub(crate) fn optional(data: &Data, name: &str, kind: CharField) -> Result<Option<String>, Errors> {
    let absent = matches!(data, Data::Json(Value::Null))
        || matches!(data, Data::Json(Value::Object(_))) && data.field(name).is_none()
        || !matches!(data, Data::Json(_)) && data.field(name).is_none();
    if absent {
        return Ok(None);
    }
    fields(data, [(name, kind)]).map(|[value]| Some(value))
}

fn python_type(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Null => return None,
        Value::Bool => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Text(_) => "str",
        Value::List => "list",
        Value::Object(_) => "dict",
    })
}

fn field(value: Option<&Value>, kind: CharField) -> Result<String, Vec<String>> {
    let refuse = |reason: &str| Err(vec![reason.to_owned()]);
    let (value, surrogate) = match value {
        None => return refuse("This field is required."),
        Some(Value::Null) => return refuse("This field may not be null."),
        Some(Value::Bool | Value::List | Value::Object(_)) => return refuse("Not a valid string."),
        Some(Value::Int(number) | Value::Float(number)) => (number.as_str(), None),
        Some(Value::Text(text)) => (text.value.as_str(), text.surrogate),
    };
    let value = match kind {
        CharField::Trimmed => value.trim_matches(is_python_space),
        CharField::Password => value,
    };
    if value.is_empty() {
        return refuse("This field may not be blank.");
    }
    let mut reasons = Vec::new();
    if value.contains('\0') {
        reasons.push("Null characters are not allowed.".to_owned());
    }
    if let Some(surrogate) = surrogate {
        let mut reason = "Surrogate characters are not allowed: U+".to_owned();
        // Writing to a string can't fail.
        let _ = write!(reason, "{surrogate:X}.");
        reasons.push(reason);
    }
    if kind == CharField::Password && value.len() > MAX_PASSWORD_BYTES {
        reasons
            .push(format!("Ensure this field has no more than {MAX_PASSWORD_BYTES} characters."));
    }
    if reasons.is_empty() { Ok(value.to_owned()) } else { Err(reasons) }
}

/// `true` for the characters that Python's `str.strip()` removes: Unicode's white space, and four
/// separators.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::json;

    fn login(json: &str) -> Result<[String; 2], String> {
        let data = Data::Json(json::parse(json, &["username", "password"]).unwrap());
        fields(&data, [("username", CharField::Trimmed), ("password", CharField::Password)])
            .map_err(|errors| serde_json::to_string(&errors).unwrap())
    }

    #[test]
    fn reasons_are_upstreams_in_upstreams_order() {
        for (json, errors) in [
            (
                "{}",
                r#"{"username":["This field is required."],"password":["This field is required."]}"#,
            ),
            (
                r#"{"username":null,"password":true}"#,
                r#"{"username":["This field may not be null."],"password":["Not a valid string."]}"#,
            ),
            (
                r#"{"username":" \u001f\u0085\u00a0","password":"\u0000"}"#,
                concat!(
                    r#"{"username":["This field may not be blank."],"#,
                    r#""password":["Null characters are not allowed."]}"#,
                ),
            ),
            (
                r#"{"username":"\ud800\u0000","password":{}}"#,
                concat!(
                    r#"{"username":["Null characters are not allowed.","#,
                    r#""Surrogate characters are not allowed: U+D800."],"#,
                    r#""password":["Not a valid string."]}"#,
                ),
            ),
            ("null", r#"{"non_field_errors":["No data provided"]}"#),
            (
                "[]",
                r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#,
            ),
        ] {
            assert_eq!(login(json), Err(errors.to_owned()), "{json}");
        }
    }

    #[test]
    fn numbers_are_text() {
        assert_eq!(
            login(r#"{"username":12345,"password":1.50}"#),
            Ok(["12345".into(), "1.5".into()])
        );
    }

    /// DIFFERENCE: upstream trims the password, so a user whose password has spaces around it can't
    /// log in.
    #[test]
    fn a_password_is_taken_as_it_was_sent() {
        let [username, password] = login(r#"{"username":" al ","password":" p "}"#).unwrap();
        assert_eq!((username.as_str(), password.as_str()), ("al", " p "));
        assert_eq!(login(r#"{"username":"a","password":" "}"#).unwrap()[1], " ");
        assert_eq!(login("{\"username\":\"\u{200b}\",\"password\":\"x\"}").unwrap()[0], "\u{200b}");
    }

    /// DIFFERENCE: upstream has no limit.
    #[test]
    fn a_password_is_bounded() {
        let of = |n: usize| login(&format!(r#"{{"username":"a","password":"{}"}}"#, "x".repeat(n)));
        assert!(of(4096).is_ok());
        assert!(of(4097).unwrap_err().contains("no more than 4096"));
    }
}
