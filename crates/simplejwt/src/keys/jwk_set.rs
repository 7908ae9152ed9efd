//! The keys of a JWK set that an algorithm can verify with, and the reasons for leaving out the
//! others.

use super::{Algorithm, KeyError, VerifyingKey};
use crate::jwk::{Jwk, JwkError, JwkSet, truncated};

/// The maximum number of keys with the same `kid` that are tried for a token.
const PER_KID: usize = 8;

/// A key of a set that isn't used for verifying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedJwk {
    /// Its position in the set, from 1.
    pub position: usize,
    /// Its key id, if it has one; cut after 100 characters.
    pub kid: Option<String>,
    /// The reason it isn't used.
    pub reason: KeyError,
}

impl UnusedJwk {
    /// `true` if it is a valid key for another purpose: for another algorithm, or for encryption.
    /// The publisher of the set made no mistake by including it.
    pub fn is_for_another_purpose(&self) -> bool {
        matches!(
            self.reason,
            KeyError::WrongType { .. }
                | KeyError::Jwk(JwkError::Use | JwkError::Algorithm(_) | JwkError::Unsupported)
        )
    }
}

impl VerifyingKey {
    /// Returns the keys of a set that can be used to verify with `algorithm`. The others are left
    /// out.
    ///
    /// # Errors
    /// [`JwkError::NoKeyFor`] if there are none.
    pub fn from_jwk_set(algorithm: Algorithm, set: &JwkSet) -> Result<Vec<Self>, KeyError> {
        let (keys, _) = Self::sort_jwk_set(algorithm, set);
        if keys.is_empty() { Err(JwkError::NoKeyFor(algorithm).into()) } else { Ok(keys) }
    }

    /// Splits a set into the keys that `algorithm` can verify with, and the others with the reason,
    /// both in the set's order (RFC 7517 section 5). Several usable keys may have the same `kid`;
    /// all of them are to be tried.
    pub fn sort_jwk_set(algorithm: Algorithm, set: &JwkSet) -> (Vec<Self>, Vec<UnusedJwk>) {
        let mut usable: Vec<Self> = Vec::new();
        let mut unused: Vec<_> = set
            .left_out()
            .iter()
            .cloned()
            .map(|jwk| UnusedJwk {
                position: jwk.position,
                kid: jwk.kid,
                reason: jwk.reason.into(),
            })
            .collect();
        for (position, jwk) in set.numbered() {
            match usable_beside(algorithm, jwk, &usable) {
                Ok(key) => usable.push(key),
                Err(reason) => {
                    unused.push(UnusedJwk { position, kid: jwk.kid().map(truncated), reason });
                }
            }
        }
        unused.sort_by_key(|jwk| jwk.position);
        (usable, unused)
    }
}

fn usable_beside(
    algorithm: Algorithm,
    jwk: &Jwk,
    others: &[VerifyingKey],
) -> Result<VerifyingKey, KeyError> {
    let key = VerifyingKey::from_jwk(algorithm, jwk)?;
    let mut of_the_same_id = 0;
    for other in others.iter().filter(|other| other.kid() == key.kid()) {
        if key.public.is_some() && other.public == key.public {
            return Err(JwkError::Repeated.into());
        }
        of_the_same_id += 1;
    }
    if key.kid().is_some() && of_the_same_id >= PER_KID {
        return Err(JwkError::TooManyOfKeyId.into());
    }
    Ok(key)
}
