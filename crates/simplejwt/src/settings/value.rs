//! The syntax of configuration values, wherever they come from: TOML, JSON, or the text of an
//! environment variable.
//!
//! [`Settings`](super::Settings) are read by these rules, and so is the server's configuration.
//! They are public for programs whose own configuration should follow the same rules. An error is
//! the rest of a sentence that begins with the setting's name, and says what to write.
//!
//! ```
//! use serde_json::json;
//! use simplejwt::settings::value::{boolean, duration};
//!
//! assert_eq!(duration(&json!("1h30m")).unwrap().as_secs(), 5400);
//! assert_eq!(boolean(&json!("True")), Ok(true));
//! assert_eq!(boolean(&json!(2)).unwrap_err(), "is 2, not a boolean: write true or false");
//! ```

mod duration;

use std::str::FromStr;

use serde_json::Value;

pub use duration::duration;

/// Reads a boolean. Python's `True` and `False` are accepted, too.
///
/// # Errors
/// The value isn't a boolean.
pub fn boolean(value: &Value) -> Result<bool, String> {
    let text = match value {
        Value::Bool(on) => return Ok(*on),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        _ => String::new(),
    };
    match text.as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("is {}, not a boolean: write true or false", shown(value))),
    }
}

/// Reads a whole number that isn't negative.
///
/// # Errors
/// The value isn't such a number, or is out of range.
pub fn count<T: TryFrom<u64>>(value: &Value) -> Result<T, String> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
        format!("is {}, not a whole number in range: write one such as 10", shown(value))
    })
}

/// Words that mean "no value" in other languages and would otherwise be taken for names.
pub const NO_VALUES: [&str; 8] = ["None", "null", "Null", "NULL", "nil", "undefined", "NaN", "nan"];

/// `true` if a text is one of [`NO_VALUES`], ignoring white space around it.
pub fn is_no_value(text: &str) -> bool {
    NO_VALUES.contains(&text.trim())
}

/// Reads a string that isn't empty.
///
/// # Errors
/// The value isn't a string, is empty, or is a word that stands for no value ([`is_no_value`]).
pub fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) if is_no_value(text) => {
            Err(format!("is {}, which stands for no value: leave it out", shown(value)))
        }
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        Value::String(_) => Err("is empty".into()),
        _ => Err(format!("is {}, not a string", shown(value))),
    }
}

/// Reads a string, or `None` for null or the empty string (TOML and the environment have no null).
///
/// # Errors
/// The value isn't a string, or is a word that stands for no value ([`is_no_value`]).
pub fn optional_text(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        _ => text(value).map(Some),
    }
}

/// Reads a list of strings: a list, a JSON list in a string, or a string of items separated by
/// commas.
///
/// # Errors
/// The value isn't a list, or an item isn't a string.
pub fn list(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| {
                item.as_str()
                    .filter(|text| !is_no_value(text))
                    .map(str::to_owned)
                    .ok_or_else(|| format!("contains {}, not a string", shown(item)))
            })
            .collect(),
        Value::String(text) if text.trim_start().starts_with('[') => {
            let parsed: Value = serde_json::from_str(text)
                .map_err(|error| format!("is not a JSON list of strings: {error}"))?;
            list(&parsed)
        }
        Value::String(text) if is_no_value(text) => {
            Err(format!("is {}, which stands for no value: leave it out", shown(value)))
        }
        Value::String(text) => Ok(text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()),
        _ => Err(format!("is {}, not a list of strings", shown(value))),
    }
}

/// Reads one of a few words.
///
/// # Errors
/// The value isn't one of them.
pub fn choice<T: Copy>(value: &Value, choices: &[(&str, T)]) -> Result<T, String> {
    let word = value.as_str().unwrap_or_default().trim();
    choices
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, choice)| *choice)
        .ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            format!("is {}: write {}", shown(value), names.join(" or "))
        })
}

/// Reads any type that parses from text. `what` names it in the error, and says what to write.
///
/// # Errors
/// The value doesn't parse.
pub fn parsed<T: FromStr>(value: &Value, what: &str) -> Result<T, String> {
    text(value)?.trim().parse().map_err(|_| format!("is {}, not {what}", shown(value)))
}

/// Formats a value for an error message: shortened, with its type visible from its form.
pub fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Null => "null".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a table".into(),
        other => {
            let text = other.to_string();
            if text.chars().count() > LONGEST {
                format!("{}…", text.chars().take(LONGEST).collect::<String>())
            } else {
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn switches() {
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!("True"), Some(true)),
            (json!("YES"), Some(true)),
            (json!("on"), Some(true)),
            (json!(1), Some(true)),
            (json!("1"), Some(true)),
            (json!(false), Some(false)),
            (json!("False"), Some(false)),
            (json!("no"), Some(false)),
            (json!("OFF"), Some(false)),
            (json!("0"), Some(false)),
            (json!(0), Some(false)),
            (json!(2), None),
            (json!(""), None),
            (json!("ja"), None),
            (json!(null), None),
            (json!([true]), None),
        ] {
            assert_eq!(boolean(&value).ok(), expected, "{value}");
        }
    }

    #[test]
    fn numbers_lists_and_texts() {
        assert_eq!(count::<u32>(&json!("7")), Ok(7));
        assert_eq!(count::<u8>(&json!(255)), Ok(255));
        assert!(count::<u8>(&json!(256)).is_err());
        assert!(count::<u32>(&json!(-1)).is_err());
        assert!(count::<u32>(&json!(1.5)).is_err());
        assert_eq!(list(&json!("Bearer, JWT")), Ok(vec!["Bearer".into(), "JWT".into()]));
        assert_eq!(list(&json!("[\"a,b\"]")), Ok(vec!["a,b".into()]));
        assert!(list(&json!([1])).is_err());
        assert!(list(&json!("[1]")).is_err());
        assert_eq!(optional_text(&json!(null)), Ok(None));
        assert_eq!(optional_text(&json!("")), Ok(None));
        assert!(optional_text(&json!(7)).is_err());
        assert!(text(&json!("")).is_err());
    }

    #[test]
    fn long_values_are_cut_in_messages() {
        assert!(shown(&json!("x".repeat(1000))).chars().count() < 70);
    }
}
