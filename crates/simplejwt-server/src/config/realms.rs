//! `[realms.NAME]`: issuers side by side, each with its own keys, users and tables.
//!
//! A realm has its place (`prefix` or `host`), and tables as at the top: `[realms.NAME.simple_jwt]`
//! and so on. What it doesn't set is as at the top, except for what makes an issuer: its name, its
//! keys, its clients. What the process has only once can't be set by a realm.

mod check;
mod meeting;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use simplejwt::Settings;

use super::list::{self, Setting};
use super::realm::{self, Place, Realm};
use super::suggest::did_you_mean;
use super::{ConfigError, Found, Layer, Loaded, file};

/// The table of the file with a table for each realm.
pub(super) const TABLE: &str = "realms";

/// The settings of a realm itself, with their documentation.
pub(super) const PLACES: [(&str, &str, &str); 2] = [
    (
        "prefix",
        "\"/acme\"",
        "The path before all paths of the realm, such as /acme/api/token/ and \
         /acme/.well-known/jwks.json, on every host that isn't another realm's.",
    ),
    (
        "host",
        "\"auth.acme.example\"",
        "The host whose requests are all for the realm, on any port. The paths are the usual ones.",
    ),
];

/// Tables and settings of what the process has only once.
const OF_PROCESS: [&str; 15] = [
    "tls",
    "log",
    "server.bind",
    "server.body_limit",
    "server.header_limit",
    "server.header_timeout",
    "server.body_timeout",
    "server.shutdown_timeout",
    "server.max_connections",
    "server.num_proxies",
    "server.proxy_header",
    "server.socket_mode",
    "server.write_timeout",
    "server.drain_delay",
    "server.max_body_memory",
];

/// Settings that a realm doesn't take over from the top.
const OWN: [&str; 13] = [
    "simple_jwt.issuer",
    "simple_jwt.signing_key",
    "simple_jwt.signing_key_passphrase",
    "simple_jwt.verifying_key",
    "simple_jwt.verifying_keys",
    "simple_jwt.jwk_url",
    "keys.file",
    "django.secret_key",
    "django.secret_key_fallbacks",
    "oauth.clients",
    "cookies.access_name",
    "cookies.refresh_name",
    "cookies.refresh_path",
];

/// Settings of which one is enough to have a key.
const KEYS: [&str; 5] = [
    "simple_jwt.signing_key",
    "simple_jwt.verifying_key",
    "simple_jwt.verifying_keys",
    "simple_jwt.jwk_url",
    "django.secret_key",
];

/// The setting that says where keys are that follow each other.
const STORE: &str = "keys.store";

/// Returns the paths of the settings that are the process's.
pub(super) fn of_process() -> BTreeSet<String> {
    list::all().filter(|setting| is_of_process(*setting)).map(Setting::path).collect()
}

/// Returns `true` if a setting is the process's, and a realm can't have it.
pub(super) fn is_of_process(setting: Setting) -> bool {
    OF_PROCESS.contains(&setting.table()) || OF_PROCESS.contains(&&*setting.path())
}

/// Returns `true` if a realm can have tables of this name.
pub(super) fn can_have(table: &str) -> bool {
    list::of_table(table).any(|setting| !is_of_process(setting))
}

/// What the file says about one realm.
pub(super) struct Read {
    name: String,
    place: Place,
    /// The file and the realm, for messages.
    origin: String,
    layer: Layer,
}

/// Reads the table of realms of the file at `path`.
pub(super) fn read(value: toml::Value, path: &Path, found: &mut Found) -> Vec<Read> {
    let file = path.display();
    let toml::Value::Table(realms) = value else {
        found.problems.push(format!("{file}: realms is a table: write [realms.NAME]"));
        return Vec::new();
    };
    let one = |(name, value): (String, toml::Value)| {
        if !realm::is_name(&name) {
            found.problems.push(format!(
                "{file}: {name:?} can't be the name of a realm: write lower-case letters, digits, \
                 - and _, as in [realms.acme]"
            ));
            return None;
        }
        let toml::Value::Table(tables) = value else {
            found.problems.push(format!(
                "{file}: {name} in [realms] is not a table: write [realms.{name}], or the name of a \
                 realm between"
            ));
            return None;
        };
        read_one(name, tables, path, found)
    };
    realms.into_iter().filter_map(one).collect()
}

fn read_one(name: String, mut tables: toml::Table, path: &Path, found: &mut Found) -> Option<Read> {
    let origin = format!("{}, realm {name}", path.display());
    let place = place(&mut tables, &name, &origin, found);
    tables.retain(|key, value| match misplaced(key, value, &name) {
        None => true,
        Some(problem) => {
            found.problems.push(format!("{origin}: {problem}"));
            false
        }
    });
    let mut layer = file::tables_of(tables, path, &origin, found);
    layer.retain(|(setting, _)| {
        let is_of_process = is_of_process(*setting);
        if is_of_process {
            let table = setting.table();
            found.problems.push(format!(
                "{origin}: {} in [{table}] is the whole process's, which all realms share: write it \
                 in [{table}], outside of [realms]",
                setting.label()
            ));
        }
        !is_of_process
    });
    place.map(|place| Read { name, place, origin, layer })
}

/// Takes the realm's place out of its table.
fn place(tables: &mut toml::Table, name: &str, origin: &str, found: &mut Found) -> Option<Place> {
    let mut problem = |problem: String| {
        found.problems.push(format!("{origin}: {problem}"));
        None
    };
    let (setting, value) = match (tables.remove("prefix"), tables.remove("host")) {
        (Some(prefix), None) => ("prefix", prefix),
        (None, Some(host)) => ("host", host),
        (Some(_), Some(_)) => {
            return problem("has both prefix and host: remove one".to_owned());
        }
        (None, None) => {
            return problem(format!(
                "has no place: write prefix = \"/{name}\", or host = \"{name}.example.com\""
            ));
        }
    };
    let value = file::json_value(value).unwrap_or_default();
    let read = match setting {
        "prefix" => realm::prefix(&value),
        _ => realm::host(&value),
    };
    match read {
        Ok(place) => Some(place),
        Err(told) => problem(format!("{setting} {told}")),
    }
}

/// Returns what is wrong with an entry of a realm's table that isn't one of the tables it may have.
fn misplaced(key: &str, value: &toml::Value, name: &str) -> Option<String> {
    if value.is_table() {
        let is_of_process = list::of_table(key).next().is_some() && !can_have(key);
        return is_of_process.then(|| {
            format!(
                "[{key}] is the whole process's, which all realms share: write it outside of \
                 [realms]"
            )
        });
    }
    let lower = key.to_ascii_lowercase();
    let plain = lower.strip_suffix("_file").unwrap_or(&lower);
    let known = |setting: &Setting| setting.name == lower || setting.name == plain;
    let hint = match list::all().filter(|setting| can_have(setting.table())).find(known) {
        Some(setting) => format!("; it belongs in [realms.{name}.{}]", setting.table()),
        None => did_you_mean(key, PLACES.into_iter().map(|(place, ..)| place)),
    };
    Some(format!("unknown setting {key}{hint}"))
}

/// Assembles the realms, and the configuration at the top.
///
/// # Errors
/// All problems of all realms, and between them.
pub(super) fn assemble(
    top: Vec<Layer>,
    realms: Vec<Read>,
    found: Found,
) -> Result<Loaded, ConfigError> {
    let is_taken_over = |(setting, _): &&(Setting, _)| !OWN.contains(&&*setting.path());
    let taken_over: Vec<Layer> =
        top.iter().map(|layer| layer.iter().filter(is_taken_over).cloned().collect()).collect();
    let (unread, mut problems) = (found.unread, Vec::new());
    let mut given = top.iter().flatten().map(|(setting, _)| setting.path());
    let realm = match given.any(|path| KEYS.contains(&&*path) || path == STORE) {
        true => Realm::Top,
        false => Realm::Common,
    };
    let top = super::assemble(top, found, realm, None);
    let top = top.map_err(|ConfigError(told)| problems.extend(told)).ok();
    let mut loaded: Vec<Loaded> = Vec::new();
    for Read { name, place, origin, layer } in realms {
        let realm = Realm::Named { name: Arc::from(name), place };
        let label = realm.label();
        let labelled = |text: String| match text.starts_with(&origin) {
            true => text,
            false => format!("{label}{text}"),
        };
        let own = layer.iter().map(|(setting, _)| setting.path()).collect();
        let mut layers = taken_over.clone();
        layers.push(layer);
        let found = Found { unread, ..Found::default() };
        match super::assemble(layers, found, realm, Some(own)) {
            Ok(mut realm) => {
                let told = |text: &String| top.iter().any(|top| top.warnings.contains(text));
                realm.warnings.retain(|text| !told(text));
                realm.warnings = realm.warnings.into_iter().map(labelled).collect();
                loaded.push(realm);
            }
            // What is wrong at the top is told once.
            Err(ConfigError(mut told)) => {
                told.retain(|text| !problems.contains(text));
                problems.extend(told.into_iter().map(labelled));
            }
        }
    }
    let Some(mut top) = top.filter(|_| problems.is_empty()) else {
        return Err(ConfigError(problems));
    };
    top.warnings.extend(loaded.iter().flat_map(|realm| realm.warnings.clone()));
    top.realms = loaded;
    let problems = check::problems(&top);
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    top.warnings.extend(check::warnings(&top));
    Ok(top)
}

/// Gives the cookies of a realm that shares its host with others names of their own, unless they have
/// some.
pub(super) fn name_cookies(realm: &Realm, settings: &mut Settings) {
    let Realm::Named { name, place: Place::Prefix(_) } = realm else { return };
    if !settings.transport.has_cookies() {
        return;
    }
    if settings.cookies.access_name.is_none() {
        settings.cookies.access_name = Some(format!("{}-{name}", settings.access_cookie()));
    }
    if settings.cookies.refresh_name.is_none() {
        settings.cookies.refresh_name = Some(format!("{}-{name}", settings.refresh_cookie()));
    }
}

impl Loaded {
    /// Returns `true` if it has a key, without which it can't be a realm.
    pub(super) fn has_key(&self) -> bool {
        self.given.contains_key(STORE) || KEYS.iter().any(|path| self.given.contains_key(*path))
    }

    /// Returns the configurations of the realms that are served: that at the top, too, if it has a
    /// key or there are no others.
    pub(crate) fn served(&self) -> impl Iterator<Item = &Self> + Clone {
        let has_top = self.realms.is_empty() || self.has_key();
        has_top.then_some(self).into_iter().chain(&self.realms)
    }

    /// Returns the configuration of the realm with this name.
    ///
    /// # Errors
    /// There is none: the end of a sentence with those that there are.
    pub(crate) fn into_realm(self, name: &str) -> Result<Self, String> {
        let names: Vec<_> =
            self.realms.iter().filter_map(|one| one.config.realm.name().cloned()).collect();
        let found = self
            .realms
            .into_iter()
            .find(|one| one.config.realm.name().is_some_and(|known| **known == *name));
        found.ok_or_else(|| match names.is_empty() {
            true => "the configuration has no [realms]".to_owned(),
            false => format!("the realms are {}", names.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests;
