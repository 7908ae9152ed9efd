//! Tokens, and headers under a good signature.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use simplejwt::{Access, KeySet, Refresh, Settings, SigningKey, Sliding, Tokens, Untyped};

use crate::engine::{corpus, run};

const SECRET: &str = "a secret of at least thirty-two bytes";

fn tokens() -> Tokens {
    let keys = KeySet::new(
        SigningKey::from_secret(simplejwt::Algorithm::Hs256, SECRET.as_bytes()).unwrap(),
    );
    let settings = Settings { signing_key: Some(SECRET.into()), ..Settings::default() };
    Tokens::with(settings, keys, std::sync::Arc::new(simplejwt::SystemClock)).unwrap()
}

/// Only what was issued is taken, to the letter, and only as what it was issued as.
#[test]
fn token() {
    let tokens = tokens();
    let issued = [
        tokens.encode(&tokens.issue::<Access>("1")).unwrap(),
        tokens.encode(&tokens.issue::<Refresh>("ü")).unwrap(),
        tokens.encode(&tokens.issue::<Sliding>("2")).unwrap(),
    ];
    let mut examples: Vec<_> = issued.iter().map(|token| token.clone().into_bytes()).collect();
    examples.extend(corpus("token"));
    run("token", &examples, |input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        if tokens.decode::<Untyped>(text).is_ok() {
            assert!(issued.iter().any(|token| token == text), "nobody issued it");
        }
        assert_eq!(tokens.decode::<Access>(text).is_ok(), text == issued[0]);
        assert_eq!(tokens.decode::<Refresh>(text).is_ok(), text == issued[1]);
    });
}

/// A header under a signature of the right key: whatever it says, the key decides the algorithm.
#[test]
fn header() {
    let tokens = tokens();
    let made = tokens.encode(&tokens.issue::<Access>("1")).unwrap();
    let payload = made.split('.').nth(1).unwrap();
    run("header", &corpus("header"), |input| {
        let base64 = base64_simd::URL_SAFE_NO_PAD;
        let signed = format!("{}.{payload}", base64.encode_to_string(input));
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        let signature = base64.encode_to_string(mac.finalize().into_bytes());
        if tokens.decode::<Access>(&format!("{signed}.{signature}")).is_ok() {
            let header: serde_json::Value = serde_json::from_slice(input).expect("JSON");
            assert_eq!(header["alg"], "HS256");
            assert!(header.get("crit").is_none(), "what is critical isn't understood");
        }
    });
}
