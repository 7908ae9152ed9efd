//! The keys that sign and verify.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use simplejwt::keys::ring::{KeyRing, KeyState, StoredKey};
use simplejwt::settings::KeyId;
use simplejwt::{Algorithm, KeySet, Settings, Timestamp, VerifyingKey};

use super::finding::{DAY, Finding, span};
use super::tokens::issues;
use crate::config::Config;

/// The age at which a key that signs should have been replaced: the shortest cryptoperiod of a
/// private signature key in NIST SP 800-57 part 1, section 5.3.6.
const OLD: Duration = DAY.saturating_mul(365);
/// The shortest RSA key that is as strong as a 128-bit cipher.
const RSA_BITS: usize = 3072;

/// What was read of keys that follow each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RingSeen {
    /// The time from which the key that signs has signed.
    pub(super) active_since: Option<Timestamp>,
    /// The algorithm of the newest key.
    pub(super) newest: Option<Algorithm>,
    pub(super) has_next: bool,
    pub(super) retiring: usize,
    pub(super) gone: usize,
    /// The time from which a key of the ring has signed, and none of the settings has.
    pub(super) begun: Option<Timestamp>,
}

impl RingSeen {
    pub(super) fn of(stored: &[StoredKey], ring: &KeyRing, now: Timestamp) -> Self {
        let count = |wanted| ring.states(now).filter(|(_, state)| *state == wanted).count();
        Self {
            active_since: ring.active(now).map(|key| key.activates_at),
            newest: ring.keys().last().map(|key| key.key.algorithm()),
            has_next: count(KeyState::Next) > 0,
            retiring: count(KeyState::Retiring),
            gone: stored.len().saturating_sub(ring.keys().len()) + count(KeyState::Gone),
            begun: stored.iter().map(|key| key.activates_at).min().filter(|at| *at <= now),
        }
    }
}

pub(super) fn findings(config: &Config, ring: Option<&RingSeen>, now: Timestamp) -> Vec<Finding> {
    let settings = &config.settings;
    let mut findings = super::remote_keys::findings(config);
    if !issues(config) {
        return findings;
    }
    let keys = match config.keys.has_ring() {
        true => settings.key_set_beside_ring(),
        false => settings.key_set(),
    };
    // What can't be used was refused before.
    let Ok(keys) = keys else { return findings };
    findings.extend(of_secret(config, &keys));
    let newest = ring.and_then(|ring| ring.newest);
    findings.extend(of_algorithm(config, &keys, newest));
    findings.push(match &settings.kid {
        KeyId::None => Finding::note(
            "no_kid",
            "tokens don't name their key (kid is false)",
            "whoever verifies them can't choose among several keys, so that a new key can't follow \
             this one without a gap",
        )
        .write("simple_jwt.kid", true),
        _ => Finding::ok("kid", "tokens name their key"),
    });
    match ring {
        Some(ring) => findings.extend(of_ring(config, ring, &keys, now)),
        None if config.keys.has_ring() => {}
        None => findings.push(
            Finding::note(
                "no_key_rotation",
                "the signing key is in the settings, and no other follows it",
                "a key that was copied unnoticed is good for ever. Not beside a Django that verifies \
                 with the same key",
            )
            .write("keys.store", "file")
            .write("keys.file", "keys.json")
            .write("keys.rotate_every", "90d")
            .write("simple_jwt.kid", true),
        ),
    }
    let further = settings.verifying_keys.len();
    if further > 0 {
        findings.push(
            Finding::note(
                "further_keys",
                format!(
                    "{further} further keys verify tokens (verifying_keys, or SECRET_KEY_FALLBACKS)"
                ),
                "each does as long as it is listed, and it can't be seen when it last signed",
            )
            .act(format!(
                "remove those that have signed nothing for {}, the longest lifetime of a token",
                span(config.keys.schedule(settings).keep)
            )),
        );
    }
    findings
}

/// The strength of an HMAC's secret.
fn of_secret(config: &Config, keys: &KeySet) -> Option<Finding> {
    let settings = &config.settings;
    let algorithm = keys.signing()?.algorithm();
    if !algorithm.is_symmetric() {
        return None;
    }
    let strict = Settings { allow_weak_key: false, ..settings.clone() };
    let is_weak = match config.keys.has_ring() {
        true => strict.key_set_beside_ring().is_err(),
        false => strict.key_set().is_err(),
    };
    let new_key = |finding: Finding| {
        finding
            .run("simplejwt key generate --out new-signing.key")
            .write("simple_jwt.signing_key_file", "new-signing.key")
    };
    let end = "All tokens end with the former key, unless it is named in verifying_keys";
    Some(if is_weak {
        new_key(Finding::warning(
            "weak_hmac_key",
            format!("the secret of {algorithm} is a placeholder, or shorter than its hash"),
            format!(
                "whoever has one token can guess the secret, and issue tokens for any user (RFC 7518 \
                 section 3.2). {end}"
            ),
        ))
        .write("simple_jwt.allow_weak_key", false)
    } else if settings.allow_weak_key {
        Finding::note(
            "weak_keys_allowed",
            "a weak secret would be accepted (allow_weak_key), but this one isn't weak",
            "the next one may be",
        )
        .write("simple_jwt.allow_weak_key", false)
    } else if config.django.secret_key.is_some() && config.django.secret_key == settings.signing_key
    {
        new_key(Finding::note(
            "django_secret_key",
            "tokens are signed with Django's SECRET_KEY",
            format!(
                "whoever gets it from one of the two has Django's sessions and everybody's tokens. A \
                 Django that verifies these tokens needs the same new key in SIMPLE_JWT. {end}"
            ),
        ))
    } else {
        Finding::ok("signing_key", format!("the secret of {algorithm} is as long as its hash"))
    })
}

/// The kind of key, and the length of an RSA key.
fn of_algorithm(config: &Config, keys: &KeySet, newest: Option<Algorithm>) -> Option<Finding> {
    let settings = &config.settings;
    let of_settings = keys.signing().map(|key| key.algorithm());
    let algorithm = newest.or(of_settings)?;
    if algorithm.is_symmetric() {
        let is_https = |issuer: &String| issuer.starts_with("https://");
        let has_metadata =
            config.server.well_known && settings.issuer.as_ref().is_some_and(is_https);
        let found = format!("tokens are signed with {algorithm}, whose key also verifies");
        let finding = match has_metadata {
            true => Finding::note(
                "empty_jwks",
                format!("{found}, and the issuer's metadata name a JWK set, which is empty"),
                "programs that follow the metadata can't verify any token. Tokens end with their key",
            ),
            false => Finding::note(
                "symmetric_key",
                found,
                "every program that verifies tokens can issue them, too. With ES256 others need \
                 only the public key at /.well-known/jwks.json. Tokens end with their key, and a \
                 Django that verifies them needs the new one",
            ),
        };
        return Some(match config.keys.has_ring() {
            true => finding.write("keys.algorithm", "ES256").run("simplejwt key rotate"),
            false => new_pair(finding, Algorithm::Es256),
        });
    }
    let signing = keys.signing().filter(|_| newest.is_none())?;
    let (bits, name) = (rsa_bits(&signing.verifying_key()), format!("{algorithm}"));
    Some(match bits {
        Some(bits) if bits < RSA_BITS => new_pair(
            Finding::note(
                "short_rsa_key",
                format!("tokens are signed with an RSA key of {bits} bits"),
                "NIST SP 800-131A allows 2048 bits (112 bits of security) until 2030. Tokens end \
                 with their key, unless it is named in verifying_keys",
            ),
            algorithm,
        ),
        _ => Finding::ok(
            "algorithm",
            format!("tokens are signed with {name}, and verified with a public key"),
        ),
    })
}

/// Adds what makes a new key pair and puts it into use.
fn new_pair(finding: Finding, algorithm: Algorithm) -> Finding {
    finding
        .run(format!("simplejwt key generate --algorithm {algorithm} --out new-signing.pem"))
        .run(format!(
            "SIMPLEJWT_ALGORITHM={algorithm} SIMPLEJWT_SIGNING_KEY_FILE=new-signing.pem simplejwt \
             --config /dev/null key public --format pem > new-verifying.pem"
        ))
        .write("simple_jwt.algorithm", algorithm.to_string())
        .write("simple_jwt.signing_key_file", "new-signing.pem")
        .write("simple_jwt.verifying_key_file", "new-verifying.pem")
}

fn rsa_bits(key: &VerifyingKey) -> Option<usize> {
    let jwk = serde_json::to_value(key.to_jwk()?).ok()?;
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str()?).ok()?;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let zeros = modulus.get(first)?.leading_zeros() as usize;
    Some((modulus.len() - first) * 8 - zeros)
}

fn of_ring(config: &Config, ring: &RingSeen, keys: &KeySet, now: Timestamp) -> Vec<Finding> {
    let schedule = config.keys.schedule(&config.settings);
    let mut findings = Vec::new();
    let every = match config.keys.rotate_every {
        Some(every) => format!("a new key follows every {}", span(every)),
        None => "a new key follows only by `simplejwt key rotate`".to_owned(),
    };
    let found = format!(
        "{every}; active: {}, next: {}, retiring: {}, gone: {}",
        usize::from(ring.active_since.is_some()),
        usize::from(ring.has_next),
        ring.retiring,
        ring.gone
    );
    findings.push(match config.keys.rotate_every {
        Some(_) => Finding::ok("key_rotation", found),
        None => {
            Finding::note("rotation_by_hand", found, "what nobody has to remember isn't forgotten")
                .write("keys.rotate_every", "90d")
        }
    });
    let age = ring.active_since.and_then(|since| since_then(since, now));
    if let Some(age) = age.filter(|age| *age > OLD && !ring.has_next) {
        findings.push(
            Finding::warning(
                "old_signing_key",
                format!("the same key has signed for {} days", age.as_secs() / DAY.as_secs()),
                "a key that was copied unnoticed stays good for as long as it is used",
            )
            .write("keys.rotate_every", "90d")
            .run("simplejwt key rotate"),
        );
    }
    let ended = ring.begun.and_then(|begun| since_then(begun, now));
    let given = config.settings.signing_key.is_some()
        && config.settings.signing_key != config.django.secret_key;
    if given && keys.signing().is_some() && ended.is_some_and(|age| age > schedule.keep) {
        findings.push(
            Finding::note(
                "unused_settings_key",
                "the signing key in [simple_jwt] has signed none of the tokens that are still valid",
                "the keys in [keys] have followed it; a key that isn't there can't be stolen",
            )
            .remove("simple_jwt.signing_key")
            .remove("simple_jwt.verifying_key"),
        );
    }
    findings
}

/// Returns the time that has passed since then.
fn since_then(then: Timestamp, now: Timestamp) -> Option<Duration> {
    u64::try_from(now.as_secs() - then.as_secs()).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
