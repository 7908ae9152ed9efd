//! JSON Web Keys (RFC 7517) and sets of them, read and written.
//!
//! Anything with a single meaning is read (`read.rs`), and a set leaves out only the keys that have
//! none (`set.rs`). A key's usability is checked when it becomes a
//! [`VerifyingKey`](crate::VerifyingKey).

mod read;
mod set;

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::jws::{self, Algorithm, Curve, PublicKey};
use read::Members;
pub(crate) use read::{bytes, coordinate, number, truncated};
pub use set::{JwkSet, MAX_KEYS, UnreadableJwk};

/// A single key. Private members (`d`, `p`, …) are ignored on reading and never written.
///
/// `Debug` shows only the type and the key id, since an `oct` key is a secret.
#[derive(Clone)]
pub struct Jwk {
    material: Material,
    kid: Option<String>,
    alg: Option<String>,
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    /// `true` if the private half was present as well.
    is_private: bool,
}

#[derive(Clone)]
pub(crate) enum Material {
    Public(PublicKey),
    Secret(Zeroizing<Vec<u8>>),
}

/// The reason a JWK or a set can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// Not a JSON object, or one with a duplicate member.
    #[error("it is not a JSON object, or has a duplicate member")]
    Json,
    /// Not a JWK set.
    #[error("it is not a JWK set: a JSON object with a list \"keys\" (RFC 7517 section 5)")]
    NotASet,
    /// A set where a single key is required.
    #[error("it is a set of keys, but a single key is needed: give a member of its \"keys\"")]
    IsASet,
    /// A `kty` or `crv` that no supported algorithm uses.
    #[error(
        "its type or curve is not supported: use RSA, EC (P-256, P-384, P-521, secp256k1), \
             OKP (Ed25519) or oct"
    )]
    Unsupported,
    /// A required member is missing.
    #[error("its member {0:?} is missing")]
    Missing(&'static str),
    /// A member's JSON type isn't the one in RFC 7517.
    #[error("its member {0:?} is of the wrong type")]
    Type(&'static str),
    /// A number that isn't base64url, or is too long or too short.
    #[error("its member {0:?} is not base64url of the right length")]
    Malformed(&'static str),
    /// `use` isn't `sig`, or `key_ops` doesn't contain `verify` (RFC 7517 sections 4.2, 4.3).
    #[error("it is not meant for verifying signatures (use, key_ops)")]
    Use,
    /// `alg` isn't the configured algorithm.
    #[error("it is meant for an algorithm other than {0}")]
    Algorithm(Algorithm),
    /// A secret in a set of public keys.
    #[error("it is a secret in a set of public keys, which anyone can read")]
    MixedSet,
    /// A key in a set with its private half, with which every reader of the set can sign.
    #[error("the set includes its private half, so every reader of the set can sign")]
    Private,
    /// A repetition of a key under the same `kid`.
    #[error("the set already has the same key")]
    Repeated,
    /// The set already has the maximum number of keys with this `kid`.
    #[error("too many keys in the set have the same key id")]
    TooManyOfKeyId,
    /// The set has more than [`MAX_KEYS`] keys.
    #[error("the set has more than {MAX_KEYS} keys: this one and those after it are not read")]
    TooMany,
    /// A key whose `kid` is empty, so that no token can name it.
    #[error("its key id (kid) is empty, so that no token can name it")]
    NoKeyId,
    /// None of the keys in the set fits the algorithm.
    #[error("the set has no usable key for {0}")]
    NoKeyFor(Algorithm),
}

impl Jwk {
    /// Reads a key.
    ///
    /// # Errors
    /// [`JwkError`] if it isn't a supported JWK.
    pub fn from_json(json: &[u8]) -> Result<Self, JwkError> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let text = std::str::from_utf8(json).map_err(|_| JwkError::Json)?;
        let members = Members::from_json(text)?;
        match members.into_jwk() {
            Err(JwkError::Missing("kty")) if JwkSet::from_json(json).is_ok() => {
                Err(JwkError::IsASet)
            }
            read => read,
        }
    }

    /// Creates a public key for publication.
    pub(crate) fn new_public(alg: &str, key: PublicKey, kid: Option<&str>) -> Self {
        Self {
            material: Material::Public(key),
            kid: kid.map(str::to_owned),
            alg: Some(alg.to_owned()),
            usage: Some("sig".to_owned()),
            key_ops: None,
            is_private: false,
        }
    }

    /// Returns the key id.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns the `alg` as written.
    pub fn alg(&self) -> Option<&str> {
        self.alg.as_deref()
    }

    /// `true` if it is an HMAC secret (`kty` is `oct`).
    pub fn is_symmetric(&self) -> bool {
        matches!(self.material, Material::Secret(_))
    }

    /// Returns the RFC 7638 thumbprint: SHA-256 in base64url, which makes a good key id.
    ///
    /// The thumbprint of a short secret reveals it to anyone who can guess it.
    pub fn thumbprint(&self) -> String {
        // Each line has its members in lexicographic order (RFC 7638 section 3.2).
        let json = Zeroizing::new(match &self.material {
            Material::Public(PublicKey::Rsa { n, e }) => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n))
            }
            Material::Public(PublicKey::Ec { curve, point }) => {
                let (x, y) = coordinates(*curve, point);
                format!(r#"{{"crv":"{}","kty":"EC","x":"{x}","y":"{y}"}}"#, curve.name())
            }
            Material::Public(PublicKey::Ed25519 { x }) => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x))
            }
            Material::Secret(k) => return secret_thumbprint(k),
        });
        encode(&jws::sha256(json.as_bytes()))
    }

    /// Returns the numbers, if the key may be used to verify with `algorithm`.
    pub(crate) fn check_use(&self, algorithm: Algorithm) -> Result<&Material, JwkError> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(JwkError::Use);
        }
        if self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err(JwkError::Use);
        }
        match self.alg.as_deref() {
            None => Ok(&self.material),
            Some(alg) if algorithm.is_named(alg) => Ok(&self.material),
            Some(_) => Err(JwkError::Algorithm(algorithm)),
        }
    }

    fn kty(&self) -> &'static str {
        match &self.material {
            Material::Public(PublicKey::Rsa { .. }) => "RSA",
            Material::Public(PublicKey::Ec { .. }) => "EC",
            Material::Public(PublicKey::Ed25519 { .. }) => "OKP",
            Material::Secret(_) => "oct",
        }
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("kty", &self.kty())
            .field("alg", &self.alg)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Members::from_value(value).and_then(Members::into_jwk).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = Written {
            kty: self.kty(),
            usage: self.usage.as_deref(),
            key_ops: self.key_ops.as_deref(),
            alg: self.alg.as_deref(),
            kid: self.kid(),
            ..Written::default()
        };
        match &self.material {
            Material::Public(PublicKey::Rsa { n, e }) => {
                members.n = Some(encode(n));
                members.e = Some(encode(e));
            }
            Material::Public(PublicKey::Ec { curve, point }) => {
                let (x, y) = coordinates(*curve, point);
                members.crv = Some(curve.name());
                members.x = Some(x);
                members.y = Some(y);
            }
            Material::Public(PublicKey::Ed25519 { x }) => {
                members.crv = Some("Ed25519");
                members.x = Some(encode(x));
            }
            Material::Secret(k) => members.k = Some(encode(k)),
        }
        members.serialize(serializer)
    }
}

/// The members in the order in which they are written; absent ones are skipped.
#[derive(Default, Serialize)]
struct Written<'j> {
    kty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<&'j str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<&'j [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'j str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'j str>,
}

/// Returns the thumbprint of an HMAC secret.
pub(crate) fn secret_thumbprint(secret: &[u8]) -> String {
    let k = Zeroizing::new(encode(secret));
    let json = Zeroizing::new(format!(r#"{{"k":"{}","kty":"oct"}}"#, k.as_str()));
    encode(&jws::sha256(json.as_bytes()))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Returns `x` and `y` of an uncompressed point.
fn coordinates(curve: Curve, point: &[u8]) -> (String, String) {
    let mut halves = point.get(1..).unwrap_or_default().chunks(curve.field_len()).map(encode);
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}

#[cfg(test)]
mod tests;
