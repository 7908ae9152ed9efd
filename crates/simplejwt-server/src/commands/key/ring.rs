//! `simplejwt key list|rotate|retire|import`: the keys that follow each other.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use simplejwt::keys::ring::{KeyState, Plan, RingError, StoredKey};
use simplejwt::{Algorithm, Clock as _, SigningKey, SystemClock, Timestamp};
use zeroize::Zeroizing;

use crate::config::{Config, KeyStorage, read_value};
use crate::failure::Failure;
use crate::key_ring::{Read, Ring};
use crate::{app, output};

const NO_RING: &str = "the signing key is in the settings, where nothing follows it: write store = \"file\" (and \
     file = \"keys.json\") or store = \"database\" in [keys], and kid = true in [simple_jwt]";

async fn ring(config: &Config) -> Result<Ring, Failure> {
    Ring::of(config).await?.ok_or_else(|| Failure::config(NO_RING))
}

/// Lists the keys of the ring and of the settings.
pub(super) async fn list(config: &Config) -> Result<(), Failure> {
    let now = SystemClock.now();
    let mut text = String::new();
    let (read, of_settings) = match Ring::of(config).await? {
        Some(ring) => (ring.read(now).await?, ring.base().keys()),
        None => (Read::default(), app::key_set(config)?),
    };
    let signs = |key| {
        read.ring.active(now).is_none()
            && of_settings.signing().is_some_and(|signing| {
                signing.verifying_key().thumbprint() == simplejwt::VerifyingKey::thumbprint(key)
            })
    };
    for key in of_settings.verifying() {
        let kid = key.kid().unwrap_or("-");
        let state = if signs(key) { KeyState::Active } else { KeyState::Retiring };
        let _ = writeln!(text, "{kid}\t{}\t{state}\tin the settings", key.algorithm());
    }
    let states: Vec<_> = read.ring.states(now).map(|(key, state)| (key.number, state)).collect();
    for key in &read.stored {
        let state = states.iter().find(|(number, _)| *number == key.number);
        let state = state.map_or(KeyState::Gone, |(_, state)| *state);
        let until =
            key.verifies_until.map_or_else(String::new, |at| format!(" until {}", shown(at)));
        let _ = writeln!(
            text,
            "{}\t{}\t{state}\tsigns from {}{}",
            key.kid,
            key.algorithm,
            shown(key.activates_at),
            if until.is_empty() { until } else { format!(", verifies{until}") },
        );
    }
    if text.is_empty() {
        text.push_str("there are no keys\n");
    }
    output::print(&text)
}

/// Makes the next key.
pub(super) async fn rotate(
    config: &Config,
    algorithm: Option<Algorithm>,
    at_once: bool,
    dry_run: bool,
) -> Result<(), Failure> {
    let ring = ring(config).await?;
    let algorithm = algorithm.unwrap_or(ring.algorithm);
    let (plan, read) = plan(config, &ring, at_once).await?;
    if dry_run {
        return output::print(&schedule(
            &ring,
            &read,
            &plan,
            &format!("a new key for {algorithm}"),
        ));
    }
    let key = plan.generate(algorithm, ring.encryption.as_ref());
    add(&ring, &read, &plan, &key.map_err(|error| Failure::Failed(error.to_string()))?).await
}

/// Takes an existing key as the next one.
pub(super) async fn import(
    config: &Config,
    file: &Path,
    algorithm: Option<Algorithm>,
    passphrase: Option<PathBuf>,
    at_once: bool,
) -> Result<(), Failure> {
    let ring = ring(config).await?;
    let algorithm = algorithm.unwrap_or(ring.algorithm);
    let wrong = |problem: String| Failure::Failed(format!("{}: {problem}", file.display()));
    let text = Zeroizing::new(read_value(file).map_err(&wrong)?);
    let text = match passphrase {
        None => text,
        Some(passphrase) => {
            let secret = Zeroizing::new(read_value(&passphrase).map_err(|problem| {
                Failure::Failed(format!("{}: {problem}", passphrase.display()))
            })?);
            SigningKey::decrypt_pem(text.as_bytes(), secret.as_bytes())
                .map_err(|error| wrong(error.to_string()))?
        }
    };
    let (plan, read) = plan(config, &ring, at_once).await?;
    let key = StoredKey::new(&plan, algorithm, &text, ring.encryption.as_ref());
    let key = key.map_err(|error| match error {
        // It has no key id yet.
        RingError::Key { source, .. } => wrong(source.to_string()),
        other => wrong(other.to_string()),
    })?;
    if read.stored.iter().any(|other| other.kid == key.kid) {
        return Err(wrong(format!("the ring already has this key: {}", key.kid)));
    }
    add(&ring, &read, &plan, &key).await
}

async fn plan(config: &Config, ring: &Ring, at_once: bool) -> Result<(Plan, Read), Failure> {
    let now = SystemClock.now();
    // A file that doesn't exist yet is a ring without keys.
    let file = config.keys.file.as_ref().filter(|_| config.keys.store == KeyStorage::File);
    let is_new = file.is_some_and(|file| !file.exists());
    let read = if is_new { Read::default() } else { ring.read(now).await? };
    match ring.rotation(&read, at_once, now) {
        Some(plan) => Ok((plan, read)),
        None => {
            let next = read.ring.keys().last().map(|key| shown(key.activates_at));
            let sooner = if at_once { "" } else { ", or write --at-once" };
            Err(Failure::Failed(format!(
                "the next key is already there, and signs from {}: wait until then{sooner}",
                next.unwrap_or_default()
            )))
        }
    }
}

async fn add(ring: &Ring, read: &Read, plan: &Plan, key: &StoredKey) -> Result<(), Failure> {
    if !ring.add(key, plan).await? {
        return Err(Failure::Failed(
            "another process made the next key at the same time: see `simplejwt key list`".into(),
        ));
    }
    output::print(&schedule(ring, read, plan, &format!("the key {} ({})", key.kid, key.algorithm)))
}

/// Returns what happens when, in the order of the times.
fn schedule(ring: &Ring, read: &Read, plan: &Plan, key: &str) -> String {
    let mut text = format!("{}  {key} is published\n", shown(plan.created_at));
    let _ = writeln!(text, "{}  it signs", shown(plan.activates_at));
    let ending = read.ring.keys().iter().filter(|key| key.verifies_until.is_none());
    for former in ending.filter_map(|key| key.key.kid()) {
        let _ = writeln!(text, "{}  tokens of {former} are refused", shown(plan.others_until));
    }
    if ring.has_base() && read.ring.keys().is_empty() {
        let _ = writeln!(
            text,
            "{}  the signing key in the settings can be removed: until then its tokens are valid",
            shown(plan.others_until)
        );
    }
    text
}

/// Ends a key now.
pub(super) async fn retire(config: &Config, kid: &str) -> Result<(), Failure> {
    let ring = ring(config).await?;
    let now = SystemClock.now();
    let read = ring.read(now).await?;
    if read.ring.active(now).is_some_and(|key| key.key.kid() == Some(kid)) {
        return Err(Failure::Failed(
            "this key signs: make another one first (`simplejwt key rotate --at-once`)".into(),
        ));
    }
    if !ring.retire(kid, now).await? {
        return Err(Failure::Failed(format!(
            "there is no key {kid:?} in the ring: see `simplejwt key list`"
        )));
    }
    let seconds = ring.schedule.look().as_secs().max(1);
    let mut text = format!("running servers refuse tokens of {kid} within {seconds} s\n");
    if ring.base().keys().verifying().iter().any(|key| key.kid() == Some(kid)) {
        text.push_str(
            "but this key is also in the settings: they are valid until it is removed there\n",
        );
    }
    output::print(&text)
}

fn shown(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_second(at.as_secs());
    moment.map_or_else(|_| at.as_secs().to_string(), |moment| moment.to_string())
}
