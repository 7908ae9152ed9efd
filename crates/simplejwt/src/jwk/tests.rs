mod examples;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::keys::{KeyError, KeySet, SigningKey, VerifyingKey};

const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const K: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i";

fn parse(json: serde_json::Value) -> Result<Jwk, JwkError> {
    Jwk::from_json(json.to_string().as_bytes())
}

fn p256() -> serde_json::Value {
    json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y})
}

/// `json` with one member set.
fn with(mut json: serde_json::Value, name: &str, value: serde_json::Value) -> serde_json::Value {
    json[name] = value;
    json
}

#[test]
fn the_thumbprint_of_the_rfcs() {
    // RFC 7638 section 3.1
    let rsa = parse(json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_\
              BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F\
              DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4v\
              MQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
    }));
    assert_eq!(rsa.unwrap().thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    // RFC 8037 appendix A.3
    let ed25519 = parse(json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519_X})).unwrap();
    assert_eq!(ed25519.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    // Other members don't change it.
    let other = with(with(p256(), "kid", json!("a")), "use", json!("sig"));
    assert_eq!(parse(p256()).unwrap().thumbprint(), parse(other).unwrap().thumbprint());
}

#[test]
fn what_is_read_is_written() {
    for json in [
        p256(),
        json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519_X, "use": "sig", "kid": "a"}),
        json!({"kty": "oct", "k": K, "alg": "HS256", "key_ops": ["verify"]}),
    ] {
        let written = serde_json::to_value(parse(json.clone()).unwrap()).unwrap();
        assert_eq!(written, json);
    }
}

#[test]
fn private_members_are_dropped() {
    let private = with(p256(), "d", json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"));
    assert_eq!(serde_json::to_value(parse(private).unwrap()).unwrap(), p256());
}

#[test]
fn numbers_are_read_in_every_spelling_with_one_meaning() {
    for (name, value) in [
        ("x", format!("{P256_X}=")),
        ("x", P256_X.replace('_', "/").replace('-', "+")),
        ("x", format!("AA{}", &P256_X[..41])),
        ("y", format!(" {P256_Y}\n")),
        ("y", P256_Y.replace("5a0", "5a1")),
    ] {
        assert!(parse(with(p256(), name, json!(value))).is_ok(), "{value}");
    }
    for (name, value) in [
        ("x", String::new()),
        ("x", "AAAA".to_owned()),
        ("x", format!("{P256_X}AA")),
        ("y", format!("{P256_Y}.")),
        ("y", "A".to_owned()),
        ("y", "=".to_owned()),
    ] {
        let bad = parse(with(p256(), name, json!(value)));
        assert!(matches!(bad, Err(JwkError::Malformed(n)) if n == name), "{value}");
    }
    let rsa =
        |n: &str, e: &str| parse(json!({"kty": "RSA", "n": n, "e": e})).map(|key| key.thumbprint());
    assert_eq!(rsa("AQAB", "AAEAAQ"), rsa("AQAB", "AQAB"), "leading zero");
    assert_eq!(rsa("", "AQAB"), Err(JwkError::Malformed("n")));
    assert_eq!(rsa("AAAA", "AQAB"), Err(JwkError::Malformed("n")));
    let ed25519 = |x: &str| parse(json!({"kty": "OKP", "crv": "Ed25519", "x": x})).err();
    assert_eq!(ed25519(&ED25519_X[..42]), Some(JwkError::Malformed("x")), "no number to fill up");
}

#[test]
fn wrong_types_are_not_read_as_absent() {
    for (name, value) in [
        ("kid", json!(1)),
        ("use", json!(["sig"])),
        ("key_ops", json!(1)),
        ("alg", json!({})),
        ("x", json!(7)),
        ("kty", json!(7)),
    ] {
        assert_eq!(parse(with(p256(), name, value)).err(), Some(JwkError::Type(name)), "{name}");
    }
    for name in ["kid", "use", "key_ops", "alg"] {
        assert!(parse(with(p256(), name, json!(null))).is_ok(), "{name}");
    }
    let doubled = p256().to_string().replacen('{', "{\"kty\":\"EC\",", 1);
    assert_eq!(Jwk::from_json(doubled.as_bytes()).err(), Some(JwkError::Json));
    for bad in ["", "[]", "[\"oct\"]", "null", "{\"kty\":\"EC\""] {
        assert_eq!(Jwk::from_json(bad.as_bytes()).err(), Some(JwkError::Json), "{bad}");
    }
    assert_eq!(Jwk::from_json("\u{feff}{}".as_bytes()).err(), Some(JwkError::Missing("kty")));
    assert_eq!(Jwk::from_json(b"{\"keys\":[]}").err(), Some(JwkError::IsASet));
    assert_eq!(parse(json!({"kty": "EC"})).err(), Some(JwkError::Missing("crv")));
    assert_eq!(parse(json!({"kty": "oct"})).err(), Some(JwkError::Missing("k")));
    assert_eq!(parse(json!({"kty": "ec"})).err(), Some(JwkError::Unsupported));
    assert_eq!(parse(with(p256(), "crv", json!("P-257"))).err(), Some(JwkError::Unsupported));
}

#[test]
fn a_key_serves_only_what_it_is_meant_for() {
    let refusal = |algorithm, json| {
        VerifyingKey::from_jwk(algorithm, &parse(json).unwrap()).map(|key| key.kid().is_some())
    };
    let es256 = Algorithm::Es256;
    assert_eq!(refusal(es256, p256()), Ok(false));
    assert_eq!(refusal(es256, with(p256(), "kid", json!("a"))), Ok(true));
    assert_eq!(refusal(es256, with(p256(), "alg", json!("ES256"))), Ok(false));
    assert_eq!(refusal(es256, with(p256(), "key_ops", json!(["sign", "verify"]))), Ok(false));
    let wrong_use = Err(KeyError::Jwk(JwkError::Use));
    assert_eq!(refusal(es256, with(p256(), "use", json!("enc"))), wrong_use);
    assert_eq!(refusal(es256, with(p256(), "key_ops", json!(["sign"]))), wrong_use);
    assert_eq!(refusal(es256, with(p256(), "key_ops", json!([]))), wrong_use);
    let wrong_alg = Err(KeyError::Jwk(JwkError::Algorithm(es256)));
    for alg in ["ES384", "es256", "none", "ECDH-ES"] {
        assert_eq!(refusal(es256, with(p256(), "alg", json!(alg))), wrong_alg, "{alg}");
    }
    for other in [Algorithm::Es384, Algorithm::Es256K, Algorithm::Rs256, Algorithm::Hs256] {
        assert!(matches!(refusal(other, p256()), Err(KeyError::WrongType { .. })), "{other}");
    }
    let off = with(p256(), "y", json!(P256_X));
    assert_eq!(refusal(es256, off), Err(KeyError::PointOffCurve("P-256")));
    let secret = json!({"kty": "oct", "k": K});
    assert_eq!(refusal(Algorithm::Hs384, secret.clone()), Ok(false));
    assert!(matches!(
        refusal(Algorithm::Hs512, secret.clone()),
        Err(KeyError::ShortSecret { length: 48, needed: 64, .. })
    ));
    assert!(matches!(refusal(Algorithm::EdDsa, secret), Err(KeyError::WrongType { .. })));
}

#[test]
fn sets() {
    let set =
        |keys: serde_json::Value| JwkSet::from_json(json!({ "keys": keys }).to_string().as_bytes());
    let named = |kid: &str| with(p256(), "kid", json!(kid));
    let secret = json!({"kty": "oct", "k": K});
    assert_eq!(set(json!([named("a"), named("b"), named("a")])).unwrap().keys().len(), 3);
    let reasons = |keys| {
        let set = set(keys).unwrap();
        set.left_out().iter().map(|jwk| (jwk.position, jwk.reason.clone())).collect::<Vec<_>>()
    };
    assert_eq!(reasons(json!([secret, secret])), []);
    assert_eq!(reasons(json!([secret, p256()])), [(1, JwkError::MixedSet)]);
    assert_eq!(reasons(json!([p256(), with(p256(), "d", json!("AA"))])), [(2, JwkError::Private)]);
    assert_eq!(reasons(json!([1])), [(1, JwkError::Json)]);
    for bad in ["", "[]", "{}", "<html>", "[[]]", "{\"keys\":{}}", "{\"keys\":[}"] {
        assert_eq!(JwkSet::from_json(bad.as_bytes()).err(), Some(JwkError::NotASet), "{bad}");
    }
    let read: JwkSet = serde_json::from_value(json!({"keys": [p256(), 1]})).unwrap();
    assert_eq!((read.keys().len(), read.left_out().len()), (1, 1));
    // Unknown types, and keys for other purposes, beside the one in question.
    let foreign = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"});
    let encryption = with(named("e"), "use", json!("enc"));
    let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519_X, "kid": "d"});
    let mixed = set(json!([foreign, encryption, ed25519, named("a")])).unwrap();
    assert_eq!(mixed.keys().len(), 3);
    let found = VerifyingKey::from_jwk_set(Algorithm::Es256, &mixed).unwrap();
    assert_eq!(found.iter().map(VerifyingKey::kid).collect::<Vec<_>>(), [Some("a")]);
    let (_, unused) = VerifyingKey::sort_jwk_set(Algorithm::Es256, &mixed);
    assert!(unused.iter().all(|jwk| jwk.is_for_another_purpose()));
    let none = KeyError::Jwk(JwkError::NoKeyFor(Algorithm::Rs256));
    assert_eq!(VerifyingKey::from_jwk_set(Algorithm::Rs256, &mixed).unwrap_err(), none);
}

#[test]
fn a_jwk_is_a_setting_too() {
    let private = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/p521.pkcs8.pem");
    let signing = SigningKey::from_pem(Algorithm::Es512, &std::fs::read(private).unwrap()).unwrap();
    let jwk = serde_json::to_vec(&signing.verifying_key().to_jwk().unwrap()).unwrap();
    let verifying = VerifyingKey::parse(Algorithm::Es512, &jwk, false).unwrap();
    assert!(KeySet::with_signing_and_verifying(signing, verifying).is_ok());
}

#[test]
fn debug_shows_no_secret() {
    let secret = parse(json!({"kty": "oct", "k": K, "kid": "a"})).unwrap();
    let shown = format!("{secret:?} {:?}", JwkSet::new([secret.clone()]));
    assert!(!shown.contains(&K[..8]) && shown.contains("oct"), "{shown}");
    assert!(!shown.contains("3, 35, 53"), "{shown}");
}

proptest! {
    #[test]
    fn no_json_panics(
        kty in prop::sample::select(vec!["RSA", "EC", "OKP", "oct", "x"]),
        crv in prop::sample::select(vec!["P-256", "P-521", "secp256k1", "Ed25519", "X25519"]),
        x in "[A-Za-z0-9_=-]{0,90}",
        y in "[A-Za-z0-9_-]{43}",
    ) {
        let json = json!({
            "kty": kty, "crv": crv, "x": x, "y": y, "n": x, "e": y, "k": x, "kid": y,
        });
        if let Ok(jwk) = parse(json) {
            let _ = jwk.thumbprint();
            let _ = serde_json::to_string(&jwk);
            for algorithm in Algorithm::ALL {
                let _ = VerifyingKey::from_jwk(algorithm, &jwk);
            }
        }
    }

    #[test]
    fn no_bytes_panic(json in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Jwk::from_json(&json);
        let _ = JwkSet::from_json(&json);
    }
}
