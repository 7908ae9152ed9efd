//! The TOML file.

use std::path::Path;

use serde_json::{Map, Value};
use simplejwt::settings::value::shown;

use super::elsewhere::elsewhere;
use super::list::{self, Setting};
use super::suggest::did_you_mean;
use super::value_file::{from_file, read_text, warn_if_open};
use super::{Found, Given, Layer, dictionary, realms, simple_jwt, syntax};

/// Reads the file at `path`, without the table of realms, which is returned as it is.
pub(super) fn read(path: &Path, found: &mut Found) -> (Layer, Option<toml::Value>) {
    let mut unread = |problem: String| {
        found.problems.push(problem);
        found.unread = true;
        (Layer::new(), None)
    };
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) => {
            return unread(format!("can't read the configuration {}: {error}", path.display()));
        }
    };
    // A byte order mark, as Windows' editor writes it.
    let text = text.trim_start_matches('\u{feff}');
    let mut tables: toml::Table = match text.parse() {
        Ok(tables) => tables,
        Err(error) => {
            return unread(format!("{}{}", path.display(), syntax::explain(text, &error)));
        }
    };
    let realms = tables.remove(realms::TABLE);
    (tables_of(tables, path, &path.display().to_string(), found), realms)
}

/// Reads tables of the file at `path`, with which messages begin with `origin`.
pub(super) fn tables_of(
    tables: toml::Table,
    path: &Path,
    origin: &str,
    found: &mut Found,
) -> Layer {
    let directory = path.parent().unwrap_or(Path::new(""));
    let Found { warnings, problems, .. } = found;
    let mut layer = Layer::new();
    for (name, value) in tables {
        if !list::tables().any(|(table, _)| table == name) {
            let known = list::tables().map(|(table, _)| table).chain([realms::TABLE]);
            let hint = did_you_mean(&name, known);
            let what = match value.is_table() {
                true => format!("section [{name}]"),
                false => format!("setting {name}"),
            };
            let given = json_value(value).unwrap_or_default();
            let hint = elsewhere(&name, &given, &hint).unwrap_or(hint);
            problems.push(format!("{origin}: unknown {what}{hint}"));
            continue;
        }
        let toml::Value::Table(values) = value else {
            problems.push(format!("{origin}: {name} is a table: write [{name}] above its values"));
            continue;
        };
        let mut values = match json_of(values) {
            Ok(values) => values,
            Err(problem) => {
                problems.push(format!("{origin}: [{name}] {problem}"));
                continue;
            }
        };
        let mut files = Vec::new();
        for item in list::of_table(&name).filter(|item| item.file.is_some()) {
            let sibling = format!("{}_file", item.name);
            if let Some(key) = key_of(&values, &sibling) {
                let file = values.remove(&key).unwrap_or_default();
                match value_file(item, &sibling, &file, &values, directory, warnings) {
                    Ok(given) => files.push((item, given)),
                    Err(problem) => problems.push(format!("{origin}: {problem}")),
                }
            }
        }
        if name == simple_jwt::TABLE {
            layer.extend(dictionary::read(&values, origin, problems));
        } else {
            layer.extend(plain(&name, values, origin, problems));
        }
        layer.extend(files);
    }
    both_databases(&layer, origin, problems);
    layer.retain_mut(|(item, given)| match beside(*item, &mut given.value, directory, warnings) {
        Ok(()) => true,
        Err(problem) => {
            problems.push(format!("{}: {} {problem}", given.origin, item.label()));
            false
        }
    });
    let holds_secret = |item: &Setting, given: &Given| {
        given.origin == origin && item.secret && item.form().holds_secret(&given.value)
    };
    if layer.iter().any(|(item, given)| holds_secret(item, given)) {
        let mut told = Vec::new();
        warn_if_open(path, &mut told);
        told.retain(|warning| !warnings.contains(warning));
        warnings.extend(told);
    }
    layer
}

/// Resolves a value from a file in that directory: file names become whole paths, and the
/// permissions of files with secrets are checked.
fn beside(
    item: Setting,
    value: &mut Value,
    directory: &Path,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    if let (Some(beside), Value::String(text)) = (item.beside, &*value) {
        *value = beside(directory, text)?.into();
    }
    item.form().files(value, &mut |file, is_secret| {
        let path = directory.join(&*file);
        if is_secret {
            warn_if_open(&path, warnings);
        }
        *file = path.to_string_lossy().into_owned();
    });
    Ok(())
}

/// Reads a table other than `[simple_jwt]`.
fn plain(
    table: &str,
    values: Map<String, Value>,
    origin: &str,
    problems: &mut Vec<String>,
) -> Layer {
    if let Some(item) = list::of_table(table).find(|item| item.is_table()) {
        // An empty table sets nothing, as in the example.
        if values.is_empty() {
            return Layer::new();
        }
        return vec![(item, Given::new(values.into(), origin.to_owned()))];
    }
    let mut layer = Layer::new();
    for (name, value) in values {
        match list::of_table(table).find(|item| item.name == name) {
            Some(item) => layer.push((item, Given::new(value, origin.to_owned()))),
            None => {
                let hint = did_you_mean(&name, list::of_table(table).map(|item| item.name));
                let lower = name.to_ascii_lowercase();
                let hint = match list::of_table(table).any(|item| item.name == lower) {
                    true => format!(": write {lower}, in lower case"),
                    false => elsewhere(&name, &value, &hint).unwrap_or(hint),
                };
                problems.push(format!("{origin}: unknown setting {name} in [{table}]{hint}"));
            }
        }
    }
    layer
}

fn both_databases(layer: &Layer, origin: &str, problems: &mut Vec<String>) {
    let named = layer.iter().filter(|(item, _)| item.names_database()).count();
    if named > 1 {
        problems.push(format!("{origin}: [database] has both url and path: remove one"));
    }
}

fn value_file(
    item: Setting,
    sibling: &str,
    file: &Value,
    values: &Map<String, Value>,
    directory: &Path,
    warnings: &mut Vec<String>,
) -> Result<Given, String> {
    if key_of(values, item.name).is_some() {
        return Err(format!("[{}] has both {} and {sibling}: remove one", item.table(), item.name));
    }
    let file = file.as_str().ok_or_else(|| format!("{sibling} is {}, not a path", shown(file)))?;
    from_file(&item, &directory.join(file), warnings)
        .map_err(|problem| format!("{sibling}: {problem}"))
}

fn key_of(values: &Map<String, Value>, name: &str) -> Option<String> {
    values.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()
}

/// Converts TOML to JSON. Dates and numbers that aren't finite have no counterpart in JSON, and no
/// setting uses them.
fn json_of(table: toml::Table) -> Result<Map<String, Value>, String> {
    table
        .into_iter()
        .map(|(name, value)| match json_value(value) {
            Some(value) => Ok((name, value)),
            None => Err(format!(
                "{name} holds a date, or a number that isn't finite (nan, inf): leave it out, or \
                 write a string or a number"
            )),
        })
        .collect()
}

pub(super) fn json_value(value: toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(number)?.into(),
        toml::Value::Boolean(on) => on.into(),
        toml::Value::Datetime(_) => return None,
        toml::Value::Array(items) => {
            Value::Array(items.into_iter().map(json_value).collect::<Option<_>>()?)
        }
        toml::Value::Table(table) => Value::Object(json_of(table).ok()?),
    })
}
