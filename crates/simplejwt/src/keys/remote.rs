//! Verifying keys that are fetched from elsewhere: the equivalent of `JWK_URL`.

mod shared;

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures_channel::oneshot;

use super::{Algorithm, UnusedJwk, VerifyingKey};
use crate::clock::Timestamp;
use crate::jwk::{JwkError, JwkSet};
use crate::logging::{cut, with_causes};
use crate::panics;

/// The time for which fetched keys are used before they are fetched again.
const LIFESPAN: Duration = Duration::from_secs(300);
/// The minimum time between two fetches, whatever tokens need.
const COOLDOWN: Duration = Duration::from_secs(10);
/// The time after a failure during which tokens that need no fetch don't start one.
const PATIENCE: Duration = Duration::from_secs(60);

/// The source of a JWK set (RFC 7517 section 5): usually an HTTP client.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// Fetches the set. Must give up after a few seconds.
    ///
    /// # Errors
    /// Any failure; the keys fetched before stay in use.
    async fn fetch(&self) -> Result<JwkSet, Box<dyn Error + Send + Sync>>;
}

/// The result of a fetch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// The number of keys in the set that tokens are verified with.
    pub usable: usize,
    /// The other keys.
    pub unused: Vec<UnusedJwk>,
}

/// The reason a fetch brought no keys. The keys fetched before stay in use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The source failed.
    #[error("the keys could not be fetched")]
    Source(#[source] Box<dyn Error + Send + Sync>),
    /// The source panicked.
    #[error("the keys could not be fetched: their source failed unexpectedly")]
    Panicked,
    /// The set contains no usable key.
    #[error("none of the keys in the set can be used: {}", reasons(.0))]
    NoUsableKey(Vec<UnusedJwk>),
}

/// The maximum number of reasons in one message.
const REASONS: usize = 5;

fn reasons(unused: &[UnusedJwk]) -> String {
    let mut each: Vec<_> = unused
        .iter()
        .take(REASONS)
        .map(|jwk| match &jwk.kid {
            Some(kid) => format!("{kid:?}: {}", jwk.reason),
            None => format!("number {}: {}", jwk.position, jwk.reason),
        })
        .collect();
    match unused.len().checked_sub(REASONS) {
        _ if each.is_empty() => each.push("it is empty".into()),
        None | Some(0) => {}
        Some(more) => each.push(format!("and {more} more")),
    }
    each.join("; ")
}

/// The keys of a [`KeySource`]. Tokens select among them by `kid`, which they must have.
#[derive(Clone, Debug)]
pub struct RemoteKeys {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    algorithm: Algorithm,
    source: Arc<dyn KeySource>,
    state: RwLock<State>,
    fetching: Fetching,
}

#[derive(Debug, Default)]
struct State {
    keys: Arc<[VerifyingKey]>,
    /// The unused keys already logged, so that they aren't logged again.
    unused: Vec<UnusedJwk>,
    tried: Option<Timestamp>,
    fetched: Option<Timestamp>,
    /// The reason the last attempt failed, if it did.
    failure: Option<Arc<str>>,
}

impl State {
    /// `true` if the last attempt failed or was abandoned, or if there was none.
    fn is_behind(&self) -> bool {
        self.fetched.is_none() || self.fetched != self.tried
    }
}

/// The reason for a fetch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// A token that names an unknown key.
    Missing,
    /// The task that keeps the keys fresh.
    Routine,
    /// Any token, if no task keeps the keys fresh.
    Passing,
}

impl RemoteKeys {
    /// Creates a set of keys for this algorithm. None are fetched yet.
    pub fn new(algorithm: Algorithm, source: impl KeySource) -> Self {
        let inner = Inner {
            algorithm,
            source: Arc::new(source),
            state: RwLock::default(),
            fetching: Fetching::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the algorithm of these keys.
    pub fn algorithm(&self) -> Algorithm {
        self.inner.algorithm
    }

    /// Returns the keys as last fetched.
    pub fn current(&self) -> Arc<[VerifyingKey]> {
        Arc::clone(&self.state().keys)
    }

    /// Returns the reason why there are no keys, so that no token can be verified; `None` if there
    /// are some, even old ones.
    pub fn why_missing(&self) -> Option<Arc<str>> {
        let state = self.state();
        state.keys.is_empty().then(|| {
            state.failure.clone().unwrap_or_else(|| "they have not been fetched yet".into())
        })
    }

    /// `true` if the last attempt failed, so that a key that isn't here may still be valid.
    pub(crate) fn is_out_of_date(&self) -> bool {
        self.state().is_behind()
    }

    /// Fetches the keys if nobody has tried for five minutes (one minute after a failure) or, with
    /// `missing`, because a token named an unknown key. There is at most one fetch at a time, and
    /// one in ten seconds. Callers that miss a key wait for the fetch in progress, unless the one
    /// before it failed. If the source fails or the set has no usable key, the keys stay as they
    /// are.
    pub async fn refresh(&self, now: Timestamp, missing: bool) {
        self.refresh_if(if missing { Need::Missing } else { Need::Passing }, now).await;
    }

    /// As [`refresh`](Self::refresh), but meant to be called every few seconds, so that requests
    /// don't have to wait: fetches keys that are older than five minutes, and retries every ten
    /// seconds after a failure.
    pub async fn keep_fresh(&self, now: Timestamp) {
        self.refresh_if(Need::Routine, now).await;
    }

    async fn refresh_if(&self, need: Need, now: Timestamp) {
        let waits = need == Need::Missing && self.state().failure.is_none();
        match self.inner.fetching.begin(|| self.is_due(need, now)) {
            // The failure is logged there, and kept for callers that ask.
            Some(_turn) => drop(self.fetch(now).await),
            None if waits => self.inner.fetching.finished().await,
            None => {}
        }
    }

    /// Fetches the keys now, however recent they are, and returns the result.
    ///
    /// # Errors
    /// [`FetchError`]; the keys stay as they were.
    pub async fn fetch(&self, now: Timestamp) -> Result<Fetched, FetchError> {
        self.update(|state| state.tried = Some(now));
        match self.fetch_set().await {
            Ok((keys, fetched)) => {
                let told = self.state().unused.clone();
                log_unused(&fetched.unused, &told);
                self.update(|state| {
                    if state.failure.take().is_some() {
                        tracing::info!(
                            event = "keys_back",
                            usable = fetched.usable,
                            "the keys behind JWK_URL are back"
                        );
                    }
                    state.keys = keys.into();
                    state.unused.clone_from(&fetched.unused);
                    state.fetched = Some(now);
                });
                Ok(fetched)
            }
            Err(error) => {
                let reason = with_causes(&error).replace(|c: char| c.is_control(), " ");
                let kept = self.current().len();
                tracing::error!(
                    event = "keys_not_fetched",
                    kept,
                    error = reason,
                    "the keys behind JWK_URL could not be fetched"
                );
                self.update(|state| state.failure = Some(reason.into()));
                Err(error)
            }
        }
    }

    async fn fetch_set(&self) -> Result<(Vec<VerifyingKey>, Fetched), FetchError> {
        let set = panics::caught(self.inner.source.fetch())
            .await
            .map_err(|_| FetchError::Panicked)?
            .map_err(FetchError::Source)?;
        let (keys, mut unused) = VerifyingKey::sort_jwk_set(self.inner.algorithm, &set);
        // In the set's order, and only as many as there are.
        let nameless = set.numbered().filter(|(_, jwk)| jwk.kid().is_none_or(str::is_empty));
        for (position, _) in nameless {
            if !unused.iter().any(|jwk| jwk.position == position) {
                unused.push(UnusedJwk { position, kid: None, reason: JwkError::NoKeyId.into() });
            }
        }
        unused.sort_by_key(|jwk| jwk.position);
        let named = |key: &VerifyingKey| key.kid().is_some_and(|kid| !kid.is_empty());
        let keys: Vec<_> = keys.into_iter().filter(named).collect();
        if keys.is_empty() {
            return Err(FetchError::NoUsableKey(unused));
        }
        let usable = keys.len();
        Ok((keys, Fetched { usable, unused }))
    }

    fn is_due(&self, need: Need, now: Timestamp) -> bool {
        let state = self.state();
        let since = |time: Option<Timestamp>, span| time.is_none_or(|time| time + span <= now);
        let wanted = match need {
            Need::Missing => true,
            Need::Routine => state.is_behind() || since(state.fetched, LIFESPAN),
            Need::Passing => {
                since(state.tried, if state.is_behind() { PATIENCE } else { LIFESPAN })
            }
        };
        wanted && since(state.tried, COOLDOWN)
    }

    /// An update can't fail half-way.
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.inner.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.inner.state.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Logs the unused keys, except those that `told` already contains.
fn log_unused(unused: &[UnusedJwk], told: &[UnusedJwk]) {
    /// The maximum number of log lines for one set.
    const LINES: usize = 50;
    let known = |jwk: &&UnusedJwk| {
        told.iter().any(|other| other.kid == jwk.kid && other.reason == jwk.reason)
    };
    let mut new = unused.iter().filter(|jwk| !known(jwk));
    for UnusedJwk { position, kid, reason } in new.by_ref().take(LINES) {
        let kid = kid.as_deref().map(cut);
        tracing::warn!(
            event = "key_unused",
            position,
            kid = kid.as_deref(),
            error = %reason,
            "a key behind JWK_URL is not used"
        );
    }
    let more = new.count();
    if more > 0 {
        tracing::warn!(event = "more_keys_unused", more, "more keys behind JWK_URL are not used");
    }
}

/// `Some` while a fetch is in progress, with its waiters.
#[derive(Debug, Default)]
struct Fetching(Mutex<Option<Vec<oneshot::Sender<()>>>>);

/// The fetch in progress. Ends it even if its future is dropped half-way.
struct Turn<'a>(&'a Fetching);

impl Fetching {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `None` if a fetch is already in progress, or if none is due.
    fn begin(&self, is_due: impl FnOnce() -> bool) -> Option<Turn<'_>> {
        let mut running = self.lock();
        if running.is_some() || !is_due() {
            return None;
        }
        *running = Some(Vec::new());
        Some(Turn(self))
    }

    /// Waits until no fetch is in progress.
    async fn finished(&self) {
        let waiting = self.lock().as_mut().map(|waiting| {
            let (sender, receiver) = oneshot::channel();
            waiting.push(sender);
            receiver
        });
        if let Some(receiver) = waiting {
            // The sender is dropped when the fetch ends.
            let _ = receiver.await;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().take();
    }
}

#[cfg(test)]
mod tests;
