//! The keys of a JWK set that one algorithm can verify with, and why not the others.

use super::{Algorithm, KeyError, VerifyingKey};
use crate::jwk::{Jwk, JwkError, JwkSet, shown};

/// How many keys of one `kid` are tried at a token.
const PER_KID: usize = 8;

/// A key of a set that isn't verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedJwk {
    /// Where it stands in the set, from 1.
    pub position: usize,
    /// Its key id, if it has one; cut after 100 characters.
    pub kid: Option<String>,
    /// Why it isn't used.
    pub reason: KeyError,
}

impl UnusedJwk {
    /// Whether it is a good key for another purpose: another algorithm, or encryption. A key of
    /// such a sort is no mistake of whoever publishes the set.
    pub fn is_for_something_else(&self) -> bool {
        matches!(
            self.reason,
            KeyError::WrongType { .. }
                | KeyError::Jwk(JwkError::Use | JwkError::Algorithm(_) | JwkError::Unsupported)
        )
    }
}

impl VerifyingKey {
    /// From a set: each of its keys that is meant for verifying with `algorithm` and can be used.
    /// The others are left out.
    ///
    /// # Errors
    /// [`JwkError::NoKeyFor`] if none is left.
    pub fn from_jwk_set(algorithm: Algorithm, set: &JwkSet) -> Result<Vec<Self>, KeyError> {
        let (keys, _) = Self::sort_jwk_set(algorithm, set);
        if keys.is_empty() { Err(JwkError::NoKeyFor(algorithm).into()) } else { Ok(keys) }
    }

    /// From a set: the keys that `algorithm` can verify with, and those that it can't, with why,
    /// each in the set's order (RFC 7517 section 5). Of the same `kid` several may be usable; all
    /// of them are to be tried.
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
                    unused.push(UnusedJwk { position, kid: jwk.kid().map(shown), reason });
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
