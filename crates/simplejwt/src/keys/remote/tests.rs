//! Keys that are fetched, from a source that answers as a test has it.

mod fetching;
mod sets;
mod several;
mod stale;
mod unknown;
mod without_kid;

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use std::sync::Mutex;

use super::source::{COOLDOWN, LIFESPAN, PER_UNKNOWN_KEY};
use super::*;
use crate::error::{Error as FlowError, TokenMessage};
use crate::keys::{KeySet, SigningKey};
use crate::{Access, Auth, ManualClock, Settings, TokenError, Tokens};

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}

/// The reaction of a source to a fetch.
#[derive(Clone, Debug, Default)]
enum Does {
    #[default]
    Fail,
    Panic,
    Give(String),
}

/// What a source does, and how long it says that its keys stay fresh.
type Held = Mutex<(Does, Option<Duration>)>;

/// Answers with what it holds, and counts how often it is asked.
#[derive(Clone, Debug, Default)]
struct Shelf(Arc<(Held, AtomicUsize)>);

impl Shelf {
    fn set(&self, does: Does) {
        self.0.0.lock().unwrap().0 = does;
    }

    fn put(&self, keys: &[Value]) {
        self.set(Does::Give(json!({ "keys": keys }).to_string()));
    }

    fn say_fresh_for(&self, time: Option<Duration>) {
        self.0.0.lock().unwrap().1 = time;
    }

    fn asked(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeySource for Shelf {
    async fn fetch(&self) -> Result<Published, Box<dyn Error + Send + Sync>> {
        self.0.1.fetch_add(1, Ordering::SeqCst);
        let (does, fresh_for) = self.0.0.lock().unwrap().clone();
        match does {
            Does::Fail => Err("unreachable".into()),
            Does::Panic => panic!("on purpose"),
            Does::Give(json) => {
                let set = JwkSet::from_json(json.as_bytes())?;
                Ok(Published { fresh_for, ..set.into() })
            }
        }
    }

    fn name(&self) -> String {
        "a shelf".into()
    }
}

fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

fn rsa(kid: &str) -> SigningKey {
    SigningKey::from_pem(Algorithm::Rs256, &file("rsa2048.pkcs8.pem")).unwrap().with_kid(kid)
}

fn es256(kid: &str) -> SigningKey {
    SigningKey::from_pem(Algorithm::Es256, &file("p256.pkcs8.pem")).unwrap().with_kid(kid)
}

fn ed25519(kid: &str) -> SigningKey {
    SigningKey::from_pem(Algorithm::EdDsa, &file("ed25519.pkcs8.pem")).unwrap().with_kid(kid)
}

fn jwk(key: &SigningKey) -> Value {
    serde_json::to_value(key.verifying_key().to_jwk().unwrap()).unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)))
}

fn token_of(key: &SigningKey, clock: &Arc<ManualClock>) -> String {
    let settings = Settings { algorithm: key.algorithm(), ..Settings::default() };
    let tokens = Tokens::with(settings, KeySet::new(key.clone()), clock.clone()).unwrap();
    tokens.encode(&tokens.issue::<Access>("1")).unwrap()
}

fn auth(algorithm: Algorithm, source: impl KeySource, clock: &Arc<ManualClock>) -> Auth {
    let settings = Settings {
        algorithm,
        jwk_url: vec!["https://issuer.example/jwks.json".into()],
        ..Settings::default()
    };
    assert!(settings.key_set().unwrap_err().to_string().contains("JWK_URL"));
    let keys = settings.key_set_from(source).unwrap();
    Auth::new(Tokens::with(settings, keys, clock.clone()).unwrap())
}

fn refused(result: Result<crate::Token<Access>, FlowError>) -> bool {
    matches!(
        result,
        Err(FlowError::TokenNotValid(messages))
            if matches!(&messages[..], [TokenMessage { error: TokenError::Invalid, .. }])
    )
}

fn cant_tell(result: Result<crate::Token<Access>, FlowError>) -> bool {
    matches!(result, Err(FlowError::KeysUnavailable))
}
