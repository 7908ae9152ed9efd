//! Several sources, of which one may fail.

use super::super::*;
use super::{
    COOLDOWN, Does, PER_UNKNOWN_KEY, Shelf, cant_tell, clock, ed25519, es256, jwk, refused,
    token_of,
};
use crate::clock::ManualClock;
use crate::keys::KeySet;
use crate::{Auth, Settings, Tokens};

fn auth(sources: &[&Shelf], clock: &Arc<ManualClock>) -> Auth {
    let settings = Settings {
        algorithm: Algorithm::EdDsa,
        jwk_url: vec!["https://a.example/jwks.json".into(), "https://b.example/jwks.json".into()],
        ..Settings::default()
    };
    let sources = sources.iter().map(|shelf| Arc::new((*shelf).clone()) as Arc<dyn KeySource>);
    let keys = settings.key_set_from_all(sources).unwrap();
    Auth::new(Tokens::with(settings, keys, clock.clone()).unwrap())
}

#[tokio::test]
async fn keys_of_all_sources_count_and_each_fails_alone() {
    let (clock, one, other) = (clock(), Shelf::default(), Shelf::default());
    one.put(&[jwk(&ed25519("one"))]);
    let auth = auth(&[&one, &other], &clock);
    auth.refresh_keys().await;
    assert_eq!(auth.why_keys_are_missing(), None, "one is enough");
    let token = |kid: &str| token_of(&ed25519(kid), &clock);
    auth.authenticate(&token("one")).await.unwrap();
    // It may be a key of the source that is down.
    assert!(cant_tell(auth.authenticate(&token("other")).await));
    assert!(refused(auth.authenticate(&token_of(&es256("other"), &clock)).await));

    other.put(&[jwk(&ed25519("other"))]);
    one.set(Does::Fail);
    clock.advance(PER_UNKNOWN_KEY);
    auth.refresh_keys().await;
    for kid in ["one", "other"] {
        auth.authenticate(&token(kid)).await.expect(kid);
    }
    assert!(cant_tell(auth.authenticate(&token("third")).await), "it may be one's");

    one.put(&[jwk(&ed25519("third"))]);
    clock.advance(COOLDOWN);
    auth.refresh_keys().await;
    auth.authenticate(&token("third")).await.unwrap();
    assert!(refused(auth.authenticate(&token("one")).await), "it was taken away");
    auth.authenticate(&token("other")).await.unwrap();
}

#[tokio::test]
async fn every_source_is_named_while_none_has_keys() {
    let (clock, one, other) = (clock(), Shelf::default(), Shelf::default());
    other.set(Does::Give("<html>".into()));
    let auth = auth(&[&one, &other], &clock);
    let why = auth.why_keys_are_missing().unwrap();
    assert_eq!(why.matches("not been fetched yet").count(), 2, "{why}");
    auth.refresh_keys().await;
    let why = auth.why_keys_are_missing().unwrap();
    assert!(why.contains("a shelf: the keys could not be fetched: unreachable; "), "{why}");
    assert!(why.contains("not a JWK set"), "{why}");
    let keys = auth.tokens().keys();
    let remote = keys.remote().unwrap();
    let each = remote.fetch_each(auth.tokens().now()).await;
    assert!(each.iter().all(|(name, result)| name == "a shelf" && result.is_err()));
    assert!(remote.fetch(auth.tokens().now()).await.is_err());
    one.put(&[jwk(&ed25519("one"))]);
    assert_eq!(remote.fetch(auth.tokens().now()).await.unwrap().usable, 1);
}

/// Never answers.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl KeySource for Silent {
    async fn fetch(&self) -> Result<Published, Box<dyn Error + Send + Sync>> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_source_that_hangs_holds_up_no_other() {
    let (clock, shelf) = (clock(), Shelf::default());
    shelf.put(&[jwk(&ed25519("a"))]);
    let settings = Settings {
        algorithm: Algorithm::EdDsa,
        jwk_url: vec!["https://a.example/jwks.json".into()],
        ..Settings::default()
    };
    let sources: [Arc<dyn KeySource>; 2] = [Arc::new(Silent), Arc::new(shelf.clone())];
    let keys: KeySet = settings.key_set_from_all(sources).unwrap();
    let auth = Auth::new(Tokens::with(settings, keys, clock.clone()).unwrap());
    let refreshing = tokio::spawn({
        let auth = auth.clone();
        async move { auth.refresh_keys().await }
    });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!refreshing.is_finished());
    auth.authenticate(&token_of(&ed25519("a"), &clock)).await.unwrap();
    refreshing.abort();
}
