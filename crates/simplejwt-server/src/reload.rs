//! Reloads files while the server runs: the certificate when its files change, and on SIGHUP the
//! certificate and the configuration, of which the log level and the keys can change without a
//! restart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use simplejwt::{KeySet, Tokens};

use crate::config::{ConfigError, Environment, Given, Loaded, load};
use crate::failure::Failure;
use crate::tls::{Certificate, Tls};
use crate::{app, telemetry};

/// The interval at which the certificate's files are checked.
const LOOK: Duration = Duration::from_secs(10);
/// The setting that can change while the server runs.
const LEVEL: &str = "log.level";
const KEYS: [&str; 3] = ["simple_jwt.signing_key", "simple_jwt.verifying_key", "django.secret_key"];
/// The settings that keys depend on. If one of them has changed, keys wait for the restart too.
const OF_KEYS: [&str; 7] = [
    "simple_jwt.algorithm",
    "simple_jwt.allow_weak_key",
    "simple_jwt.jwk_url",
    "simple_jwt.jwk_url_allow_http",
    "simple_jwt.jwk_url_ca",
    "simple_jwt.jwk_url_max_stale",
    "simple_jwt.jwk_url_without_kid",
];
/// The setting whose secrets may be in files that it names.
const CLIENTS: &str = "oauth.clients";

/// The state that was read at the start.
#[derive(Debug)]
pub(crate) struct Reload<'a> {
    file: Option<&'a Path>,
    environment: Environment,
    loaded: &'a Loaded,
    certificate: Option<Arc<Certificate>>,
    tokens: Tokens,
}

/// The values that were set and are in effect.
type InEffect = BTreeMap<String, Given>;

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
        tokens: Tokens,
    ) -> Self {
        let certificate = tls.map(|tls| Arc::clone(&tls.certificate));
        Self { file, environment, loaded, certificate, tokens }
    }

    /// Watches for changes for as long as it is polled.
    pub(crate) async fn follow(&self) {
        let mut in_effect = self.loaded.given.clone();
        let mut told = None;
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
                () = tokio::time::sleep(LOOK), if self.certificate.is_some() => false,
            };
            #[cfg(not(unix))]
            let is_hangup = {
                tokio::time::sleep(LOOK).await;
                false
            };
            self.read_certificate(is_hangup, &mut told);
            if is_hangup {
                self.read_configuration(&mut in_effect);
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

    /// Applies the whole configuration, or nothing.
    fn read_configuration(&self, in_effect: &mut InEffect) {
        let read = load(self.file, &self.environment)
            .and_then(|new| keys_of(&new).map(|keys| (new, keys)));
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
        let mut changes = changes(in_effect, &new.given);
        if new.config.oauth_clients != self.loaded.config.oauth_clients
            && !changes.left.iter().any(|name| name == CLIENTS)
        {
            changes.left.push(CLIENTS.to_owned());
        }
        if changes.taken.iter().any(|name| KEYS.contains(&&**name)) {
            // Keys fetched from a URL stay as they are.
            self.tokens.replace_keys(match self.tokens.keys().remote() {
                Some(remote) => KeySet::with_remote(keys.signing().cloned(), remote.clone()),
                None => keys,
            });
        }
        if changes.taken.iter().any(|name| name == LEVEL) {
            telemetry::set_level(&new.config.log.level);
        }
        for name in &changes.taken {
            match new.given.get(name) {
                Some(given) => drop(in_effect.insert(name.clone(), given.clone())),
                None => drop(in_effect.remove(name)),
            }
        }
        let (taken, left) = (listed(&changes.taken), listed(&changes.left));
        tracing::info!(
            event = "configuration_reread",
            changed = taken,
            after_restart = left,
            "the configuration was read again"
        );
    }
}

/// Returns the keys that a configuration names.
fn keys_of(loaded: &Loaded) -> Result<KeySet, ConfigError> {
    app::key_set(&loaded.config).map_err(|failure| match failure {
        Failure::Config(problems) => problems,
        other => ConfigError(vec![other.to_string()]),
    })
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Returns the names of the changed settings, but never their values, which may be secret.
fn changes(old: &InEffect, new: &BTreeMap<String, Given>) -> Changes {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let value = |of: &BTreeMap<String, Given>, name: &str| of.get(name).map(|g| g.value.clone());
    let differs = |name: &str| value(old, name) != value(new, name);
    let takes_keys = !OF_KEYS.into_iter().any(differs);
    let takes = |name: &str| name == LEVEL || takes_keys && KEYS.contains(&name);
    let (taken, left) = names
        .into_iter()
        .filter(|name| differs(name))
        .cloned()
        .partition(|name: &String| takes(name));
    Changes { taken, left }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, Given> {
        let given = |value: &str| Given { value: value.into(), origin: "a file".into() };
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
        assert_eq!(changes(&old, &new), Changes { taken, left });
        assert_eq!(changes(&old, &old), Changes::default());
    }

    #[test]
    fn keys_are_taken_unless_what_they_are_read_by_differs() {
        let keys = KEYS.map(|name| (name, "1"));
        let mut all = names(KEYS);
        all.sort();
        let none = given(&[]);
        assert_eq!(changes(&none, &given(&keys)).taken, all);
        assert_eq!(changes(&given(&keys), &none).taken, all);
        for name in OF_KEYS {
            let new = given(&[&keys[..], &[(name, "1")]].concat());
            let changes = changes(&none, &new);
            assert_eq!((changes.taken.len(), changes.left.len()), (0, 4), "{name}");
        }
    }
}
