use base64_simd::STANDARD;

use super::super::{Algorithm, KeyError, KeySet, SigningKey, VerifyingKey, pem};
use Algorithm::{Es256, Rs256};

fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

fn thumbprint(key: &VerifyingKey) -> String {
    key.to_jwk().unwrap().thumbprint()
}

/// Returns the thumbprint of the key that signs with this text.
fn signer(algorithm: Algorithm, text: &[u8]) -> Result<String, KeyError> {
    SigningKey::parse(algorithm, text, false).map(|key| thumbprint(&key.verifying_key()))
}

fn verifier(algorithm: Algorithm, text: &[u8]) -> Result<String, KeyError> {
    VerifyingKey::parse(algorithm, text, false).map(|key| thumbprint(&key))
}

fn utf16(text: &[u8], mark: &[u8], big_endian: bool) -> Vec<u8> {
    let wide = text.iter().flat_map(|&byte| if big_endian { [0, byte] } else { [byte, 0] });
    mark.iter().copied().chain(wide).collect()
}

/// Text found around blocks: PKCS#12 bags with a name in Latin-1 or UTF-8, and worse.
const AROUND: [&[u8]; 9] = [
    b"Bag Attributes\n    friendlyName: Schl\xfcssel\n    localKeyID: 54 69\nKey Attributes: <No Attributes>\n",
    "    friendlyName: Schl\u{fc}ssel \u{1f511}\n".as_bytes(),
    b"\xef\xbb\xbf",
    b"\xff\xfe\x00\x01",
    b"\0\0\0\0\0\0\0\0",
    b"subject=/CN=caf\xe9\rissuer=/CN=\xc3\r",
    b"# a comment with -----\n",
    b"\"",
    b"",
];

#[test]
fn text_outside_of_blocks_is_no_part_of_them_whatever_its_bytes() {
    let (key, crt) = (file("rsa2048.pkcs8.pem"), file("rsa2048.cert.pem"));
    let expected = signer(Rs256, &key).unwrap();
    for before in AROUND {
        for between in AROUND {
            for behind in AROUND {
                for [first, second] in [[&crt, &key], [&key, &crt]] {
                    let text = [before, first, between, second, behind].concat();
                    let shown = String::from_utf8_lossy(&text);
                    assert_eq!(signer(Rs256, &text).as_ref(), Ok(&expected), "{shown}");
                    assert_eq!(verifier(Rs256, &text).as_ref(), Ok(&expected), "{shown}");
                }
            }
        }
    }
}

#[test]
fn line_ends_of_any_sort_in_a_bundle() {
    let bundle = [file("p256.parameters.pem"), file("p256.cert.pem")].concat();
    let bundle = String::from_utf8(bundle).unwrap();
    let expected = verifier(Es256, &file("p256.spki.pem")).unwrap();
    for end in ["\r\n", "\r", "\n\n", " ", "\n  ", ""] {
        let text = bundle.replace('\n', end);
        assert_eq!(signer(Es256, text.as_bytes()).as_ref(), Ok(&expected), "{end:?}");
        assert_eq!(verifier(Es256, text.as_bytes()).as_ref(), Ok(&expected), "{end:?}");
    }
}

#[test]
fn of_several_keys_the_one_that_is_meant_is_taken() {
    let (rsa, other) = (file("rsa2048.pkcs1.pem"), file("rsa2048-other.spki.pem"));
    let p256 = file("p256.pkcs8.pem");
    let [rsa_print, p256_print] = [signer(Rs256, &rsa).unwrap(), signer(Es256, &p256).unwrap()];
    for both in [[&rsa[..], &p256].concat(), [&p256[..], &rsa].concat()] {
        assert_eq!(signer(Rs256, &both).as_ref(), Ok(&rsa_print));
        assert_eq!(signer(Es256, &both).as_ref(), Ok(&p256_print));
    }
    let generated = SigningKey::generate(Es256).unwrap();
    let two = [generated.as_bytes(), b"\n", &p256].concat();
    assert_eq!(signer(Es256, &two), signer(Es256, generated.as_bytes()), "the first of two");

    // The certificates after a leaf are its issuers': their keys are never used in its place.
    let chain = [file("p256.cert.pem"), file("rsa2048.cert.pem")].concat();
    assert!(matches!(verifier(Rs256, &chain), Err(KeyError::WrongType { .. })));
    assert_eq!(verifier(Es256, &chain).as_ref(), Ok(&p256_print));
    let chain = [&other[..], &file("rsa2048.cert.pem")].concat();
    assert_eq!(verifier(Rs256, &chain), verifier(Rs256, &other));
}

#[test]
fn a_damaged_block_spoils_itself_only() {
    let key = file("p256.pkcs8.pem");
    let expected = signer(Es256, &key).unwrap();
    let cut = |text: &[u8]| text[..text.len() / 2].to_vec();
    for damaged in [
        cut(&file("rsa2048.cert.pem")),
        cut(&file("rsa2048.pkcs8.pem")),
        file("rsa2048.encrypted.pkcs8.pem"),
        file("rsa2048.openssh.key"),
        b"-----BEGIN CERTIFICATE-----\n\xff\xff\n-----END CERTIFICATE-----\n".to_vec(),
        b"-----BEGIN CERTIFICATE-----\n".to_vec(),
        b"-----BEGIN \xff-----\n".to_vec(),
        b"-----BEGIN ".to_vec(),
        b"-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n".to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&damaged).into_owned();
        for text in [[&damaged[..], b"\n", &key].concat(), [&key[..], b"\n", &damaged].concat()] {
            assert_eq!(signer(Es256, &text).as_ref(), Ok(&expected), "{shown}");
        }
    }
    // An unreadable public key isn't replaced by the one after it.
    let damaged = cut(&file("p256.cert.pem"));
    let text = [&damaged[..], b"\n", &file("p256.spki.pem")].concat();
    assert_eq!(verifier(Es256, &text), Err(KeyError::DamagedPem));
    // The message names the fault of the private key, not the presence of a public one.
    let text = [cut(&key), file("p256.spki.pem")].concat();
    assert_eq!(signer(Es256, &text), Err(KeyError::DamagedPem));
    let text = [file("rsa2048.encrypted.pkcs8.pem"), file("rsa2048.cert.pem")].concat();
    assert_eq!(signer(Rs256, &text), Err(KeyError::Encrypted));
}

#[test]
fn what_is_no_pem_is_named_with_what_to_do() {
    let key = file("p256.pkcs8.pem");
    let der = pem::blocks(&key).remove(0).der.unwrap().to_vec();
    let certificate = pem::blocks(&file("rsa2048.cert.pem")).remove(0).der.unwrap().to_vec();
    let wrapped = STANDARD.encode_to_string(&key);
    let lines: Vec<_> = wrapped.as_bytes().chunks(76).map(<[u8]>::to_vec).collect();
    let mut pkcs12 = vec![0x30, 0x82, 0x0a, 0x00, 0x02, 0x01, 0x03];
    pkcs12.extend(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0");
    for (text, expected, told) in [
        (wrapped.clone().into_bytes(), KeyError::Base64OfPem, "base64 -d"),
        (lines.join(&b'\n'), KeyError::Base64OfPem, "base64 -d"),
        (STANDARD.encode_to_string(&der).into_bytes(), KeyError::Base64OfDer, "-----BEGIN"),
        (STANDARD.encode_to_string(&certificate).into_bytes(), KeyError::Base64OfDer, "-----BEGIN"),
        (der, KeyError::Der, "openssl pkey"),
        (certificate, KeyError::Der, "openssl x509"),
        (pkcs12, KeyError::Der, "openssl pkcs12"),
        (b"\xef\xbb\xbf {\"kty\":\"EC\"}".to_vec(), KeyError::JwkForPem, "JWK"),
        (b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n".to_vec(), KeyError::Rfc4716, "ssh-keygen -i"),
        (b"PuTTY-User-Key-File-3: ssh-rsa\n".to_vec(), KeyError::Putty, "PuTTYgen"),
        (file("p256.ssh.pub"), KeyError::OpensshPublicKey, "private key"),
        (utf16(&key, b"\xff\xfe", false), KeyError::WideText, "Out-File"),
        (utf16(&key, b"\xfe\xff", true), KeyError::WideText, "Out-File"),
        (utf16(&key, b"", false), KeyError::WideText, "Out-File"),
        (b"/run/secrets/signing.pem".to_vec(), KeyError::Path, "signing_key_file"),
        (b"".to_vec(), KeyError::NoPem, "-----BEGIN"),
        (b"\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), KeyError::NoPem, "-----BEGIN"),
        (b"a secret".to_vec(), KeyError::NoPem, "-----BEGIN"),
    ] {
        let shown = String::from_utf8_lossy(&text).into_owned();
        let error = SigningKey::from_pem(Es256, &text).unwrap_err();
        assert_eq!(error, expected, "{shown}");
        assert!(error.to_string().contains(told), "{error}");
        if expected != KeyError::OpensshPublicKey {
            assert_eq!(VerifyingKey::from_pem(Es256, &text).unwrap_err(), expected, "{shown}");
        }
    }
    // A public half that is a JWK is accepted, with or without a byte order mark.
    let signing = SigningKey::parse(Es256, &key, false).unwrap();
    let jwk = serde_json::to_string(&signing.verifying_key().to_jwk().unwrap()).unwrap();
    for text in [jwk.clone(), format!("\u{feff}\n{jwk}")] {
        let verifying = VerifyingKey::parse(Es256, text.as_bytes(), false).unwrap();
        assert!(KeySet::with_signing_and_verifying(signing.clone(), verifying).is_ok());
    }
    let set = format!("{{\"keys\":[{jwk}]}}");
    let error = VerifyingKey::parse(Es256, set.as_bytes(), false).unwrap_err().to_string();
    assert!(error.contains("a single key is needed"), "{error}");
}
