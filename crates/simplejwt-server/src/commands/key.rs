//! `simplejwt key generate|list|rotate|retire|import|public|secret`

mod pkcs12;
mod ring;
mod secret;

use std::process::ExitCode;

use simplejwt::jwk::JwkSet;
use simplejwt::{Clock as _, KeySet, SigningKey, SystemClock, VerifyingKey};

use super::{Named, block_on};
use crate::cli::{Key, PublicFormat};
use crate::config::Config;
use crate::failure::Failure;
use crate::key_ring::Ring;
use crate::{app, files, output};

pub(super) fn run(named: Named<'_>, command: Key) -> Result<ExitCode, Failure> {
    match command {
        Key::Generate { algorithm, out } => {
            let mut key = SigningKey::generate(algorithm)
                .map_err(|error| Failure::Failed(error.to_string()))?;
            if !key.ends_with('\n') {
                key.push('\n');
            }
            match out {
                None => output::print(&key)?,
                Some(path) => {
                    if !files::create_private(&path, key.as_bytes())? {
                        return Err(Failure::Failed(format!(
                            "{} already exists and was not changed: remove it, or choose another \
                             file",
                            path.display()
                        )));
                    }
                    output::print(&format!("created {}\n", path.display()))?;
                }
            }
        }
        Key::List => {
            let loaded = named.load()?;
            block_on(ring::list(&loaded.config))?;
        }
        Key::Rotate { algorithm, at_once, dry_run } => {
            let loaded = named.load()?;
            block_on(ring::rotate(&loaded.config, algorithm, at_once, dry_run))?;
        }
        Key::Retire { kid } => {
            let loaded = named.load()?;
            block_on(ring::retire(&loaded.config, &kid))?;
        }
        Key::Import { file, algorithm, passphrase_file, at_once } => {
            let loaded = named.load()?;
            let import = ring::import(&loaded.config, &file, algorithm, passphrase_file, at_once);
            block_on(import)?;
        }
        Key::Public { format, kid } => {
            let loaded = named.load()?;
            let keys = block_on(public_keys(&loaded.config))?;
            output::print(&public(&keys, format, kid.as_deref())?)?;
        }
        Key::Secret { format, kid, no_newline } => {
            let loaded = named.load()?;
            block_on(secret::run(&loaded.config, format, kid.as_deref(), no_newline))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn public(keys: &KeySet, format: PublicFormat, kid: Option<&str>) -> Result<String, Failure> {
    let is_public = |key: &&VerifyingKey| !key.algorithm().is_symmetric();
    let keys_of_kid = keys.verifying().iter().filter(|key| kid.is_none() || key.kid() == kid);
    let found: Vec<&VerifyingKey> = keys_of_kid.filter(is_public).collect();
    if found.is_empty() && keys.algorithm().is_symmetric() {
        return Err(Failure::Failed(format!(
            "{} has no public key: programs that verify tokens need the secret itself \
             (`simplejwt key secret`), or choose an RS, PS, ES or EdDSA algorithm",
            keys.algorithm()
        )));
    }
    if found.is_empty() {
        return Err(Failure::Failed("there is no such key: see `simplejwt key list`".into()));
    }
    let jwks: Vec<_> = found.iter().filter_map(|key| key.to_jwk()).collect();
    let json = match format {
        PublicFormat::Jwks => serde_json::to_string_pretty(&JwkSet::new(jwks)),
        PublicFormat::Jwk => match jwks.as_slice() {
            [jwk] => serde_json::to_string_pretty(jwk),
            _ => {
                return Err(Failure::Failed(
                    "there are several keys: choose one with --kid, or write --format jwks".into(),
                ));
            }
        },
        PublicFormat::Pem => return Ok(found.iter().filter_map(|key| key.to_pem()).collect()),
    };
    Ok(format!("{}\n", json.map_err(|error| Failure::Failed(error.to_string()))?))
}

/// Returns the configured keys. The public half of a signing key needn't be configured yet, because
/// this command prints it.
async fn public_keys(config: &Config) -> Result<KeySet, Failure> {
    let settings = &config.settings;
    if let Some(ring) = Ring::of(config).await? {
        let now = SystemClock.now();
        return ring.key_set(&ring.read(now).await?, now);
    }
    if settings.algorithm.is_symmetric() || settings.verifying_key.is_some() {
        return app::key_set(config);
    }
    let Some(key) = &settings.signing_key else { return app::key_set(config) };
    let key = match &settings.signing_key_passphrase {
        None => SigningKey::from_pem(settings.algorithm, key.as_bytes()),
        Some(passphrase) => SigningKey::from_encrypted_pem(
            settings.algorithm,
            key.as_bytes(),
            passphrase.as_bytes(),
        ),
    };
    let key = key.map_err(|error| Failure::config(format!("SIGNING_KEY: {error}")))?;
    let mut config = config.clone();
    config.settings.verifying_key = key.verifying_key().to_pem();
    app::key_set(&config)
}
