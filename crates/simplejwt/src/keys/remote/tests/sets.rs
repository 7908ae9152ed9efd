//! Sets of keys: those of them that count.

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::super::*;
use super::{Does, Shelf, auth, clock, ed25519, es256, file, jwk, refused, rsa, token_of, with};
use crate::jwk::JwkError;
use crate::keys::{KeyError, SigningKey};

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

fn bytes(jwk: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode_to_vec(jwk[name].as_str().unwrap()).unwrap()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// `true` if a token of `key` is accepted with this set.
async fn takes(key: &SigningKey, keys: &[Value]) -> bool {
    let (clock, shelf) = (clock(), Shelf::default());
    shelf.put(keys);
    auth(key.algorithm(), shelf, &clock).authenticate(&token_of(key, &clock)).await.is_ok()
}

/// Keys that can't be used, or not by a token of `good`.
fn odd_ones(good: &Value) -> Vec<(&'static str, Value)> {
    let n = bytes(good, "n");
    let p256 = jwk(&es256("odd"));
    let odd = with(good.clone(), "kid", "odd");
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i";
    vec![
        ("unknown type", json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "odd"})),
        ("X25519", json!({"kty": "OKP", "crv": "X25519", "x": encode([9; 32]), "kid": "odd"})),
        ("Ed448", json!({"kty": "OKP", "crv": "Ed448", "x": encode([9; 57]), "kid": "odd"})),
        ("for encryption", with(odd.clone(), "use", "enc")),
        ("another algorithm", with(odd.clone(), "alg", "RS512")),
        ("an algorithm of encryption", with(odd.clone(), "alg", "RSA-OAEP")),
        ("no operations", with(odd.clone(), "key_ops", json!([]))),
        ("no key id", without(odd.clone(), "kid")),
        ("an empty key id", with(odd.clone(), "kid", "")),
        ("off its curve", with(p256.clone(), "y", p256["x"].clone())),
        ("1024 bits", with(odd.clone(), "n", encode(&n[..128]))),
        ("16384 bits", with(odd.clone(), "n", encode([0xc5; 2048]))),
        ("an even exponent", with(odd.clone(), "e", "AQAA")),
        ("an exponent of one", with(odd.clone(), "e", "AQ")),
        ("no exponent", without(odd.clone(), "e")),
        ("an empty modulus", with(odd.clone(), "n", "")),
        ("a modulus of zeros", with(odd.clone(), "n", encode([0; 256]))),
        ("no base64", with(odd.clone(), "n", "§")),
        ("half a character", with(odd.clone(), "n", "A")),
        ("a secret", json!({"kty": "oct", "k": secret, "kid": "odd"})),
        ("a secret of the algorithm", json!({"kty": "oct", "k": secret, "alg": "RS256"})),
        ("a private key", with(odd.clone(), "d", encode([7; 256]))),
        ("a certificate alone", json!({"kty": "RSA", "x5c": ["MIIB"], "kid": "odd"})),
        ("no curve", without(p256.clone(), "crv")),
        ("no coordinate", without(p256.clone(), "y")),
        ("a coordinate too long", with(p256, "x", encode([1; 33]))),
        ("no type", without(odd.clone(), "kty")),
        ("a type that is null", with(odd.clone(), "kty", Value::Null)),
        ("a type that is a number", with(odd.clone(), "kty", 1)),
        ("a type in small letters", with(odd.clone(), "kty", "rsa")),
        ("null", Value::Null),
        ("a text", json!("odd")),
        ("a number", json!(1)),
        ("a list", json!([odd])),
        ("a list of members", json!(["oct", null, null, null, null, null, secret])),
        ("nothing in it", json!({})),
        ("a key id that is a number", with(odd.clone(), "kid", 7)),
        ("a key id that is a list", with(odd.clone(), "kid", json!(["odd"]))),
        ("a modulus that is a number", with(odd.clone(), "n", 7)),
        ("a modulus that is null", with(odd.clone(), "n", Value::Null)),
        ("a use that is a list", with(odd.clone(), "use", json!(["sig"]))),
        ("operations that are an object", with(odd.clone(), "key_ops", json!({}))),
        ("an algorithm that is a number", with(odd, "alg", 256)),
    ]
}

/// DIFFERENCE: PyJWT takes private keys, and looks at no `key_ops`.
#[tokio::test]
async fn a_key_that_cant_be_used_is_left_out_alone() {
    let signing = rsa("good");
    let good = jwk(&signing);
    for (what, odd) in odd_ones(&good) {
        assert!(takes(&signing, &[odd.clone(), good.clone()]).await, "{what}, before");
        assert!(takes(&signing, &[good.clone(), odd.clone()]).await, "{what}, behind");
        let (usable, unused) = VerifyingKey::sort_jwk_set(
            Algorithm::Rs256,
            &JwkSet::from_json(json!({"keys": [odd, good]}).to_string().as_bytes()).unwrap(),
        );
        let nameless = ["no key id", "an empty key id"].contains(&what);
        assert_eq!(usable.len(), 1 + usize::from(nameless), "{what}");
        if !nameless {
            assert_eq!(unused.iter().map(|jwk| jwk.position).collect::<Vec<_>>(), [1], "{what}");
        }
    }
}

#[tokio::test]
async fn members_that_are_no_json_of_a_key_spoil_it_alone() {
    let signing = rsa("good");
    let (clock, good) = (clock(), jwk(&signing).to_string());
    let deep = format!("{{\"kty\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    for odd in
        [r#"{"kty":"RSA","kty":"EC"}"#, r#"{"kty":"\ud800"}"#, r#"{"kty":1e999}"#, deep.as_str()]
    {
        for set in [format!("[{odd},{good}]"), format!("[{good},{odd}]")] {
            let shelf = Shelf::default();
            shelf.set(Does::Give(format!("\u{feff} {{\"keys\":{set},\"more\":[{{}}]}}")));
            let auth = auth(Algorithm::Rs256, shelf, &clock);
            auth.authenticate(&token_of(&signing, &clock)).await.expect(odd);
        }
    }
    let latin1 = [b"{\"keys\":[{\"kid\":\"Schl\xfcssel\"},".as_slice(), good.as_bytes(), b"]}"];
    assert_eq!(JwkSet::from_json(&latin1.concat()).unwrap().keys().len(), 1);
}

/// DIFFERENCE: PyJWT refuses coordinates that are too short or too long.
#[tokio::test]
async fn numbers_are_read_in_every_spelling_that_has_one_meaning() {
    let signing = rsa("good");
    let good = jwk(&signing);
    let n = bytes(&good, "n");
    let padded = |text: &Value| format!("{}==", text.as_str().unwrap());
    for (what, odd) in [
        ("a leading zero", with(good.clone(), "n", encode([&[0][..], &n].concat()))),
        ("leading zeros", with(good.clone(), "e", "AAAAAQAB")),
        ("padding", with(good.clone(), "n", padded(&good["n"]))),
        ("plain base64", with(good.clone(), "n", STANDARD.encode_to_string(&n))),
        (
            "lines of base64",
            with(good.clone(), "n", good["n"].as_str().unwrap().replacen('w', "w\n", 3)),
        ),
        ("an algorithm that is null", with(good.clone(), "alg", Value::Null)),
        ("an empty algorithm", with(good.clone(), "alg", "")),
        ("no algorithm", without(good.clone(), "alg")),
        ("a use that is null", with(good.clone(), "use", Value::Null)),
        ("operations that are null", with(good.clone(), "key_ops", Value::Null)),
        ("operations as a text", with(good.clone(), "key_ops", "verify")),
        ("operations of several sorts", with(good.clone(), "key_ops", json!(["verify", 1]))),
        ("members that mean nothing", with(good.clone(), "x5c", json!([1, {"a": null}]))),
    ] {
        assert!(takes(&signing, &[odd]).await, "{what}");
    }
    // One key in 128 has a coordinate that begins with a zero; writers that lose it are real.
    let mut shortened = 0;
    for _ in 0..2000 {
        let pem = SigningKey::generate(Algorithm::Es256).unwrap();
        let key = SigningKey::from_pem(Algorithm::Es256, pem.as_bytes()).unwrap().with_kid("k");
        let good = jwk(&key);
        for name in ["x", "y"] {
            if let [0, rest @ ..] = bytes(&good, name).as_slice() {
                assert!(takes(&key, &[with(good.clone(), name, encode(rest))]).await);
                shortened += 1;
            }
        }
        let x = [&[0][..], &bytes(&good, "x")].concat();
        if shortened > 2 {
            assert!(takes(&key, &[with(good, "x", encode(x))]).await, "a zero too many");
            break;
        }
    }
    assert!(shortened > 2);
}

/// DIFFERENCE: PyJWT takes the first.
#[tokio::test]
async fn of_one_key_id_those_count_that_fit_and_each_is_tried() {
    let (one, other) = (rsa("k"), {
        let pem = SigningKey::generate(Algorithm::Rs256).unwrap();
        SigningKey::from_pem(Algorithm::Rs256, pem.as_bytes()).unwrap().with_kid("k")
    });
    let (good, second) = (jwk(&one), jwk(&other));
    let mut beside = vec![
        ("for encryption", with(second.clone(), "use", "enc")),
        ("for RS384", with(good.clone(), "alg", "RS384")),
        ("the same again", good.clone()),
        ("an EC key", jwk(&es256("k"))),
        ("another that fits", second.clone()),
    ];
    beside.extend(odd_ones(&good).into_iter().map(|(what, odd)| match odd {
        Value::Object(_) if odd["kid"] == "odd" => (what, with(odd, "kid", "k")),
        odd => (what, odd),
    }));
    for (what, odd) in beside {
        assert!(takes(&one, &[odd.clone(), good.clone()]).await, "{what}, before");
        assert!(takes(&one, &[good.clone(), odd]).await, "{what}, behind");
    }
    assert!(takes(&other, &[good.clone(), second.clone()]).await);
    assert!(!takes(&other, &[good.clone(), with(second.clone(), "kid", "l")]).await);
}

#[tokio::test]
async fn the_key_id_is_needed_and_the_algorithm_has_to_fit() {
    let (clock, shelf) = (clock(), Shelf::default());
    shelf.put(&[jwk(&ed25519("a"))]);
    let auth = auth(Algorithm::EdDsa, shelf, &clock);
    auth.refresh_keys().await;
    auth.authenticate(&token_of(&ed25519("a"), &clock)).await.unwrap();
    let nameless = SigningKey::from_pem(Algorithm::EdDsa, &file("ed25519.pkcs8.pem")).unwrap();
    assert!(refused(auth.authenticate(&token_of(&nameless, &clock)).await));
    assert!(refused(auth.authenticate(&token_of(&es256("a"), &clock)).await));
}

#[test]
fn a_set_is_bounded() {
    let key = json!({"kty": "AKP", "kid": "k"});
    let many: Vec<_> = std::iter::repeat_n(&key, crate::jwk::MAX_KEYS + 10).collect();
    let set = JwkSet::from_json(json!({ "keys": many }).to_string().as_bytes()).unwrap();
    assert_eq!(set.left_out().len(), crate::jwk::MAX_KEYS + 1);
    assert_eq!(set.left_out().last().unwrap().reason, JwkError::TooMany);
    let long = with(jwk(&ed25519("k")), "kid", "k".repeat(100_000));
    let keys = json!({"keys": [with(long.clone(), "use", "enc"), with(long, "x", "")]});
    let set = JwkSet::from_json(keys.to_string().as_bytes()).unwrap();
    let (_, unused) = VerifyingKey::sort_jwk_set(Algorithm::EdDsa, &set);
    let lengths: Vec<_> = unused.iter().map(|jwk| jwk.kid.as_ref().unwrap().len()).collect();
    assert_eq!(lengths, [100, 100]);
    let mut same_id: Vec<_> = (0..20)
        .map(|_| {
            let pem = SigningKey::generate(Algorithm::EdDsa).unwrap();
            let key = SigningKey::from_pem(Algorithm::EdDsa, pem.as_bytes()).unwrap();
            jwk(&key.with_kid("k"))
        })
        .collect();
    same_id.push(jwk(&ed25519("other")));
    let set = JwkSet::from_json(json!({ "keys": same_id }).to_string().as_bytes()).unwrap();
    let (usable, unused) = VerifyingKey::sort_jwk_set(Algorithm::EdDsa, &set);
    assert_eq!((usable.len(), unused.len()), (9, 12));
    assert_eq!(unused[0].reason, KeyError::Jwk(JwkError::TooManyOfKeyId));
}
