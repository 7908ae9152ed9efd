use super::super::finding::{Severity, told};
use super::*;
use crate::config::KeyStorage;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SECRET: &str = "a secret of at least thirty-two bytes, for HS256";

fn config(secret: &str) -> Config {
    let mut config = Config::default();
    config.settings.signing_key = Some(secret.into());
    config.settings.kid = KeyId::Thumbprint;
    config
}

fn of(config: &Config) -> Vec<(&'static str, Severity)> {
    told(&findings(config, None, NOW))
}

#[test]
fn secrets() {
    let rest = [("symmetric_key", Severity::Note), ("no_key_rotation", Severity::Note)];
    assert_eq!(of(&config(SECRET)), rest);
    let mut weak = config("short");
    weak.settings.allow_weak_key = true;
    assert_eq!(of(&weak)[0], ("weak_hmac_key", Severity::Warning));
    weak.settings.signing_key = Some(SECRET.into());
    assert_eq!(of(&weak)[0], ("weak_keys_allowed", Severity::Note));
    let mut django = config(SECRET);
    django.django.secret_key = Some(SECRET.into());
    assert_eq!(of(&django)[0], ("django_secret_key", Severity::Note));
    let mut nameless = config(SECRET);
    nameless.settings.kid = KeyId::None;
    assert_eq!(of(&nameless)[1], ("no_kid", Severity::Note));
    let mut further = config(SECRET);
    further.settings.verifying_keys = vec![format!("former {SECRET}").as_str().into()];
    assert_eq!(of(&further)[2], ("further_keys", Severity::Note));
    // Not a byte of a secret is shown.
    let shown = format!("{:?}", findings(&further, None, NOW));
    assert!(!shown.contains("thirty-two"), "{shown}");
}

#[test]
fn metadata_promise_keys() {
    let mut config = config(SECRET);
    config.settings.issuer = Some("https://auth.example.com".into());
    assert_eq!(of(&config)[0], ("empty_jwks", Severity::Note));
    config.server.well_known = false;
    assert_eq!(of(&config)[0], ("symmetric_key", Severity::Note));
    config.server.well_known = true;
    config.settings.issuer = Some("us".into());
    assert_eq!(of(&config)[0], ("symmetric_key", Severity::Note));
}

#[test]
fn key_pairs() {
    for (algorithm, bits) in [(Algorithm::Es256, None), (Algorithm::Rs256, Some(3072))] {
        let pem = simplejwt::SigningKey::generate(algorithm).unwrap();
        let key = simplejwt::SigningKey::from_pem(algorithm, pem.as_bytes()).unwrap();
        assert_eq!(rsa_bits(&key.verifying_key()), bits);
        let mut config = config(&pem);
        config.settings.algorithm = algorithm;
        config.settings.verifying_key = key.verifying_key().to_pem();
        assert_eq!(of(&config), [("no_key_rotation", Severity::Note)], "{algorithm}");
    }
}

#[test]
fn keys_that_follow_each_other() {
    let days = |count: i64| Timestamp::from_secs(NOW.as_secs() - count * 86_400);
    let mut config = config(SECRET);
    config.keys.store = KeyStorage::File;
    let fresh = RingSeen {
        active_since: Some(days(10)),
        newest: Some(Algorithm::Es256),
        begun: Some(days(10)),
        ..RingSeen::default()
    };
    let of = |config: &Config, ring: &RingSeen| told(&findings(config, Some(ring), NOW));
    let (by_hand, unused) =
        (("rotation_by_hand", Severity::Note), ("unused_settings_key", Severity::Note));
    assert_eq!(of(&config, &fresh), [by_hand, unused], "refresh tokens live for a day");
    config.settings.refresh_token_lifetime = DAY * 11;
    assert_eq!(of(&config, &fresh), [by_hand]);
    config.keys.rotate_every = Some(DAY * 90);
    assert_eq!(of(&config, &fresh), []);
    let old = RingSeen { active_since: Some(days(366)), ..fresh.clone() };
    assert_eq!(of(&config, &old), [("old_signing_key", Severity::Warning)]);
    let followed = RingSeen { has_next: true, ..old };
    assert_eq!(of(&config, &followed), []);
    let symmetric = RingSeen { newest: Some(Algorithm::Hs256), ..fresh };
    assert_eq!(of(&config, &symmetric), [("symmetric_key", Severity::Note)]);
    // A ring that has no key yet.
    let empty = RingSeen::default();
    assert_eq!(of(&config, &empty), [("symmetric_key", Severity::Note)]);
}
