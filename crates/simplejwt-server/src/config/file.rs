//! The TOML file, and files that hold one value.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use simplejwt::keys::KeyError;

use super::item::{self, Item, TABLES};
use super::suggest::{did_you_mean, nearest};
use super::value::shown;
use super::{Found, Given, Layer, connections, database_url, foreign, oauth, simple_jwt, syntax};

/// Larger is not a configuration, and not a key.
const LARGEST: u64 = 1024 * 1024;

/// Reads the file at `path`.
pub(super) fn read(path: &Path, found: &mut Found) -> Layer {
    let mut unread = |problem: String| {
        found.problems.push(problem);
        found.unread = true;
        Layer::new()
    };
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) => {
            return unread(format!("can't read the configuration {}: {error}", path.display()));
        }
    };
    // A mark of the byte order, as Windows' editor writes it.
    let text = text.trim_start_matches('\u{feff}');
    let tables: toml::Table = match text.parse() {
        Ok(tables) => tables,
        Err(error) => {
            return unread(format!("{}{}", path.display(), syntax::explain(text, &error)));
        }
    };
    let layer = tables_of(tables, path, found);
    let here = |item: &Item, given: &Given| match item.table {
        "oauth" => oauth::holds_secret(&given.value),
        _ => item.secret,
    };
    if layer.iter().any(|(item, given)| given.origin == origin(path) && here(item, given)) {
        warn_if_open(path, &mut found.warnings);
    }
    layer
}

fn tables_of(tables: toml::Table, path: &Path, found: &mut Found) -> Layer {
    let origin = origin(path);
    let directory = path.parent().unwrap_or(Path::new(""));
    let Found { warnings, problems, .. } = found;
    let mut layer = Layer::new();
    for (name, value) in tables {
        if !TABLES.iter().any(|(table, _)| *table == name) {
            let hint = did_you_mean(&name, TABLES.iter().map(|(table, _)| *table));
            let what = if value.is_table() { format!("[{name}]") } else { name.clone() };
            let given = json_value(value).unwrap_or_default();
            let hint = elsewhere(&name, &given, &hint).unwrap_or(hint);
            problems.push(format!("{origin}: there is no {what}{hint}"));
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
        for item in item::of_table(&name).filter(|item| item.from_file) {
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
            layer.extend(simple_jwt::read(&values, &origin, problems));
        } else {
            layer.extend(plain(&name, values, &origin, problems));
        }
        layer.extend(files);
    }
    both_databases(&layer, &origin, problems);
    let mut doubtful = false;
    for (item, given) in &mut layer {
        if item.path() == "database.url"
            && let Some(url) = given.value.as_str()
        {
            if let Some(problem) = database_url::ambiguous_beside(directory, url) {
                problems.push(format!("{}: url {problem}", given.origin));
                doubtful = true;
            }
            given.value = database_url::relative_to(directory, url).into();
        }
        if (item.path() == "database.path" || connections::names_a_file(item))
            && let Some(relative) = given.value.as_str()
        {
            given.value = directory.join(relative).to_string_lossy().into();
        }
        if item.path() == "oauth.clients" {
            for file in oauth::secret_files(&mut given.value) {
                let path = directory.join(&*file);
                warn_if_open(&path, warnings);
                *file = path.to_string_lossy().into_owned();
            }
        }
    }
    if doubtful {
        layer.retain(|(item, _)| item.path() != "database.url");
    }
    layer
}

/// A table other than `[simple_jwt]`.
fn plain(
    table: &str,
    values: Map<String, Value>,
    origin: &str,
    problems: &mut Vec<String>,
) -> Layer {
    if let Some(item) = item::of_table(table).find(|item| item.whole_table) {
        // Nothing in it says nothing, as in the example.
        if values.is_empty() {
            return Layer::new();
        }
        return vec![(item, Given { value: values.into(), origin: origin.to_owned() })];
    }
    let mut layer = Layer::new();
    for (name, value) in values {
        match item::of_table(table).find(|item| item.name == name) {
            Some(item) => layer.push((item, Given { value, origin: origin.to_owned() })),
            None => {
                let hint = did_you_mean(&name, item::of_table(table).map(|item| item.name));
                let lower = name.to_ascii_lowercase();
                let hint = match item::of_table(table).any(|item| item.name == lower) {
                    true => format!(": write {lower}, in lower case"),
                    false => elsewhere(&name, &value, &hint).unwrap_or(hint),
                };
                problems.push(format!("{origin}: there is no {name} in [{table}]{hint}"));
            }
        }
    }
    layer
}

/// What to say of a name that belongs into another table, that another program has, or that is nearly
/// the name of one that belongs elsewhere. A name that is nearly one of its own table has `hint`
/// already.
pub(super) fn elsewhere(name: &str, value: &Value, hint: &str) -> Option<String> {
    let unknown = name;
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix("_file").unwrap_or(&name);
    let named = |item: &&Item| item.name == name || item.from_file && item.name == plain;
    if let Some(item) = item::all().find(named) {
        return Some(format!("; it belongs into [{}], or into {}", item.table, item.env));
    }
    // The name of its variable.
    if let Some(item) = item::all().find(|item| item.env.eq_ignore_ascii_case(&name)) {
        let (label, table) = (item.name, item.table);
        return Some(match item.whole_table {
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
    let near = nearest(&name, item::all().map(|item| item.name).filter(|name| !name.is_empty()))?;
    let item = item::all().find(|item| item.name == near)?;
    Some(format!("; did you mean {near} in [{}]?", item.table))
}

fn both_databases(layer: &Layer, origin: &str, problems: &mut Vec<String>) {
    let named = layer.iter().filter(|(item, _)| item.names_database()).count();
    if named > 1 {
        problems.push(format!("{origin}: [database] has both url and path: remove one"));
    }
}

fn value_file(
    item: &Item,
    sibling: &str,
    file: &Value,
    values: &Map<String, Value>,
    directory: &Path,
    warnings: &mut Vec<String>,
) -> Result<Given, String> {
    if key_of(values, item.name).is_some() {
        return Err(format!("[{}] has both {} and {sibling}: remove one", item.table, item.name));
    }
    let file = file.as_str().ok_or_else(|| format!("{sibling} is {}, not a path", shown(file)))?;
    from_file(item, &directory.join(file), warnings)
        .map_err(|problem| format!("{sibling}: {problem}"))
}

/// The value that a file holds. A line break at its end isn't part of it.
pub(super) fn from_file(
    item: &Item,
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<Given, String> {
    let value = if item.is_key() { read_key(path) } else { read_secret(path) };
    let value = value.map_err(|error| format!("can't read {}: {error}", path.display()))?;
    if item.secret {
        warn_if_open(path, warnings);
    }
    Ok(Given { value: value.into(), origin: format!("file {}", path.display()) })
}

/// What a file holds, without the line break at its end.
pub(super) fn read_secret(path: &Path) -> Result<String, String> {
    Ok(without_last_line_end(read_text(path)?))
}

/// A key's file, of which only the PEM blocks have to be text: what stands around them is no part
/// of the key, whatever its bytes.
fn read_key(path: &Path) -> Result<String, String> {
    let bytes = read_small(path)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(without_last_line_end(text)),
        Err(error) => match KeyError::in_place_of_pem(error.as_bytes()) {
            None => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            Some(KeyError::NoPem) => Err(NOT_TEXT.into()),
            Some(known) => Err(known.to_string()),
        },
    }
}

fn without_last_line_end(mut text: String) -> String {
    for end in ['\n', '\r'] {
        if text.ends_with(end) {
            text.pop();
        }
    }
    text
}

const NOT_TEXT: &str = "it is not UTF-8 text";

fn read_text(path: &Path) -> Result<String, String> {
    String::from_utf8(read_small(path)?).map_err(|_| NOT_TEXT.into())
}

fn read_small(path: &Path) -> Result<Vec<u8>, String> {
    let describe = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            "permission denied: make it readable for the user that runs simplejwt".to_owned()
        }
        _ => error.to_string(),
    };
    let metadata = fs::metadata(path).map_err(describe)?;
    if metadata.is_dir() {
        return Err("it is a directory".into());
    }
    if metadata.len() > LARGEST {
        return Err("it is larger than 1 MiB".into());
    }
    fs::read(path).map_err(describe)
}

/// A secret that every user of the machine can read is none.
fn warn_if_open(path: &Path, warnings: &mut Vec<String>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if let Ok(metadata) = fs::metadata(path)
            && metadata.permissions().mode() & 0o007 != 0
        {
            warnings.push(format!(
                "{} holds a secret and is open to every user of this machine: chmod 600 {}",
                path.display(),
                path.display(),
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, warnings);
}

fn origin(path: &Path) -> String {
    path.display().to_string()
}

fn key_of(values: &Map<String, Value>, name: &str) -> Option<String> {
    values.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()
}

/// TOML as JSON. Dates and numbers that aren't finite have no counterpart there, and no use here.
fn json_of(table: toml::Table) -> Result<Map<String, Value>, String> {
    table
        .into_iter()
        .map(|(name, value)| match json_value(value) {
            Some(value) => Ok((name, value)),
            None => Err(format!(
                "{name} holds a date, or a number that isn't finite (nan, inf): leave it out, or \
                 write a text or a number"
            )),
        })
        .collect()
}

fn json_value(value: toml::Value) -> Option<Value> {
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
