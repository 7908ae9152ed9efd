//! JSON Web Keys (RFC 7517) and sets of them, in and out.
//!
//! Reading is strict: base64url in its one spelling, every number of the right length, nothing
//! of a wrong JSON type read as absent. Whether a key is good for anything is asked when it
//! becomes a [`VerifyingKey`](crate::VerifyingKey).

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::jws::{self, Algorithm, Curve, PublicKey};

/// One key. Private members (`d`, `p`, …) are ignored on reading and never written.
///
/// `Debug` shows the type and the key id only: an `oct` key is a secret.
#[derive(Clone)]
pub struct Jwk {
    material: Material,
    kid: Option<String>,
    alg: Option<String>,
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
}

#[derive(Clone)]
pub(crate) enum Material {
    Public(PublicKey),
    Secret(Zeroizing<Vec<u8>>),
}

/// Why a JWK, or a set, can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// No JSON object, a member of the wrong type, or a doubled one.
    #[error("it is not a JSON object with members of the right types")]
    Json,
    /// A `kty` or `crv` that no algorithm here takes.
    #[error(
        "its type or curve is not supported: use RSA, EC (P-256, P-384, P-521, secp256k1), \
             OKP (Ed25519) or oct"
    )]
    Unsupported,
    /// A member that its type needs is missing.
    #[error("its member {0:?} is missing")]
    Missing(&'static str),
    /// A number that isn't base64url in its one spelling, or of the wrong length.
    #[error("its member {0:?} is not base64url of the right length")]
    Malformed(&'static str),
    /// `use` isn't `sig`, or `key_ops` doesn't hold `verify` (RFC 7517 sections 4.2, 4.3).
    #[error("it is not meant for verifying signatures (use, key_ops)")]
    Use,
    /// `alg` is another algorithm than the configured one.
    #[error("it is meant for another algorithm than {0}")]
    Algorithm(Algorithm),
    /// Secrets and public keys in one set.
    #[error("the set mixes secrets with public keys")]
    MixedSet,
    /// Two keys of one set under one `kid`.
    #[error("two keys of the set have the key id {0:?}")]
    DuplicateKeyId(String),
    /// No key of the set fits the algorithm.
    #[error("the set has no key for {0}")]
    NoKeyFor(Algorithm),
}

impl Jwk {
    /// Reads one key.
    ///
    /// # Errors
    /// [`JwkError`]
    pub fn from_json(json: &[u8]) -> Result<Self, JwkError> {
        let members: Members = serde_json::from_slice(json).map_err(|_| JwkError::Json)?;
        members.into_jwk()
    }

    /// A public key that is to be published.
    pub(crate) fn new_public(algorithm: Algorithm, key: PublicKey, kid: Option<&str>) -> Self {
        Self {
            material: Material::Public(key),
            kid: kid.map(str::to_owned),
            alg: Some(algorithm.name().to_owned()),
            usage: Some("sig".to_owned()),
            key_ops: None,
        }
    }

    /// The key id.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The `alg`, as it stands there.
    pub fn alg(&self) -> Option<&str> {
        self.alg.as_deref()
    }

    /// Whether it is an HMAC secret (`kty` is `oct`).
    pub fn is_symmetric(&self) -> bool {
        matches!(self.material, Material::Secret(_))
    }

    /// The RFC 7638 thumbprint: SHA-256 in base64url. A good key id.
    ///
    /// That of a short secret gives the secret away to whoever guesses it.
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
            Material::Secret(k) => format!(r#"{{"k":"{}","kty":"oct"}}"#, encode(k)),
        });
        encode(&jws::sha256(json.as_bytes()))
    }

    /// The numbers, if the key says that it is for verifying with `algorithm`.
    pub(crate) fn check_use(&self, algorithm: Algorithm) -> Result<&Material, JwkError> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(JwkError::Use);
        }
        if self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err(JwkError::Use);
        }
        // RFC 9864 gives EdDSA on Ed25519 the name Ed25519.
        match self.alg.as_deref() {
            None => Ok(&self.material),
            Some(alg) if alg == algorithm.name() => Ok(&self.material),
            Some("Ed25519") if algorithm == Algorithm::EdDsa => Ok(&self.material),
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

/// What is published at a `jwks_uri`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// Of these keys.
    pub fn new(keys: impl IntoIterator<Item = Jwk>) -> Self {
        Self { keys: keys.into_iter().collect() }
    }

    /// Reads a set. Keys of types and curves that aren't supported are left out, as RFC 7517
    /// section 5 asks for.
    ///
    /// # Errors
    /// [`JwkError`]: also for a doubled `kid`, and for a set that mixes secrets with public keys.
    pub fn from_json(json: &[u8]) -> Result<Self, JwkError> {
        let members: SetMembers = serde_json::from_slice(json).map_err(|_| JwkError::Json)?;
        members.into_set()
    }

    /// The keys, in their order.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Members::deserialize(deserializer)?.into_jwk().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = Members {
            kty: self.kty().to_owned(),
            usage: self.usage.clone(),
            key_ops: self.key_ops.clone(),
            alg: self.alg.clone(),
            kid: self.kid.clone(),
            ..Members::default()
        };
        match &self.material {
            Material::Public(PublicKey::Rsa { n, e }) => {
                members.n = Some(encode(n));
                members.e = Some(encode(e));
            }
            Material::Public(PublicKey::Ec { curve, point }) => {
                let (x, y) = coordinates(*curve, point);
                members.crv = Some(curve.name().to_owned());
                members.x = Some(x);
                members.y = Some(y);
            }
            Material::Public(PublicKey::Ed25519 { x }) => {
                members.crv = Some("Ed25519".to_owned());
                members.x = Some(encode(x));
            }
            Material::Secret(k) => members.k = Some(encode(k)),
        }
        members.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SetMembers::deserialize(deserializer)?.into_set().map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
struct SetMembers {
    keys: Vec<Members>,
}

impl SetMembers {
    fn into_set(self) -> Result<JwkSet, JwkError> {
        let mut keys = Vec::with_capacity(self.keys.len());
        for members in self.keys {
            match members.into_jwk() {
                Ok(key) => keys.push(key),
                Err(JwkError::Unsupported) => {}
                Err(error) => return Err(error),
            }
        }
        let mut kids: Vec<_> = keys.iter().filter_map(Jwk::kid).collect();
        kids.sort_unstable();
        if let Some([kid, _]) = kids.array_windows().find(|[one, other]| one == other) {
            return Err(JwkError::DuplicateKeyId((*kid).to_owned()));
        }
        if keys.iter().any(Jwk::is_symmetric) && !keys.iter().all(Jwk::is_symmetric) {
            return Err(JwkError::MixedSet);
        }
        Ok(JwkSet { keys })
    }
}

/// The members that count, as they stand in the JSON. `null` is none of their types.
#[derive(Default, Deserialize, Serialize)]
struct Members {
    kty: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    k: Option<String>,
    #[serde(
        rename = "use",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    usage: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
}

fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl Members {
    fn into_jwk(self) -> Result<Jwk, JwkError> {
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Material::Public(PublicKey::Rsa {
                n: number("n", &self.n)?,
                e: number("e", &self.e)?,
            }),
            ("EC", Some(crv)) => {
                let curve = Curve::ALL
                    .into_iter()
                    .find(|curve| curve.name() == crv)
                    .ok_or(JwkError::Unsupported)?;
                let mut point = vec![4];
                point.extend(fixed("x", &self.x, curve.field_len())?);
                point.extend(fixed("y", &self.y, curve.field_len())?);
                Material::Public(PublicKey::Ec { curve, point })
            }
            ("OKP", Some("Ed25519")) => {
                Material::Public(PublicKey::Ed25519 { x: fixed("x", &self.x, 32)? })
            }
            ("EC" | "OKP", None) => return Err(JwkError::Missing("crv")),
            ("oct", _) => {
                let k = Zeroizing::new(self.k.ok_or(JwkError::Missing("k"))?);
                Material::Secret(Zeroizing::new(decode("k", &k)?))
            }
            _ => return Err(JwkError::Unsupported),
        };
        Ok(Jwk { material, kid: self.kid, alg: self.alg, usage: self.usage, key_ops: self.key_ops })
    }
}

fn decode(name: &'static str, text: &str) -> Result<Vec<u8>, JwkError> {
    URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| JwkError::Malformed(name))
}

/// Base64urlUInt (RFC 7518 section 2): no leading zeros.
fn number(name: &'static str, text: &Option<String>) -> Result<Vec<u8>, JwkError> {
    let bytes = decode(name, text.as_ref().ok_or(JwkError::Missing(name))?)?;
    match bytes.first() {
        None | Some(0) => Err(JwkError::Malformed(name)),
        Some(_) => Ok(bytes),
    }
}

fn fixed(name: &'static str, text: &Option<String>, length: usize) -> Result<Vec<u8>, JwkError> {
    let bytes = decode(name, text.as_ref().ok_or(JwkError::Missing(name))?)?;
    if bytes.len() == length { Ok(bytes) } else { Err(JwkError::Malformed(name)) }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// `x` and `y` of an uncompressed point.
fn coordinates(curve: Curve, point: &[u8]) -> (String, String) {
    let mut halves = point.get(1..).unwrap_or_default().chunks(curve.field_len()).map(encode);
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}

#[cfg(test)]
mod tests;
