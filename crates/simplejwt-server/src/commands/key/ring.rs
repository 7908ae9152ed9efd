//! `simplejwt key list|rotate|retire|import`: the keys that follow each other.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use simplejwt::keys::ring::{KeyState, Plan, RingError, StoredKey};
use simplejwt::{Algorithm, Clock as _, SigningKey, SystemClock, Timestamp};
use zeroize::Zeroizing;

use super::pkcs12;
use crate::config::{Config, KeyStorage, read_bytes, read_value};
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
    let read = read(config, &ring).await?;
    let plan = plan(&ring, &read, at_once)?;
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
    let passphrase = match passphrase {
        None => None,
        Some(path) => Some(Zeroizing::new(
            read_value(&path)
                .map_err(|problem| Failure::Failed(format!("{}: {problem}", path.display())))?,
        )),
    };
    let text = private_key(file, passphrase.as_deref().map(String::as_str)).map_err(&wrong)?;
    let read = read(config, &ring).await?;
    let is_new = |kid: &str| match read.stored.iter().any(|other| other.kid == kid) {
        true => Err(wrong(format!("the ring already has this key: {kid}"))),
        false => Ok(()),
    };
    // Before its time is looked for, which a key that is there doesn't need.
    if let Ok(key) = SigningKey::parse(algorithm, text.as_bytes(), false) {
        is_new(key.verifying_key().thumbprint())?;
    }
    let plan = plan(&ring, &read, at_once)?;
    let key = StoredKey::new(&plan, algorithm, &text, ring.encryption.as_ref());
    let key = key.map_err(|error| match error {
        // It has no key id yet.
        RingError::Key { source, .. } => wrong(source.to_string()),
        other => wrong(other.to_string()),
    })?;
    is_new(&key.kid)?;
    add(&ring, &read, &plan, &key).await
}

/// Returns the key in a file, as text.
fn private_key(file: &Path, passphrase: Option<&str>) -> Result<Zeroizing<String>, String> {
    let bytes = Zeroizing::new(read_bytes(file)?);
    match (pkcs12::is_pkcs12(&bytes), passphrase) {
        (true, Some(passphrase)) => pkcs12::private_key(&bytes, passphrase),
        (true, None) => Err("it is PKCS#12, which is encrypted: write --passphrase-file".into()),
        (false, None) => Ok(Zeroizing::new(read_value(file)?)),
        (false, Some(passphrase)) => SigningKey::decrypt_pem(&bytes, passphrase.as_bytes())
            .map_err(|error| error.to_string()),
    }
}

/// Reads the stored keys, of which a file that doesn't exist yet has none.
async fn read(config: &Config, ring: &Ring) -> Result<Read, Failure> {
    let file = config.keys.file.as_ref().filter(|_| config.keys.store == KeyStorage::File);
    match file.is_some_and(|file| !file.exists()) {
        true => Ok(Read::default()),
        false => ring.read(SystemClock.now()).await,
    }
}

fn plan(ring: &Ring, read: &Read, at_once: bool) -> Result<Plan, Failure> {
    ring.rotation(read, at_once, SystemClock.now()).ok_or_else(|| {
        let next = read.ring.keys().last().map(|key| shown(key.activates_at)).unwrap_or_default();
        let sooner = if at_once { "" } else { ", or write --at-once" };
        Failure::Failed(format!(
            "the next key is already there, and signs from {next}: wait until then{sooner}"
        ))
    })
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
