//! Keys in the settings: printed for other programs, further ones that verify, encrypted ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use simplejwt::{Access, Algorithm, KeySet, Settings, SigningKey, SystemClock, Tokens};
use tempfile::TempDir;

use crate::support::process::{run, run_with_input, stderr, stdout};

const SECRET: &str = "a-secret-key-that-is-long-enough-for-hs256";
const FORMER: &str = "another-key-that-is-long-enough-for-hs256";

/// A directory with files, and the settings that name them.
struct Place {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

impl Place {
    fn new(environment: &[(&str, &str)]) -> Self {
        let mut place = Self { directory: tempfile::tempdir().unwrap(), environment: Vec::new() };
        for (name, value) in environment {
            place.set(name, value);
        }
        place
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    fn run(&self, args: &[&str], input: &str) -> Output {
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        run_with_input(args, &environment, input)
    }

    fn good(&self, args: &[&str]) -> String {
        let output = self.run(args, "");
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args, "");
        assert!(!output.status.success(), "{args:?}: {}", stdout(&output));
        assert_eq!(stdout(&output), "");
        stderr(&output)
    }

    fn takes(&self, token: &str) -> bool {
        let output = self.run(&["token", "inspect"], token);
        let said = stdout(&output);
        assert_eq!(output.status.success(), said.contains("the token is valid"), "{output:?}");
        assert!(said.contains("the token is "), "{output:?}");
        output.status.success()
    }
}

fn key(algorithm: Algorithm) -> (String, SigningKey) {
    let text = SigningKey::generate(algorithm).unwrap();
    let key = SigningKey::parse(algorithm, text.as_bytes(), false).unwrap();
    (text.to_string(), key)
}

fn secret(text: &str) -> SigningKey {
    SigningKey::from_secret(Algorithm::Hs256, text.as_bytes()).unwrap()
}

fn public(key: &SigningKey) -> String {
    key.verifying_key().to_pem().unwrap()
}

fn token(key: &SigningKey) -> String {
    let settings = Settings { algorithm: key.algorithm(), ..Settings::default() };
    let tokens = Tokens::with(settings, KeySet::new(key.clone()), Arc::new(SystemClock)).unwrap();
    tokens.encode(&tokens.issue::<Access>("1")).unwrap()
}

#[test]
fn a_secret_is_printed_in_every_form() {
    let mut place = Place::new(&[("SECRET_KEY", SECRET)]);
    let print = |place: &Place, format: &str| place.good(&["key", "secret", "--format", format]);
    assert_eq!(print(&place, "raw"), format!("{SECRET}\n"));
    let raw = ["key", "secret", "--format", "raw", "--no-newline"];
    assert_eq!(place.good(&raw), SECRET);
    assert_eq!(
        print(&place, "base64"),
        "YS1zZWNyZXQta2V5LXRoYXQtaXMtbG9uZy1lbm91Z2gtZm9yLWhzMjU2\n"
    );
    // The bytes of these are other ones in base64url, and there is no padding.
    place.set("SECRET_KEY", "???>>>~~~ýÿ?-that-is-long-enough-for-hs256");
    assert!(print(&place, "base64").contains(['+', '/']));
    let url = print(&place, "base64url");
    assert!(!url.contains(['+', '/', '=']) && url.contains(['-', '_']), "{url}");
    place.set("SECRET_KEY", SECRET);
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(print(&place, "hex"), format!("{hex}\n"));
    let jwk: Value = serde_json::from_str(&print(&place, "jwk")).unwrap();
    assert_eq!((&jwk["kty"], &jwk["alg"]), (&"oct".into(), &"HS256".into()));
    assert_eq!(jwk["k"], print(&place, "base64url").trim_end());
    assert_eq!(jwk.get("kid"), None);
    place.set("SIMPLEJWT_KID", "2026");
    let set: Value = serde_json::from_str(&print(&place, "jwks")).unwrap();
    assert_eq!(set["keys"][0]["kid"], "2026");
    let told = place.refused(&["key", "secret", "--format", "raw", "--kid", "2025"]);
    assert!(told.contains("no signing key \"2025\""), "{told}");
    place.good(&["key", "secret", "--format", "raw", "--kid", "2026"]);
    // As one thumbprint in 64 begins.
    place.set("SIMPLEJWT_KID", "-2026");
    place.good(&["key", "secret", "--format", "raw", "--kid", "-2026"]);
    let told = place.refused(&["key", "public"]);
    assert!(told.contains("HS256 has no public key") && told.contains("key secret"), "{told}");
}

#[test]
fn a_private_key_is_only_printed_as_it_is() {
    let (private, key) = key(Algorithm::Es256);
    let place = Place::new(&[
        ("SIMPLEJWT_ALGORITHM", "ES256"),
        ("SIMPLEJWT_SIGNING_KEY", &private),
        ("SIMPLEJWT_VERIFYING_KEY", &public(&key)),
        ("SIMPLEJWT_KID", "true"),
    ]);
    assert_eq!(place.good(&["key", "secret", "--format", "raw"]).trim(), private.trim());
    for format in ["base64", "base64url", "hex", "jwk", "jwks"] {
        let told = place.refused(&["key", "secret", "--format", format]);
        assert!(told.contains("--format raw") && told.contains("key public"), "{told}");
        assert!(!told.contains("BEGIN"), "{told}");
    }
    let set: Value = serde_json::from_str(&place.good(&["key", "public"])).unwrap();
    let kid = set["keys"][0]["kid"].as_str().unwrap();
    assert_eq!(kid, key.verifying_key().thumbprint());
    let one: Value =
        serde_json::from_str(&place.good(&["key", "public", "--format", "jwk", "--kid", kid]))
            .unwrap();
    assert_eq!(one, set["keys"][0]);
    assert_eq!(place.good(&["key", "public", "--format", "pem"]), public(&key));
    let told = place.refused(&["key", "public", "--kid", "nobody"]);
    assert!(told.contains("no such key"), "{told}");
    let only =
        Place::new(&[("SIMPLEJWT_ALGORITHM", "ES256"), ("SIMPLEJWT_VERIFYING_KEY", &public(&key))]);
    assert!(only.refused(&["key", "secret", "--format", "raw"]).contains("no signing key"));
    let told = only.refused(&["key", "rotate"]);
    assert!(told.contains("store = \"file\"") && told.contains("kid = true"), "{told}");
}

#[test]
fn tokens_of_further_keys_are_good() {
    let mut place = Place::new(&[("SECRET_KEY", SECRET)]);
    let (_, ec) = key(Algorithm::Es256);
    let (_, ed) = key(Algorithm::EdDsa);
    let (_, ps) = key(Algorithm::Es384);
    let file = place.write("ec.pem", public(&ec));
    let list = serde_json::json!([
        FORMER,
        {"key_file": file, "algorithm": "ES256"},
        {"key": public(&ed), "algorithm": "EdDSA", "kid": "ed"},
    ]);
    for kid in ["false", "true"] {
        place.set("SIMPLEJWT_KID", kid);
        place.environment.retain(|(name, _)| name != "SIMPLEJWT_VERIFYING_KEYS");
        assert!(place.takes(&token(&secret(SECRET))));
        assert!(!place.takes(&token(&secret(FORMER))) && !place.takes(&token(&ec)));
        place.set("SIMPLEJWT_VERIFYING_KEYS", &list.to_string());
        for key in [&secret(SECRET), &secret(FORMER), &ec, &ed, &ed.clone().with_kid("ed")] {
            assert!(place.takes(&token(key)), "{key:?}");
        }
        assert!(!place.takes(&token(&ps)));
    }
    let set: Value = serde_json::from_str(&place.good(&["key", "public"])).unwrap();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2, "no secret is published: {set}");

    // In a file, whose directory paths start from; and in a file of their own.
    let toml = place.write(
        "simplejwt.toml",
        "[simple_jwt]\nverifying_keys = [{ key_file = \"ec.pem\", algorithm = \"ES256\" }]\n",
    );
    place.environment.retain(|(name, _)| name != "SIMPLEJWT_VERIFYING_KEYS");
    place.set("SIMPLEJWT_CONFIG", &toml);
    assert!(place.takes(&token(&ec)) && !place.takes(&token(&ed)));
    let keys = place.write("keys", serde_json::json!([FORMER]).to_string());
    place.set("SIMPLEJWT_VERIFYING_KEYS_FILE", &keys);
    assert!(place.takes(&token(&secret(FORMER))) && !place.takes(&token(&ec)));
    place.environment.retain(|(name, _)| name != "SIMPLEJWT_VERIFYING_KEYS_FILE");

    for (text, told) in [
        ("[{\"key_file\": \"/nowhere\"}]", "can't read the key_file /nowhere"),
        ("[{\"key\": \"s3cret\", \"key_file\": \"/nowhere\"}]", "key"),
        ("[{\"key\": \"s3cret\", \"alg\": \"HS256\"}]", "alg"),
        ("[{\"key\": \"s3cret-that-is-too-short\"}]", "VERIFYING_KEYS"),
        ("[s3cret", "JSON"),
    ] {
        place.set("SIMPLEJWT_VERIFYING_KEYS", text);
        let said = place.refused(&["config", "check"]);
        assert!(said.contains(told), "{text}: {said}");
        assert!(!said.contains("s3cret"), "{text}: {said}");
    }
}

#[test]
fn fallbacks_of_django_verify_or_are_refused_their_place() {
    let mut place = Place::new(&[("SECRET_KEY", SECRET)]);
    let fallbacks = serde_json::json!([FORMER, SECRET]).to_string();
    place.set("SECRET_KEY_FALLBACKS", &fallbacks);
    assert!(place.takes(&token(&secret(SECRET))) && place.takes(&token(&secret(FORMER))));
    place.set("SIMPLEJWT_SIGNING_KEY", "a-key-of-our-own-that-is-long-enough-for-hs256");
    assert!(!place.takes(&token(&secret(FORMER))));
    let said = stderr(&place.run(&["config", "check"], ""));
    assert!(
        said.contains("SECRET_KEY_FALLBACKS") || said.contains("secret_key_fallbacks"),
        "{said}"
    );
    assert!(said.contains("has no effect"), "{said}");
    place.set("SECRET_KEY_FALLBACKS", "[7]");
    assert!(place.refused(&["config", "check"]).contains("list of strings"));
    place.environment.retain(|(name, _)| name != "SIMPLEJWT_SIGNING_KEY");
    place.set("SECRET_KEY_FALLBACKS", "[\"s3cret\"]");
    let said = place.refused(&["config", "check"]);
    assert!(said.contains("SECRET_KEY_FALLBACKS: the secret has 6 bytes"), "{said}");
    assert!(!said.contains("VERIFYING_KEYS") && !said.contains("s3cret"), "{said}");
}

fn openssl(args: &[&str], directory: &Path) {
    let done = Command::new("openssl").args(args).current_dir(directory).output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", stderr(&done));
}

#[test]
fn an_encrypted_key_is_read_with_its_passphrase() {
    let mut place = Place::new(&[("SIMPLEJWT_ALGORITHM", "ES256")]);
    let directory = place.directory.path();
    place.write("passphrase", "correct horse\n");
    place.write("wrong", "wrong horse\n");
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let encrypted = ["-aes-256-cbc", "-pass", "file:passphrase", "-out", "encrypted.pem"];
    openssl(&[&["genpkey"][..], &curve, &encrypted].concat(), directory);
    let pkey = ["pkey", "-in", "encrypted.pem", "-passin", "file:passphrase"];
    openssl(&[&pkey[..], &["-out", "plain.pem"]].concat(), directory);
    openssl(&[&pkey[..], &["-pubout", "-out", "public.pem"]].concat(), directory);
    openssl(
        &["ec", "-in", "plain.pem", "-aes256", "-passout", "file:passphrase", "-out", "old.pem"],
        directory,
    );
    let file = |name: &str| directory.join(name).display().to_string();
    let files = ["encrypted.pem", "plain.pem", "old.pem", "public.pem", "passphrase", "wrong"]
        .map(|name| (name, file(name)));
    let file = |wanted: &str| &files.iter().find(|(name, _)| *name == wanted).unwrap().1;
    let text = |name: &str| fs::read_to_string(file(name)).unwrap();
    assert!(text("old.pem").contains("Proc-Type: 4,ENCRYPTED"));
    let plain = SigningKey::from_pem(Algorithm::Es256, text("plain.pem").as_bytes()).unwrap();

    let mut with = |key: &str, passphrase: Option<&str>, verifying: bool| {
        place.environment.retain(|(name, _)| name == "SIMPLEJWT_ALGORITHM");
        place.set("SIMPLEJWT_SIGNING_KEY_FILE", file(key));
        if let Some(passphrase) = passphrase {
            place.set("SIMPLEJWT_SIGNING_KEY_PASSPHRASE_FILE", file(passphrase));
        }
        if verifying {
            place.set("SIMPLEJWT_VERIFYING_KEY_FILE", file("public.pem"));
        }
        let print = place.run(&["key", "public", "--format", "pem"], "");
        (print, place.run(&["key", "secret", "--format", "raw"], ""))
    };
    for verifying in [true, false] {
        let (printed, _) = with("encrypted.pem", Some("passphrase"), verifying);
        assert_eq!(stdout(&printed), text("public.pem"), "{}", stderr(&printed));
    }
    let (_, secret) = with("encrypted.pem", Some("passphrase"), true);
    let decrypted = SigningKey::from_pem(Algorithm::Es256, &secret.stdout).unwrap();
    assert_eq!(decrypted.verifying_key().thumbprint(), plain.verifying_key().thumbprint());
    for (key, passphrase, told) in [
        ("encrypted.pem", Some("wrong"), "the passphrase doesn't decrypt"),
        ("encrypted.pem", None, "signing_key_passphrase_file"),
        ("plain.pem", Some("passphrase"), "leave the passphrase out"),
        ("old.pem", Some("passphrase"), "openssl pkcs8"),
        ("old.pem", None, "encrypted"),
        ("public.pem", Some("passphrase"), "no encrypted private key"),
    ] {
        for verifying in [true, false] {
            let (printed, _) = with(key, passphrase, verifying);
            assert_eq!(printed.status.code(), Some(3), "{key}: {printed:?}");
            let said = stderr(&printed);
            assert!(said.contains(told) && said.contains("SIGNING_KEY"), "{key}: {said}");
            assert!(!said.contains("horse"), "{said}");
        }
    }
}

#[test]
fn the_name_of_rfc_9864_is_written_on_demand() {
    let (private, key) = key(Algorithm::EdDsa);
    let mut place = Place::new(&[
        ("SIMPLEJWT_ALGORITHM", "EdDSA"),
        ("SIMPLEJWT_SIGNING_KEY", &private),
        ("SIMPLEJWT_VERIFYING_KEY", &public(&key)),
    ]);
    for (fully, name) in [("false", "EdDSA"), ("true", "Ed25519")] {
        place.set("SIMPLEJWT_FULLY_SPECIFIED_ALGORITHMS", fully);
        let jwk: Value =
            serde_json::from_str(&place.good(&["key", "public", "--format", "jwk"])).unwrap();
        assert_eq!(jwk["alg"], name);
        assert!(place.takes(&token(&key)));
        assert!(place.takes(&token(&key.clone().fully_specified())));
    }
    assert_eq!(run(&["key", "list"], &[]).status.code(), Some(3), "there is no key");
}
