//! Private keys and secrets as JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Algorithm, KeyError, SigningKey, VerifyingKey, generate};
use crate::jwk::{Jwk, JwkError, bytes, coordinate, number};
use crate::jws::Curve;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;
/// `AlgorithmIdentifier` of Ed25519 (RFC 8410 section 3).
const ED25519: &[u8] = b"\x2b\x65\x70";

type Der = Zeroizing<Vec<u8>>;

/// `true` for a JWK, which is never a secret itself.
pub(super) fn is_jwk(text: &[u8]) -> bool {
    members(text).is_ok_and(|members| members.0.contains_key("kty"))
}

/// Returns a private JWK as PEM, or, if it is a secret, as a JWK with nothing else in it, which
/// [`secret`] reads.
///
/// # Errors
/// [`KeyError`] for one that is no private key, that isn't meant for signing with `algorithm`, or
/// whose halves don't belong together.
pub(super) fn to_text(algorithm: Algorithm, json: &[u8]) -> Result<Zeroizing<String>, KeyError> {
    let mut members = members(json)?;
    // They are those of the private half.
    if let Some(operations) = members.0.remove("key_ops") {
        let is_there = |name: &str| match &operations {
            Value::String(one) => one == name,
            Value::Array(all) => all.iter().any(|one| one == name),
            _ => false,
        };
        if !operations.is_null() && !is_there("sign") {
            return Err(JwkError::Use.into());
        }
    }
    let public = Zeroizing::new(serde_json::to_vec(&members.0).map_err(|_| JwkError::Json)?);
    let public = VerifyingKey::from_jwk(algorithm, &Jwk::from_json(&public)?)?;
    if algorithm.is_symmetric() {
        let k = Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(&*bytes("k", members.get("k"))?));
        return Ok(Zeroizing::new(format!(r#"{{"k":"{}","kty":"oct"}}"#, *k)));
    }
    let text = members.pem()?;
    let key = SigningKey::from_pem(algorithm, text.as_bytes())?;
    if key.verifying_key().thumbprint() == public.thumbprint() {
        Ok(text)
    } else {
        Err(KeyError::NotAPair)
    }
}

/// Returns the secret in a JWK, if it is one.
pub(super) fn secret(text: &[u8]) -> Option<Der> {
    let members = members(text).ok()?;
    (members.get("kty") == "oct").then(|| bytes("k", members.get("k")).ok())?
}

/// The members of a JWK, wiped when they are dropped.
struct Members(Map<String, Value>);

impl Drop for Members {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

fn members(json: &[u8]) -> Result<Members, JwkError> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    match serde_json::from_slice(json) {
        Ok(Value::Object(members)) => Ok(Members(members)),
        _ => Err(JwkError::Json),
    }
}

impl Members {
    fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// Returns the private key as PEM.
    fn pem(&self) -> Result<Zeroizing<String>, JwkError> {
        match self.get("kty").as_str() {
            Some("RSA") => Ok(generate::pem("RSA PRIVATE KEY", &self.rsa()?)),
            Some("EC") => Ok(generate::pem("EC PRIVATE KEY", &self.ec()?)),
            _ => Ok(generate::pem("PRIVATE KEY", &self.ed25519()?)),
        }
    }

    /// `RSAPrivateKey` (RFC 8017 appendix A.1.2), of two primes.
    fn rsa(&self) -> Result<Der, JwkError> {
        if !self.get("oth").is_null() {
            return Err(JwkError::Unsupported);
        }
        let mut content = integer(&[]);
        for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
            let number = Zeroizing::new(number(name, self.get(name))?);
            content.extend_from_slice(&integer(&number));
        }
        Ok(element(SEQUENCE, &content))
    }

    /// `ECPrivateKey` (RFC 5915).
    fn ec(&self) -> Result<Der, JwkError> {
        let curve = Curve::ALL.into_iter().find(|curve| self.get("crv") == curve.name());
        let curve = curve.ok_or(JwkError::Unsupported)?;
        let length = curve.field_len();
        let d = Zeroizing::new(coordinate("d", self.get("d"), length)?);
        // No unused bits, and an uncompressed point.
        let mut point = vec![0, 4];
        for name in ["x", "y"] {
            point.extend(coordinate(name, self.get(name), length)?);
        }
        let parts = [
            integer(&[1]),
            element(OCTET_STRING, &d),
            element(CONTEXT_0, &element(OBJECT_IDENTIFIER, oid(curve))),
            element(CONTEXT_1, &element(BIT_STRING, &point)),
        ];
        Ok(element(SEQUENCE, &joined(&parts)))
    }

    /// `PrivateKeyInfo` (RFC 8410 section 7).
    fn ed25519(&self) -> Result<Der, JwkError> {
        let d = bytes("d", self.get("d"))?;
        if d.len() != 32 {
            return Err(JwkError::Malformed("d"));
        }
        let parts = [
            integer(&[]),
            element(SEQUENCE, &element(OBJECT_IDENTIFIER, ED25519)),
            element(OCTET_STRING, &element(OCTET_STRING, &d)),
        ];
        Ok(element(SEQUENCE, &joined(&parts)))
    }
}

const fn oid(curve: Curve) -> &'static [u8] {
    match curve {
        Curve::P256 => b"\x2a\x86\x48\xce\x3d\x03\x01\x07",
        Curve::P384 => b"\x2b\x81\x04\x00\x22",
        Curve::P521 => b"\x2b\x81\x04\x00\x23",
        Curve::Secp256k1 => b"\x2b\x81\x04\x00\x0a",
    }
}

/// Writes an element in DER.
fn element(tag: u8, content: &[u8]) -> Der {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut der = Zeroizing::new(Vec::with_capacity(content.len() + 8));
    der.push(tag);
    match length {
        [] => der.push(0),
        [short @ 0..=0x7f] => der.push(*short),
        long => {
            der.push(0x80 | u8::try_from(long.len()).unwrap_or(0));
            der.extend_from_slice(long);
        }
    }
    der.extend_from_slice(content);
    der
}

/// Writes a number without leading zeros; none is 0.
fn integer(number: &[u8]) -> Der {
    let is_negative = number.first().is_none_or(|first| first & 0x80 != 0);
    let mut content = Zeroizing::new(Vec::with_capacity(number.len() + 1));
    if is_negative {
        content.push(0);
    }
    content.extend_from_slice(number);
    element(INTEGER, &content)
}

fn joined(parts: &[Der]) -> Der {
    Zeroizing::new(parts.iter().flat_map(|part| part.iter().copied()).collect())
}

#[cfg(test)]
mod tests;
