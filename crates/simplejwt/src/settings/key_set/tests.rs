use super::*;
use crate::keys::JwsError;

const SECRET: &str = "a-secret-key-that-is-long-enough-for-hs256";
const FORMER: &str = "another-key-that-is-long-enough-for-hs256";

fn pair(algorithm: Algorithm) -> (String, String) {
    let private = SigningKey::generate(algorithm).unwrap();
    let public = SigningKey::parse(algorithm, private.as_bytes(), false).unwrap();
    (private.to_string(), public.verifying_key().to_pem().unwrap())
}

fn es256(kid: KeyId) -> Settings {
    let (private, public) = pair(Algorithm::Es256);
    Settings {
        algorithm: Algorithm::Es256,
        signing_key: Some(private.as_str().into()),
        verifying_key: Some(public),
        kid,
        ..Settings::default()
    }
}

fn hs256(kid: KeyId) -> Settings {
    Settings { signing_key: Some(SECRET.into()), kid, ..Settings::default() }
}

fn kids(keys: &KeySet) -> (Option<&str>, Vec<Option<&str>>) {
    let verifying = keys.verifying().iter().map(VerifyingKey::kid).collect();
    (keys.signing().and_then(SigningKey::kid), verifying)
}

fn problem(settings: &Settings) -> String {
    settings.key_set().map(drop).unwrap_err().to_string()
}

#[test]
fn a_pair_has_one_key_id() {
    let settings = es256(KeyId::None);
    assert_eq!(kids(&settings.key_set().unwrap()), (None, vec![None]));
    let settings = Settings { kid: KeyId::Named("2026".into()), ..settings };
    assert_eq!(kids(&settings.key_set().unwrap()), (Some("2026"), vec![Some("2026")]));
    let settings = Settings { kid: KeyId::Thumbprint, ..settings };
    let keys = settings.key_set().unwrap();
    let thumbprint = keys.verifying()[0].thumbprint().to_owned();
    assert_eq!(kids(&keys), (Some(&*thumbprint), vec![Some(&*thumbprint)]));
    let token = keys.sign_compact(b"{}").unwrap();
    assert!(keys.verify_compact(&token).is_ok());

    // A JWK brings its own key id, unless the settings name another one.
    let jwk = keys.verifying()[0].clone().with_kid("its own").to_jwk().unwrap();
    let jwk = serde_json::to_string(&jwk).unwrap();
    for (kid, expected) in
        [(KeyId::Thumbprint, Some("its own")), (KeyId::Named("2026".into()), Some("2026"))]
    {
        let settings = Settings { verifying_key: Some(jwk.clone()), kid, ..settings.clone() };
        match settings.key_set() {
            Ok(keys) => {
                assert_eq!(kids(&keys), (expected, vec![expected]));
                assert!(keys.verify_compact(&keys.sign_compact(b"{}").unwrap()).is_ok());
            }
            // PEM alone is read here.
            Err(error) => assert!(error.to_string().contains("JWK"), "{error}"),
        }
    }
}

#[test]
fn a_token_of_a_further_key_is_good_whatever_its_algorithm() {
    let (private, public) = pair(Algorithm::EdDsa);
    let further = |key: &str, algorithm| FurtherKey { key: key.into(), algorithm, kid: None };
    for kid in [KeyId::None, KeyId::Thumbprint, KeyId::Named("now".into())] {
        let settings = Settings {
            verifying_keys: vec![
                further(FORMER, None),
                further(&public, Some(Algorithm::EdDsa)),
                // The key in use: it is there once.
                further(SECRET, None),
            ],
            ..hs256(kid.clone())
        };
        let keys = settings.key_set().unwrap();
        assert_eq!(keys.verifying().len(), 3, "{kid:?}");
        let former = Settings { signing_key: Some(FORMER.into()), ..hs256(KeyId::None) };
        let ed = SigningKey::parse(Algorithm::EdDsa, private.as_bytes(), false).unwrap();
        let own = hs256(KeyId::None).key_set().unwrap();
        for other in [former.key_set().unwrap(), KeySet::new(ed), own] {
            let token = other.sign_compact(b"{}").unwrap();
            assert!(keys.verify_compact(&token).is_ok(), "{kid:?}");
            assert!(
                other.verify_compact(&keys.sign_compact(b"{}").unwrap()).is_ok()
                    == (other.algorithm() == Algorithm::Hs256
                        && other.verifying()[0].thumbprint() == keys.verifying()[0].thumbprint())
            );
        }
        let stranger = SigningKey::from_secret(Algorithm::Hs256, &[9; 40]).unwrap();
        let token = KeySet::new(stranger).sign_compact(b"{}").unwrap();
        assert_eq!(keys.verify_compact(&token), Err(JwsError::Signature));
    }
}

#[test]
fn further_keys_that_cannot_be_used_are_named() {
    let further = |key: &str, kid: Option<&str>| FurtherKey {
        key: key.into(),
        algorithm: None,
        kid: kid.map(str::to_owned),
    };
    let with = |keys| Settings { verifying_keys: keys, ..hs256(KeyId::None) };
    let told = problem(&with(vec![further("short", None)]));
    assert!(told.starts_with("VERIFYING_KEYS: the secret has 5 bytes"), "{told}");
    let told =
        problem(&with(vec![further(FORMER, Some("a")), further(&"x".repeat(40), Some("a"))]));
    assert!(told.contains("two keys have the key id \"a\""), "{told}");
    let (_, public) = pair(Algorithm::Es256);
    let told = problem(&with(vec![further(&public, None)]));
    assert!(told.contains("VERIFYING_KEYS: the secret is a PEM file"), "{told}");
    let weak = Settings { allow_weak_key: true, ..with(vec![further("short", None)]) };
    assert!(weak.key_set().is_ok());
}

#[test]
fn keys_that_only_verify_need_no_signing_key() {
    let (_, public) = pair(Algorithm::Es256);
    let only = Settings {
        algorithm: Algorithm::Es256,
        verifying_keys: vec![public.as_str().into()],
        kid: KeyId::Thumbprint,
        ..Settings::default()
    };
    let keys = only.key_set().unwrap();
    assert!(keys.signing().is_none());
    assert_eq!(keys.verifying().len(), 1);
    let none = Settings { verifying_keys: vec![], ..only };
    assert!(problem(&none).starts_with("VERIFYING_KEY is missing"));
    assert!(none.key_set_beside_ring().unwrap().verifying().is_empty());
}

#[test]
fn beside_a_ring_there_may_be_no_secret() {
    let none = Settings { signing_key: None, ..hs256(KeyId::Thumbprint) };
    assert!(problem(&none).starts_with("SIGNING_KEY is missing"));
    assert!(none.key_set_beside_ring().unwrap().signing().is_none());
    let further = Settings { verifying_keys: vec![FORMER.into()], ..none };
    let keys = further.key_set_beside_ring().unwrap();
    assert_eq!((keys.signing().is_none(), keys.verifying().len()), (true, 1));
    let remote = Settings { jwk_url: vec!["https://example.org/".into()], ..hs256(KeyId::None) };
    assert!(remote.key_set_beside_ring().is_err());
}

#[test]
fn a_passphrase_is_for_an_encrypted_key() {
    let plain = Settings { signing_key_passphrase: Some("secret".into()), ..es256(KeyId::None) };
    let told = problem(&plain);
    assert!(told.starts_with("SIGNING_KEY: there is a signing_key_passphrase"), "{told}");
    assert!(!told.contains("\"secret\""), "{told}");
}

#[test]
fn the_name_of_rfc_9864_is_written_and_both_are_read() {
    let (private, public) = pair(Algorithm::EdDsa);
    let settings = |fully_specified_algorithms| Settings {
        algorithm: Algorithm::EdDsa,
        signing_key: Some(private.as_str().into()),
        verifying_key: Some(public.clone()),
        fully_specified_algorithms,
        kid: KeyId::Thumbprint,
        ..Settings::default()
    };
    let sets = [settings(false), settings(true)].map(|settings| settings.key_set().unwrap());
    for (keys, name) in sets.iter().zip(["EdDSA", "Ed25519"]) {
        let token = keys.sign_compact(b"{}").unwrap();
        let header = token.split('.').next().unwrap();
        let header = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(header).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["alg"], name);
        let jwk = serde_json::to_value(keys.verifying()[0].to_jwk().unwrap()).unwrap();
        assert_eq!(jwk["alg"], name);
        for other in &sets {
            assert!(other.verify_compact(&token).is_ok(), "{name}");
        }
    }
}
