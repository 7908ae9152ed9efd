//! What is read again while the server runs: the certificate when its files change, and at SIGHUP
//! the certificate and the configuration, as far as it can be changed under way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Environment, Given, Loaded, load};
use crate::telemetry;
use crate::tls::{Certificate, Tls};

/// How often the certificate's files are looked at.
const LOOK: Duration = Duration::from_secs(10);
/// What can be changed under way.
const LEVEL: &str = "log.level";

/// What was read at the start.
#[derive(Debug)]
pub(crate) struct Reload<'a> {
    file: Option<&'a Path>,
    environment: Environment,
    loaded: &'a Loaded,
    certificate: Option<Arc<Certificate>>,
}

/// What differs from what is in effect.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    taken: Vec<String>,
    /// What only a restart takes.
    left: Vec<String>,
}

impl<'a> Reload<'a> {
    /// Of what was loaded from this file and environment.
    pub(crate) fn new(
        file: Option<&'a Path>,
        environment: Environment,
        loaded: &'a Loaded,
        tls: Option<&Tls>,
    ) -> Self {
        let certificate = tls.map(|tls| Arc::clone(&tls.certificate));
        Self { file, environment, loaded, certificate }
    }

    /// Goes on for as long as it is polled.
    pub(crate) async fn follow(&self) {
        let mut level = self.loaded.config.log.level.clone();
        let mut told = None;
        #[cfg(unix)]
        let mut hangup = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
        {
            Ok(hangup) => hangup,
            Err(error) => {
                tracing::warn!(event = "signal_failed", %error, "SIGHUP can't be waited for");
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
                self.read_configuration(&mut level);
            }
        }
    }

    /// A certificate that can't be used is told once, and at each SIGHUP.
    fn read_certificate(&self, asked: bool, told: &mut Option<String>) {
        let Some(certificate) = &self.certificate else { return };
        match certificate.reload() {
            Ok(true) => tracing::info!(
                event = "certificate_reread",
                "the certificate was read again, and is shown from now on"
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
                        "the certificate stays as it was"
                    );
                }
                *told = Some(problem);
                return;
            }
        }
        *told = None;
    }

    fn read_configuration(&self, level: &mut String) {
        let new = match load(self.file, &self.environment) {
            Ok(new) => new,
            Err(problems) => {
                for problem in &problems.0 {
                    tracing::error!(
                        event = "configuration_kept",
                        error = problem.to_string(),
                        "the configuration stays as it was"
                    );
                }
                return;
            }
        };
        let mut changes = changes(&self.loaded.given, &new.given);
        if new.config.log.level != *level {
            telemetry::set_level(&new.config.log.level);
            level.clone_from(&new.config.log.level);
            changes.taken.push(LEVEL.to_owned());
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

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// The names of the settings, never what they say: it may be a secret.
fn changes(old: &BTreeMap<String, Given>, new: &BTreeMap<String, Given>) -> Changes {
    let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let value = |of: &BTreeMap<String, Given>, name: &String| of.get(name).map(|g| g.value.clone());
    let differs = |name: &&&String| value(old, name) != value(new, name) && name.as_str() != LEVEL;
    let left = names.iter().filter(differs).map(|name| (*name).clone()).collect();
    Changes { taken: Vec::new(), left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_not_told() {
        let given = |pairs: &[(&str, &str)]| -> BTreeMap<String, Given> {
            let given = |value: &str| Given { value: value.into(), origin: "a file".into() };
            pairs.iter().map(|(name, value)| ((*name).to_owned(), given(value))).collect()
        };
        let old = given(&[("a.same", "1"), ("b.other", "1"), ("c.gone", "1"), (LEVEL, "info")]);
        let new = given(&[("a.same", "1"), ("b.other", "2"), ("d.new", "1"), (LEVEL, "debug")]);
        let left = ["b.other", "c.gone", "d.new"].map(str::to_owned).to_vec();
        assert_eq!(changes(&old, &new), Changes { taken: Vec::new(), left });
        assert_eq!(changes(&old, &old), Changes::default());
    }
}
