//! The keys that the settings describe.

use std::sync::Arc;

use super::{Settings, SettingsError};
use crate::keys::{
    KeyError, KeySet, KeySource, RemoteKeys, RemoteOptions, SigningKey, VerifyingKey,
};

impl Settings {
    /// Returns the keys that `algorithm`, `signing_key` and `verifying_key` describe. If
    /// [`jwk_url`](Self::jwk_url) is set, use [`key_set_from`](Self::key_set_from) instead.
    ///
    /// # Errors
    /// A key that is missing, weak, or doesn't fit its algorithm or its counterpart, with what to
    /// do about it.
    pub fn key_set(&self) -> Result<KeySet, SettingsError> {
        match self.jwk_url.is_empty() {
            true => self.local_key_set(),
            false => Err(SettingsError::one(
                "JWK_URL is set, but nothing fetches from it: hand a KeySource to \
                 Settings::key_set_from"
                    .into(),
            )),
        }
    }

    /// Returns the keys, with the verifying ones fetched from `source`: the equivalent of
    /// `JWK_URL`.
    ///
    /// # Errors
    /// As [`key_set`](Self::key_set).
    pub fn key_set_from(&self, source: impl KeySource) -> Result<KeySet, SettingsError> {
        let source: Arc<dyn KeySource> = Arc::new(source);
        self.key_set_from_all([source])
    }

    /// Returns the keys, with the verifying ones fetched from all of these sources: the equivalent
    /// of several [`jwk_url`](Self::jwk_url)s.
    ///
    /// # Errors
    /// As [`key_set`](Self::key_set).
    pub fn key_set_from_all(
        &self,
        sources: impl IntoIterator<Item = Arc<dyn KeySource>>,
    ) -> Result<KeySet, SettingsError> {
        self.validate()?;
        let signing = self.parse_signing_key()?;
        let options = RemoteOptions {
            max_stale: self.jwk_url_max_stale,
            without_kid: self.jwk_url_without_kid,
        };
        let remote = RemoteKeys::from_sources(self.algorithm, sources, options);
        Ok(KeySet::with_remote(signing, remote))
    }

    fn parse_signing_key(&self) -> Result<Option<SigningKey>, SettingsError> {
        self.signing_key
            .as_ref()
            .map(|key| SigningKey::parse(self.algorithm, key.as_bytes(), self.allow_weak_key))
            .transpose()
            .map_err(|error| SettingsError::one(format!("SIGNING_KEY: {error}")))
    }

    fn local_key_set(&self) -> Result<KeySet, SettingsError> {
        let algorithm = self.algorithm;
        let wrong =
            |setting: &str, error: KeyError| SettingsError::one(format!("{setting}: {error}"));
        let signing = self.parse_signing_key()?;
        if algorithm.is_symmetric() {
            return signing.map(KeySet::new).ok_or_else(|| {
                SettingsError::one(format!(
                    "SIGNING_KEY is missing: {algorithm} needs a secret (Django's SECRET_KEY, or \
                     one made by `simplejwt key generate`)"
                ))
            });
        }
        let verifying = self
            .verifying_key
            .as_ref()
            .filter(|key| !key.is_empty())
            .map(|key| VerifyingKey::parse(algorithm, key.as_bytes(), self.allow_weak_key))
            .transpose()
            .map_err(|error| wrong("VERIFYING_KEY", error))?;
        match (signing, verifying) {
            (Some(signing), Some(verifying)) => {
                KeySet::with_signing_and_verifying(signing, verifying)
                    .map_err(|error| wrong("SIGNING_KEY and VERIFYING_KEY", error))
            }
            (None, Some(verifying)) => {
                KeySet::verify_only([verifying]).map_err(|error| wrong("VERIFYING_KEY", error))
            }
            (_, None) => Err(SettingsError::one(format!(
                "VERIFYING_KEY is missing: {algorithm} verifies with a public key (print the one \
                 that belongs to a private key with `simplejwt key public`)"
            ))),
        }
    }
}
