//! Reading a JWK from JSON.
//!
//! Keys are written by other programs, so numbers are read in every unambiguous spelling: with `=`
//! padding, in plain base64, with leading zeros, or with a coordinate's leading zeros missing. A
//! member of the wrong JSON type makes its key unreadable; `null` counts as absent.

use base64_simd::forgiving_decode_to_vec;
use serde::Deserialize;
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Jwk, JwkError, Material};
use crate::jws::{Curve, PublicKey};

/// The members that count, of any type.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Members {
    kty: Value,
    crv: Value,
    x: Value,
    y: Value,
    n: Value,
    e: Value,
    k: Value,
    d: Value,
    #[serde(rename = "use")]
    usage: Value,
    key_ops: Value,
    alg: Value,
    kid: Value,
}

impl Members {
    /// Reads them from an object: serde would also accept a list of the members in order.
    pub(super) fn from_json(json: &str) -> Result<Self, JwkError> {
        if !json.trim_start().starts_with('{') {
            return Err(JwkError::Json);
        }
        serde_json::from_str(json).map_err(|_| JwkError::Json)
    }

    pub(super) fn from_value(value: Value) -> Result<Self, JwkError> {
        if !value.is_object() {
            return Err(JwkError::Json);
        }
        Self::deserialize(value).map_err(|_| JwkError::Json)
    }

    /// Returns the key id if it is a string, to identify the key in messages.
    pub(super) fn kid(&self) -> Option<String> {
        self.kid.as_str().map(truncated)
    }

    pub(super) fn into_jwk(mut self) -> Result<Jwk, JwkError> {
        let read = self.read();
        // The members of an `oct` key or a private key.
        for secret in [&mut self.k, &mut self.d] {
            if let Value::String(text) = secret {
                text.zeroize();
            }
        }
        read
    }

    fn read(&self) -> Result<Jwk, JwkError> {
        let kty = needed("kty", &self.kty)?;
        let material = match kty {
            "RSA" => Material::Public(PublicKey::Rsa {
                n: number("n", &self.n)?,
                e: number("e", &self.e)?,
            }),
            "EC" => {
                let name = needed("crv", &self.crv)?;
                let curve = Curve::ALL
                    .into_iter()
                    .find(|curve| curve.name() == name)
                    .ok_or(JwkError::Unsupported)?;
                let mut point = vec![4];
                point.extend(coordinate("x", &self.x, curve.field_len())?);
                point.extend(coordinate("y", &self.y, curve.field_len())?);
                Material::Public(PublicKey::Ec { curve, point })
            }
            "OKP" => match needed("crv", &self.crv)? {
                "Ed25519" => {
                    let x = bytes("x", &self.x)?;
                    if x.len() != 32 {
                        return Err(JwkError::Malformed("x"));
                    }
                    Material::Public(PublicKey::Ed25519 { x: x.to_vec() })
                }
                _ => return Err(JwkError::Unsupported),
            },
            "oct" => Material::Secret(bytes("k", &self.k)?),
            _ => return Err(JwkError::Unsupported),
        };
        Ok(Jwk {
            material,
            kid: optional("kid", &self.kid)?,
            // An empty string names no algorithm.
            alg: optional("alg", &self.alg)?.filter(|alg| !alg.is_empty()),
            usage: optional("use", &self.usage)?,
            key_ops: operations(&self.key_ops)?,
            is_private: kty != "oct" && !self.d.is_null(),
        })
    }
}

/// Shortens a key id for messages.
pub(crate) fn truncated(kid: &str) -> String {
    const LONGEST: usize = 100;
    kid.chars().take(LONGEST).collect()
}

fn needed<'v>(name: &'static str, value: &'v Value) -> Result<&'v str, JwkError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Err(JwkError::Missing(name)),
        _ => Err(JwkError::Type(name)),
    }
}

fn optional(name: &'static str, value: &Value) -> Result<Option<String>, JwkError> {
    match value {
        Value::String(text) => Ok(Some(text.clone())),
        Value::Null => Ok(None),
        _ => Err(JwkError::Type(name)),
    }
}

/// Reads a list of strings; a single string counts as a list of one.
fn operations(value: &Value) -> Result<Option<Vec<String>>, JwkError> {
    match value {
        Value::Null => Ok(None),
        Value::String(one) => Ok(Some(vec![one.clone()])),
        // A value that isn't a string isn't a known operation.
        Value::Array(all) => {
            Ok(Some(all.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
        }
        _ => Err(JwkError::Type("key_ops")),
    }
}

/// Reads base64url, with or without padding, or plain base64: the characters in which the alphabets
/// differ occur in one of them only.
pub(crate) fn bytes(name: &'static str, value: &Value) -> Result<Zeroizing<Vec<u8>>, JwkError> {
    let text = needed(name, value)?.trim_end_matches('=');
    let plain: Zeroizing<Vec<u8>> = Zeroizing::new(
        text.bytes()
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => other,
            })
            .collect(),
    );
    forgiving_decode_to_vec(&plain).map(Zeroizing::new).map_err(|_| JwkError::Malformed(name))
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// Reads a Base64urlUInt (RFC 7518 section 2). Section 6.3.1.1 warns of writers that leave a
/// leading zero.
pub(crate) fn number(name: &'static str, value: &Value) -> Result<Vec<u8>, JwkError> {
    let bytes = bytes(name, value)?;
    match without_leading_zeros(&bytes) {
        [] => Err(JwkError::Malformed(name)),
        number => Ok(number.to_vec()),
    }
}

/// Reads a coordinate of `length` bytes (RFC 7518 section 6.2.1.2), padded if it is shorter.
pub(crate) fn coordinate(
    name: &'static str,
    value: &Value,
    length: usize,
) -> Result<Vec<u8>, JwkError> {
    let number = number(name, value)?;
    let missing = length.checked_sub(number.len()).ok_or(JwkError::Malformed(name))?;
    let mut coordinate = vec![0; missing];
    coordinate.extend(number);
    Ok(coordinate)
}
