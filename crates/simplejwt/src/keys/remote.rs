//! Verifying keys that are fetched from elsewhere: what stands behind `JWK_URL`.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;

use super::{Algorithm, KeyError, VerifyingKey};
use crate::clock::Timestamp;
use crate::jwk::JwkSet;

/// How long fetched keys are used before they are fetched again.
const LIFESPAN: Duration = Duration::from_secs(300);
/// How long a fetch isn't repeated, whatever tokens ask for.
const COOLDOWN: Duration = Duration::from_secs(10);

/// Where a JWK set (RFC 7517 section 5) comes from: an HTTP client, as a rule.
#[async_trait]
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// Fetches the set. Has to give up after a few seconds.
    ///
    /// # Errors
    /// Whatever prevented it; the keys fetched before stay in use.
    async fn fetch(&self) -> Result<JwkSet, Box<dyn Error + Send + Sync>>;
}

/// The keys of a [`KeySource`]. Tokens choose among them by `kid`, which they must have.
#[derive(Clone, Debug)]
pub struct RemoteKeys {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    algorithm: Algorithm,
    source: Arc<dyn KeySource>,
    state: RwLock<State>,
    fetching: AtomicBool,
}

#[derive(Debug)]
struct State {
    keys: Arc<[VerifyingKey]>,
    tried: Option<Timestamp>,
    fetched: Option<Timestamp>,
}

impl RemoteKeys {
    /// Keys of this algorithm, none of them fetched yet.
    pub fn new(algorithm: Algorithm, source: impl KeySource) -> Self {
        let state = State { keys: Arc::new([]), tried: None, fetched: None };
        let inner = Inner {
            algorithm,
            source: Arc::new(source),
            state: RwLock::new(state),
            fetching: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The one algorithm of these keys.
    pub fn algorithm(&self) -> Algorithm {
        self.inner.algorithm
    }

    /// The keys as last fetched.
    pub fn current(&self) -> Arc<[VerifyingKey]> {
        self.inner.state.read().unwrap_or_else(PoisonError::into_inner).keys.clone()
    }

    /// Fetches the keys if they are older than five minutes or, with `missing`, if a token named
    /// one that isn't there; at most one fetch at a time, and one in ten seconds. A source that
    /// fails leaves the keys as they are.
    pub async fn refresh(&self, now: Timestamp, missing: bool) {
        if !self.is_due(now, missing) || self.inner.fetching.swap(true, Ordering::AcqRel) {
            return;
        }
        let _done = Done(&self.inner.fetching);
        self.update(|state| state.tried = Some(now));
        match self.inner.source.fetch().await.and_then(|set| Ok(self.verifying_keys(&set)?)) {
            Ok(keys) => self.update(|state| {
                state.keys = keys.into();
                state.fetched = Some(now);
            }),
            Err(error) => {
                tracing::error!(error = &*error, "the keys behind JWK_URL could not be fetched");
            }
        }
    }

    fn verifying_keys(&self, set: &JwkSet) -> Result<Vec<VerifyingKey>, KeyError> {
        VerifyingKey::from_jwk_set(self.inner.algorithm, set)
    }

    fn is_due(&self, now: Timestamp, missing: bool) -> bool {
        let state = self.inner.state.read().unwrap_or_else(PoisonError::into_inner);
        let stale = missing || state.fetched.is_none_or(|fetched| fetched + LIFESPAN <= now);
        stale && state.tried.is_none_or(|tried| tried + COOLDOWN <= now)
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.inner.state.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Ends a fetch also where its future is dropped half-way.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::error::{Error as FlowError, TokenMessage};
    use crate::keys::{KeySet, SigningKey};
    use crate::{Access, Auth, ManualClock, Settings, TokenError, Tokens};

    const PRIVATE: &str = include_str!("../../tests/fixtures/keys/ed25519.pkcs8.pem");
    const OTHER: &str = include_str!("../../tests/fixtures/keys/p256.pkcs8.pem");

    /// Answers with what it holds, and counts how often it is asked.
    #[derive(Clone, Debug, Default)]
    struct Shelf(Arc<Mutex<(Option<JwkSet>, usize)>>);

    impl Shelf {
        fn put(&self, set: Option<JwkSet>) {
            self.0.lock().unwrap().0 = set;
        }

        fn asked(&self) -> usize {
            self.0.lock().unwrap().1
        }
    }

    #[async_trait]
    impl KeySource for Shelf {
        async fn fetch(&self) -> Result<JwkSet, Box<dyn Error + Send + Sync>> {
            let mut shelf = self.0.lock().unwrap();
            shelf.1 += 1;
            shelf.0.clone().ok_or_else(|| "unreachable".into())
        }
    }

    fn key(kid: &str) -> SigningKey {
        SigningKey::from_pem(Algorithm::EdDsa, PRIVATE.as_bytes()).unwrap().with_kid(kid)
    }

    fn token_of(key: SigningKey, clock: &Arc<ManualClock>) -> String {
        let settings = Settings { algorithm: key.algorithm(), ..Settings::default() };
        let tokens = Tokens::with(settings, KeySet::new(key), clock.clone()).unwrap();
        tokens.encode(&tokens.issue::<Access>("1")).unwrap()
    }

    fn auth(shelf: &Shelf, clock: &Arc<ManualClock>) -> Auth {
        let settings = Settings {
            algorithm: Algorithm::EdDsa,
            jwk_url: Some("https://issuer.example/jwks.json".into()),
            ..Settings::default()
        };
        assert!(settings.key_set().unwrap_err().to_string().contains("JWK_URL"));
        let keys = settings.key_set_from(shelf.clone()).unwrap();
        Auth::new(Tokens::with(settings, keys, clock.clone()).unwrap())
    }

    fn refused(result: Result<crate::Token<Access>, FlowError>) -> bool {
        matches!(
            result,
            Err(FlowError::TokenNotValid(messages))
                if matches!(&messages[..], [TokenMessage { error: TokenError::Invalid, .. }])
        )
    }

    #[tokio::test]
    async fn keys_are_fetched_when_a_token_names_a_new_one_but_not_at_every_such_token() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let shelf = Shelf::default();
        let auth = auth(&shelf, &clock);
        let token = token_of(key("a"), &clock);

        assert!(refused(auth.authenticate(&token).await), "the source is down");
        shelf.put(Some(KeySet::new(key("a")).jwks()));
        assert!(refused(auth.authenticate(&token).await), "not asked again at once");
        assert_eq!(shelf.asked(), 1);
        clock.advance(COOLDOWN);
        auth.authenticate(&token).await.unwrap();

        clock.advance(COOLDOWN);
        for _ in 0..3 {
            assert!(refused(auth.authenticate(&token_of(key("b"), &clock)).await));
        }
        assert_eq!(shelf.asked(), 3, "one fetch for three unknown key ids");

        shelf.put(None);
        clock.advance(Duration::from_secs(299));
        let token = token_of(key("a"), &clock);
        clock.advance(Duration::from_secs(2));
        auth.authenticate(&token).await.unwrap();
        assert_eq!(shelf.asked(), 4, "stale keys serve while the source is down");

        shelf.put(Some(KeySet::new(key("b")).jwks()));
        clock.advance(COOLDOWN);
        assert!(refused(auth.authenticate(&token).await), "a key that was taken away");
    }

    #[tokio::test]
    async fn the_key_id_is_needed_and_the_algorithm_has_to_fit() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let shelf = Shelf::default();
        let es256 = SigningKey::from_pem(Algorithm::Es256, OTHER.as_bytes()).unwrap();
        shelf.put(Some(KeySet::new(key("a")).jwks()));
        let auth = auth(&shelf, &clock);
        auth.refresh_keys().await;
        auth.authenticate(&token_of(key("a"), &clock)).await.unwrap();
        let nameless = SigningKey::from_pem(Algorithm::EdDsa, PRIVATE.as_bytes()).unwrap();
        assert!(refused(auth.authenticate(&token_of(nameless, &clock)).await));
        assert!(refused(auth.authenticate(&token_of(es256.with_kid("a"), &clock)).await));
    }
}
