//! Encoding and decoding for each algorithm, compared with the `jsonwebtoken` crate and printed as
//! ratios.
//!
//! Run with `cargo xtask bench`. Both sides run in turn, in one process, with the same key and the
//! same claims; each figure is the median of many short rounds.

#![allow(missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use hmac::{KeyInit, Mac};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use simplejwt::{Access, Algorithm, KeySet, Settings, SigningKey, SystemClock, Tokens};

const SECRET: &[u8] = b"django-insecure-0123456789abcdefghijklmnopqrstuvwxyz-0123456789-0123456789";
const ROUNDS: usize = 61;
const ROUND: Duration = Duration::from_millis(8);

/// The claims as an application that uses `jsonwebtoken` would write them.
#[derive(Debug, Serialize, Deserialize)]
struct AccessClaims {
    token_type: String,
    exp: u64,
    iat: u64,
    jti: String,
    user_id: String,
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Returns the nanoseconds per call of each side, as medians of rounds that take turns.
fn in_turn(sides: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let calls: Vec<u32> = sides
        .iter_mut()
        .map(|side| {
            let start = now();
            let mut calls = 0;
            while start.elapsed() < ROUND {
                side();
                calls += 1;
            }
            calls
        })
        .collect();
    let mut samples = vec![Vec::with_capacity(ROUNDS); sides.len()];
    for _ in 0..ROUNDS {
        for ((side, &calls), samples) in sides.iter_mut().zip(&calls).zip(&mut samples) {
            let start = now();
            for _ in 0..calls {
                side();
            }
            samples.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
        }
    }
    samples
        .into_iter()
        .map(|mut samples| {
            samples.sort_by(f64::total_cmp);
            samples[samples.len() / 2]
        })
        .collect()
}

/// A key pair in the forms that both sides accept.
struct Keys {
    algorithm: Algorithm,
    private: &'static str,
    public: &'static str,
    theirs: Option<(jsonwebtoken::Algorithm, EncodingKey, DecodingKey)>,
}

fn tokens(keys: &Keys) -> Tokens {
    let symmetric = keys.algorithm.is_symmetric();
    Tokens::new(Settings {
        algorithm: keys.algorithm,
        signing_key: Some(if symmetric { SECRET.into() } else { keys.private.into() }),
        verifying_key: (!symmetric).then(|| keys.public.into()),
        ..Settings::default()
    })
    .expect("the benchmark's keys fit")
}

fn hmac(algorithm: Algorithm, theirs: jsonwebtoken::Algorithm) -> Keys {
    let theirs = (theirs, EncodingKey::from_secret(SECRET), DecodingKey::from_secret(SECRET));
    Keys { algorithm, private: "", public: "", theirs: Some(theirs) }
}

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../../simplejwt/tests/fixtures/keys/", $name))
    };
}

fn all_keys() -> Vec<Keys> {
    use jsonwebtoken::Algorithm as Theirs;

    let rsa = |algorithm, theirs| {
        let (private, public) = (pem!("rsa2048.pkcs8.pem"), pem!("rsa2048.spki.pem"));
        let encoding = EncodingKey::from_rsa_pem(private.as_bytes()).expect("an RSA key");
        let decoding = DecodingKey::from_rsa_pem(public.as_bytes()).expect("an RSA key");
        Keys { algorithm, private, public, theirs: Some((theirs, encoding, decoding)) }
    };
    let ec = |algorithm, private: &'static str, public: &'static str, theirs: Option<Theirs>| {
        let theirs = theirs.map(|theirs| {
            let encoding = EncodingKey::from_ec_pem(private.as_bytes()).expect("an EC key");
            let decoding = DecodingKey::from_ec_pem(public.as_bytes()).expect("an EC key");
            (theirs, encoding, decoding)
        });
        Keys { algorithm, private, public, theirs }
    };
    let (private, public) = (pem!("ed25519.pkcs8.pem"), pem!("ed25519.spki.pem"));
    let ed25519 = (
        Theirs::EdDSA,
        EncodingKey::from_ed_pem(private.as_bytes()).expect("an Ed25519 key"),
        DecodingKey::from_ed_pem(public.as_bytes()).expect("an Ed25519 key"),
    );
    vec![
        hmac(Algorithm::Hs256, Theirs::HS256),
        hmac(Algorithm::Hs384, Theirs::HS384),
        hmac(Algorithm::Hs512, Theirs::HS512),
        rsa(Algorithm::Rs256, Theirs::RS256),
        rsa(Algorithm::Rs384, Theirs::RS384),
        rsa(Algorithm::Rs512, Theirs::RS512),
        rsa(Algorithm::Ps256, Theirs::PS256),
        rsa(Algorithm::Ps384, Theirs::PS384),
        rsa(Algorithm::Ps512, Theirs::PS512),
        ec(Algorithm::Es256, pem!("p256.pkcs8.pem"), pem!("p256.spki.pem"), Some(Theirs::ES256)),
        ec(Algorithm::Es256K, pem!("k256.pkcs8.pem"), pem!("k256.spki.pem"), None),
        ec(Algorithm::Es384, pem!("p384.pkcs8.pem"), pem!("p384.spki.pem"), Some(Theirs::ES384)),
        ec(Algorithm::Es512, pem!("p521.pkcs8.pem"), pem!("p521.spki.pem"), None),
        Keys { algorithm: Algorithm::EdDsa, private, public, theirs: Some(ed25519) },
    ]
}

/// Only HMAC, base64url and JSON parsing of this token: the minimum cost of verifying a token.
fn floor(token: &str) -> impl FnMut() + '_ {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only parsed")]
    struct Borrowed<'a> {
        token_type: &'a str,
        exp: u64,
        iat: u64,
        jti: &'a str,
        user_id: &'a str,
    }
    let keyed = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET).expect("any length");
    let (input, signature) = token.rsplit_once('.').expect("three segments");
    let (_, payload) = input.split_once('.').expect("three segments");
    let decode = base64_simd::URL_SAFE_NO_PAD;
    move || {
        let mut mac = keyed.clone();
        mac.update(black_box(input).as_bytes());
        let mac = mac.finalize().into_bytes();
        let signature = decode.decode_to_vec(black_box(signature)).expect("base64url");
        let json = decode.decode_to_vec(black_box(payload)).expect("base64url");
        let claims: Borrowed<'_> = serde_json::from_slice(&json).expect("claims");
        assert_eq!(black_box(claims.exp) > 0, mac.as_slice() == signature);
    }
}

/// Decoding with 1, 4 and 16 keys, of which the token names the last by its `kid`.
fn key_sets() {
    let key = |number: usize| {
        let secret = format!("{number:02} of {}", String::from_utf8_lossy(SECRET));
        let key = SigningKey::from_secret(Algorithm::Hs256, secret.as_bytes()).expect("a secret");
        key.with_kid(&format!("9g2WPtsQ0nyeHN8yJhcJ_sHXnYkFkzDqVJWOqHwQX{number:02}"))
    };
    let sizes = [1, 4, 16];
    let (sets, encoded): (Vec<_>, Vec<_>) = sizes
        .iter()
        .map(|&size| {
            let last = key(size);
            let keys = (1..=size).map(|number| key(number).verifying_key());
            let keys = KeySet::verify_only(keys).expect("different keys");
            let tokens = |keys| Tokens::with(Settings::default(), keys, Arc::new(SystemClock));
            let signing = tokens(KeySet::new(last)).expect("the settings fit");
            let token = signing.encode(&signing.issue::<Access>("1")).expect("signed");
            (tokens(keys).expect("the settings fit"), token)
        })
        .unzip();
    let mut sides: Vec<_> = sets
        .iter()
        .zip(&encoded)
        .map(|(tokens, encoded)| {
            || {
                black_box(tokens.decode::<Access>(black_box(encoded)).expect("verified"));
            }
        })
        .collect();
    let mut sides: Vec<&mut dyn FnMut()> = sides.iter_mut().map(|side| side as _).collect();
    let each = in_turn(&mut sides);
    let told: Vec<_> =
        sizes.iter().zip(&each).map(|(size, ns)| format!("{size}: {ns:.0} ns")).collect();
    println!("HS256    decode by kid, by the number of keys: {}", told.join(", "));
}

fn row(name: &str, what: &str, ours: f64, theirs: Option<f64>) {
    match theirs {
        Some(theirs) => {
            println!("{name:8} {what:7} {ours:>12.0} {theirs:>14.0} {:>9.2}", ours / theirs);
        }
        None => println!("{name:8} {what:7} {ours:>12.0} {:>14} {:>9}", "-", "-"),
    }
}

fn main() {
    println!("algorithm          simplejwt   jsonwebtoken     ratio");
    println!("                      ns/call        ns/call  ours/theirs");
    for keys in all_keys() {
        let tokens = tokens(&keys);
        let name = keys.algorithm.name();
        let issued = tokens.issue::<Access>("1");
        let encoded = tokens.encode(&issued).expect("signed");
        let mut ours = || {
            black_box(tokens.decode::<Access>(black_box(&encoded)).expect("verified"));
        };
        let mut our_encode = || {
            black_box(tokens.encode(black_box(&issued)).expect("signed"));
        };
        let Some((algorithm, encoding, decoding)) = &keys.theirs else {
            row(name, "decode", in_turn(&mut [&mut ours])[0], None);
            row(name, "encode", in_turn(&mut [&mut our_encode])[0], None);
            continue;
        };
        let mut validation = Validation::new(*algorithm);
        validation.leeway = 0;
        let mut theirs = || {
            let decoded =
                jsonwebtoken::decode::<AccessClaims>(black_box(&encoded), decoding, &validation);
            black_box(decoded.expect("verified"));
        };
        let claims = jsonwebtoken::decode::<AccessClaims>(&encoded, decoding, &validation)
            .expect("verified")
            .claims;
        let header = Header::new(*algorithm);
        let mut their_encode = || {
            let token = jsonwebtoken::encode(&header, black_box(&claims), encoding);
            black_box(token.expect("signed"));
        };
        let decode = in_turn(&mut [&mut ours, &mut theirs]);
        row(name, "decode", decode[0], Some(decode[1]));
        let encode = in_turn(&mut [&mut our_encode, &mut their_encode]);
        row(name, "encode", encode[0], Some(encode[1]));
        if keys.algorithm == Algorithm::Hs256 {
            let mut floor = floor(&encoded);
            let both = in_turn(&mut [&mut ours, &mut floor]);
            println!(
                "HS256    decode against the floor (HMAC, base64url and JSON parsing alone): \
                 {:.0} ns, {:.0} ns, ratio {:.2}",
                both[0],
                both[1],
                both[0] / both[1],
            );
            key_sets();
        }
    }
}
