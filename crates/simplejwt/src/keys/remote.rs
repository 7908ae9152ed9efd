//! Verifying keys that are fetched from elsewhere: the equivalent of `JWK_URL`.

mod select;
mod shared;
mod source;
mod turns;
mod unused;

use std::error::Error;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use super::{Algorithm, UnusedJwk, VerifyingKey};
use crate::clock::Timestamp;
use crate::jwk::JwkSet;
use crate::jws::{Compact, JwsError, Typ};
use source::{Need, Source};

/// The source of a JWK set (RFC 7517 section 5): usually an HTTP client.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// Fetches the set. Must give up after a few seconds.
    ///
    /// # Errors
    /// Any failure; the keys fetched before stay in use.
    async fn fetch(&self) -> Result<Published, Box<dyn Error + Send + Sync>>;

    /// Returns the name by which the log and messages call this source, such as a host. It contains
    /// no secret. Default: `JWK_URL`.
    fn name(&self) -> String {
        "JWK_URL".to_owned()
    }
}

/// A JWK set as its source publishes it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Published {
    /// The keys.
    pub set: JwkSet,
    /// The time after which the set is to be fetched again, such as `max-age` of its `Cache-Control`
    /// (RFC 9111 section 5.2.2.1); less than ten seconds count as ten. `None` if the source doesn't
    /// say: five minutes. For tokens that name an unknown key the set is fetched once in this time,
    /// too, but not more than once a second, and once a minute if it is longer, zero or `None`.
    pub fresh_for: Option<Duration>,
}

impl Published {
    /// Sets the time after which the set is to be fetched again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use simplejwt::jwk::JwkSet;
    /// use simplejwt::keys::Published;
    ///
    /// let set = JwkSet::from_json(br#"{"keys":[]}"#)?;
    /// let published = Published::from(set).fresh_for(Duration::from_secs(600));
    /// assert_eq!(published.fresh_for, Some(Duration::from_secs(600)));
    /// # Ok::<_, simplejwt::jwk::JwkError>(())
    /// ```
    #[must_use]
    pub fn fresh_for(mut self, time: Duration) -> Self {
        self.fresh_for = Some(time);
        self
    }
}

impl From<JwkSet> for Published {
    fn from(set: JwkSet) -> Self {
        Self { set, fresh_for: None }
    }
}

/// Options for fetched keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteOptions {
    /// The time after the last successful fetch until which a source's keys are used. After it, no
    /// token can be verified with them. `None`: they are used until others are fetched. Default: one
    /// day.
    pub max_stale: Option<Duration>,
    /// Tokens without `kid` are also tried with keys that have one. Default: false.
    pub without_kid: bool,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self { max_stale: Some(Duration::from_secs(24 * 3600)), without_kid: false }
    }
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
    #[error("none of the keys in the set can be used: {}", unused::reasons(.0))]
    NoUsableKey(Vec<UnusedJwk>),
}

/// The keys of one or several [`KeySource`]s, which together verify tokens.
///
/// A token selects its key by `kid`, in whichever source it is. A token without `kid` is tried with
/// the keys that have none. Each source is fetched by itself: if one fails, its last keys stay, and
/// those of the others aren't touched.
#[derive(Clone, Debug)]
pub struct RemoteKeys {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    algorithm: Algorithm,
    without_kid: bool,
    sources: Vec<Source>,
    /// The keys of all sources.
    keys: RwLock<Arc<[VerifyingKey]>>,
}

impl RemoteKeys {
    /// Creates a set of keys for this algorithm. None are fetched yet.
    pub fn new(algorithm: Algorithm, source: impl KeySource) -> Self {
        let source: Arc<dyn KeySource> = Arc::new(source);
        Self::from_sources(algorithm, [source], RemoteOptions::default())
    }

    /// Creates a set of the keys of several sources for this algorithm. None are fetched yet.
    pub fn from_sources(
        algorithm: Algorithm,
        sources: impl IntoIterator<Item = Arc<dyn KeySource>>,
        options: RemoteOptions,
    ) -> Self {
        let RemoteOptions { max_stale, without_kid } = options;
        let source = |source| Source::new(algorithm, source, max_stale);
        let sources = sources.into_iter().map(source).collect();
        Self { inner: Arc::new(Inner { algorithm, without_kid, sources, keys: RwLock::default() }) }
    }

    /// Returns the algorithm of these keys.
    pub fn algorithm(&self) -> Algorithm {
        self.inner.algorithm
    }

    /// Returns the keys as last fetched, from all sources.
    pub fn current(&self) -> Arc<[VerifyingKey]> {
        Arc::clone(&self.inner.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the reason why there are no keys, so that no token can be verified; `None` if there
    /// are some, even old ones.
    pub fn why_missing(&self) -> Option<Arc<str>> {
        if !self.current().is_empty() {
            return None;
        }
        let reasons = self.inner.sources.iter().filter_map(|source| {
            let reason = source.why_missing()?;
            Some(match self.inner.sources.len() {
                1 => reason,
                _ => format!("{}: {reason}", source.name()),
            })
        });
        Some(reasons.collect::<Vec<_>>().join("; ").into())
    }

    /// `true` if a source's last fetch failed, so that a key that isn't here may still be valid.
    pub(crate) fn is_out_of_date(&self) -> bool {
        self.inner.sources.iter().any(Source::is_behind)
    }

    /// `true` if the token may have been signed with a key that isn't here.
    pub(crate) fn lacks_key_of(&self, token: &str) -> bool {
        select::lacks_key(self.inner.algorithm, &self.current(), self.inner.without_kid, token)
    }

    pub(super) fn verify(&self, token: &Compact<'_>) -> Result<Typ, JwsError> {
        select::verify(self.inner.algorithm, &self.current(), self.inner.without_kid, token)
    }

    /// Fetches the keys of each source that nobody has tried to fetch for five minutes, or for the
    /// time that the source says (one minute after a failure). With `missing`, because a token named
    /// an unknown key, it fetches from every source from which that wasn't done within the last
    /// minute, within the time that the source says if that is shorter, or within ten seconds if it
    /// has no keys at all.
    ///
    /// There is at most one fetch from a source at a time. Callers that miss a key wait for the fetch
    /// in progress, unless the one before it failed or too many callers wait already. If a source
    /// fails or its set has no usable key, its keys stay as they are, until they are older than
    /// [`max_stale`](RemoteOptions::max_stale).
    pub async fn refresh(&self, now: Timestamp, missing: bool) {
        self.refresh_if(if missing { Need::Missing } else { Need::Passing }, now).await;
    }

    /// As [`refresh`](Self::refresh), but meant to be called every few seconds, so that requests
    /// don't have to wait: fetches keys that are older than five minutes, or than their source says,
    /// and retries every ten seconds after a failure.
    pub async fn keep_fresh(&self, now: Timestamp) {
        self.refresh_if(Need::Routine, now).await;
    }

    /// Forgets the keys that are older than [`max_stale`](RemoteOptions::max_stale), which
    /// [`refresh`](Self::refresh) and [`keep_fresh`](Self::keep_fresh) do before anything else.
    pub fn drop_stale(&self, now: Timestamp) {
        let dropped = self.inner.sources.iter().filter(|source| source.drop_stale(now)).count();
        if dropped > 0 {
            self.put_together();
        }
    }

    async fn refresh_if(&self, need: Need, now: Timestamp) {
        self.drop_stale(now);
        let refreshing = self.inner.sources.iter().map(|source| async move {
            if source.refresh(need, now).await {
                self.put_together();
            }
        });
        all(refreshing).await;
    }

    /// Fetches the keys of all sources now, however recent they are, and returns each source's name
    /// and result, in their order.
    pub async fn fetch_each(&self, now: Timestamp) -> Vec<(String, Result<Fetched, FetchError>)> {
        let fetching = self.inner.sources.iter().map(|source| async move {
            let result = source.fetch(now).await;
            self.put_together();
            (source.name(), result)
        });
        all(fetching).await
    }

    /// Fetches the keys of all sources now, however recent they are, and returns what was fetched
    /// from those that didn't fail.
    ///
    /// # Errors
    /// [`FetchError`] of the first source if all fail; the keys stay as they were.
    pub async fn fetch(&self, now: Timestamp) -> Result<Fetched, FetchError> {
        let mut all = Fetched { usable: 0, unused: Vec::new() };
        let mut first_error = None;
        for (_, result) in self.fetch_each(now).await {
            match result {
                Ok(fetched) => {
                    all.usable += fetched.usable;
                    all.unused.extend(fetched.unused);
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            Some(error) if all.usable == 0 => Err(error),
            _ => Ok(all),
        }
    }

    fn put_together(&self) {
        // The lock is held meanwhile, so that of two changes the later one stays.
        let mut keys = self.inner.keys.write().unwrap_or_else(PoisonError::into_inner);
        *keys = match &self.inner.sources[..] {
            [source] => source.keys(),
            sources => sources.iter().flat_map(|source| source.keys().to_vec()).collect(),
        };
    }
}

/// Runs all futures at the same time, and returns their results in order.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut is_pending = false;
        for (future, result) in &mut running {
            if result.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(ready) => *result = Some(ready),
                    Poll::Pending => is_pending = true,
                }
            }
        }
        if is_pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests;
