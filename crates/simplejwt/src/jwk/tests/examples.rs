//! The keys that the RFCs print.

use serde_json::json;

use super::{Jwk, JwkError, JwkSet, parse};
use crate::jws::JwsError;
use crate::keys::{Algorithm, KeySet, SigningKey, VerifyingKey};

/// RFC 7517 appendix A.1, and with the members of A.2 besides.
const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSo\
                 c_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YG\
                 jQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt\
                 -bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDK\
                 gw";

fn set(keys: serde_json::Value) -> JwkSet {
    JwkSet::from_json(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn p256() -> serde_json::Value {
    json!({
        "kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "use": "enc", "kid": "1",
    })
}

fn rsa() -> serde_json::Value {
    json!({"kty": "RSA", "n": N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
}

fn ed25519() -> serde_json::Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

#[test]
fn public_keys() {
    // RFC 7517 appendix A.1
    let keys = set(json!([p256(), rsa()]));
    let ids: Vec<_> = keys.keys().iter().map(Jwk::kid).collect();
    assert_eq!((ids, keys.left_out()), (vec![Some("1"), Some("2011-04-29")], &[][..]));
    let [ec, rsa_key] = keys.keys() else { panic!("two keys") };
    assert_eq!(ec.thumbprint(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    assert_eq!(rsa_key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    // The first is for encryption, and the second for RS256.
    assert!(VerifyingKey::from_jwk(Algorithm::Es256, ec).is_err());
    assert!(VerifyingKey::from_jwk(Algorithm::Ps256, rsa_key).is_err());
    let verifying = VerifyingKey::from_jwk(Algorithm::Rs256, rsa_key).unwrap();
    let mut published = serde_json::to_value(verifying.to_jwk()).unwrap();
    assert_eq!(published["use"], "sig");
    published.as_object_mut().unwrap().remove("use");
    assert_eq!(published, rsa());
}

#[test]
fn private_keys_and_secrets() {
    // RFC 7517 appendix A.2: in a published set, such keys are left out.
    let mut private = p256();
    private["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE");
    assert_eq!(set(json!([private, rsa()])).left_out()[0].reason, JwkError::Private);
    // RFC 7517 appendix A.3: secrets, of which the first is for another purpose.
    let wrapping = json!({"kty": "oct", "alg": "A128KW", "k": "GawgguFyGrWKav7AX4VKUg"});
    let hmac = json!({
        "kty": "oct", "kid": "HMAC key used in JWS spec Appendix A.1 example",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    });
    assert!(VerifyingKey::from_jwk(Algorithm::Hs256, &parse(wrapping).unwrap()).is_err());
    let hmac = VerifyingKey::from_jwk(Algorithm::Hs256, &parse(hmac).unwrap()).unwrap();
    assert!(hmac.to_jwk().is_none(), "a secret is never published");
    // RFC 7515 appendix A.1, which that key signed.
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODA\
                 sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_w\
                 W1gFWFOEjXk";
    assert!(KeySet::verify_only([hmac]).unwrap().verify_compact(token).is_ok());
}

#[test]
fn ed25519_and_its_signature() {
    // RFC 8037 appendices A.2, A.3 and A.4
    let key = parse(ed25519()).unwrap();
    assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let keys = VerifyingKey::from_jwk(Algorithm::EdDsa, &key).unwrap();
    let keys = KeySet::verify_only([keys]).unwrap();
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(keys.verify_compact(token).unwrap(), b"Example of Ed25519 signing");
    let changed = token.replace("hgyY", "hgyZ");
    assert_eq!(keys.verify_compact(&changed), Err(JwsError::Signature));
}

/// RFC 9864 section 2.2: the name has the curve in it, and the JWK may have either name.
#[test]
fn the_fully_specified_name() {
    for name in ["EdDSA", "Ed25519"] {
        let mut named = ed25519();
        named["alg"] = json!(name);
        let key = VerifyingKey::from_jwk(Algorithm::EdDsa, &parse(named).unwrap()).unwrap();
        assert_eq!(key.to_jwk().unwrap().alg(), Some("EdDSA"), "{name}");
        assert_eq!(key.fully_specified().to_jwk().unwrap().alg(), Some("Ed25519"), "{name}");
    }
    for name in ["Ed448", "ed25519", "ESP256"] {
        let mut named = ed25519();
        named["alg"] = json!(name);
        assert!(
            VerifyingKey::from_jwk(Algorithm::EdDsa, &parse(named).unwrap()).is_err(),
            "{name}"
        );
    }
    let text = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let signing = SigningKey::parse(Algorithm::EdDsa, text.as_bytes(), false).unwrap();
    let token = KeySet::new(signing.clone().fully_specified()).sign_compact(b"{}").unwrap();
    assert!(KeySet::new(signing).verify_compact(&token).is_ok());
}
