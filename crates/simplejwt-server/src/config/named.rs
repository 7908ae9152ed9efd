//! Settings by their path, for advice on what to write.

use std::path::PathBuf;

use serde_json::Value;

use super::list::{self, Setting};
use super::toml_text::{toml_key, toml_of};
use super::{Given, Loaded, realms, signing};

/// A setting, or the file that holds its value (`…_file`), as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) table: &'static str,
    pub(crate) name: String,
    /// Its environment variable.
    pub(crate) variable: String,
    /// The path of the setting itself.
    pub(crate) setting: String,
    /// `true` for the file that holds the value.
    pub(crate) is_file: bool,
}

impl Named {
    /// Finds the setting with a path such as `server.bind`, `simple_jwt.signing_key_file`, or
    /// `claims.email` in a table of the user's own names.
    pub(crate) fn find(path: &str) -> Option<Self> {
        let of = |setting: Setting, name: &str, is_file: bool| {
            let end = if is_file { "_FILE" } else { "" };
            Self {
                table: setting.table(),
                name: name.to_owned(),
                variable: format!("{}{end}", setting.env),
                setting: setting.path(),
                is_file,
            }
        };
        let (table, name) = path.split_once('.')?;
        if let Some(setting) = list::by_path(path) {
            return Some(of(setting, name, false));
        }
        if let Some(setting) = path.strip_suffix("_file").and_then(list::by_path) {
            return Some(of(setting, name, true));
        }
        list::by_path(table).filter(|setting| setting.is_table()).map(|it| of(it, name, false))
    }

    /// Returns its line in the table.
    pub(crate) fn line(&self, value: &Value) -> String {
        format!("{} = {}", toml_key(&self.name), toml_of(value))
    }
}

impl Loaded {
    /// Returns `true` if the setting is one of this realm's own, or would be if it were written;
    /// `false` if it stands outside of `[realms]`.
    pub(crate) fn is_of_realm(&self, named: &Named, is_given: bool) -> bool {
        let is_process = || list::by_path(&named.setting).is_some_and(realms::is_of_process);
        match (self.config.realm.name(), is_given) {
            (None, _) => false,
            (Some(_), true) => self.own.as_ref().is_some_and(|own| own.contains(&named.setting)),
            (Some(_), false) => !is_process(),
        }
    }

    /// Returns the files that hold a single value, and the files that values name: each with `true`
    /// if it holds a secret.
    pub(crate) fn value_files(&self) -> Vec<(PathBuf, bool)> {
        let mut files = Vec::new();
        for (path, given) in &self.given {
            let holds_secret = is_secret(path, given);
            files.extend(given.file.clone().map(|file| (file, holds_secret)));
        }
        let value = |path: &str| self.given.get(path).map(|given| &given.value);
        let further = value("simple_jwt.verifying_keys").map(signing::key_files);
        let is_symmetric = self.config.settings.algorithm.is_symmetric();
        files.extend(further.into_iter().flatten().map(|file| (file, is_symmetric)));
        let clients = match value("oauth.clients") {
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            Some(other) => other.clone(),
            None => Value::Null,
        };
        let clients = clients.as_array().into_iter().flatten();
        let secrets = clients.filter_map(|client| client.get("secret_file")?.as_str());
        files.extend(secrets.map(|file| (PathBuf::from(file), true)));
        files
    }

    /// Returns `true` if the configuration file itself holds a secret.
    pub(crate) fn file_holds_secret(&self) -> bool {
        self.given.iter().any(|(path, given)| {
            let is_in_file = given.file.is_none() && !given.origin.starts_with("environment");
            is_in_file && is_secret(path, given)
        })
    }
}

fn is_secret(path: &str, given: &Given) -> bool {
    let Some(setting) = list::by_path(path) else { return false };
    // A name without a password is shown with one left out.
    let has_password = |redact: fn(&str) -> String| {
        given.value.as_str().is_some_and(|text| redact(text).replace(":…@", "@") != text)
    };
    match setting.redact {
        Some(redact) => has_password(redact),
        // A value of its own file is a string, whatever its form.
        None => {
            setting.secret && (given.file.is_some() || setting.form().holds_secret(&given.value))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{Environment, load};

    #[test]
    fn settings_are_found_by_their_paths() {
        let found =
            |path: &str| Named::find(path).map(|it| (it.table, it.name, it.variable, it.setting));
        for (path, table, name, variable, setting) in [
            ("server.bind", "server", "bind", "SIMPLEJWT_BIND", "server.bind"),
            (
                "simple_jwt.signing_key_file",
                "simple_jwt",
                "signing_key_file",
                "SIMPLEJWT_SIGNING_KEY_FILE",
                "simple_jwt.signing_key",
            ),
            ("keys.file", "keys", "file", "SIMPLEJWT_KEYS_FILE", "keys.file"),
            ("claims.email", "claims", "email", "SIMPLEJWT_CLAIMS", "claims"),
        ] {
            let expected = (table, name.to_owned(), variable.to_owned(), setting.to_owned());
            assert_eq!(found(path), Some(expected));
        }
        for path in ["server.bnid", "server", "nowhere.x", ""] {
            assert_eq!(found(path), None, "{path}");
        }
        let claim = Named::find("claims.e mail").unwrap();
        assert_eq!(claim.line(&json!("a")), "\"e mail\" = \"a\"");
    }

    #[test]
    fn the_files_with_secrets_are_known() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let secret = "a-secret-that-is-long-enough-for-hs256";
        for name in ["key", "former", "client"] {
            std::fs::write(path(name), secret).unwrap();
        }
        let text = "[simple_jwt]\nsigning_key_file = \"key\"\n\
                    verifying_keys = [{ key_file = \"former\" }]\n\
                    [[oauth.clients]]\nid = \"a\"\nsecret_file = \"client\"\n";
        let of = |text: &str| {
            std::fs::write(path("simplejwt.toml"), text).unwrap();
            load(Some(&path("simplejwt.toml")), &Environment::default()).unwrap()
        };
        let loaded = of(text);
        let mut found = loaded.value_files();
        found.sort();
        assert_eq!(found, ["client", "former", "key"].map(|name| (path(name), true)));
        assert!(!loaded.file_holds_secret());
        for secret in [
            format!("[django]\nsecret_key = \"{secret}\"\n"),
            "[database]\nurl = \"postgres://u:p@h/d\"\n".to_owned(),
        ] {
            assert!(of(&secret).file_holds_secret(), "{secret}");
        }
        assert!(!of("[database]\nurl = \"postgres://u@h/d\"\n").file_holds_secret());
    }
}
