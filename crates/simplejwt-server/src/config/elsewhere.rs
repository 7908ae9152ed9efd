//! Hints for a name that isn't where it was looked for.

use serde_json::Value;

use super::foreign;
use super::list::{self, Setting};
use super::suggest::nearest;

/// Returns the hint for a name that belongs in another table, that another program uses, or that is
/// similar to a name in another table. `hint` is the suggestion from its own table, if there is
/// one.
pub(super) fn elsewhere(name: &str, value: &Value, hint: &str) -> Option<String> {
    let unknown = name;
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix("_file").unwrap_or(&name);
    let named = |item: &Setting| item.name == name || item.file.is_some() && item.name == plain;
    if let Some(item) = list::all().find(named) {
        return Some(format!("; it belongs in [{}], or in {}", item.table(), item.env));
    }
    // The name of the setting's environment variable.
    if let Some(item) = list::all().find(|item| item.env.eq_ignore_ascii_case(&name)) {
        let (label, table) = (item.name, item.table());
        return Some(match item.is_table() {
            true => format!("; it is [{table}], or {} in the environment", item.env),
            false => format!("; it is {label} in [{table}], or {} in the environment", item.env),
        });
    }
    if let Some(instead) = foreign::instead(unknown, value) {
        return Some(format!(": {instead}"));
    }
    if !hint.is_empty() {
        return None;
    }
    let near = nearest(&name, list::all().map(|item| item.name).filter(|name| !name.is_empty()))?;
    let item = list::all().find(|item| item.name == near)?;
    Some(format!("; did you mean {near} in [{}]?", item.table()))
}
