//! Sets of keys (RFC 7517 section 5), some of which may be unusable here.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::read::Members;
use super::{Jwk, JwkError};

/// The maximum number of keys read from a set; the rest are left out.
pub const MAX_KEYS: usize = 1000;

/// A JWK set, as published at a `jwks_uri`.
///
/// An unreadable key is left out individually ([`left_out`](Self::left_out)), since the publisher
/// may add kinds of keys unknown here.
///
/// ```
/// use simplejwt::jwk::JwkSet;
///
/// let set = JwkSet::from_json(br#"{"keys":[{"kty":"AKP","alg":"ML-DSA-44","kid":"new"}]}"#)?;
/// assert!(set.keys().is_empty());
/// assert_eq!(set.left_out()[0].kid.as_deref(), Some("new"));
/// # Ok::<_, simplejwt::jwk::JwkError>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
    /// The position of each key.
    #[serde(skip)]
    positions: Vec<usize>,
    #[serde(skip)]
    left_out: Vec<UnreadableJwk>,
}

/// A member of a set that can't be read as a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableJwk {
    /// Its position in the set, from 1.
    pub position: usize,
    /// Its key id, if it has one; cut after 100 characters.
    pub kid: Option<String>,
    /// The reason it can't be read.
    pub reason: JwkError,
}

impl JwkSet {
    /// Creates a set of these keys.
    pub fn new(keys: impl IntoIterator<Item = Jwk>) -> Self {
        let keys: Vec<_> = keys.into_iter().collect();
        Self { positions: (1..=keys.len()).collect(), keys, left_out: Vec::new() }
    }

    /// Reads a set. Members that aren't keys, or aren't of a supported kind, are left out, as RFC
    /// 7517 section 5 demands. So are private keys and secrets among public keys, which nobody
    /// should publish.
    ///
    /// # Errors
    /// [`JwkError::NotASet`] if it isn't a JSON object with a list `keys`.
    pub fn from_json(json: &[u8]) -> Result<Self, JwkError> {
        #[derive(Deserialize)]
        struct Set<'j> {
            #[serde(borrow)]
            keys: Vec<&'j RawValue>,
        }
        // Invalid UTF-8 makes only the key that contains it unreadable.
        let text = String::from_utf8_lossy(json);
        let text = text.trim_start_matches('\u{feff}');
        if !text.trim_start().starts_with('{') {
            return Err(JwkError::NotASet);
        }
        let set: Set<'_> = serde_json::from_str(text).map_err(|_| JwkError::NotASet)?;
        Ok(Self::read(set.keys.into_iter().map(|key| Members::from_json(key.get()))))
    }

    /// Returns the keys, in their order. Two may have the same `kid`.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// Returns the members that can't be read as keys.
    pub fn left_out(&self) -> &[UnreadableJwk] {
        &self.left_out
    }

    /// Returns the keys with their positions in the set, from 1.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &Jwk)> {
        self.positions.iter().copied().zip(&self.keys)
    }

    fn read(members: impl Iterator<Item = Result<Members, JwkError>>) -> Self {
        let mut set = Self::default();
        for (position, members) in (1..).zip(members) {
            if position > MAX_KEYS {
                set.leave_out(position, None, JwkError::TooMany);
                break;
            }
            let kid = members.as_ref().ok().and_then(Members::kid);
            match members.and_then(Members::into_jwk) {
                Ok(key) if key.is_private => set.leave_out(position, kid, JwkError::Private),
                Ok(key) => {
                    set.keys.push(key);
                    set.positions.push(position);
                }
                Err(reason) => set.leave_out(position, kid, reason),
            }
        }
        if set.keys.iter().any(|key| !key.is_symmetric()) {
            set.leave_out_secrets();
        }
        set
    }

    fn leave_out(&mut self, position: usize, kid: Option<String>, reason: JwkError) {
        self.left_out.push(UnreadableJwk { position, kid, reason });
    }

    fn leave_out_secrets(&mut self) {
        let all =
            std::mem::take(&mut self.positions).into_iter().zip(std::mem::take(&mut self.keys));
        for (position, key) in all {
            if key.is_symmetric() {
                self.leave_out(position, key.kid, JwkError::MixedSet);
            } else {
                self.positions.push(position);
                self.keys.push(key);
            }
        }
    }
}

impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set = Set::deserialize(deserializer)?;
        Ok(Self::read(set.keys.into_iter().map(Members::from_value)))
    }
}
