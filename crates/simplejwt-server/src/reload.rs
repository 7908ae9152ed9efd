//! Reloads files while the server runs: the certificate and the keys when their files change, and
//! on SIGHUP those and the configuration, of which the log level and the keys can change without a
//! restart.

mod keys;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use simplejwt::KeySet;
use simplejwt::settings::FurtherKey;
use simplejwt::web::endpoint::OAuthClients;

use crate::config::{ConfigError, Environment, Given, Loaded, Realm, load};
use crate::telemetry::{self, Scope};
use crate::tls::{Certificate, Tls};
use keys::{FURTHER, KEYS, OF_KEYS, keys_of};

pub(crate) use keys::KeysInUse;

/// The interval at which the files of the certificate and of keys are checked.
const LOOK: Duration = Duration::from_secs(10);
/// The setting that can change while the server runs.
const LEVEL: &str = "log.level";
/// The setting whose secrets may be in files that it names.
const CLIENTS: &str = "oauth.clients";

/// The state that was read at the start.
#[derive(Debug)]
pub(crate) struct Reload<'a> {
    file: Option<&'a Path>,
    environment: Environment,
    loaded: &'a Loaded,
    certificate: Option<Arc<Certificate>>,
    /// The keys of the realms that are served, by name.
    keys: Vec<(Option<Arc<str>>, KeysInUse)>,
}

/// The values that were set and are in effect.
type InEffect = BTreeMap<String, Given>;

/// What is in effect, and what was last read.
#[derive(Debug)]
struct State {
    /// At the top, and in each realm.
    parts: Vec<Part>,
    /// The problem of the certificate that was reported.
    certificate: Option<String>,
}

/// What is in effect in one realm.
#[derive(Debug)]
struct Part {
    realm: Realm,
    given: InEffect,
    /// The names of the values that a realm has set itself.
    own: BTreeSet<String>,
    clients: OAuthClients,
    further: Vec<FurtherKey>,
    /// The stamp of the files with keys, once they were compared with what is in effect.
    stamp: Option<u64>,
    /// The problems of keys that were reported.
    keys: Option<String>,
}

impl Part {
    fn of(loaded: &Loaded) -> Self {
        Self {
            realm: loaded.config.realm.clone(),
            given: loaded.given.clone(),
            own: loaded.own.clone().unwrap_or_default(),
            clients: loaded.config.oauth_clients.clone(),
            further: loaded.config.settings.verifying_keys.clone(),
            stamp: None,
            keys: None,
        }
    }

    /// Returns what was loaded for it.
    fn among(&self, loaded: &'_ Loaded) -> Option<Loaded> {
        let mut all = std::iter::once(loaded).chain(&loaded.realms);
        all.find(|one| one.config.realm == self.realm).cloned()
    }

    /// Returns the names of settings as messages have them.
    fn listed(&self, names: &[String]) -> String {
        match self.realm.name() {
            Some(realm) => names.iter().map(|n| format!("realms.{realm}.{n}")).collect::<Vec<_>>(),
            None => names.to_vec(),
        }
        .join(", ")
    }
}

/// The names of the settings whose new values differ from those in effect.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    taken: Vec<String>,
    /// The settings that need a restart.
    left: Vec<String>,
}

impl<'a> Reload<'a> {
    /// Creates the state from what was loaded from this file and environment.
    pub(crate) fn new(
        file: Option<&'a Path>,
        environment: Environment,
        loaded: &'a Loaded,
        tls: Option<&Tls>,
        keys: Vec<(Option<Arc<str>>, KeysInUse)>,
    ) -> Self {
        let certificate = tls.map(|tls| Arc::clone(&tls.certificate));
        Self { file, environment, loaded, certificate, keys }
    }

    /// Watches for changes for as long as it is polled.
    pub(crate) async fn follow(&self) {
        let parts = std::iter::once(self.loaded).chain(&self.loaded.realms).map(Part::of);
        let mut state = State { parts: parts.collect(), certificate: None };
        #[cfg(unix)]
        let mut hangup = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
        {
            Ok(hangup) => hangup,
            Err(error) => {
                tracing::warn!(event = "signal_failed", %error, "can't listen for SIGHUP");
                return std::future::pending().await;
            }
        };
        loop {
            #[cfg(unix)]
            let is_hangup = tokio::select! {
                _ = hangup.recv() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            #[cfg(not(unix))]
            let is_hangup = {
                tokio::time::sleep(LOOK).await;
                false
            };
            self.read_certificate(is_hangup, &mut state.certificate);
            if is_hangup {
                self.read_configuration(&mut state);
            } else {
                self.read_key_files(&mut state);
            }
        }
    }

    /// Reads the certificate again. One that can't be used is reported once, and on each SIGHUP.
    fn read_certificate(&self, asked: bool, told: &mut Option<String>) {
        let Some(certificate) = &self.certificate else { return };
        match certificate.reload() {
            Ok(true) => tracing::info!(
                event = "certificate_reread",
                "the certificate was read again and is now in use"
            ),
            Ok(false) if asked => {
                tracing::info!(event = "certificate_same", "the certificate is as it was")
            }
            Ok(false) => {}
            Err(problem) => {
                if asked || told.as_ref() != Some(&problem) {
                    tracing::error!(
                        event = "certificate_kept",
                        error = problem,
                        "the new certificate can't be used: the server's stays as it was"
                    );
                }
                *told = Some(problem);
                return;
            }
        }
        *told = None;
    }

    /// Returns the keys of a realm, if it is served.
    fn keys_of(&self, part: &Part) -> Option<&KeysInUse> {
        let found = self.keys.iter().find(|(realm, _)| realm.as_ref() == part.realm.name());
        found.map(|(_, keys)| keys)
    }

    /// Takes the keys in files that have changed, if nothing else about keys has. What can't be used
    /// is reported once.
    fn read_key_files(&self, state: &mut State) {
        let stamps: Vec<_> = state.parts.iter().map(|part| keys::files(&part.given)).collect();
        let stamps: Vec<_> = stamps.iter().map(|files| (files.len(), keys::stamp(files))).collect();
        let is_new = |(part, (files, stamp)): (&Part, &(usize, u64))| {
            *files > 0 && part.stamp != Some(*stamp) && self.keys_of(part).is_some()
        };
        if !state.parts.iter().zip(&stamps).any(is_new) {
            return;
        }
        let read = load(self.file, &self.environment).map_err(|problems| problems.to_string());
        for (part, (files, stamp)) in state.parts.iter_mut().zip(stamps) {
            let Some(keys) = self.keys_of(part).filter(|_| files > 0) else { continue };
            if part.stamp == Some(stamp) {
                continue;
            }
            let new = read.as_ref().map_err(Clone::clone);
            let new = new.and_then(|new| part.among(new).ok_or_else(|| RESTART.to_owned()));
            let scope = Scope::of_realm(part.realm.name().cloned());
            scope.enter(|| part.take_key_files(keys, stamp, new));
        }
    }

    /// Applies the whole configuration, or nothing.
    fn read_configuration(&self, state: &mut State) {
        let read = load(self.file, &self.environment).and_then(|new| {
            let of = |loaded: &Loaded| Ok((loaded.config.realm.clone(), keys_of(loaded)?));
            let keys: Result<Vec<_>, ConfigError> = new.served().map(of).collect();
            keys.map(|keys| (new, keys))
        });
        let (new, keys) = match read {
            Ok(read) => read,
            Err(problems) => {
                for problem in &problems.0 {
                    tracing::error!(
                        event = "configuration_kept",
                        error = problem.to_string(),
                        "the new configuration can't be used: the server's stays as it was"
                    );
                }
                return;
            }
        };
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        let known = |realm: &Realm| state.parts.iter().any(|part| part.realm == *realm);
        left.extend(new.realms.iter().filter(|new| !known(&new.config.realm)).map(added));
        for part in &mut state.parts {
            let Some(new) = part.among(&new) else {
                left.push(part.realm.to_string());
                continue;
            };
            let keys = keys.iter().find(|(realm, _)| *realm == part.realm);
            let in_use = self.keys.iter().find(|(realm, _)| realm.as_ref() == part.realm.name());
            let keys = keys.zip(in_use).map(|((_, new), (_, in_use))| (new.clone(), in_use));
            let changes = part.take(new, keys);
            taken.extend((!changes.taken.is_empty()).then(|| part.listed(&changes.taken)));
            left.extend((!changes.left.is_empty()).then(|| part.listed(&changes.left)));
        }
        let (taken, left) = (listed(&taken), listed(&left));
        tracing::info!(
            event = "configuration_reread",
            changed = taken,
            after_restart = left,
            "the configuration was read again"
        );
    }
}

/// What is said of realms that are there no longer, or elsewhere.
const RESTART: &str = "the realms have changed, too: restart the server";

fn added(loaded: &Loaded) -> String {
    loaded.config.realm.to_string()
}

impl Part {
    /// Takes the keys in files that have changed, if nothing else about keys has.
    fn take_key_files(&mut self, in_use: &KeysInUse, stamp: u64, new: Result<Loaded, String>) {
        let read = new.and_then(|new| {
            let keys = keys_of(&new).map_err(|problems| problems.to_string())?;
            let further = &new.config.settings.verifying_keys;
            let (old, new) = ((&self.given, &*self.further), (&new.given, &**further));
            let names = keys::only_contents(old, new).ok_or(
                "the settings of keys have changed, too: send SIGHUP to read the configuration",
            )?;
            Ok((names, new.0.clone(), new.1.to_vec(), keys))
        });
        let (names, given, further, keys) = match read {
            Ok(read) => read,
            Err(problem) => {
                if self.keys.as_ref() != Some(&problem) {
                    tracing::error!(
                        event = "keys_kept",
                        error = problem,
                        "the keys in files can't be used: the server's stay as they were"
                    );
                    self.keys = Some(problem);
                }
                return;
            }
        };
        self.stamp = Some(stamp);
        self.keys = None;
        if names.is_empty() {
            return;
        }
        in_use.replace(keys);
        self.further = further;
        let changed = listed(&names);
        self.given.extend(given.into_iter().filter(|(name, _)| names.contains(name)));
        tracing::info!(event = "keys_reread", changed, "the keys in files were read again");
    }

    /// Takes what can change without a restart. What a realm has from the top isn't told again.
    fn take(&mut self, new: Loaded, keys: Option<(KeySet, &KeysInUse)>) -> Changes {
        let further = new.config.settings.verifying_keys;
        let mut changes = changes(&self.given, &new.given, further != self.further);
        if new.config.oauth_clients != self.clients
            && !changes.left.iter().any(|name| name == CLIENTS)
        {
            changes.left.push(CLIENTS.to_owned());
        }
        if changes.taken.iter().any(|name| KEYS.contains(&&**name)) {
            if let Some((keys, in_use)) = keys {
                in_use.replace(keys);
            }
            self.further = further;
        }
        if self.realm.name().is_none() && changes.taken.iter().any(|name| name == LEVEL) {
            telemetry::set_level(&new.config.log.level);
        }
        for name in &changes.taken {
            match new.given.get(name) {
                Some(given) => drop(self.given.insert(name.clone(), given.clone())),
                None => drop(self.given.remove(name)),
            }
        }
        if let Some(own) = &new.own {
            let is_own = |name: &String| own.contains(name) || self.own.contains(name);
            changes.taken.retain(is_own);
            changes.left.retain(is_own);
        }
        changes
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Returns the names of the changed settings, but never their values, which may be secret.
/// `further`: the further keys differ, maybe only in their files.
fn changes(old: &InEffect, new: &BTreeMap<String, Given>, further: bool) -> Changes {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let value = |of: &BTreeMap<String, Given>, name: &str| of.get(name).map(|g| g.value.clone());
    let differs = |name: &str| value(old, name) != value(new, name);
    let takes_keys = !OF_KEYS.into_iter().any(differs);
    let takes = |name: &str| name == LEVEL || takes_keys && KEYS.contains(&name);
    let (mut taken, left): (Vec<_>, Vec<_>) = names
        .into_iter()
        .filter(|name| differs(name))
        .cloned()
        .partition(|name: &String| takes(name));
    // That a fallback of SECRET_KEY differs is already told.
    if further && takes_keys && !taken.iter().any(|name| KEYS.contains(&&**name)) {
        taken.push(FURTHER.to_owned());
    }
    Changes { taken, left }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, Given> {
        let given = |value: &str| Given::new(value.into(), "a file".into());
        pairs.iter().map(|(name, value)| ((*name).to_owned(), given(value))).collect()
    }

    fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
        names.map(str::to_owned).to_vec()
    }

    #[test]
    fn what_differs_is_named_and_not_told() {
        let old = given(&[("a.same", "1"), ("b.other", "1"), ("c.gone", "1"), (LEVEL, "info")]);
        let new = given(&[("a.same", "1"), ("b.other", "2"), ("d.new", "1"), (LEVEL, "debug")]);
        let (taken, left) = (names([LEVEL]), names(["b.other", "c.gone", "d.new"]));
        assert_eq!(changes(&old, &new, false), Changes { taken, left });
        assert_eq!(changes(&old, &old, false), Changes::default());
        assert_eq!(changes(&old, &old, true).taken, [FURTHER]);
    }

    #[test]
    fn keys_are_taken_unless_what_they_are_read_by_differs() {
        let keys = KEYS.map(|name| (name, "1"));
        let mut all = names(KEYS);
        all.sort();
        let none = given(&[]);
        assert_eq!(changes(&none, &given(&keys), false).taken, all);
        assert_eq!(changes(&given(&keys), &none, false).taken, all);
        for name in OF_KEYS {
            let new = given(&[&keys[..], &[(name, "1")]].concat());
            let changes = changes(&none, &new, true);
            assert_eq!((changes.taken.len(), changes.left.len()), (0, KEYS.len() + 1), "{name}");
        }
    }
}
