//! Key sets: at most one key that signs, any number that verify.

mod choose;

use super::{Algorithm, KeyError, RemoteKeys, SigningKey, VerifyingKey};
use crate::jwk::JwkSet;
use crate::jws::{self, Compact, JwsError, Typ};
use choose::{Headers, verify_among};

/// A set of keys: one signs, any number verify, which is all that key rotation needs.
///
/// ```
/// use simplejwt::{Algorithm, KeySet, SigningKey};
///
/// let old = SigningKey::from_secret(Algorithm::Hs256, b"an old secret of thirty-two bytes")?;
/// let new = SigningKey::from_secret(Algorithm::Hs256, b"a fresh secret of more than 32 bytes")?;
/// let keys = KeySet::new(new.with_kid("2026")).also_verify(old.verifying_key())?;
///
/// let token = keys.sign_compact(br#"{"user_id":"1"}"#)?;
/// assert_eq!(keys.verify_compact(&token)?, br#"{"user_id":"1"}"#);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeySet {
    signing: Option<SigningKey>,
    verifying: Vec<VerifyingKey>,
    /// Those of `verifying`.
    headers: Headers,
    /// Used instead of `verifying`.
    remote: Option<RemoteKeys>,
}

impl KeySet {
    /// Creates a set that signs with a key, and verifies its tokens.
    pub fn new(signing: SigningKey) -> Self {
        let key = signing.verifying_key();
        Self { signing: Some(signing), ..Self::none() }.with_verifying(key)
    }

    /// Creates a set that only verifies, for servers that receive tokens from elsewhere.
    ///
    /// # Errors
    /// [`KeyError::NoKeys`]; [`KeyError::DuplicateKeyId`].
    pub fn verify_only(keys: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, KeyError> {
        let set = keys.into_iter().try_fold(Self::none(), Self::also_verify)?;
        if set.verifying.is_empty() { Err(KeyError::NoKeys) } else { Ok(set) }
    }

    /// Creates an empty set, which neither signs nor verifies: for programs that end sessions and
    /// change users, but handle no tokens. It refuses every token.
    ///
    /// ```
    /// use simplejwt::KeySet;
    ///
    /// let keys = KeySet::none();
    /// assert!(keys.sign_compact(b"{}").is_err());
    /// assert!(keys.verify_compact("e30.e30.e30").is_err());
    /// ```
    pub const fn none() -> Self {
        Self { signing: None, verifying: Vec::new(), headers: Headers::none(), remote: None }
    }

    /// Creates a set that signs with a key, if any, and verifies with all of these.
    ///
    /// # Errors
    /// [`KeyError::DuplicateKeyId`].
    pub(crate) fn of(
        signing: Option<SigningKey>,
        verifying: impl IntoIterator<Item = VerifyingKey>,
    ) -> Result<Self, KeyError> {
        verifying.into_iter().try_fold(Self { signing, ..Self::none() }, Self::also_verify)
    }

    /// Also accepts tokens of `key`: one that signed before, or will sign later.
    ///
    /// Its algorithm may differ from the signing key's, since each key verifies only its own.
    ///
    /// # Errors
    /// [`KeyError::DuplicateKeyId`]; [`KeyError::AllFetched`] if the verifying keys are fetched, so
    /// that this one would never be tried.
    pub fn also_verify(self, key: VerifyingKey) -> Result<Self, KeyError> {
        if self.remote.is_some() {
            return Err(KeyError::AllFetched);
        }
        if let Some(kid) = key.kid()
            && self.verifying.iter().any(|other| other.kid() == Some(kid))
        {
            return Err(KeyError::DuplicateKeyId(kid.to_owned()));
        }
        Ok(self.with_verifying(key))
    }

    fn with_verifying(mut self, key: VerifyingKey) -> Self {
        self.headers.add(self.verifying.len(), &key);
        self.verifying.push(key);
        self
    }

    /// Creates a set from a pair that is configured in two settings, as upstream's `SIGNING_KEY`
    /// and `VERIFYING_KEY`.
    ///
    /// # Errors
    /// [`KeyError::NotAPair`] if `verifying` refuses a signature of `signing`.
    pub fn with_signing_and_verifying(
        signing: SigningKey,
        verifying: VerifyingKey,
    ) -> Result<Self, KeyError> {
        let keys = Self { signing: Some(signing), ..Self::none() }.with_verifying(verifying);
        let belongs =
            keys.sign_compact(b"{}").is_ok_and(|token| keys.verify_compact(&token).is_ok());
        if belongs { Ok(keys) } else { Err(KeyError::NotAPair) }
    }

    /// Creates a set that verifies with fetched keys (`JWK_URL`), and signs with `signing`, if any.
    pub fn with_remote(signing: Option<SigningKey>, remote: RemoteKeys) -> Self {
        Self { signing, remote: Some(remote), ..Self::none() }
    }

    /// Returns the fetched keys, if this set verifies with them.
    pub fn remote(&self) -> Option<&RemoteKeys> {
        self.remote.as_ref()
    }

    /// Returns the key that signs; `None` if this set only verifies.
    pub fn signing(&self) -> Option<&SigningKey> {
        self.signing.as_ref()
    }

    /// Returns the keys that verify, in the order in which they are tried.
    pub fn verifying(&self) -> &[VerifyingKey] {
        &self.verifying
    }

    /// Returns the algorithm of the signing key, or else of the first verifying key.
    pub fn algorithm(&self) -> Algorithm {
        match (&self.signing, &self.remote, self.verifying.first()) {
            (Some(key), _, _) => key.algorithm(),
            (None, Some(keys), _) => keys.algorithm(),
            (None, None, Some(key)) => key.algorithm(),
            // For `KeySet::none`, of which only a name is ever needed.
            (None, None, None) => Algorithm::Hs256,
        }
    }

    /// Returns the public keys, for publication. Secrets are never among them. Of a set with fetched
    /// keys it is the signing key's public half alone: the others are published by their issuer.
    pub fn jwks(&self) -> JwkSet {
        let own = match &self.remote {
            Some(_) => self.signing.as_ref().map(SigningKey::verifying_key),
            None => None,
        };
        JwkSet::new(self.verifying.iter().chain(&own).filter_map(VerifyingKey::to_jwk))
    }

    /// Signs `payload` as a compact JWS (RFC 7515 section 7.1). Its header is
    /// `{"alg":…,"typ":"JWT"}`, followed by `kid` if the signing key has one.
    ///
    /// # Errors
    /// [`SignError`] if there is no signing key, or signing fails.
    pub fn sign_compact(&self, payload: &[u8]) -> Result<String, SignError> {
        self.sign_with_typ(Typ::Jwt, payload)
    }

    /// As [`sign_compact`](Self::sign_compact), with this `typ` in the header.
    pub(crate) fn sign_with_typ(&self, typ: Typ, payload: &[u8]) -> Result<String, SignError> {
        let key = self.signing.as_ref().ok_or(SignError::NoSigningKey)?;
        jws::sign(&key.signer, key.header(typ), payload).map_err(|_| SignError::Failed)
    }

    /// Verifies a compact JWS and returns its payload, byte for byte.
    ///
    /// A `kid` in the header selects among the keys that have one; if none has that `kid`, the keys
    /// without one are tried. Without a `kid` in the header, every key of its algorithm is tried
    /// that isn't [named only](VerifyingKey::named_only). Nothing else in the header selects a key,
    /// and no key is ever taken from it. Fetched keys are selected as [`RemoteKeys`] says.
    ///
    /// # Errors
    /// [`JwsError`], the reason the token is refused.
    pub fn verify_compact(&self, token: &str) -> Result<Vec<u8>, JwsError> {
        self.verify_with_typ(token).map(|(_, payload)| payload)
    }

    /// As [`verify_compact`](Self::verify_compact), and returns the header's `typ`.
    pub(crate) fn verify_with_typ(&self, token: &str) -> Result<(Typ, Vec<u8>), JwsError> {
        let token = Compact::split(token)?;
        let typ = match &self.remote {
            None => verify_among(&self.verifying, &self.headers, &token)?,
            Some(remote) => remote.verify(&token)?,
        };
        Ok((typ, token.decode_payload()?))
    }
}

/// The reason nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The set can only verify.
    #[error("there is no key to sign with")]
    NoSigningKey,
    /// The cryptographic library failed.
    #[error("the signature could not be made")]
    Failed,
}

#[cfg(test)]
mod tests;
