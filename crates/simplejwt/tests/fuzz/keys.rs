//! Keys as they are fetched and configured.

use std::path::Path;

use simplejwt::Algorithm;
use simplejwt::jwk::{Jwk, JwkSet};
use simplejwt::keys::{KeySet, SigningKey, VerifyingKey};

use crate::engine::{corpus, run, run_cases};

/// What is read of a key is written so that it is read again as the same.
#[test]
fn jwk() {
    run("jwk", &corpus("jwk"), |input| {
        let Ok(jwk) = Jwk::from_json(input) else { return };
        for algorithm in Algorithm::ALL {
            let Ok(key) = VerifyingKey::from_jwk(algorithm, &jwk) else { continue };
            assert!(!jwk.is_symmetric() || key.to_jwk().is_none(), "a secret is published");
            let Some(written) = key.to_jwk() else { continue };
            let again = Jwk::from_json(serde_json::to_string(&written).unwrap().as_bytes());
            assert_eq!(again.unwrap().thumbprint(), jwk.thumbprint());
        }
    });
}

#[test]
fn jwk_set() {
    let one = |key: &Vec<u8>| [&b"{\"keys\":["[..], key, b"]}"].concat();
    let examples: Vec<_> = corpus("jwk").iter().map(one).collect();
    run("jwk", &examples, |input| {
        let Ok(set) = JwkSet::from_json(input) else { return };
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            let (used, _) = VerifyingKey::sort_jwk_set(algorithm, &set);
            assert!(used.iter().all(|key| key.algorithm() == algorithm));
        }
    });
}

/// What is taken as a key to sign with, signs.
#[test]
fn pem() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keys");
    let mut examples = corpus("pem");
    for file in std::fs::read_dir(folder).unwrap() {
        examples.push(std::fs::read(file.unwrap().path()).unwrap());
    }
    examples.sort();
    run_cases("pem", 400, &examples, |input| {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es512, Algorithm::EdDsa] {
            if let Ok(key) = SigningKey::from_pem(algorithm, input) {
                let keys = KeySet::new(key);
                let signed = keys.sign_compact(b"{}").unwrap();
                assert_eq!(keys.verify_compact(&signed).unwrap(), b"{}");
            }
            if let Ok(key) = VerifyingKey::from_pem(algorithm, input) {
                assert!(key.to_jwk().is_some());
            }
        }
        for algorithm in Algorithm::ALL {
            let _ = VerifyingKey::parse(algorithm, input, true);
        }
    });
}
