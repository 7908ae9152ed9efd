use base64_simd::STANDARD;
use proptest::prelude::*;

use super::*;
use Algorithm::{EdDsa, Es256, Es256K, Es384, Es512, Hs256, Hs384, Hs512, Ps256, Rs256, Rs512};

const CURVES: [(Algorithm, &str); 4] =
    [(Es256, "p256"), (Es256K, "k256"), (Es384, "p384"), (Es512, "p521")];

fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

fn der_of(name: &str) -> Vec<u8> {
    pem::blocks(&file(name)).remove(0).der.unwrap().to_vec()
}

fn sign(algorithm: Algorithm, name: &str) -> Result<SigningKey, KeyError> {
    SigningKey::parse(algorithm, &file(name), false)
}

fn verify(algorithm: Algorithm, name: &str) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::parse(algorithm, &file(name), false)
}

/// Asserts that all of these are the same pair.
fn assert_pairs(algorithm: Algorithm, private: &[&str], public: &[&str]) {
    for signing in private {
        let signing = sign(algorithm, signing).unwrap_or_else(|e| panic!("{signing}: {e}"));
        for name in public.iter().chain(private) {
            let verifying = verify(algorithm, name).unwrap_or_else(|e| panic!("{name}: {e}"));
            let pair = KeySet::with_signing_and_verifying(signing.clone(), verifying.clone());
            assert!(pair.is_ok(), "{algorithm} {name}");
            assert_eq!(verifying.to_jwk().unwrap().thumbprint(), thumbprint(&signing), "{name}");
        }
    }
}

fn thumbprint(key: &SigningKey) -> String {
    key.verifying_key().to_jwk().unwrap().thumbprint()
}

#[test]
fn rsa_keys_in_every_form() {
    for algorithm in Algorithm::ALL.into_iter().filter(|a| a.key_kind() == KeyKind::Rsa) {
        assert_pairs(
            algorithm,
            &["rsa2048.pkcs1.pem", "rsa2048.pkcs8.pem"],
            &[
                "rsa2048.spki.pem",
                "rsa2048.public.pkcs1.pem",
                "rsa2048.cert.pem",
                "rsa2048.ssh.pub",
            ],
        );
    }
}

#[test]
fn ec_keys_in_every_form() {
    for (algorithm, curve) in CURVES {
        let named = |ending: &str| format!("{curve}.{ending}");
        let private = [named("sec1.pem"), named("pkcs8.pem"), named("parameters.pem")];
        let mut public = vec![named("spki.pem"), named("compressed.spki.pem"), named("cert.pem")];
        if algorithm != Es256K {
            public.push(named("ssh.pub"));
        }
        assert_pairs(
            algorithm,
            &private.each_ref().map(String::as_str),
            &public.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }
}

#[test]
fn ed25519_keys_in_every_form() {
    assert_pairs(
        EdDsa,
        &["ed25519.pkcs8.pem"],
        &["ed25519.spki.pem", "ed25519.cert.pem", "ed25519.ssh.pub"],
    );
}

#[test]
fn text_around_a_key_does_not_matter() {
    let key = String::from_utf8(file("p256.pkcs8.pem")).unwrap();
    let body: Vec<_> = key.lines().filter(|line| !line.starts_with('-')).collect();
    let expected = thumbprint(&sign(Es256, "p256.pkcs8.pem").unwrap());
    for text in [
        format!(" \r\n\t{key}"),
        format!("\u{feff}{key}"),
        format!("subject=caf\u{e9}\n\n{key}\ntrailing \u{e9}"),
        key.replace('\n', "\r\n"),
        key.replace('\n', "\n  "),
        key.trim_end().to_owned(),
        format!("-----BEGIN PRIVATE KEY-----{}-----END PRIVATE KEY-----", body.concat()),
        format!("{}{key}", String::from_utf8(file("p384.spki.pem")).unwrap()),
    ] {
        let key = SigningKey::from_pem(Es256, text.as_bytes());
        assert_eq!(thumbprint(&key.unwrap_or_else(|e| panic!("{text}: {e}"))), expected);
    }
}

#[test]
fn a_key_of_another_type_is_refused() {
    let all = ["rsa2048", "p256", "k256", "p384", "p521", "ed25519"];
    for algorithm in Algorithm::ALL.into_iter().filter(|a| !a.is_symmetric()) {
        let fits = match algorithm {
            EdDsa => "ed25519",
            _ => CURVES.iter().find(|(a, _)| *a == algorithm).map_or("rsa2048", |(_, name)| name),
        };
        for name in all {
            let private = sign(algorithm, &format!("{name}.pkcs8.pem"));
            let public = verify(algorithm, &format!("{name}.spki.pem"));
            let certificate = verify(algorithm, &format!("{name}.cert.pem"));
            if name == fits {
                assert!(private.is_ok() && public.is_ok() && certificate.is_ok());
                continue;
            }
            for error in [private.unwrap_err(), public.unwrap_err(), certificate.unwrap_err()] {
                assert!(
                    matches!(error, KeyError::WrongType { algorithm: a, .. } if a == algorithm),
                    "{algorithm} {name}: {error}"
                );
            }
        }
    }
    assert_eq!(
        verify(Es256, "p384.spki.pem").unwrap_err().to_string(),
        "ES256 needs an EC key on the curve P-256, but this is an EC key on the curve P-384",
    );
    assert!(verify(Es256, "p224.spki.pem").unwrap_err().to_string().contains("another curve"));
    assert!(verify(EdDsa, "ed448.spki.pem").unwrap_err().to_string().contains("an Ed448 key"));
    assert!(sign(EdDsa, "ed448.pkcs8.pem").unwrap_err().to_string().contains("an Ed448 key"));
}

#[test]
fn a_public_key_does_not_sign() {
    for (algorithm, name) in [
        (Rs256, "rsa2048.spki.pem"),
        (Ps256, "rsa2048.public.pkcs1.pem"),
        (Rs512, "rsa2048.cert.pem"),
        (Es256, "p256.spki.pem"),
        (EdDsa, "ed25519.spki.pem"),
    ] {
        assert_eq!(
            sign(algorithm, name).unwrap_err(),
            KeyError::PublicKeyForSigning(algorithm),
            "{name}"
        );
    }
}

#[test]
fn weak_and_invalid_keys_are_refused() {
    let short = KeyError::RsaTooShort { bits: 1024 };
    assert_eq!(sign(Rs256, "rsa1024.pkcs1.pem").unwrap_err(), short);
    assert_eq!(verify(Ps256, "rsa1024.spki.pem").unwrap_err(), short);
    let exponent = verify(Rs256, "rsa2048-exponent1.public.pkcs1.pem");
    assert_eq!(exponent.unwrap_err(), KeyError::RsaExponent);
    let off = verify(Es256, "p256-off-curve.spki.pem");
    assert_eq!(off.unwrap_err(), KeyError::PointOffCurve("P-256"));
    let long = PublicKey::Rsa { n: vec![0xff; 1025], e: vec![1, 0, 1] };
    assert_eq!(check_numbers(&long), Err(KeyError::RsaTooLong { bits: 8200 }));
}

#[test]
fn encrypted_and_foreign_formats_are_named() {
    for (algorithm, name, error) in [
        (Rs256, "rsa2048.encrypted.pkcs8.pem", KeyError::Encrypted),
        (Rs256, "rsa2048.encrypted.pkcs1.pem", KeyError::Encrypted),
        (Es256, "p256.encrypted.sec1.pem", KeyError::Encrypted),
        (Rs256, "rsa2048.openssh.key", KeyError::OpensshPrivateKey),
        (EdDsa, "ed25519.openssh.key", KeyError::OpensshPrivateKey),
    ] {
        assert_eq!(sign(algorithm, name).unwrap_err(), error, "{name}");
        assert_eq!(verify(algorithm, name).unwrap_err(), error, "{name}");
    }
}

#[test]
fn what_is_no_pem_is_named() {
    let refusal = |text: &str| SigningKey::from_pem(Es256, text.as_bytes()).unwrap_err();
    for nothing in ["", "a secret"] {
        assert_eq!(refusal(nothing), KeyError::NoPem, "{nothing}");
    }
    let key = String::from_utf8(file("p256.pkcs8.pem")).unwrap();
    let escaped = key.replace('\n', "\\n");
    assert_eq!(refusal(&escaped), KeyError::EscapedLineBreaks);
    assert_eq!(refusal(&key[..120]), KeyError::DamagedPem);
    assert_eq!(refusal(&key.replace("END PRIVATE", "END")), KeyError::DamagedPem);
    let csr = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----";
    assert_eq!(refusal(csr), KeyError::NotAKey("CERTIFICATE REQUEST".into()));
    let relabelled = key.replace("PRIVATE KEY", "RSA PRIVATE KEY");
    assert!(matches!(refusal(&relabelled), KeyError::Malformed(_)));
    for line in ["ssh-rsa", "ssh-rsa !!", "ecdsa-sha2-nistp256 AAAA", "ssh-ed25519 AAAAB3Nz"] {
        let error = VerifyingKey::from_pem(Es256, line.as_bytes()).unwrap_err();
        assert!(matches!(error, KeyError::Malformed(_)), "{line}: {error}");
    }
}

#[test]
fn secrets_are_as_long_as_their_hash() {
    for (algorithm, needed) in [(Hs256, 32), (Hs384, 48), (Hs512, 64)] {
        let secret = |length| SigningKey::from_secret(algorithm, &vec![b'k'; length]);
        assert!(secret(needed).is_ok());
        let length = needed - 1;
        let short = KeyError::ShortSecret { algorithm, length, needed };
        assert_eq!(secret(length).unwrap_err(), short);
        assert!(short.to_string().contains(&needed.to_string()));
        assert_eq!(secret(0).unwrap_err(), KeyError::EmptySecret { algorithm, needed });
        let weak = |secret: &[u8]| SigningKey::from_secret_allow_weak(algorithm, secret);
        assert!(weak(b"k").is_ok());
        assert_eq!(weak(b"").unwrap_err(), KeyError::EmptySecret { algorithm, needed });
    }
}

#[test]
fn placeholders_are_no_secrets() {
    for placeholder in [
        "your-256-bit-secret, your-256-bit-secret",
        "a-string-secret-at-least-256-bits-long",
        "CHANGE-ME change-me change-me change-me",
    ] {
        let error = SigningKey::from_secret(Hs256, placeholder.as_bytes()).unwrap_err();
        assert!(matches!(error, KeyError::PlaceholderSecret(_)), "{error}");
        assert!(SigningKey::parse(Hs256, placeholder.as_bytes(), true).is_ok());
    }
    // The secret that Django's startproject writes is random, whatever its prefix says.
    assert!(SigningKey::from_secret(Hs256, b"django-insecure-4m!k2j3h4kj2h3k4jh2k").is_ok());
}

#[test]
fn a_key_pair_or_certificate_is_never_a_secret() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys");
    let mut forms: Vec<Vec<u8>> = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "README.md" {
            continue;
        }
        forms.push(file(&name));
        if name.ends_with(".pem") && !name.contains("encrypted") {
            let der = der_of(&name);
            // Parameters name a curve, but aren't a key.
            if !name.contains("parameters") {
                forms.push(STANDARD.encode_to_string(&der).into_bytes());
                forms.push(der);
            }
        }
    }
    for jwk in [
        r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#.to_owned(),
        r#"{"keys":[{"kty":"RSA","n":"AAAAAAAAAAAAAAAAAAAA","e":"AQAB"}]}"#.to_owned(),
        r#"{"keys":[{"kty":"RSA","n":"AAAAAAAAAAAAAAAAAAAA","e":"AQAB"}"#.to_owned(),
        format!("{}{{\"kty\":\"RSA\"}}{}", "[".repeat(500), "]".repeat(500)),
    ] {
        forms.push(jwk.encode_utf16().flat_map(u16::to_le_bytes).collect());
        forms.push(jwk.into_bytes());
    }
    forms.push(b"command=\"ls\" ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ a@b".to_vec());
    forms.push(b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2EAAAADAQAB".to_vec());
    assert!(forms.len() > 100);
    for form in forms {
        for before in ["", " ", "\r\n\t", "\u{feff}", "\u{feff} \n"] {
            let der = form.first() == Some(&0x30);
            if der && !before.is_empty() {
                continue;
            }
            let secret = [before.as_bytes(), &form].concat();
            for allow_weak in [false, true] {
                for algorithm in [Hs256, Hs384, Hs512] {
                    let signing = SigningKey::parse(algorithm, &secret, allow_weak);
                    let verifying = VerifyingKey::parse(algorithm, &secret, allow_weak);
                    for error in [signing.err(), verifying.err()] {
                        let shown = String::from_utf8_lossy(&secret);
                        assert!(
                            matches!(error, Some(KeyError::KeyAsSecret { .. })),
                            "{error:?} {shown}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn real_secrets_are_not_mistaken_for_keys() {
    for secret in [
        b"0123456789abcdef0123456789abcdef".as_slice(),
        b"{\"a\":\"JSON without the one member\"} ",
        b"ssh-is-a-fine-start-for-a-passphrase-of-mine",
        b"[kty] and other words in square brackets",
        b"0\x82\x01\x0a\x02\x82\x01\x01 begins as DER does, and ends otherwise",
        &[0; 32],
        &[0xff; 32],
    ] {
        assert!(SigningKey::from_secret(Hs256, secret).is_ok(), "{secret:?}");
    }
}

#[test]
fn secrets_and_key_pairs_are_not_confused() {
    let secret = [7; 64];
    assert!(matches!(
        SigningKey::from_secret(Rs256, &secret).unwrap_err(),
        KeyError::WrongConstructor { algorithm: Rs256, .. }
    ));
    assert!(matches!(
        VerifyingKey::from_pem(Hs256, &file("rsa2048.spki.pem")).unwrap_err(),
        KeyError::WrongConstructor { algorithm: Hs256, .. }
    ));
}

#[test]
fn errors_hold_no_key() {
    let key = String::from_utf8(file("p256.pkcs8.pem")).unwrap();
    let body = key.lines().nth(1).unwrap();
    for text in [key.clone(), key.replace("PRIVATE KEY", "EC PRIVATE KEY"), key[..120].to_owned()] {
        for algorithm in [Rs256, Es384, EdDsa, Hs256] {
            let error = SigningKey::parse(algorithm, text.as_bytes(), true).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(&body[..12]), "{shown}");
        }
    }
    let secret = b"short-secret";
    let error = SigningKey::from_secret(Hs256, secret).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("short-secret"));
}

proptest! {
    #[test]
    fn no_text_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
        for algorithm in Algorithm::ALL {
            let _ = SigningKey::parse(algorithm, &text, true);
            let _ = VerifyingKey::parse(algorithm, &text, true);
        }
    }

    #[test]
    fn no_openssh_line_panics(
        name in prop::sample::select(vec!["rsa2048.ssh.pub", "p256.ssh.pub", "ed25519.ssh.pub"]),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let line = String::from_utf8(file(name)).unwrap();
        let (start, base64) = line.trim().split_once(' ').unwrap();
        let base64 = base64.split(' ').next().unwrap();
        let mut blob = STANDARD.decode_to_vec(base64).unwrap();
        let at = at.index(blob.len());
        blob[at] = to;
        for blob in [&blob[..], &blob[..cut.index(blob.len())]] {
            let line = format!("{start} {}", STANDARD.encode_to_string(blob));
            for algorithm in [Rs256, Es256, EdDsa] {
                let _ = VerifyingKey::parse(algorithm, line.as_bytes(), false);
            }
        }
    }

    #[test]
    fn no_block_panics(
        label in prop::sample::select(vec![
            "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "PUBLIC KEY", "RSA PUBLIC KEY",
            "CERTIFICATE",
        ]),
        name in prop::sample::select(vec![
            "rsa2048.pkcs1.pem", "rsa2048.pkcs8.pem", "rsa2048.spki.pem", "p256.sec1.pem",
            "p256.pkcs8.pem", "p256.spki.pem", "p256.cert.pem", "ed25519.pkcs8.pem",
        ]),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut der = der_of(name);
        let at = at.index(der.len());
        der[at] = to;
        for der in [&der[..], &der[..cut.index(der.len())]] {
            let body = STANDARD.encode_to_string(der);
            let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
            for algorithm in [Rs256, Es256, EdDsa] {
                let _ = SigningKey::parse(algorithm, text.as_bytes(), false);
                let _ = VerifyingKey::parse(algorithm, text.as_bytes(), false);
            }
        }
    }
}
