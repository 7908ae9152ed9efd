//! Text with columns of the user's row in braces.

use std::fmt;

use serde_json::Value;

/// Text that is composed of constants and columns, as `{username}@example.org`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Column(String),
}

impl Template {
    /// Parses text with columns in braces, where `{{` and `}}` stand for braces. The error is the
    /// end of a sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!(
                "has the template {text:?}, which has {what}: write a column as {{username}}, and \
                 {{{{ or }}}} for a brace"
            )
        };
        let mut parts = Vec::new();
        let mut constant = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            constant.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                constant.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                constant.push('}');
                rest = after;
            } else if let Some((column, after)) =
                from.strip_prefix('{').and_then(|from| from.split_once('}'))
            {
                if column.is_empty() || column.contains('{') {
                    return Err(wrong("braces without a column"));
                }
                if !constant.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut constant)));
                }
                parts.push(Part::Column(column.to_owned()));
                rest = after;
            } else {
                return Err(wrong("a brace without its counterpart"));
            }
        }
        constant.push_str(rest);
        if !constant.is_empty() {
            parts.push(Part::Text(constant));
        }
        if !parts.iter().any(|part| matches!(part, Part::Column(_))) {
            return Err(format!(
                "has the template {text:?}, which has no column: write {{ value = … }} for a constant"
            ));
        }
        Ok(Self(parts))
    }

    /// Returns its columns.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Column(column) => Some(column.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Returns the text with the columns' values; null if one of them is null, since a part of a
    /// name may be another one's name.
    pub(crate) fn fill<'v>(&self, value: impl Fn(&str) -> Option<&'v Value>) -> Value {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(constant) => text.push_str(constant),
                Part::Column(column) => match value(column) {
                    None | Some(Value::Null) => return Value::Null,
                    Some(Value::String(value)) => text.push_str(value),
                    Some(other) => text.push_str(&other.to_string()),
                },
            }
        }
        Value::String(text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Column(column) => write!(f, "{{{column}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn columns_are_filled_in() {
        let row =
            json!({"username": "alice", "id": 7, "is_staff": true, "nick": null, "a b": "{x}"});
        let row: &Map<_, _> = row.as_object().unwrap();
        for (text, filled) in [
            ("{username}@example.org", json!("alice@example.org")),
            ("{{{username}}}", json!("{alice}")),
            ("urn:{id}:{is_staff}:{username}", json!("urn:7:true:alice")),
            ("{username}{username}", json!("alicealice")),
            // A value is not a template.
            ("{a b}é", json!("{x}é")),
            ("{nick}@example.org", json!(null)),
            ("{username}{gone}", json!(null)),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.fill(|column| row.get(column)), filled, "{text}");
            assert_eq!(template.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_template() {
        for (text, told) in [
            ("", "no column"),
            ("example", "no column"),
            ("{{username}}", "no column"),
            ("{}", "without a column"),
            ("{a{b}", "without a column"),
            ("{username", "counterpart"),
            ("username}", "counterpart"),
            ("{{username}", "counterpart"),
            ("{username}}", "counterpart"),
            ("}{", "counterpart"),
        ] {
            let problem = Template::parse(text).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }
}
