//! One source, with the keys that were last fetched from it.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use super::turns::Turns;
use super::unused;
use super::{FetchError, Fetched, KeySource};
use crate::clock::Timestamp;
use crate::jwk::{JwkError, JwkSet};
use crate::keys::{Algorithm, UnusedJwk, VerifyingKey};
use crate::logging::{cut, with_causes};
use crate::panics;

/// The time for which fetched keys are used before they are fetched again, unless their source says
/// otherwise.
pub(super) const LIFESPAN: Duration = Duration::from_secs(300);
/// The minimum time between two fetches, unless a token names an unknown key.
pub(super) const COOLDOWN: Duration = Duration::from_secs(10);
/// The minimum time between two fetches that are made for tokens that name an unknown key, unless
/// the source says that its keys stay the same for less.
pub(super) const PER_UNKNOWN_KEY: Duration = Duration::from_secs(60);
/// The same, whatever the source says.
pub(super) const SHORTEST_PER_UNKNOWN_KEY: Duration = Duration::from_secs(1);
/// The time after a failure during which tokens that need no fetch don't start one.
const PATIENCE: Duration = Duration::from_secs(60);

/// The maximum number of keys without a key id that are used, since a token without one is tried
/// with each of them.
const NAMELESS: usize = 8;

/// The reason for a fetch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A token that names an unknown key.
    Missing,
    /// The task that keeps the keys fresh.
    Routine,
    /// Any token, if no task keeps the keys fresh.
    Passing,
}

#[derive(Debug)]
pub(super) struct Source {
    algorithm: Algorithm,
    source: Arc<dyn KeySource>,
    /// The age at which keys are no longer used.
    max_stale: Option<Duration>,
    state: RwLock<State>,
    turns: Turns,
}

#[derive(Debug, Default)]
struct State {
    keys: Arc<[VerifyingKey]>,
    /// The unused keys already logged, so that they aren't logged again.
    unused: Vec<UnusedJwk>,
    tried: Option<Timestamp>,
    /// `true` if the last attempt succeeded. Until it does, it may bring other keys.
    is_current: bool,
    fetched: Option<Timestamp>,
    /// The time of the last fetch that was made for a token that named an unknown key.
    looked: Option<Timestamp>,
    /// The time for which the source says that the keys stay the same.
    fresh_for: Option<Duration>,
    /// The reason the last attempt failed, if it did.
    failure: Option<Arc<str>>,
    /// `true` if there were keys, which became too old.
    is_too_old: bool,
}

impl State {
    /// Returns the minimum time between two fetches for unknown keys. Whoever publishes a key for
    /// less than a minute before it signs says so, and asks to be asked as often.
    fn per_unknown_key(&self) -> Duration {
        match self.fresh_for {
            Some(time) if self.is_current && !time.is_zero() => {
                time.clamp(SHORTEST_PER_UNKNOWN_KEY, PER_UNKNOWN_KEY)
            }
            _ => PER_UNKNOWN_KEY,
        }
    }
}

impl Source {
    pub(super) fn new(
        algorithm: Algorithm,
        source: Arc<dyn KeySource>,
        max_stale: Option<Duration>,
    ) -> Self {
        Self { algorithm, source, max_stale, state: RwLock::default(), turns: Turns::default() }
    }

    pub(super) fn name(&self) -> String {
        self.source.name()
    }

    pub(super) fn keys(&self) -> Arc<[VerifyingKey]> {
        Arc::clone(&self.state().keys)
    }

    /// `true` if the last attempt failed, was abandoned or goes on, or if there was none.
    pub(super) fn is_behind(&self) -> bool {
        !self.state().is_current
    }

    /// Returns the reason why there are no keys; `None` if there are some.
    pub(super) fn why_missing(&self) -> Option<String> {
        let state = self.state();
        if !state.keys.is_empty() {
            return None;
        }
        let failure = state.failure.as_deref().unwrap_or("they have not been fetched yet");
        Some(match state.is_too_old {
            true => format!("the last ones are too old to be used; {failure}"),
            false => failure.to_owned(),
        })
    }

    /// Forgets keys that are too old to be used. Returns `true` if there were some.
    pub(super) fn drop_stale(&self, now: Timestamp) -> bool {
        let Some(max_stale) = self.max_stale else { return false };
        let is_stale = |state: &State| {
            !state.keys.is_empty() && state.fetched.is_none_or(|time| time + max_stale <= now)
        };
        if !is_stale(&self.state()) {
            return false;
        }
        let mut dropped = false;
        self.update(|state| {
            if is_stale(state) {
                state.keys = Arc::default();
                state.is_too_old = true;
                dropped = true;
            }
        });
        if dropped {
            let name = self.name();
            tracing::error!(
                event = "keys_too_old",
                source = &*cut(&name),
                max_stale = max_stale.as_secs(),
                "the keys behind JWK_URL could not be fetched for so long that they are no longer used"
            );
        }
        dropped
    }

    /// Fetches the keys if that is due, or waits for the fetch in progress. Returns `true` if keys
    /// were fetched by this call.
    pub(super) async fn refresh(&self, need: Need, now: Timestamp) -> bool {
        let waits = need == Need::Missing && self.state().failure.is_none();
        match self.turns.begin(|| self.is_due(need, now)) {
            Some(_turn) => {
                if need == Need::Missing && !self.keys().is_empty() {
                    self.update(|state| state.looked = Some(now));
                }
                // The failure is logged there, and kept for callers that ask.
                self.fetch(now).await.is_ok()
            }
            None if waits => {
                self.turns.finished().await;
                false
            }
            None => false,
        }
    }

    fn is_due(&self, need: Need, now: Timestamp) -> bool {
        let state = self.state();
        let since = |time: Option<Timestamp>, span| time.is_none_or(|time| time + span <= now);
        // Keys are fetched again well before they are too old.
        let lifespan = state.fresh_for.unwrap_or(LIFESPAN).max(COOLDOWN);
        let lifespan = self.max_stale.map_or(lifespan, |most| lifespan.min(most / 2));
        match need {
            Need::Missing if !state.keys.is_empty() => since(state.looked, state.per_unknown_key()),
            Need::Missing => since(state.tried, COOLDOWN),
            Need::Routine => {
                since(state.tried, COOLDOWN)
                    && (!state.is_current || since(state.fetched, lifespan))
            }
            Need::Passing => since(state.tried, if state.is_current { lifespan } else { PATIENCE }),
        }
    }

    /// Fetches the keys now. If that fails, they stay as they were.
    pub(super) async fn fetch(&self, now: Timestamp) -> Result<Fetched, FetchError> {
        self.update(|state| {
            state.tried = Some(now);
            state.is_current = false;
        });
        let name = self.name();
        let name = &*cut(&name);
        match self.fetch_set().await {
            Ok((keys, fetched, fresh_for)) => {
                let told = self.state().unused.clone();
                unused::log(name, &fetched.unused, &told);
                self.update(|state| {
                    if state.failure.take().is_some() {
                        tracing::info!(
                            event = "keys_back",
                            source = name,
                            usable = fetched.usable,
                            "the keys behind JWK_URL are back"
                        );
                    }
                    state.keys = keys.into();
                    state.unused.clone_from(&fetched.unused);
                    state.is_current = true;
                    state.fetched = Some(now);
                    state.fresh_for = fresh_for;
                    state.is_too_old = false;
                });
                Ok(fetched)
            }
            Err(error) => {
                let reason = with_causes(&error).replace(|c: char| c.is_control(), " ");
                let kept = self.keys().len();
                tracing::error!(
                    event = "keys_not_fetched",
                    source = name,
                    kept,
                    error = reason,
                    "the keys behind JWK_URL could not be fetched"
                );
                self.update(|state| state.failure = Some(reason.into()));
                Err(error)
            }
        }
    }

    async fn fetch_set(
        &self,
    ) -> Result<(Vec<VerifyingKey>, Fetched, Option<Duration>), FetchError> {
        let published = panics::caught(self.source.fetch())
            .await
            .map_err(|_| FetchError::Panicked)?
            .map_err(FetchError::Source)?;
        let (keys, unused) = sorted(self.algorithm, &published.set);
        if keys.is_empty() {
            return Err(FetchError::NoUsableKey(unused));
        }
        let fetched = Fetched { usable: keys.len(), unused };
        Ok((keys, fetched, published.fresh_for))
    }

    /// An update can't fail half-way.
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Splits a set into the keys that are used, and the others.
fn sorted(algorithm: Algorithm, set: &JwkSet) -> (Vec<VerifyingKey>, Vec<UnusedJwk>) {
    let (usable, mut unused) = VerifyingKey::sort_jwk_set(algorithm, set);
    let others: BTreeSet<_> = unused.iter().map(|jwk| jwk.position).collect();
    let positions = set.numbered().map(|(position, _)| position);
    let positions = positions.filter(|position| !others.contains(position));
    let (mut keys, mut nameless) = (Vec::new(), 0);
    for (position, key) in positions.zip(usable) {
        let reason = match key.kid() {
            // No token has an empty key id.
            Some("") => JwkError::NoKeyId,
            None if nameless == NAMELESS => JwkError::TooManyOfKeyId,
            kid => {
                nameless += usize::from(kid.is_none());
                keys.push(key);
                continue;
            }
        };
        unused.push(UnusedJwk { position, kid: None, reason: reason.into() });
    }
    unused.sort_by_key(|jwk| jwk.position);
    (keys, unused)
}
