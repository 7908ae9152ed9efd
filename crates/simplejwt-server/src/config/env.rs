//! The environment as a source of the configuration.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::list::{self, Setting};
use super::suggest::nearest;
use super::value_file::from_file;
use super::{Found, Given, Layer, dictionary, foreign};

/// The variable with upstream's dictionary as JSON.
const DICTIONARY: &str = "SIMPLE_JWT";
const PREFIX: &str = "SIMPLEJWT_";
/// A variable with our prefix that is read elsewhere.
pub(crate) const CONFIG_FILE: &str = "SIMPLEJWT_CONFIG";

/// A copy of the environment. `Debug` shows only the names.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Copies the environment of the process.
    pub(crate) fn of_process() -> Self {
        // A name that isn't UTF-8 isn't one of ours.
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
        )
    }

    #[cfg(test)]
    pub(crate) fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// Keeps only the variables about serving, not those about keys and data: for `quickstart`,
    /// whose directory has its own.
    pub(crate) fn serving_only(&self) -> Self {
        let mut kept = self.clone();
        kept.0.retain(|name, _| {
            list::all().any(|item| {
                item.env == name
                    && matches!(item.table(), "server" | "tls" | "log" | "gateway" | "oauth")
            })
        });
        kept
    }

    /// Returns `true` if a variable names a database.
    pub(crate) fn names_database(&self) -> bool {
        list::all().filter(|item| item.names_database()).any(|item| {
            self.0.contains_key(item.env) || self.0.contains_key(&format!("{}_FILE", item.env))
        })
    }

    /// Returns `true` if this variable is set, or the one for a file with its value.
    pub(crate) fn sets(&self, variable: &str) -> bool {
        self.0.contains_key(variable) || self.0.contains_key(&format!("{variable}_FILE"))
    }

    fn text(&self, name: &str) -> Result<Option<&str>, String> {
        self.0
            .get(name)
            .map(|value| {
                value.to_str().ok_or_else(|| {
                    format!("the environment variable {name} is not UTF-8: set it again")
                })
            })
            .transpose()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Reads the dictionary, then the single variables, which take precedence.
pub(super) fn read(environment: &Environment, found: &mut Found) -> Vec<Layer> {
    let dictionary = match environment.text(DICTIONARY) {
        Ok(Some(text)) if !text.trim().is_empty() => dictionary(text, found),
        Ok(_) => Layer::new(),
        Err(problem) => {
            found.problems.push(problem);
            found.unread = true;
            Layer::new()
        }
    };
    let mut single = Layer::new();
    for item in list::all() {
        match variable(item, environment, &mut found.warnings) {
            Ok(given) => single.extend(given.map(|given| (item, given))),
            Err(problem) => found.problems.push(problem),
        }
    }
    if single.iter().filter(|(item, _)| item.names_database()).count() > 1 {
        found.problems.push(
            "environment: both DATABASE_URL (or DATABASE_URL_FILE) and SIMPLEJWT_DATABASE_PATH are \
             set: unset one"
                .into(),
        );
    }
    unknown(environment, &mut found.warnings);
    if !single.iter().any(|(item, _)| item.path() == "server.allowed_origins") {
        let theirs = foreign::OF_ORIGINS.iter().filter(|name| environment.0.contains_key(**name));
        found.warnings.extend(theirs.map(|name| {
            format!(
                "the environment variable {name} is Django's and means nothing to simplejwt: {}",
                foreign::ORIGINS
            )
        }));
    }
    vec![dictionary, single]
}

fn dictionary(text: &str, found: &mut Found) -> Layer {
    let origin = format!("environment variable {DICTIONARY}");
    let problem = match serde_json::from_str(text) {
        Ok(Value::Object(dictionary)) => {
            return dictionary::read(&dictionary, &origin, &mut found.problems);
        }
        Ok(_) => format!("{origin} is not a JSON object: write {{\"ALGORITHM\": …}}"),
        // serde_json's message names the position, never the content.
        Err(error) if is_python(text) => format!(
            "{origin} is not JSON but Python: write double quotes, true, false, null and lifetimes \
             in seconds, or let Django write it: python manage.py shell -c \"import json; from \
             django.conf import settings; print(json.dumps(settings.SIMPLE_JWT, default=str))\" \
             ({error})"
        ),
        Err(error) => {
            format!("{origin} is not JSON: {error}; write {{\"ALGORITHM\": \"HS256\"}}")
        }
    };
    found.problems.push(problem);
    found.unread = true;
    Layer::new()
}

/// Returns `true` if a dictionary was printed by Python.
fn is_python(text: &str) -> bool {
    let quoted = |text: &str| text.trim_start_matches(['{', ' ', '\n']).starts_with('\'');
    let words = ["True", "False", "None", "timedelta("];
    quoted(text) || words.iter().any(|word| text.contains(word))
}

fn variable(
    item: Setting,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<Option<Given>, String> {
    let value = environment.text(item.env)?;
    let file_name = format!("{}_FILE", item.env);
    let file = if item.file.is_some() { environment.text(&file_name)? } else { None };
    match (value, file) {
        (Some(_), Some(_)) => {
            Err(format!("environment: both {} and {file_name} are set: unset one", item.env))
        }
        (Some(value), None) => {
            Ok(Some(Given::new(value.into(), format!("environment variable {}", item.env))))
        }
        (None, Some(path)) => from_file(&item, Path::new(path), warnings)
            .map(Some)
            .map_err(|problem| format!("environment: {file_name}: {problem}")),
        (None, None) => Ok(None),
    }
}

/// Warns about unknown names with our prefix. They may be typing errors, but may also belong to
/// somebody else: Kubernetes sets such variables for a service called `simplejwt`, and scripts have
/// their own.
fn unknown(environment: &Environment, warnings: &mut Vec<String>) {
    let from_file = list::all().filter(|item| item.file.is_some());
    let mut known: Vec<String> = list::all().map(|item| item.env.to_owned()).collect();
    known.extend(from_file.map(|item| format!("{}_FILE", item.env)));
    known.push(CONFIG_FILE.to_owned());
    for name in environment.0.keys().filter(|name| name.starts_with(PREFIX)) {
        let of_kubernetes = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"]
            .iter()
            .any(|part| name.ends_with(part) || name.contains(&format!("{part}_")));
        if known.contains(name) || of_kubernetes {
            continue;
        }
        // The name of a setting with its table: SIMPLEJWT_SESSIONS_LIFETIME
        let by_path = list::all().find(|item| {
            let path = item.path().replace('.', "_");
            name.strip_prefix(PREFIX).is_some_and(|name| name.eq_ignore_ascii_case(&path))
        });
        if let Some(item) = by_path {
            warnings.push(format!(
                "the environment variable {name} means nothing to simplejwt; did you mean {}?",
                item.env
            ));
            continue;
        }
        let bare_name = name.strip_prefix(PREFIX).unwrap_or(name);
        if let Some(instead) = foreign::instead(bare_name, &Value::Null) {
            warnings.push(format!(
                "the environment variable {name} means nothing to simplejwt: {instead}"
            ));
            continue;
        }
        // The common prefix doesn't count towards similarity.
        let bare = |name: &'_ str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
        let names: Vec<String> = known.iter().map(|name| bare(name)).collect();
        let hint = nearest(&bare(name), names.iter().map(String::as_str))
            .and_then(|meant| known.iter().find(|name| bare(name) == meant))
            .map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        warnings.push(format!("the environment variable {name} means nothing to simplejwt{hint}"));
    }
}
