//! Fetching: when a set is fetched, and answers meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::super::*;
use super::{
    COOLDOWN, Does, PER_UNKNOWN_KEY, Shelf, auth, cant_tell, clock, ed25519, es256, jwk, refused,
    token_of, with,
};
use crate::error::Error as FlowError;
use crate::keys::KeySet;

#[tokio::test]
async fn keys_are_fetched_when_a_token_names_a_new_one_but_not_at_every_such_token() {
    let (clock, shelf) = (clock(), Shelf::default());
    let auth = auth(Algorithm::EdDsa, shelf.clone(), &clock);
    let token = token_of(&ed25519("a"), &clock);

    assert!(cant_tell(auth.authenticate(&token).await), "the source is down");
    assert!(auth.why_keys_are_missing().unwrap().contains("unreachable"));
    shelf.put(&[jwk(&ed25519("a"))]);
    assert!(cant_tell(auth.authenticate(&token).await), "not asked again at once");
    assert_eq!(shelf.asked(), 1);
    clock.advance(COOLDOWN);
    auth.authenticate(&token).await.unwrap();
    assert_eq!(auth.why_keys_are_missing(), None);

    clock.advance(COOLDOWN);
    for _ in 0..3 {
        assert!(refused(auth.authenticate(&token_of(&ed25519("b"), &clock)).await));
    }
    assert_eq!(shelf.asked(), 3, "one fetch for three unknown key ids");

    shelf.set(Does::Fail);
    clock.advance(Duration::from_secs(299));
    let token = token_of(&ed25519("a"), &clock);
    clock.advance(Duration::from_secs(2));
    auth.authenticate(&token).await.unwrap();
    assert_eq!(shelf.asked(), 4, "stale keys serve while the source is down");

    shelf.put(&[jwk(&ed25519("b"))]);
    clock.advance(COOLDOWN);
    auth.refresh_keys().await;
    assert!(refused(auth.authenticate(&token).await), "a key that was taken away");
}

#[tokio::test]
async fn a_key_that_couldnt_be_looked_for_is_not_said_to_be_unknown() {
    let (clock, shelf) = (clock(), Shelf::default());
    shelf.put(&[jwk(&ed25519("a"))]);
    let auth = auth(Algorithm::EdDsa, shelf.clone(), &clock);
    let new = token_of(&ed25519("b"), &clock);
    auth.refresh_keys().await;
    assert!(refused(auth.authenticate(&new).await), "the set is of this moment");

    let bad = |token: &str| {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        format!("{signed}.{first}{}", &signature[1..])
    };
    for does in [Does::Fail, Does::Panic, Does::Give("<html>".into()), Does::Give("{}".into())] {
        shelf.set(does.clone());
        clock.advance(PER_UNKNOWN_KEY);
        let (old, new) = (token_of(&ed25519("a"), &clock), token_of(&ed25519("b"), &clock));
        let asked = shelf.asked();
        for _ in 0..3 {
            assert!(cant_tell(auth.authenticate(&new).await), "{does:?}");
            auth.authenticate(&old).await.unwrap();
            // What needs no other key is known as before.
            assert!(refused(auth.authenticate(&bad(&old)).await));
            assert!(refused(auth.authenticate("a.b.c").await));
            assert!(refused(auth.authenticate(&token_of(&es256("b"), &clock)).await));
        }
        assert_eq!(shelf.asked(), asked + 1, "{does:?}");
    }
    shelf.put(&[jwk(&ed25519("a")), jwk(&ed25519("b"))]);
    clock.advance(PER_UNKNOWN_KEY);
    auth.authenticate(&token_of(&ed25519("b"), &clock)).await.unwrap();
}

/// DIFFERENCE: upstream answers 401.
#[tokio::test]
async fn while_there_never_were_keys_nothing_is_said_of_any_token() {
    let (clock, shelf) = (clock(), Shelf::default());
    let auth = auth(Algorithm::EdDsa, shelf.clone(), &clock);
    let good = token_of(&ed25519("a"), &clock);
    for does in [Does::Fail, Does::Panic, Does::Give("{\"keys\":[]}".into())] {
        shelf.set(does.clone());
        clock.advance(COOLDOWN);
        assert!(cant_tell(auth.authenticate(&good).await), "{does:?}");
        let verified = auth.verify(&good).await;
        assert!(matches!(verified, Err(FlowError::KeysUnavailable)), "{does:?}");
        let introspected = auth.introspect(&good).await;
        assert!(matches!(introspected, Err(FlowError::KeysUnavailable)), "{does:?}");
        let revoked = auth.revoke(&good).await;
        assert!(matches!(revoked, Err(FlowError::KeysUnavailable)), "{does:?}");
        let refreshed = auth.refresh(&good).await;
        assert!(matches!(refreshed, Err(FlowError::KeysUnavailable)), "{does:?}");
    }
}

#[tokio::test]
async fn a_set_without_a_usable_key_leaves_the_earlier_ones_and_says_why() {
    let (clock, shelf) = (clock(), Shelf::default());
    shelf.put(&[jwk(&ed25519("a"))]);
    let auth = auth(Algorithm::EdDsa, shelf.clone(), &clock);
    let token = token_of(&ed25519("a"), &clock);
    auth.authenticate(&token).await.unwrap();
    shelf.put(&[with(jwk(&ed25519("c")), "use", "enc"), json!({"kty": "AKP", "kid": "d"})]);
    clock.advance(COOLDOWN);
    let remote = auth.tokens().keys().remote().unwrap().clone();
    let error = remote.fetch(auth.tokens().now()).await.unwrap_err().to_string();
    assert!(error.contains("\"c\"") && error.contains("not meant for verifying"), "{error}");
    assert!(error.contains("\"d\"") && error.contains("not supported"), "{error}");
    auth.authenticate(&token).await.unwrap();
    shelf.put(&[]);
    let error = remote.fetch(auth.tokens().now()).await.unwrap_err().to_string();
    assert!(error.contains("it is empty"), "{error}");
    shelf.put(&[jwk(&ed25519("c")), json!(null)]);
    let fetched = remote.fetch(auth.tokens().now()).await.unwrap();
    assert_eq!((fetched.usable, fetched.unused[0].position), (1, 2));
}

/// Answers when it is told to.
#[derive(Clone, Debug, Default)]
struct Slow(Arc<(AtomicBool, AtomicUsize, tokio::sync::Notify)>);

#[async_trait]
impl KeySource for Slow {
    async fn fetch(&self) -> Result<Published, Box<dyn Error + Send + Sync>> {
        self.0.1.fetch_add(1, Ordering::SeqCst);
        if !self.0.0.load(Ordering::SeqCst) {
            self.0.2.notified().await;
        }
        Ok(KeySet::new(ed25519("a")).jwks().into())
    }
}

#[tokio::test]
async fn who_misses_a_key_waits_for_the_fetch_that_is_on_its_way() {
    let (clock, slow) = (clock(), Slow::default());
    let auth = auth(Algorithm::EdDsa, slow.clone(), &clock);
    let token = token_of(&ed25519("a"), &clock);
    let ask = || {
        let (auth, token) = (auth.clone(), token.clone());
        tokio::spawn(async move { auth.authenticate(&token).await.map(drop) })
    };
    let settle = async || {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    };
    let first = ask();
    settle().await;
    let others = [ask(), ask(), ask()];
    settle().await;
    assert!(others.iter().all(|other| !other.is_finished()));
    // A client that goes away leaves nobody waiting for ever, and doesn't count as an answer.
    first.abort();
    settle().await;
    for other in others {
        assert!(matches!(other.await.unwrap(), Err(FlowError::KeysUnavailable)));
    }
    slow.0.0.store(true, Ordering::SeqCst);
    clock.advance(COOLDOWN);
    auth.refresh_keys().await;
    ask().await.unwrap().unwrap();
    assert_eq!(slow.0.1.load(Ordering::SeqCst), 2);
}
