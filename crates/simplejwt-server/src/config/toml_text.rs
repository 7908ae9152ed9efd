//! Values as TOML.

use serde_json::Value;

/// Formats a name as a TOML key.
pub(super) fn toml_key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_bare) {
        return name.to_owned();
    }
    toml_of(&Value::String(name.to_owned()))
}

/// Formats a value as TOML, on one line. TOML has no null, so an empty string stands for it.
pub(super) fn toml_of(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(toml_of).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{} = {}", toml_key(name), toml_of(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::String(text) => toml::Value::String(text.clone())
            .to_string()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .join("\\n"),
        other => other.to_string(),
    }
}
