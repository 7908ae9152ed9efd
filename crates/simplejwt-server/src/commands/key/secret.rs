//! `simplejwt key secret`: a secret or private key in the form that another program reads.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use simplejwt::{Algorithm, Clock as _, SigningKey, SystemClock};
use zeroize::Zeroizing;

use crate::cli::SecretFormat;
use crate::config::Config;
use crate::failure::Failure;
use crate::key_ring::Ring;
use crate::output;

struct Found {
    algorithm: Algorithm,
    kid: Option<String>,
    text: Zeroizing<Vec<u8>>,
}

pub(super) async fn run(
    config: &Config,
    format: SecretFormat,
    kid: Option<&str>,
    no_newline: bool,
) -> Result<(), Failure> {
    let found = find(config, kid).await?;
    let mut text = written(&found, format)?;
    match (no_newline, text.ends_with('\n')) {
        (true, true) => drop(text.pop()),
        (false, false) => text.push('\n'),
        _ => {}
    }
    output::print(&text)
}

async fn find(config: &Config, kid: Option<&str>) -> Result<Found, Failure> {
    let now = SystemClock.now();
    if let Some(ring) = Ring::of(config).await? {
        let read = ring.read(now).await?;
        let wanted = match kid {
            Some(kid) => Some(kid),
            None => read.ring.active(now).and_then(|key| key.key.kid()),
        };
        if let Some(stored) = read.stored.iter().find(|key| Some(key.kid.as_str()) == wanted) {
            let wrong = |error: String| Failure::Failed(format!("[keys]: {error}"));
            return Ok(Found {
                algorithm: stored
                    .algorithm
                    .parse()
                    .map_err(|_| wrong("unknown algorithm".into()))?,
                kid: Some(stored.kid.clone()),
                text: stored
                    .text(ring.encryption.as_ref())
                    .map_err(|error| wrong(error.to_string()))?,
            });
        }
    }
    let settings = &config.settings;
    let keys = settings.key_set_beside_ring();
    let keys = keys.map_err(|error| Failure::config(error.to_string()))?;
    let (Some(text), Some(signing)) = (&settings.signing_key, keys.signing()) else {
        return Err(none(kid));
    };
    if kid.is_some() && kid != signing.kid() {
        return Err(none(kid));
    }
    let text = match &settings.signing_key_passphrase {
        None => Zeroizing::new(text.as_bytes().to_vec()),
        Some(passphrase) => SigningKey::decrypt_pem(text.as_bytes(), passphrase.as_bytes())
            .map(|pem| Zeroizing::new(pem.as_bytes().to_vec()))
            .map_err(|error| Failure::config(format!("SIGNING_KEY: {error}")))?,
    };
    Ok(Found { algorithm: signing.algorithm(), kid: signing.kid().map(str::to_owned), text })
}

fn none(kid: Option<&str>) -> Failure {
    Failure::Failed(match kid {
        Some(kid) => format!("there is no signing key {kid:?}: see `simplejwt key list`"),
        None => "there is no signing key".to_owned(),
    })
}

fn written(found: &Found, format: SecretFormat) -> Result<Zeroizing<String>, Failure> {
    let bytes = found.text.as_slice();
    if !found.algorithm.is_symmetric() && !matches!(format, SecretFormat::Raw) {
        return Err(Failure::Failed(format!(
            "{} has a private key, which is only printed as PEM: write --format raw, or print the \
             public key (`simplejwt key public`), which is all that verifying takes",
            found.algorithm
        )));
    }
    let jwk = || {
        let mut jwk = json!({
            "kty": "oct",
            "k": BASE64_URL_SAFE_NO_PAD.encode(bytes),
            "alg": found.algorithm.name(),
            "use": "sig",
        });
        if let (Some(kid), Some(members)) = (&found.kid, jwk.as_object_mut()) {
            members.insert("kid".into(), kid.as_str().into());
        }
        jwk
    };
    Ok(Zeroizing::new(match format {
        SecretFormat::Raw => String::from_utf8(bytes.to_vec())
            .map_err(|_| Failure::Failed("the secret isn't text: choose another format".into()))?,
        SecretFormat::Base64 => BASE64_STANDARD.encode(bytes),
        SecretFormat::Base64url => BASE64_URL_SAFE_NO_PAD.encode(bytes),
        SecretFormat::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        SecretFormat::Jwk => jwk().to_string(),
        SecretFormat::Jwks => json!({ "keys": [jwk()] }).to_string(),
    }))
}
