//! The configuration as text: all settings (`config example`), or the values in effect (`config
//! print`).

use std::fmt::Write as _;

use serde_json::Value;

use super::item::Shown;
use super::list::{self, Setting};
use super::toml_text::toml_of;
use super::{Given, Loaded, Realm, realms};

const HEAD: &str = "\
# Configuration of simplejwt. A line that is commented out shows the default, or an example if
# there is no default. Unknown names are refused.
#
# Each value can also be set in the environment, by the variable named above it, which takes
# precedence over this file. Secrets can be kept in separate files: `url_file`, `signing_key_file`,
# `verifying_key_file`, `secret_key_file` and `clients_file` (relative to this file's directory),
# or variables that end in _FILE (DATABASE_URL_FILE, SECRET_KEY_FILE). Set the value or its file,
# not both.
#
# The environment variable SIMPLE_JWT takes Django's whole SIMPLE_JWT dictionary as JSON, with
# lifetimes in seconds and null for None. It takes precedence over this file, and single variables
# such as SIMPLEJWT_ALGORITHM take precedence over it.
#
# Durations are seconds (300), \"5m\", \"1h30m\", \"1d\", or ISO 8601 (\"PT5M\", \"P1D\").
# Booleans are true or false; in the environment also 1/0, yes/no, on/off.
";

/// Returns every setting with its documentation, commented out.
pub(crate) fn example() -> String {
    let mut text = HEAD.to_owned();
    for (table, about) in list::tables() {
        // Writing to a string can't fail, here and below.
        let _ = writeln!(text, "\n# {about}\n[{table}]");
        for item in list::of_table(table) {
            let _ = write!(text, "\n{}", entry(item));
        }
    }
    text.push_str(&realms());
    text
}

const REALMS: &str = "\
Issuers side by side, each with its own keys, users and tables. A realm has a place, prefix or \
host, and any of the tables above, as in [realms.acme.database]. What it doesn't set is as above, \
except for issuer, keys, oauth.clients and the names of cookies, which are its own. [tls], [log] \
and the addresses and limits of [server] are the whole process's. What is above is a realm itself \
if it has a key. Values of realms can't be set in the environment.";

/// Returns the settings of realms, commented out.
fn realms() -> String {
    let mut text = "\n".to_owned();
    for line in wrapped(REALMS, 96) {
        let _ = writeln!(text, "# {line}");
    }
    text.push_str("#[realms.acme]\n");
    for (name, example, doc) in realms::PLACES {
        text.push('\n');
        for line in wrapped(doc, 96) {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "#{name} = {example}");
    }
    text.push_str(
        "\n#[realms.acme.simple_jwt]\n#issuer = \"https://auth.example.com/acme\"\n\
         #signing_key_file = \"acme.key\"\n\n#[realms.acme.database]\n#path = \"acme.sqlite3\"\n",
    );
    text
}

fn entry(item: Setting) -> String {
    let mut text = String::new();
    for line in wrapped(item.doc, 96) {
        let _ = writeln!(text, "# {line}");
    }
    let _ = writeln!(text, "# Environment: {}", item.env);
    let shown = item.shown.text();
    if item.file.is_some() {
        let _ = writeln!(text, "#{}_file = \"{}\"", item.name, item.name.replace('_', "-"));
    }
    if item.is_table() {
        for line in shown.lines() {
            let _ = writeln!(text, "#{line}");
        }
    } else {
        let _ = writeln!(text, "#{} = {shown}", item.name);
    }
    text
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Returns the values in effect and their origins, without secrets.
pub(crate) fn effective(loaded: &Loaded) -> String {
    let mut text = String::new();
    for (table, _) in list::tables() {
        let _ = writeln!(text, "{}[{table}]", if text.is_empty() { "" } else { "\n" });
        for item in list::of_table(table) {
            let _ = match (loaded.given.get(&item.path()), item.shown, item.lines) {
                (Some(given), ..) => write!(text, "{}", value(item, given)),
                (None, _, Some(_)) => writeln!(text, "# none"),
                (None, Shown::Default(default), None) => {
                    writeln!(text, "{} = {default} # default", item.name)
                }
                (None, Shown::Example(_), None) => writeln!(text, "#{} is not set", item.name),
            };
        }
    }
    for realm in &loaded.realms {
        text.push_str(&of_realm(realm));
    }
    text
}

/// Returns the lines of a value and its origin.
fn value(item: Setting, given: &Given) -> String {
    let origin = &given.origin;
    if let Some(lines) = item.lines {
        return lines(&given.value).iter().map(|line| format!("{line} # {origin}\n")).collect();
    }
    let shown = match item.secret {
        true => "\"(secret)\"".to_owned(),
        false => toml_of(&printable(&given.value, item.redact)),
    };
    format!("{} = {shown} # {origin}\n", item.name)
}

/// Returns the values that a realm has set itself.
fn of_realm(loaded: &Loaded) -> String {
    let (realm, own) = (&loaded.config.realm, loaded.own.as_ref());
    let Realm::Named { name, place } = realm else { return String::new() };
    let shown = toml_of(&place.value().into());
    let mut text = format!("\n[realms.{name}]\n{} = {shown}\n", place.setting());
    for (table, _) in list::tables() {
        let given = list::of_table(table).filter_map(|item| {
            let path = item.path();
            own?.get(&path)?;
            Some(value(item, loaded.given.get(&path)?))
        });
        let values: String = given.collect();
        if !values.is_empty() {
            let _ = write!(text, "\n{}\n{values}", realm.table(table));
        }
    }
    text
}

/// Returns a value without the secrets in its strings.
fn printable(value: &Value, redact: Option<fn(&str) -> String>) -> Value {
    match (value, redact) {
        (Value::String(text), Some(redact)) => redact(text).into(),
        (Value::Array(items), Some(_)) => {
            items.iter().map(|item| printable(item, redact)).collect()
        }
        (value, _) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, load};

    #[test]
    fn the_file_in_the_repository_is_the_generated_one() {
        assert_eq!(
            include_str!("../../config.example.toml"),
            example(),
            "run: cargo run -- config example > crates/simplejwt-server/config.example.toml",
        );
    }

    #[test]
    fn the_example_parses_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("simplejwt.toml");
        std::fs::write(&path, example()).unwrap();
        let loaded = load(Some(&path), &Environment::default()).unwrap();
        assert_eq!(loaded.config, Config::default());
        assert!(loaded.given.is_empty());
    }

    #[test]
    fn every_default_shown_is_the_default() {
        for item in list::all() {
            let Some(default) = item.default() else { continue };
            let table: toml::Table = format!("value = {default}").parse().unwrap();
            let value = serde_json::to_value(&table["value"]).unwrap();
            let mut config = Config::default();
            item.set(&mut config, &value).unwrap();
            assert_eq!(config, Config::default(), "{} = {default}", item.path());
        }
    }

    #[test]
    fn every_setting_is_documented_and_named_once() {
        let mut paths: Vec<_> = list::all().map(Setting::path).collect();
        let mut variables: Vec<_> = list::all().map(|item| item.env).collect();
        for names in [paths.len(), variables.len()] {
            assert!(names > 50);
        }
        paths.sort_unstable();
        variables.sort_unstable();
        let (all, distinct) = (paths.len(), {
            paths.dedup();
            paths.len()
        });
        assert_eq!(all, distinct);
        let (all, distinct) = (variables.len(), {
            variables.dedup();
            variables.len()
        });
        assert_eq!(all, distinct);
        for item in list::all() {
            assert!(item.doc.ends_with('.'), "{}", item.path());
            assert!(list::tables().any(|(table, _)| table == item.table()));
        }
    }

    #[test]
    fn the_effective_configuration_is_toml_and_shows_no_secret() {
        let environment = Environment::of([
            (
                "SIMPLEJWT_OAUTH_CLIENTS",
                r#"[{"id": "a", "secret": "a-client-secret-that-nobody-may-see"}]"#,
            ),
            ("SIMPLEJWT_GATEWAY_HEADERS", r#"{"X-Auth-Email": "e \"mail\""}"#),
            ("SECRET_KEY", "the-secret-key-that-nobody-may-see-printed"),
            ("SIMPLEJWT_BIND", "127.0.0.1:9"),
            (
                "SIMPLE_JWT",
                r#"{"ISSUER": "a \"b\" c", "SIGNING_KEY": "the-signing-key-of-more-than-32-bytes"}"#,
            ),
        ]);
        let loaded = load(None, &environment).unwrap();
        let text = effective(&loaded);
        assert!(!text.contains("nobody-may-see") && !text.contains("the-signing-key"), "{text}");
        assert!(text.contains("clients = \"(secret)\" # environment variable"), "{text}");
        assert!(!format!("{loaded:?} {environment:?}").contains("nobody-may-see"));
        assert!(text.contains("bind = \"127.0.0.1:9\" # environment variable SIMPLEJWT_BIND"));
        assert!(text.contains("access_token_lifetime = \"5m\" # default"));
        let parsed: toml::Table = text.parse().unwrap();
        assert_eq!(parsed["simple_jwt"]["issuer"].as_str(), Some("a \"b\" c"));
    }

    #[test]
    fn urls_of_keys_are_printed_without_what_opens_them() {
        let several =
            r#"["https://me:nobody-may-see@k.example/a?key=nobody-may-see", "file:///a.json"]"#;
        for (url, shown) in [
            (several, r#""https://…@k.example/a?…","file:///a.json""#),
            ("https://me:nobody-m@y?-see@k.example/", "https://…@k.example/"),
            ("https://k.example/keys", "https://k.example/keys"),
        ] {
            let environment =
                Environment::of([("SIMPLEJWT_ALGORITHM", "RS256"), ("SIMPLEJWT_JWK_URL", url)]);
            let text = effective(&load(None, &environment).unwrap());
            let line = text.lines().find(|line| line.starts_with("jwk_url ")).unwrap();
            let line = line.replace("\\\"", "\"");
            assert!(line.contains(shown) && !line.contains("nobody"), "{url}: {line}");
        }
    }
}
