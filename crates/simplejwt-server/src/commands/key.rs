//! `simplejwt key generate|public`

use std::path::Path;
use std::process::ExitCode;

use simplejwt::{KeySet, SigningKey, VerifyingKey};

use crate::cli::{Key, PublicFormat};
use crate::config::Config;
use crate::failure::Failure;
use crate::{app, files, output};

pub(crate) fn run(config: Option<&Path>, command: Key) -> Result<ExitCode, Failure> {
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
        Key::Public { format } => {
            let loaded = super::load(config)?;
            let keys = public_keys(&loaded.config)?;
            let text = match format {
                PublicFormat::Jwks => {
                    let json = serde_json::to_string_pretty(&keys.jwks())
                        .map_err(|error| Failure::Failed(error.to_string()))?;
                    format!("{json}\n")
                }
                PublicFormat::Pem => {
                    keys.verifying().iter().filter_map(VerifyingKey::to_pem).collect()
                }
            };
            if keys.algorithm().is_symmetric() {
                return Err(Failure::Failed(format!(
                    "{} has no public key: programs that verify tokens need the secret itself, or \
                     choose an RS, PS, ES or EdDSA algorithm",
                    keys.algorithm()
                )));
            }
            output::print(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the configured keys. The public half of a signing key needn't be configured yet, because
/// this command prints it.
fn public_keys(config: &Config) -> Result<KeySet, Failure> {
    let settings = &config.settings;
    match &settings.signing_key {
        Some(key) if settings.verifying_key.is_none() => {
            SigningKey::parse(settings.algorithm, key.as_bytes(), settings.allow_weak_key)
                .map(KeySet::new)
                .map_err(|error| Failure::config(format!("SIGNING_KEY: {error}")))
        }
        _ => app::key_set(config),
    }
}
