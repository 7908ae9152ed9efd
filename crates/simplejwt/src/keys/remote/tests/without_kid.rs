//! Tokens and keys without key ids.

use serde_json::Value;

use super::super::*;
use super::{PER_UNKNOWN_KEY, Shelf, cant_tell, clock, es256, file, jwk, refused, token_of};
use crate::clock::ManualClock;
use crate::keys::SigningKey;
use crate::{Auth, Settings, Tokens};

fn auth(without_kid: bool, shelf: &Shelf, clock: &Arc<ManualClock>) -> Auth {
    let settings = Settings {
        algorithm: Algorithm::EdDsa,
        jwk_url: vec!["https://a.example/jwks.json".into()],
        jwk_url_without_kid: without_kid,
        ..Settings::default()
    };
    let keys = settings.key_set_from(shelf.clone()).unwrap();
    Auth::new(Tokens::with(settings, keys, clock.clone()).unwrap())
}

fn nameless() -> SigningKey {
    SigningKey::from_pem(Algorithm::EdDsa, &file("ed25519.pkcs8.pem")).unwrap()
}

fn other() -> SigningKey {
    let pem = SigningKey::generate(Algorithm::EdDsa).unwrap();
    SigningKey::from_pem(Algorithm::EdDsa, pem.as_bytes()).unwrap()
}

async fn takes(without_kid: bool, token: &SigningKey, keys: &[Value]) -> bool {
    let (clock, shelf) = (clock(), Shelf::default());
    shelf.put(keys);
    let auth = auth(without_kid, &shelf, &clock);
    auth.authenticate(&token_of(token, &clock)).await.is_ok()
}

/// DIFFERENCE: upstream's PyJWT refuses tokens and keys without `kid`.
#[tokio::test]
async fn keys_without_an_id_are_for_tokens_without_one() {
    let (key, named) = (nameless(), nameless().with_kid("a"));
    let (bare, tagged) = (jwk(&key), jwk(&named));
    for (token, keys, strictly, loosely) in [
        (&key, vec![bare.clone()], true, true),
        (&key, vec![jwk(&other()), bare.clone()], true, true),
        (&key, vec![jwk(&other().with_kid("b")), bare.clone()], true, true),
        (&key, vec![tagged.clone()], false, true),
        (&key, vec![jwk(&other().with_kid("b")), tagged.clone()], false, true),
        (&key, vec![jwk(&other())], false, false),
        (&key, vec![jwk(&es256("a"))], false, false),
        (&named, vec![bare.clone()], false, false),
        (&named, vec![bare, tagged], true, true),
    ] {
        assert_eq!(takes(false, token, &keys).await, strictly, "{keys:?}");
        assert_eq!(takes(true, token, &keys).await, loosely, "{keys:?}");
    }
    let many: Vec<_> = (0..20).map(|_| jwk(&other())).chain([jwk(&key)]).collect();
    assert!(!takes(false, &key, &many).await, "no more than eight are tried");
}

#[tokio::test]
async fn a_new_key_without_an_id_is_looked_for_as_well() {
    let (clock, shelf) = (clock(), Shelf::default());
    shelf.put(&[jwk(&other())]);
    let auth = auth(false, &shelf, &clock);
    auth.refresh_keys().await;
    let fetched = auth.tokens().keys().remote().unwrap().fetch(auth.tokens().now()).await.unwrap();
    assert_eq!((fetched.usable, fetched.unused.len()), (1, 0));
    let asked = shelf.asked();
    shelf.put(&[jwk(&nameless())]);
    auth.authenticate(&token_of(&nameless(), &clock)).await.unwrap();
    for _ in 0..3 {
        assert!(refused(auth.authenticate(&token_of(&other(), &clock)).await));
    }
    assert_eq!(shelf.asked(), asked + 1);
    shelf.set(super::Does::Fail);
    clock.advance(PER_UNKNOWN_KEY);
    assert!(cant_tell(auth.authenticate(&token_of(&other(), &clock)).await));
    auth.authenticate(&token_of(&nameless(), &clock)).await.unwrap();
}
