//! Sets of keys that sign and verify.

mod form;

use base64_simd::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const PAYLOAD: &[u8] = br#"{"token_type":"access","exp":1893456000,"user_id":"1"}"#;

fn secret(bytes: &[u8]) -> SigningKey {
    SigningKey::from_secret(Algorithm::Hs256, bytes).unwrap()
}

fn hs256() -> KeySet {
    KeySet::new(secret(SECRET))
}

fn pem(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

/// A key set for each algorithm.
fn every_key() -> Vec<KeySet> {
    let key = |algorithm: Algorithm| match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            SigningKey::from_secret(algorithm, SECRET)
        }
        Algorithm::Es256 => SigningKey::from_pem(algorithm, &pem("p256.sec1.pem")),
        Algorithm::Es256K => SigningKey::from_pem(algorithm, &pem("k256.sec1.pem")),
        Algorithm::Es384 => SigningKey::from_pem(algorithm, &pem("p384.sec1.pem")),
        Algorithm::Es512 => SigningKey::from_pem(algorithm, &pem("p521.sec1.pem")),
        Algorithm::EdDsa => SigningKey::from_pem(algorithm, &pem("ed25519.pkcs8.pem")),
        _ => SigningKey::from_pem(algorithm, &pem("rsa2048.pkcs1.pem")),
    };
    Algorithm::ALL.into_iter().map(|algorithm| KeySet::new(key(algorithm).unwrap())).collect()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

fn signature_of(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode_to_vec(token.rsplit_once('.').unwrap().1).unwrap()
}

fn with_signature(token: &str, signature: impl AsRef<[u8]>) -> String {
    format!("{}.{}", token.rsplit_once('.').unwrap().0, encode(signature))
}

/// A token with the right signature over any header and payload segment.
fn signed_raw(key: &SigningKey, header: &str, payload: &str) -> String {
    let signed = format!("{header}.{payload}");
    key.signer.sign(signed.as_bytes(), |s| format!("{signed}.{}", encode(s))).unwrap()
}

fn signed(header: &str) -> String {
    signed_raw(&secret(SECRET), &encode(header), &encode(PAYLOAD))
}

#[test]
fn every_algorithm_signs_what_it_verifies_and_nothing_else() {
    let keys = every_key();
    for (i, signer) in keys.iter().enumerate() {
        let token = signer.sign_compact(PAYLOAD).unwrap();
        for (j, verifier) in keys.iter().enumerate() {
            let verified = verifier.verify_compact(&token);
            if i == j {
                assert_eq!(verified.as_deref(), Ok(PAYLOAD), "{}", signer.algorithm());
            } else {
                assert_eq!(verified, Err(JwsError::Algorithm), "{}", signer.algorithm());
            }
        }
        let mut signature = signature_of(&token);
        signature[7] ^= 1;
        let changed = with_signature(&token, &signature);
        assert_eq!(signer.verify_compact(&changed), Err(JwsError::Signature));
        for cut in [0, 1, signature.len() - 1] {
            let cut = with_signature(&token, &signature[..cut]);
            assert_eq!(signer.verify_compact(&cut), Err(JwsError::Signature));
        }
        let zeros = with_signature(&token, vec![0; signature.len()]);
        assert_eq!(signer.verify_compact(&zeros), Err(JwsError::Signature), "r = s = 0");
        let other = token.replacen(&encode(PAYLOAD), &encode(br#"{"user_id":"2"}"#), 1);
        assert_eq!(signer.verify_compact(&other), Err(JwsError::Signature));
    }
}

#[test]
fn the_algorithm_is_the_keys_and_compared_byte_for_byte() {
    let keys = hs256();
    assert!(keys.verify_compact(&signed(r#"{"alg":"HS256"}"#)).is_ok());
    assert!(keys.verify_compact(&signed(r#"{ "typ" : 1, "\u0061lg" : "HS\u003256" }"#)).is_ok());
    for alg in [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "hs256",
        "HS256 ",
        " HS256",
        "HS384",
        "RS256",
        "HS25",
        "HS2566",
        "HS256\\u0000",
    ] {
        let token = signed(&format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#));
        assert_eq!(keys.verify_compact(&token), Err(JwsError::Algorithm), "{alg:?}");
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert!(keys.verify_compact(&unsigned).is_err(), "{alg:?}");
    }
    for header in [r#"{"alg":["HS256"]}"#, r#"{"alg":null}"#, r#"{"typ":"JWT"}"#, "{}", "[]"] {
        assert_eq!(keys.verify_compact(&signed(header)), Err(JwsError::Header), "{header}");
    }
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let public = pem("rsa2048.spki.pem");
    let verifying = VerifyingKey::from_pem(Algorithm::Rs256, &public).unwrap();
    let keys = KeySet::verify_only([verifying]).unwrap();
    // What an attacker would do: MAC with the bytes of the published file.
    let signer = crate::jws::Signer::hmac(Algorithm::Hs256, &public).unwrap();
    let signed = format!("{}.{}", Algorithm::Hs256.encoded_header(), encode(PAYLOAD));
    let forged = signer.sign(signed.as_bytes(), |mac| format!("{signed}.{}", encode(mac))).unwrap();
    assert_eq!(keys.verify_compact(&forged), Err(JwsError::Algorithm));
}

#[test]
fn kid_is_an_exact_look_up() {
    let old = secret(b"the old secret with thirty-two bytes");
    let new = secret(b"the new secret with thirty-two bytes");
    let bare = secret(b"a secret without a name of 32 bytes");
    let named = |key: &SigningKey, kid: &str| key.clone().with_kid(kid);
    let sign = |key: &SigningKey| KeySet::new(key.clone()).sign_compact(PAYLOAD).unwrap();

    let keys = KeySet::new(named(&new, "new")).also_verify(named(&old, "old").verifying_key());
    let keys = keys.unwrap();
    assert!(keys.verify_compact(&sign(&named(&new, "new"))).is_ok());
    assert!(keys.verify_compact(&sign(&named(&old, "old"))).is_ok());
    assert_eq!(keys.verify_compact(&sign(&named(&new, "old"))), Err(JwsError::Signature));
    assert_eq!(keys.verify_compact(&sign(&named(&old, "NEW"))), Err(JwsError::UnknownKey));
    assert_eq!(keys.verify_compact(&sign(&named(&new, "new "))), Err(JwsError::UnknownKey));
    // Without a name, each is tried.
    assert!(keys.verify_compact(&sign(&old)).is_ok());
    assert!(keys.verify_compact(&sign(&new)).is_ok());
    assert_eq!(keys.verify_compact(&sign(&bare)), Err(JwsError::Signature));

    // Headers as others write them.
    let written = encode(r#"{"alg":"HS256","kid":"old","typ":"JWT"}"#);
    let by = |key: &SigningKey| signed_raw(key, &written, &encode(PAYLOAD));
    assert!(keys.verify_compact(&by(&old)).is_ok());
    assert_eq!(keys.verify_compact(&by(&new)), Err(JwsError::Signature));

    let keys = keys.also_verify(bare.verifying_key()).unwrap();
    assert!(keys.verify_compact(&sign(&bare)).is_ok());
    assert!(keys.verify_compact(&sign(&named(&bare, "../../etc/passwd"))).is_ok());
    assert_eq!(keys.verify_compact(&sign(&named(&bare, "new"))), Err(JwsError::Signature));

    let single = KeySet::new(bare.clone());
    assert!(single.verify_compact(&sign(&named(&bare, "any"))).is_ok());
    for header in [r#"{"alg":"HS256","kid":1}"#, r#"{"alg":"HS256","kid":null}"#] {
        assert_eq!(hs256().verify_compact(&signed(header)), Err(JwsError::Header), "{header}");
    }
}

#[test]
fn a_named_key_writes_its_name() {
    let token = KeySet::new(secret(SECRET).with_kid("a\"\u{e9}")).sign_compact(PAYLOAD).unwrap();
    let header = URL_SAFE_NO_PAD.decode_to_vec(token.split('.').next().unwrap()).unwrap();
    assert_eq!(
        String::from_utf8(header).unwrap(),
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"a\\\"\u{e9}\"}",
    );
}

#[test]
fn each_key_verifies_its_own_algorithm_only() {
    let rsa = SigningKey::from_pem(Algorithm::Rs256, &pem("rsa2048.pkcs8.pem")).unwrap();
    let pss = VerifyingKey::from_pem(Algorithm::Ps256, &pem("rsa2048.spki.pem")).unwrap();
    let keys = KeySet::new(rsa.clone()).also_verify(secret(SECRET).verifying_key()).unwrap();
    assert!(keys.verify_compact(&KeySet::new(rsa.clone()).sign_compact(b"{}").unwrap()).is_ok());
    assert!(keys.verify_compact(&hs256().sign_compact(b"{}").unwrap()).is_ok());
    // The right key under the other algorithm's name.
    let swapped = signed_raw(&rsa, Algorithm::Ps256.encoded_header(), "e30");
    assert_eq!(keys.verify_compact(&swapped), Err(JwsError::Algorithm));
    assert_eq!(keys.also_verify(pss).unwrap().verify_compact(&swapped), Err(JwsError::Signature));
}

#[test]
fn a_pair_has_to_belong_together() {
    let key = |name: &str| VerifyingKey::from_pem(Algorithm::Rs256, &pem(name)).unwrap();
    let signing = SigningKey::from_pem(Algorithm::Rs256, &pem("rsa2048.pkcs8.pem")).unwrap();
    let pair = |verifying| KeySet::with_signing_and_verifying(signing.clone(), verifying);
    assert!(pair(key("rsa2048.cert.pem")).is_ok());
    assert!(pair(key("rsa2048.cert.pem").with_kid("a")).is_ok());
    assert_eq!(pair(key("rsa2048-other.spki.pem")).unwrap_err(), KeyError::NotAPair);
    let pss = VerifyingKey::from_pem(Algorithm::Ps256, &pem("rsa2048.spki.pem")).unwrap();
    assert_eq!(pair(pss).unwrap_err(), KeyError::NotAPair);
}

#[test]
fn a_set_that_only_verifies() {
    assert_eq!(KeySet::verify_only([]).unwrap_err(), KeyError::NoKeys);
    let key = secret(SECRET).verifying_key();
    let keys = KeySet::verify_only([key.clone()]).unwrap();
    assert!(keys.signing().is_none());
    assert_eq!(keys.algorithm(), Algorithm::Hs256);
    assert_eq!(keys.sign_compact(b"{}"), Err(SignError::NoSigningKey));
    let twice = [key.clone().with_kid("a"), key.with_kid("a")];
    assert_eq!(KeySet::verify_only(twice).unwrap_err(), KeyError::DuplicateKeyId("a".into()));
}

#[test]
fn no_key_is_added_that_would_never_be_tried() {
    let key = secret(SECRET);
    let other = secret(b"another secret with thirty-two bytes").verifying_key();
    let named = KeySet::new(key.clone().with_kid("a"));
    let twice = named.clone().also_verify(other.clone().with_kid("a"));
    assert_eq!(twice.unwrap_err(), KeyError::DuplicateKeyId("a".into()));
    // Without a name, or with one of its own, it is.
    let keys = named.also_verify(other.clone()).unwrap().also_verify(other.clone()).unwrap();
    let keys = keys.also_verify(other.clone().with_kid("b")).unwrap();
    let thrice = keys.also_verify(other.clone().with_kid("b"));
    assert_eq!(thrice.unwrap_err(), KeyError::DuplicateKeyId("b".into()));

    struct Nowhere;
    #[crate::async_trait]
    impl crate::keys::KeySource for Nowhere {
        async fn fetch(
            &self,
        ) -> Result<crate::keys::Published, Box<dyn std::error::Error + Send + Sync>> {
            Err("nowhere".into())
        }
    }
    let remote = crate::keys::RemoteKeys::new(Algorithm::Rs256, Nowhere);
    let fetched = KeySet::with_remote(None, remote).also_verify(other);
    assert_eq!(fetched.unwrap_err(), KeyError::AllFetched);
}

#[test]
fn published_keys_are_public_and_verify() {
    for keys in every_key() {
        let published = serde_json::to_vec(&keys.jwks()).unwrap();
        let algorithm = keys.algorithm();
        if algorithm.is_symmetric() {
            assert_eq!(published, b"{\"keys\":[]}");
            continue;
        }
        let set = JwkSet::from_json(&published).unwrap();
        let verifying = VerifyingKey::from_jwk_set(algorithm, &set).unwrap();
        let reader = KeySet::verify_only(verifying).unwrap();
        assert!(reader.verify_compact(&keys.sign_compact(PAYLOAD).unwrap()).is_ok());
        let text = String::from_utf8(published).unwrap();
        for private in ["\"d\"", "\"p\"", "\"q\"", "\"k\"", "\"dp\""] {
            assert!(!text.contains(private), "{text}");
        }
    }
}

#[test]
fn debug_shows_no_key() {
    for keys in every_key() {
        let shown = format!("{keys:?}");
        assert!(shown.contains(&format!("{:?}", keys.algorithm())), "{shown}");
        assert!(!shown.contains("0123456789abcdef"), "{shown}");
        assert!(shown.len() < 300, "{shown}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}", dotted in "[A-Za-z0-9_=-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,43}") {
        prop_assert!(hs256().verify_compact(&text).is_err());
        prop_assert!(hs256().verify_compact(&dotted).is_err());
    }

    #[test]
    fn no_header_panics(header in "\\{(\"(alg|kid|crit|b64|x)\":(\"HS256\"|1|null|\\[\\]|\\{\\}|true),?){0,4}\\}") {
        let _ = hs256().verify_compact(&signed(&header));
    }

    #[test]
    fn a_changed_token_is_refused(at in any::<prop::sample::Index>(), to in any::<char>()) {
        let token = hs256().sign_compact(PAYLOAD).unwrap();
        let mut changed: Vec<char> = token.chars().collect();
        let at = at.index(changed.len());
        changed[at] = to;
        let changed: String = changed.into_iter().collect();
        prop_assert_eq!(hs256().verify_compact(&changed).is_ok(), changed == token);
    }

    #[test]
    fn any_payload_comes_back(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let token = hs256().sign_compact(&payload).unwrap();
        prop_assert_eq!(hs256().verify_compact(&token), Ok(payload));
    }
}
