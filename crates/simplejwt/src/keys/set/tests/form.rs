//! The form of tokens: segments, base64url, headers and signatures, each with one spelling.

use super::super::*;
use super::{
    PAYLOAD, SECRET, encode, hs256, pem, secret, signature_of, signed, signed_raw, with_signature,
};

#[test]
fn an_hs256_token_has_upstreams_bytes() {
    let key = secret(b"a-secret-of-at-least-thirty-two-bytes");
    let token = KeySet::new(key).sign_compact(br#"{"token_type":"access","jti":"1"}"#).unwrap();
    // jwt.encode({"token_type": "access", "jti": "1"}, …, algorithm="HS256") of PyJWT 2.15.1
    assert_eq!(token, PYJWT_HS256);
}

const PYJWT_HS256: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwianRpIjoiMSJ9.RRNZwicdKmNyAN0hvVlsW52nEdSBnG-72OfT7OrEXac";

#[test]
fn the_rfc_examples_verify() {
    #[derive(serde::Deserialize)]
    struct Example {
        id: String,
        alg: String,
        jwk: crate::jwk::Jwk,
        token: String,
    }
    let file = include_str!("../../../../tests/fixtures/rfc_jws.json");
    let examples: Vec<Example> = serde_json::from_str(file).unwrap();
    assert_eq!(examples.len(), 9);
    for Example { id, alg, jwk, token } in examples {
        let key = VerifyingKey::from_jwk(alg.parse().unwrap(), &jwk).unwrap();
        let keys = KeySet::verify_only([key]).unwrap();
        assert!(keys.verify_compact(&token).is_ok(), "{id}");
        let mut signature = signature_of(&token);
        signature[0] ^= 0x80;
        let altered = with_signature(&token, signature);
        assert_eq!(keys.verify_compact(&altered), Err(JwsError::Signature), "{id}");
    }
}

#[test]
fn only_three_segments_are_a_token() {
    let keys = hs256();
    let token = keys.sign_compact(PAYLOAD).unwrap();
    assert!(keys.verify_compact(&token).is_ok());
    let unsigned = token.rsplit_once('.').unwrap().0;
    for bad in [
        "".into(),
        ".".into(),
        "..".into(),
        "....".into(),
        unsigned.to_owned(),
        format!("{unsigned}."),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{token}"),
        format!("{unsigned}..{}", encode(signature_of(&token))),
        format!("{{\"payload\":\"{token}\"}}"),
    ] {
        assert!(keys.verify_compact(&bad).is_err(), "{bad:?}");
    }
    // Rightly signed, but with a dot too many.
    let four = signed_raw(&secret(SECRET), Algorithm::Hs256.encoded_header(), "e30.e30");
    assert_eq!(keys.verify_compact(&four), Err(JwsError::Malformed));
}

#[test]
fn base64url_has_one_spelling() {
    let keys = hs256();
    let token = keys.sign_compact(PAYLOAD).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    // 32 bytes leave the last two bits of 43 characters unused.
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = ALPHABET.find(signature.chars().last().unwrap()).unwrap();
    let respelt = format!("{signed}.{}{}", &signature[..42], &ALPHABET[last + 1..last + 2]);
    assert_eq!(keys.verify_compact(&respelt), Err(JwsError::Signature));
    for bad in [
        format!("{token}="),
        format!("{token}=="),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{signed}.\n{signature}"),
        format!("{signed}.{signature}A"),
        format!("{signed}.{}\u{e9}", &signature[..41]),
    ] {
        assert!(keys.verify_compact(&bad).is_err(), "{bad:?}");
    }
    let header = Algorithm::Hs256.encoded_header();
    for payload in ["e30=", "e3 0", "e31", "e3+0", "e3/0", "e", "\u{e9}"] {
        let token = signed_raw(&secret(SECRET), header, payload);
        assert_eq!(keys.verify_compact(&token), Err(JwsError::Malformed), "{payload:?}");
    }
    let padded = signed_raw(&secret(SECRET), "eyJhbGciOiJIUzI1NiJ9=", "e30");
    assert_eq!(keys.verify_compact(&padded), Err(JwsError::Malformed));
}

#[test]
fn a_header_with_crit_b64_or_doubled_names_is_refused() {
    let keys = hs256();
    let refusal = |header: &str| keys.verify_compact(&signed(header)).unwrap_err();
    assert_eq!(refusal(r#"{"alg":"HS256","crit":["b64"],"b64":true}"#), JwsError::Critical);
    assert_eq!(refusal(r#"{"alg":"HS256","crit":[]}"#), JwsError::Critical);
    assert_eq!(refusal(r#"{"alg":"HS256","b64":false}"#), JwsError::UnencodedPayload);
    assert_eq!(refusal(r#"{"alg":"HS256","b64":0}"#), JwsError::Header);
    assert_eq!(refusal(r#"{"alg":"none","alg":"HS256"}"#), JwsError::Header);
    assert_eq!(refusal(r#"{"alg":"HS256","\u0061lg":"HS256"}"#), JwsError::Header);
}

#[test]
fn keys_in_a_header_are_never_used() {
    let attacker = secret(b"the attacker's own secret, long enough");
    let header = format!(
        r#"{{"alg":"HS256","jwk":{{"kty":"oct","k":"{}"}},"jku":"https://example.com/jwks"}}"#,
        encode(b"the attacker's own secret, long enough"),
    );
    let token = signed_raw(&attacker, &encode(header), &encode(PAYLOAD));
    assert_eq!(hs256().verify_compact(&token), Err(JwsError::Signature));
}

#[test]
fn ecdsa_in_der_is_refused() {
    let keys = KeySet::new(SigningKey::from_pem(Algorithm::Es256, &pem("p256.sec1.pem")).unwrap());
    let token = keys.sign_compact(PAYLOAD).unwrap();
    let signature = signature_of(&token);
    let (r, s) = signature.split_at(32);
    let mut der = vec![0x30, 70, 0x02, 33, 0];
    der.extend(r);
    der.extend([0x02, 33, 0]);
    der.extend(s);
    assert_eq!(keys.verify_compact(&with_signature(&token, der)), Err(JwsError::Signature));
    // s + n is the same number modulo the order.
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order = (0..32).map(|i| u8::from_str_radix(&ORDER[2 * i..2 * i + 2], 16).unwrap());
    let order: Vec<u8> = order.collect();
    let out_of_range = [&order[..], s].concat();
    assert!(keys.verify_compact(&with_signature(&token, out_of_range)).is_err());
    let out_of_range = [r, &order[..]].concat();
    assert!(keys.verify_compact(&with_signature(&token, out_of_range)).is_err());
}

#[test]
fn ed25519_refuses_the_same_signature_with_a_larger_number() {
    let keys =
        KeySet::new(SigningKey::from_pem(Algorithm::EdDsa, &pem("ed25519.pkcs8.pem")).unwrap());
    let token = keys.sign_compact(PAYLOAD).unwrap();
    // L = 2^252 + 27742317777372353535851937790883648493, little-endian
    let mut order = [0_u8; 32];
    order[..16].copy_from_slice(&27742317777372353535851937790883648493_u128.to_le_bytes());
    order[31] = 0x10;
    let mut signature = signature_of(&token);
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(keys.verify_compact(&with_signature(&token, signature)), Err(JwsError::Signature));
}

#[test]
fn length_is_bounded_before_anything_else() {
    let keys = hs256();
    let room = crate::jws::MAX_TOKEN_BYTES - 37 - 44;
    let fits = keys.sign_compact(&vec![b' '; room / 4 * 3]).unwrap();
    assert!(fits.len() <= crate::jws::MAX_TOKEN_BYTES);
    assert!(keys.verify_compact(&fits).is_ok());
    let longer = keys.sign_compact(&vec![b' '; room / 4 * 3 + 3]).unwrap();
    assert_eq!(keys.verify_compact(&longer), Err(JwsError::TooLong));
    assert_eq!(keys.verify_compact(&".".repeat(1 << 20)), Err(JwsError::TooLong));
}
