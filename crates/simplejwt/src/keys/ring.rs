//! A ring of keys: each is published before it signs, signs until its successor does, and verifies
//! until the last token that it signed has expired.
//!
//! ```text
//! next ──── publication delay ────▶ active ──── until the next one is ────▶ retiring ──▶ gone
//! ```
//!
//! A key's times are stored with it, so processes that share a ring agree on its state without
//! talking to each other. Everything here is computed from stored keys and the time: a
//! [`KeyStore`](crate::store::keys::KeyStore) keeps them, and the caller replaces
//! [its keys](crate::Tokens::replace_keys) at each [change](KeyRing::next_change).

mod schedule;

use std::fmt;

use super::seal::{self, KeyEncryptionKey, SealError};
use super::{
    Algorithm, GenerateError, KeyError, KeySet, SigningKey, UnknownAlgorithm, private_jwk,
};
use crate::clock::Timestamp;

pub use schedule::{Plan, Schedule};

/// A key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its number in the ring, from 1. A key with a higher number succeeds those with lower ones.
    pub number: i64,
    /// The key id, as in the headers of its tokens.
    pub kid: String,
    /// The name of its algorithm, such as `ES256`.
    pub algorithm: String,
    /// The key as [`SigningKey::parse`] reads it or a secret as a JWK; maybe
    /// [encrypted](super::seal).
    pub key: String,
    /// The time at which it was made, and from which it is published.
    pub created_at: Timestamp,
    /// The time from which it signs.
    pub activates_at: Timestamp,
    /// The time from which its tokens are refused; `None` as long as it has no successor.
    pub verifies_until: Option<Timestamp>,
}

/// The state of a key at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, but doesn't sign yet.
    Next,
    /// Signs.
    Active,
    /// Verifies the tokens that it has signed.
    Retiring,
    /// No longer used.
    Gone,
}

impl KeyState {
    /// Returns the state's name: `"next"`, `"active"`, `"retiring"`, `"gone"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The reason a stored ring can't be used. Never contains key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// A key can't be decrypted.
    #[error("the key {kid:?}: {source}")]
    Sealed {
        /// Its key id.
        kid: String,
        /// What is wrong.
        source: SealError,
    },
    /// A key is encrypted, and there is nothing to decrypt it with.
    #[error("the key {0:?} is encrypted, and no encryption_key is configured")]
    NoEncryptionKey(String),
    /// A key isn't usable.
    #[error("the key {kid:?}: {source}")]
    Key {
        /// Its key id.
        kid: String,
        /// What is wrong.
        source: KeyError,
    },
    /// The algorithm of a key is unknown.
    #[error("the key {kid:?}: {source}")]
    Algorithm {
        /// Its key id.
        kid: String,
        /// The name that was found.
        source: UnknownAlgorithm,
    },
    /// Two keys have the same number or the same key id.
    #[error("two keys of the ring have the number {number} or the key id {kid:?}")]
    Twice {
        /// The number of the second one.
        number: i64,
        /// The key id of the second one.
        kid: String,
    },
    /// No key could be made.
    #[error("{0}")]
    Generate(#[from] GenerateError),
}

/// A key of a ring, ready for use.
#[derive(Clone, Debug)]
pub struct RingKey {
    /// Its number.
    pub number: i64,
    /// The key itself, with its key id.
    pub key: SigningKey,
    /// The time from which it is published.
    pub created_at: Timestamp,
    /// The time from which it signs.
    pub activates_at: Timestamp,
    /// The time from which its tokens are refused, if that is known.
    pub verifies_until: Option<Timestamp>,
}

impl RingKey {
    fn is_gone(&self, now: Timestamp) -> bool {
        self.verifies_until.is_some_and(|until| until <= now)
    }
}

/// The keys of a ring, in the order of their numbers.
///
/// ```
/// use std::time::Duration;
/// use simplejwt::keys::ring::{KeyRing, KeyState, Schedule};
/// use simplejwt::{Algorithm, KeySet, Timestamp};
///
/// let schedule = Schedule {
///     publication_delay: Duration::from_secs(60),
///     rotate_every: None,
///     keep: Duration::from_secs(86_400),
/// };
/// let start = Timestamp::from_secs(1_800_000_000);
/// let ring = KeyRing::default();
/// let plan = schedule.due(&ring, false, start).expect("there is no key at all");
/// let stored = plan.generate(Algorithm::Es256, None)?;
///
/// let ring = KeyRing::open(&[stored], None, start)?;
/// let keys = ring.key_set(&KeySet::none(), start)?;
/// assert_eq!(keys.jwks().keys().len(), 1);
/// assert_eq!(ring.states(start).next().unwrap().1, KeyState::Active);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: Vec<RingKey>,
}

impl KeyRing {
    /// Makes a ring of stored keys. Those that are gone at `now` are left out, unread.
    ///
    /// # Errors
    /// [`RingError`] if one of the others can't be used.
    pub fn open(
        stored: &[StoredKey],
        encryption: Option<&KeyEncryptionKey>,
        now: Timestamp,
    ) -> Result<Self, RingError> {
        let is_used = |key: &&StoredKey| key.verifies_until.is_none_or(|until| until > now);
        let mut keys = Vec::new();
        for stored in stored.iter().filter(is_used) {
            let key = stored.open(encryption)?;
            let is_twice = |other: &RingKey| {
                other.number == stored.number || other.key.kid() == Some(stored.kid.as_str())
            };
            if keys.iter().any(is_twice) {
                return Err(RingError::Twice { number: stored.number, kid: stored.kid.clone() });
            }
            keys.push(RingKey {
                number: stored.number,
                key,
                created_at: stored.created_at,
                activates_at: stored.activates_at,
                verifies_until: stored.verifies_until,
            });
        }
        keys.sort_by_key(|key| key.number);
        Ok(Self { keys })
    }

    /// Names the algorithms as RFC 9864 does: as
    /// [`VerifyingKey::fully_specified`](crate::VerifyingKey::fully_specified).
    #[must_use]
    pub fn fully_specified(mut self) -> Self {
        for ring_key in &mut self.keys {
            ring_key.key = ring_key.key.clone().fully_specified();
        }
        self
    }

    /// Returns the keys, in the order of their numbers.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// Returns the keys with their states at `now`.
    pub fn states(&self, now: Timestamp) -> impl Iterator<Item = (&RingKey, KeyState)> {
        let active = self.active(now).map(|key| key.number);
        self.keys.iter().map(move |key| {
            let state = match active {
                _ if key.is_gone(now) => KeyState::Gone,
                Some(number) if key.number == number => KeyState::Active,
                Some(number) if key.number < number => KeyState::Retiring,
                _ => KeyState::Next,
            };
            (key, state)
        })
    }

    /// Returns the key that signs at `now`: the newest one that is due.
    pub fn active(&self, now: Timestamp) -> Option<&RingKey> {
        self.keys.iter().rev().find(|key| key.activates_at <= now && !key.is_gone(now))
    }

    /// Returns the keys at `now`: the active one signs, and all that aren't gone verify. The keys of
    /// `base` verify besides, and its signing key signs as long as no key of the ring does.
    ///
    /// # Errors
    /// [`KeyError::AllFetched`] if `base` has fetched keys.
    pub fn key_set(&self, base: &KeySet, now: Timestamp) -> Result<KeySet, KeyError> {
        if base.remote().is_some() {
            return Err(KeyError::AllFetched);
        }
        let of_ring = self.keys.iter().filter(|key| !key.is_gone(now));
        let of_ring = of_ring.map(|key| key.key.verifying_key());
        let is_new =
            |kid: Option<&str>| kid.is_none() || !self.keys.iter().any(|key| key.key.kid() == kid);
        let of_base = base.verifying().iter().filter(|key| is_new(key.kid())).cloned();
        let signing = self.active(now).map(|key| &key.key).or(base.signing()).cloned();
        KeySet::of(signing, of_ring.chain(of_base))
    }

    /// Returns the next time after `now` at which a key changes its state.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let times = self
            .keys
            .iter()
            .flat_map(|key| [Some(key.activates_at), key.verifies_until].into_iter().flatten());
        times.filter(|time| *time > now).min()
    }
}

impl StoredKey {
    /// Returns what a key's encryption is bound to, so that no row can stand for another.
    fn context(number: i64, kid: &str, algorithm: &str) -> Vec<u8> {
        format!("simplejwt signing key\0{number}\0{kid}\0{algorithm}").into_bytes()
    }

    /// Returns a key to be stored, encrypted if there is something to encrypt it with. `text` is
    /// the key as [`SigningKey::parse`] reads it, or a private JWK; its key id is its thumbprint.
    ///
    /// # Errors
    /// [`RingError`] if `text` isn't a key for `algorithm`, or can't be encrypted.
    pub fn new(
        plan: &Plan,
        algorithm: Algorithm,
        text: &str,
        encryption: Option<&KeyEncryptionKey>,
    ) -> Result<Self, RingError> {
        let unnamed = |source| RingError::Key { kid: String::new(), source };
        let of_jwk = private_jwk::is_jwk(text.as_bytes())
            .then(|| private_jwk::to_text(algorithm, text.as_bytes()))
            .transpose()
            .map_err(unnamed)?;
        let text = of_jwk.as_deref().map_or(text, String::as_str);
        let secret = private_jwk::secret(text.as_bytes());
        let parsed = secret.as_ref().map_or(text.as_bytes(), |secret| secret.as_slice());
        let key = SigningKey::parse(algorithm, parsed, false).map_err(unnamed)?;
        let kid = key.verifying_key().thumbprint().to_owned();
        let key = match encryption {
            None => text.to_owned(),
            Some(encryption) => encryption
                .seal(text.as_bytes(), &Self::context(plan.number, &kid, algorithm.name()))
                .map_err(|source| RingError::Sealed { kid: kid.clone(), source })?,
        };
        Ok(Self {
            number: plan.number,
            kid,
            algorithm: algorithm.name().to_owned(),
            key,
            created_at: plan.created_at,
            activates_at: plan.activates_at,
            verifies_until: None,
        })
    }

    /// Returns the key, with its key id.
    ///
    /// # Errors
    /// [`RingError`] if it can't be decrypted or isn't usable.
    pub fn open(&self, encryption: Option<&KeyEncryptionKey>) -> Result<SigningKey, RingError> {
        let kid = || self.kid.clone();
        let algorithm: Algorithm =
            self.algorithm.parse().map_err(|source| RingError::Algorithm { kid: kid(), source })?;
        let key = self.text(encryption)?;
        SigningKey::parse(algorithm, &key, false)
            .map(|key| key.with_kid(&self.kid).named_only())
            .map_err(|source| RingError::Key { kid: kid(), source })
    }

    /// Returns the key as [`SigningKey::parse`] reads it, decrypted.
    ///
    /// # Errors
    /// [`RingError`] if it can't be decrypted.
    pub fn text(
        &self,
        encryption: Option<&KeyEncryptionKey>,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, RingError> {
        let kid = || self.kid.clone();
        let text = match encryption {
            None if seal::is_sealed(&self.key) => Err(RingError::NoEncryptionKey(kid())),
            None => Ok(zeroize::Zeroizing::new(self.key.clone().into_bytes())),
            Some(encryption) => encryption
                .open(&self.key, &Self::context(self.number, &self.kid, &self.algorithm))
                .map_err(|source| RingError::Sealed { kid: kid(), source }),
        }?;
        // A secret of any bytes is stored as a JWK, which is never a secret itself.
        Ok(private_jwk::secret(&text).unwrap_or(text))
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("number", &self.number)
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("activates_at", &self.activates_at)
            .field("verifies_until", &self.verifies_until)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
