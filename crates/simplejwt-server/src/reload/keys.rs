//! Keys that change while the server runs.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use simplejwt::settings::FurtherKey;
use simplejwt::{KeySet, Tokens};

use super::InEffect;
use crate::app::{self, App};
use crate::config::{ConfigError, Given, Loaded, files_of_further_keys};
use crate::failure::Failure;
use crate::key_ring::Base;

/// The settings that describe keys.
pub(super) const KEYS: [&str; 8] = [
    "simple_jwt.signing_key",
    "simple_jwt.signing_key_passphrase",
    "simple_jwt.verifying_key",
    FURTHER,
    "simple_jwt.kid",
    "simple_jwt.fully_specified_algorithms",
    "django.secret_key",
    "django.secret_key_fallbacks",
];
/// The list of keys, each of which may be in a file of its own.
pub(super) const FURTHER: &str = "simple_jwt.verifying_keys";
/// The settings that keys depend on. If one of them has changed, keys wait for the restart too.
pub(super) const OF_KEYS: [&str; 8] = [
    "simple_jwt.algorithm",
    "simple_jwt.allow_weak_key",
    "simple_jwt.jwk_url",
    "simple_jwt.jwk_url_allow_http",
    "simple_jwt.jwk_url_ca",
    "simple_jwt.jwk_url_max_stale",
    "simple_jwt.jwk_url_without_kid",
    "keys.store",
];

/// The keys that a server uses.
#[derive(Debug)]
pub(crate) struct KeysInUse {
    tokens: Tokens,
    /// The keys of the settings, if others follow them.
    base: Option<Base>,
}

impl KeysInUse {
    /// Returns those of a running application.
    pub(crate) fn of(app: &App) -> Self {
        Self { tokens: app.tokens().clone(), base: app.base_keys() }
    }

    /// Replaces those that the settings describe. Those that follow them, and those fetched from a
    /// URL, stay as they are.
    pub(super) fn replace(&self, keys: KeySet) {
        match (&self.base, self.tokens.keys().remote()) {
            (Some(base), _) => base.replace(keys),
            (None, Some(remote)) => {
                let keys = KeySet::with_remote(keys.signing().cloned(), remote.clone());
                self.tokens.replace_keys(keys);
            }
            (None, None) => self.tokens.replace_keys(keys),
        }
    }
}

/// Returns the keys that a configuration names.
pub(super) fn keys_of(loaded: &Loaded) -> Result<KeySet, ConfigError> {
    app::key_set(&loaded.config).map_err(|failure| match failure {
        Failure::Config(problems) => problems,
        other => ConfigError(vec![other.to_string()]),
    })
}

/// Returns the files that hold the keys in effect.
pub(super) fn files(given: &InEffect) -> Vec<PathBuf> {
    let of = |name: &&str| given.get(*name).and_then(|given| given.file.clone());
    let further = given.get(FURTHER).map(|given| files_of_further_keys(&given.value));
    KEYS.iter().filter_map(of).chain(further.unwrap_or_default()).collect()
}

/// Returns a number that differs if the content of a file does.
pub(super) fn stamp(files: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files {
        // Reported when the configuration is read.
        std::fs::read(file).ok().map(zeroize::Zeroizing::new).as_deref().hash(&mut hasher);
    }
    hasher.finish()
}

/// Returns the names of the settings whose values differ, if only the contents of files do.
pub(super) fn only_contents(
    old: (&InEffect, &[FurtherKey]),
    new: (&BTreeMap<String, Given>, &[FurtherKey]),
) -> Option<Vec<String>> {
    let ((old, old_further), (new, new_further)) = (old, new);
    let place =
        |given: Option<&Given>| given.map(|given| (given.origin.clone(), given.file.clone()));
    let differs = |name: &str| old.get(name).map(|g| &g.value) != new.get(name).map(|g| &g.value);
    let mut names = Vec::new();
    for name in KEYS {
        let (before, after) = (old.get(name), new.get(name));
        if place(before) != place(after) {
            return None;
        }
        if differs(name) {
            before?.file.as_ref()?;
            names.push(name.to_owned());
        }
    }
    if OF_KEYS.into_iter().any(differs) {
        return None;
    }
    if names.is_empty() && old_further != new_further {
        names.push(FURTHER.to_owned());
    }
    Some(names)
}
