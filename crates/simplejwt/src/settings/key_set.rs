//! The keys that the settings describe.

use std::sync::Arc;

use super::{FurtherKey, KeyId, Settings, SettingsError};
use crate::keys::{
    Algorithm, KeyError, KeySet, KeySource, RemoteKeys, RemoteOptions, SigningKey, VerifyingKey,
};

impl Settings {
    /// Returns the keys that `algorithm`, `signing_key`, `verifying_key` and `verifying_keys`
    /// describe. If [`jwk_url`](Self::jwk_url) is set, use [`key_set_from`](Self::key_set_from)
    /// instead.
    ///
    /// # Errors
    /// A key that is missing, weak, or doesn't fit its algorithm or its counterpart, with what to
    /// do about it.
    pub fn key_set(&self) -> Result<KeySet, SettingsError> {
        match self.jwk_url.is_empty() {
            true => self.local_key_set(true),
            false => Err(SettingsError::one(
                "JWK_URL is set, but nothing fetches from it: hand a KeySource to \
                 Settings::key_set_from"
                    .into(),
            )),
        }
    }

    /// Returns the keys beside those of a [ring](crate::keys::ring): as
    /// [`key_set`](Self::key_set), but there may be none.
    ///
    /// # Errors
    /// As [`key_set`](Self::key_set).
    pub fn key_set_beside_ring(&self) -> Result<KeySet, SettingsError> {
        match self.jwk_url.is_empty() {
            true => self.local_key_set(false),
            false => Err(SettingsError::one(
                "JWK_URL is set, so the keys of a ring would never be tried: publish them there, \
                 or leave JWK_URL out"
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
        let signing = self.parse_signing_key()?.map(|key| self.named(key));
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
            .map(|key| match &self.signing_key_passphrase {
                Some(passphrase) => SigningKey::from_encrypted_pem(
                    self.algorithm,
                    key.as_bytes(),
                    passphrase.as_bytes(),
                ),
                None => SigningKey::parse(self.algorithm, key.as_bytes(), self.allow_weak_key),
            })
            .transpose()
            .map_err(|error| wrong("SIGNING_KEY", &error))
    }

    fn named(&self, key: SigningKey) -> SigningKey {
        let key = if self.fully_specified_algorithms { key.fully_specified() } else { key };
        match &self.kid {
            KeyId::None => key,
            KeyId::Thumbprint => key.with_thumbprint_kid(),
            KeyId::Named(kid) => key.with_kid(kid),
        }
    }

    /// `alone`: there are no other keys.
    fn local_key_set(&self, alone: bool) -> Result<KeySet, SettingsError> {
        let further: Vec<VerifyingKey> =
            self.verifying_keys.iter().map(|key| self.further(key)).collect::<Result<_, _>>()?;
        let keys = if self.algorithm.is_symmetric() {
            self.secret(alone)?
        } else {
            self.pair(alone, &further)?
        };
        further.into_iter().try_fold(keys, |keys, key| {
            // A fallback may be the key in use.
            let is_there = keys.verifying().iter().any(|other| {
                other.algorithm() == key.algorithm() && other.thumbprint() == key.thumbprint()
            });
            if is_there { Ok(keys) } else { keys.also_verify(key) }
                .map_err(|error| wrong("VERIFYING_KEYS", &error))
        })
    }

    fn secret(&self, alone: bool) -> Result<KeySet, SettingsError> {
        match self.parse_signing_key()? {
            Some(signing) => Ok(KeySet::new(self.named(signing))),
            None if !alone => Ok(KeySet::none()),
            None => Err(SettingsError::one(format!(
                "SIGNING_KEY is missing: {} needs a secret (Django's SECRET_KEY, or one made by \
                 `simplejwt key generate`)",
                self.algorithm
            ))),
        }
    }

    fn pair(&self, alone: bool, further: &[VerifyingKey]) -> Result<KeySet, SettingsError> {
        let algorithm = self.algorithm;
        let signing = self.parse_signing_key()?.map(|key| self.named(key));
        let verifying = self
            .verifying_key
            .as_ref()
            .filter(|key| !key.is_empty())
            .map(|key| self.parse_verifying(algorithm, key.as_bytes()))
            .transpose()
            .map_err(|error| wrong("VERIFYING_KEY", &error))?;
        match (signing, verifying) {
            (Some(signing), Some(verifying)) => {
                let (signing, verifying) = match (&self.kid, verifying.kid().map(str::to_owned)) {
                    (KeyId::None, _) => (signing, verifying),
                    // A JWK brings its own.
                    (KeyId::Thumbprint, Some(kid)) => (signing.with_kid(&kid), verifying),
                    (KeyId::Thumbprint, None) => (signing, verifying.with_thumbprint_kid()),
                    (KeyId::Named(kid), _) => (signing, verifying.with_kid(kid)),
                };
                KeySet::with_signing_and_verifying(signing, verifying)
                    .map_err(|error| wrong("SIGNING_KEY and VERIFYING_KEY", &error))
            }
            (None, Some(verifying)) => {
                let verifying = match self.kid {
                    KeyId::None => verifying,
                    _ => verifying.with_thumbprint_kid(),
                };
                KeySet::verify_only([verifying]).map_err(|error| wrong("VERIFYING_KEY", &error))
            }
            (Some(signing), None) if further.iter().any(|key| is_pair(&signing, key)) => {
                Ok(KeySet::new(signing))
            }
            // One that only verifies, or leaves that to others.
            (None, None) if !alone || !further.is_empty() => Ok(KeySet::none()),
            (_, None) => Err(SettingsError::one(format!(
                "VERIFYING_KEY is missing: {algorithm} verifies with a public key (print the one \
                 that belongs to a private key with `simplejwt key public`)"
            ))),
        }
    }

    fn parse_verifying(&self, algorithm: Algorithm, text: &[u8]) -> Result<VerifyingKey, KeyError> {
        let key = VerifyingKey::parse(algorithm, text, self.allow_weak_key)?;
        Ok(if self.fully_specified_algorithms { key.fully_specified() } else { key })
    }

    fn further(&self, key: &FurtherKey) -> Result<VerifyingKey, SettingsError> {
        let algorithm = key.algorithm.unwrap_or(self.algorithm);
        let parsed = self
            .parse_verifying(algorithm, key.key.as_bytes())
            .map_err(|error| wrong("VERIFYING_KEYS", &error))?;
        Ok(match (&key.kid, &self.kid) {
            (Some(kid), _) => parsed.with_kid(kid),
            (None, KeyId::None) => parsed,
            (None, _) => parsed.with_thumbprint_kid(),
        })
    }
}

fn is_pair(signing: &SigningKey, verifying: &VerifyingKey) -> bool {
    let own = signing.verifying_key();
    own.algorithm() == verifying.algorithm() && own.thumbprint() == verifying.thumbprint()
}

fn wrong(setting: &str, error: &KeyError) -> SettingsError {
    SettingsError::one(format!("{setting}: {error}"))
}

#[cfg(test)]
mod tests;
