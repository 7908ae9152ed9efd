//! The configuration: defaults, then the file, then the environment.
//!
//! Each table of the file is a section: a module here with the struct that holds its values, its
//! settings ([`item`]) and its checks for contradictions. [`list`] puts the sections together. The
//! file, the environment, `config print`, `config example` and `config schema` all use that list,
//! so a new setting is just a field and an item in its section's file.

mod bind;
mod claims;
mod cookies;
mod database;
mod database_url;
mod dictionary;
mod django;
mod elsewhere;
mod env;
pub(crate) mod example;
mod file;
mod foreign;
mod form;
mod gateway;
mod given;
mod hashers;
mod item;
mod jwk_url;
mod keys;
mod level;
mod list;
mod log;
mod named;
mod oauth;
mod password;
mod realm;
mod realms;
pub(crate) mod schema;
mod server;
mod sessions;
mod signing;
mod simple_jwt;
mod suggest;
mod syntax;
mod throttle;
mod tls;
mod toml_text;
mod users;
mod value_file;
mod without_effect;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use simplejwt::Settings;

pub(crate) use bind::{UNIX, bind};
pub(crate) use claims::{Claims, OnRefresh, Source as ClaimSource};
pub(crate) use database_url::DatabaseUrl;
pub(crate) use env::{CONFIG_FILE, Environment};
pub(crate) use given::Given;
pub(crate) use jwk_url::{KeyPlace, is_this_machine, is_web};
pub(crate) use keys::KeyStorage;
pub(crate) use list::Config;
pub(crate) use log::{Log, LogFormat};
pub(crate) use named::Named;
pub(crate) use password::Password;
pub(crate) use realm::{Place, Realm, host_of};
pub(crate) use server::{ProxyHeader, Server};
pub(crate) use throttle::CounterStore;
pub(crate) use tls::Tls;
pub(crate) use value_file::{read_key as read_value, read_small as read_bytes};

use list::Setting;

/// Returns the files that the setting `verifying_keys` names.
pub(crate) fn files_of_further_keys(value: &serde_json::Value) -> Vec<std::path::PathBuf> {
    signing::key_files(value)
}

/// A configuration and the origin of its values.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// The values that were set, by the setting's path (`server.bind`), and their origins.
    pub(crate) given: BTreeMap<String, Given>,
    /// Warnings about values that are allowed but unwise.
    pub(crate) warnings: Vec<String>,
    /// The configurations of `[realms]`.
    pub(crate) realms: Vec<Loaded>,
    /// Of a realm: the paths of the values that it has set itself. The others are as at the top.
    pub(crate) own: Option<BTreeSet<String>>,
}

/// The problems of a configuration that can't be used: one sentence each, with what to do.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct ConfigError(pub(crate) Vec<String>);

/// The values from one source, by setting.
type Layer = Vec<(Setting, Given)>;

/// Warnings and problems found while the sources are read.
#[derive(Default)]
struct Found {
    warnings: Vec<String>,
    problems: Vec<String>,
    /// `true` if a source couldn't be read at all, so that its values are unknown.
    unread: bool,
}

/// Reads the file, if there is one, and the environment.
///
/// # Errors
/// All problems of all sources.
pub(crate) fn load(path: Option<&Path>, environment: &Environment) -> Result<Loaded, ConfigError> {
    let mut found = Found::default();
    let (mut layers, mut realms) = (Vec::new(), Vec::new());
    if let Some(path) = path {
        let (layer, named) = file::read(path, &mut found);
        layers.push(layer);
        realms.extend(named.map(|named| realms::read(named, path, &mut found)));
    }
    layers.extend(env::read(environment, &mut found));
    let realms: Vec<_> = realms.into_iter().flatten().collect();
    match realms.is_empty() {
        true => assemble(layers, found, Realm::Only, None),
        false => realms::assemble(layers, realms, found),
    }
}

/// Puts the values of all sources together. `own`: the paths of those that a realm has set itself.
fn assemble(
    layers: Vec<Layer>,
    found: Found,
    realm: Realm,
    own: Option<BTreeSet<String>>,
) -> Result<Loaded, ConfigError> {
    let Found { mut warnings, mut problems, unread } = found;
    let mut config = Config { realm, ..Config::default() };
    let mut given = BTreeMap::new();
    let mut wrong = Vec::new();
    for (item, source) in layers.into_iter().flatten() {
        if let Err(problem) = item.set(&mut config, &source.value) {
            problems.push(format!("{}: {} {problem}", source.origin, item.label()));
            wrong.push(item.label());
        }
        given.insert(item.path(), source);
    }
    // A URL that a path from another source has replaced is no longer checked.
    let url = given.get("database.url").and_then(|given| given.value.as_str());
    let url = url.filter(|url| {
        config.database.url.is_some() && database_url::database_url(url).ok() == config.database.url
    });
    if !given.contains_key("database.busy_timeout")
        && let Some(time) = url.and_then(database_url::busy_timeout)
    {
        config.database.busy_timeout = time;
    }
    warnings.extend(url.map(database_url::warnings).unwrap_or_default());
    let mut contradictions = Vec::new();
    if !given.contains_key("simple_jwt.signing_key") && config.settings.algorithm.is_symmetric() {
        config.settings.signing_key.clone_from(&config.django.secret_key);
        if config.django.secret_key.is_some() {
            contradictions.extend(django::problems(&config.settings));
            match django::former_keys(&config.django, &config.settings) {
                Ok(keys) => config.settings.verifying_keys.extend(keys),
                Err(problem) => problems.push(problem),
            }
        }
    }
    contradictions.extend(password::settle(&mut config.password, &given));
    realms::name_cookies(&config.realm, &mut config.settings);
    let is_realm = config.realm != Realm::Common;
    if is_realm {
        if let Err(contradiction) = config.settings.validate() {
            contradictions.extend_from_slice(contradiction.problems());
        }
        contradictions.extend(claims::problems(&config.claims, &config.users, &config.settings));
        let signs = config.settings.signing_key.is_some() || config.keys.has_ring();
        contradictions.extend(gateway::problems(&config.gateway, &config.claims, signs));
        contradictions.extend(keys::problems(&config.keys, &config.settings));
        contradictions.extend(jwk_url::problems(&config.settings, &config.jwk_url));
    }
    contradictions.extend(tls::problems(&config.tls));
    contradictions.extend(server::problems(&config.server));
    // A contradiction with a source that couldn't be read may not be one.
    contradictions.retain(|text| !unread && !wrong.iter().any(|label| text.contains(label)));
    problems.extend(contradictions);
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    warnings.extend(weak_key(&config.settings));
    if is_realm {
        warnings.extend(cookies::warnings(&config.settings, &config.server));
        warnings.extend(throttle::warnings(&config.throttle, &config.server));
    }
    let of_process = (!is_realm).then(realms::of_process);
    let own_or_process = own.as_ref().or(of_process.as_ref());
    warnings.extend(without_effect::warnings(&config, &given, own_or_process));
    Ok(Loaded { config, given, warnings, realms: Vec::new(), own })
}

/// Returns the weakness of the key that `allow_weak_key` permits.
fn weak_key(settings: &Settings) -> Option<String> {
    if !settings.allow_weak_key {
        return None;
    }
    let strict = Settings { allow_weak_key: false, ..settings.clone() };
    match (settings.key_set(), strict.key_set()) {
        (Ok(_), Err(weakness)) => Some(format!("allow_weak_key is on: {weakness}")),
        _ => None,
    }
}

#[cfg(test)]
mod library;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod url_page;
