use serde_json::json;

use super::*;
use crate::keys::KeySet;

/// RFC 7517 appendix A.2, with another `use`.
fn ec() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
        "use": "sig",
        "kid": "1",
    })
}

/// RFC 7517 appendix A.2.
fn rsa() -> Value {
    json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1\
     L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4\
     QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO\
     pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF\
     Cur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "d": "X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5f\
     JLM0WbFAKNLWY2vv7B6NqXSzUvxT0_YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nHNKroADIkJ46pRUoh\
     sXywbReAdYaMwFs9tv8d_cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3Sk5ZiG7xojPLu4sbg1U2jx4IB\
     TNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2WBii3RL-Us2lGVkY8fkFzme1z0HbIkfz0\
     Y6mqnOYtqc0X4jfcKoAC8Q",
        "p": "83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQyLPQBQxtPVnwD20R-60eTDmD2ujnMt5PoqMr\
     m8RfmNhVWDtjjMmCMjOpSXicFHj7XOuVIYQyqVWlWEh6dN36GVZYk93N8Bc9vY41xy8B9RzzOGVQzXvN\
     Evn7O0nVbfs",
        "q": "3dfOR9cuYq-0S-mkFLzgItgMEfFzB2q3hWehMuG0oCuqnb3vobLyumqjVZQO1dIrdwgTnCdpYzBcOfW5\
     r370AFXjiWft_NGEiovonizhKpo9VVS78TzFgxkIdrecRezsZ-1kYd_s1qDbxtkDEgfAITAG9LUnADun\
     4vIcb6yelxk",
        "dp": "G4sPXkc6Ya9y8oJW9_ILj4xuppu0lzi_H7VTkS8xj5SdX3coE0oimYwxIi2emTAue0UOa5dpgFGyBJ4c\
     8tQ2VF402XRugKDTP8akYhFo5tAA77Qe_NmtuYZc3C3m3I24G2GvR5sSDxUyAN2zq8Lfn9EUms6rY3Ob\
     8YeiKkTiBj0",
        "dq": "s9lAH9fggBsoFR8Oac2R_E2gw282rT2kGOAhvIllETE1efrA6huUUvMfBcMpn8lqeW6vzznYY5SSQF7p\
     MdC_agI3nG8Ibp1BUb0JUiraRNqUfLhcQb_d9GF4Dh7e74WbRsobRonujTYN1xCaP6TO61jvWrX-L18t\
     xXw494Q_cgk",
        "qi": "GyM_p6JrXySiz1toFgKbWV-JdI3jQ4ypu9rbMWx3rQJBfmt0FoYzgUIZEVFEcOqwemRN81zoDAaa-Bk0\
     KWNGDjJHZDdDmFhW3AN7lI-puxk_mHZGJ11rxyR8O55XLSe3SPmRfKwZI6yU24ZxvQKFYItdldUKGzO6\
     Ia6zTKhAVRU",
        "alg": "RS256",
        "kid": "2011-04-29",
    })
}

/// RFC 8037 appendix A.1.
fn okp() -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    })
}

fn text(algorithm: Algorithm, jwk: &Value) -> Result<Zeroizing<String>, KeyError> {
    to_text(algorithm, jwk.to_string().as_bytes())
}

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}

#[test]
fn the_keys_of_the_standards_sign() {
    for (algorithm, jwk) in [
        (Algorithm::Es256, ec()),
        (Algorithm::Rs256, rsa()),
        (Algorithm::EdDsa, okp()),
        (Algorithm::EdDsa, with(okp(), "alg", "Ed25519")),
        (Algorithm::Es256, with(ec(), "key_ops", json!(["sign"]))),
    ] {
        assert!(is_jwk(jwk.to_string().as_bytes()));
        let pem = text(algorithm, &jwk).unwrap();
        let key = SigningKey::from_pem(algorithm, pem.as_bytes()).unwrap();
        let token = KeySet::new(key).sign_compact(b"{}").unwrap();
        let public = Jwk::from_json(jwk.to_string().as_bytes()).unwrap();
        if jwk.get("key_ops").is_none() {
            let public = VerifyingKey::from_jwk(algorithm, &public).unwrap();
            assert!(KeySet::verify_only([public]).unwrap().verify_compact(&token).is_ok());
        }
    }
    // RFC 8037 appendix A.3.
    let pem = text(Algorithm::EdDsa, &okp()).unwrap();
    let key = SigningKey::from_pem(Algorithm::EdDsa, pem.as_bytes()).unwrap();
    let thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    assert_eq!(key.verifying_key().thumbprint(), thumbprint);
}

#[test]
fn a_key_of_each_curve_comes_back() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::Es256K] {
        // Some of them have leading zeros.
        for _ in 0..40 {
            let pem = SigningKey::generate(algorithm).unwrap();
            let key = SigningKey::from_pem(algorithm, pem.as_bytes()).unwrap();
            let mut jwk = serde_json::to_value(key.verifying_key().to_jwk().unwrap()).unwrap();
            jwk["d"] = scalar(&pem).into();
            let again = text(algorithm, &jwk).unwrap();
            let again = SigningKey::from_pem(algorithm, again.as_bytes()).unwrap();
            assert_eq!(
                again.verifying_key().thumbprint(),
                key.verifying_key().thumbprint(),
                "{algorithm}"
            );
        }
    }
}

/// Returns the private number of an EC key in PKCS#8.
fn scalar(pem: &str) -> String {
    use crate::keys::der::Reader;
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64_simd::STANDARD.decode_to_vec(base64).unwrap();
    let mut info = Reader::sequence(&der).unwrap();
    info.expect(INTEGER).unwrap();
    info.expect(SEQUENCE).unwrap();
    let mut key = Reader::sequence(info.expect(OCTET_STRING).unwrap()).unwrap();
    key.expect(INTEGER).unwrap();
    URL_SAFE_NO_PAD.encode_to_string(key.expect(OCTET_STRING).unwrap())
}

#[test]
fn a_secret_keeps_its_bytes() {
    let bytes: Vec<u8> = (200..=255).collect();
    let jwk = json!({
        "kty": "oct",
        "k": URL_SAFE_NO_PAD.encode_to_string(&bytes),
        "alg": "HS256",
        "kid": "a",
    });
    let kept = text(Algorithm::Hs256, &jwk).unwrap();
    assert_eq!(secret(kept.as_bytes()).unwrap().as_slice(), bytes);
    assert_eq!(secret(b"a secret"), None);
    assert_eq!(secret(ec().to_string().as_bytes()), None);
    assert!(matches!(text(Algorithm::Hs512, &jwk), Err(KeyError::Jwk(JwkError::Algorithm(_)))));
    let short = json!({"kty": "oct", "k": "c2hvcnQ"});
    assert!(matches!(text(Algorithm::Hs256, &short), Err(KeyError::ShortSecret { .. })));
}

#[test]
fn what_is_no_private_key_for_the_algorithm_is_refused() {
    let (mut public, mut no_prime) = (ec(), rsa());
    public.as_object_mut().unwrap().remove("d");
    no_prime.as_object_mut().unwrap().remove("p");
    let zero = with(ec(), "d", URL_SAFE_NO_PAD.encode_to_string([0; 32]));
    for (algorithm, jwk) in [
        (Algorithm::Es256, public),
        (Algorithm::Rs256, no_prime),
        (Algorithm::Rs256, with(rsa(), "oth", json!([]))),
        (Algorithm::Rs256, with(rsa(), "d", "AQAB")),
        (Algorithm::Rs512, rsa()),
        (Algorithm::Es256, with(ec(), "use", "enc")),
        (Algorithm::Es256, with(ec(), "key_ops", json!(["deriveKey"]))),
        (Algorithm::Es256, with(ec(), "d", "AQ")),
        (Algorithm::Es256, with(ec(), "d", 7)),
        (Algorithm::Es256, zero),
        (Algorithm::Es256, okp()),
        (Algorithm::Es384, ec()),
        (Algorithm::EdDsa, with(okp(), "d", "AQ")),
        (Algorithm::EdDsa, with(okp(), "d", URL_SAFE_NO_PAD.encode_to_string([1; 32]))),
        (Algorithm::Es256, json!({"keys": [ec()]})),
        (Algorithm::Hs256, ec()),
        (Algorithm::Es256, json!({"kty": "oct", "k": "AQAB"})),
        (Algorithm::Es256, json!([])),
    ] {
        let refused = text(algorithm, &jwk).map(drop).unwrap_err().to_string();
        assert!(!refused.contains("870MB6"), "{refused}");
    }
    let other = with(okp(), "d", URL_SAFE_NO_PAD.encode_to_string([1; 32]));
    assert_eq!(text(Algorithm::EdDsa, &other), Err(KeyError::NotAPair));
}
