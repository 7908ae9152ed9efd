//! OpenSSH public key lines (RFC 4253 section 6.6, RFC 5656, RFC 8709), which upstream accepts.

use base64_simd::STANDARD;

use super::KeyError;
use super::der::{Found, without_leading_zeros};
use crate::jws::{Curve, PublicKey};

const WHAT: &str = "the OpenSSH public key";

/// `true` if `text` starts like an OpenSSH public key.
pub(super) fn is_public_key(text: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| text.starts_with(start))
}

/// Reads `ssh-ed25519 AAAA… comment`.
pub(super) fn public_key(line: &str) -> Result<Found, KeyError> {
    let mut words = line.split_ascii_whitespace();
    let (Some(name), Some(base64)) = (words.next(), words.next()) else {
        return Err(KeyError::Malformed(WHAT));
    };
    let blob = STANDARD.decode_to_vec(base64).map_err(|_| KeyError::Malformed(WHAT))?;
    blob_fields(name, &blob).ok_or(KeyError::Malformed(WHAT))
}

fn blob_fields(name: &str, mut blob: &[u8]) -> Option<Found> {
    let mut field = || {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let (field, rest) =
            rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        blob = rest;
        Some(field)
    };
    if field()? != name.as_bytes() {
        return None;
    }
    let curve = match name {
        "ssh-rsa" => {
            let e = without_leading_zeros(field()?).to_vec();
            let n = without_leading_zeros(field()?).to_vec();
            return blob.is_empty().then_some(Found::Public(PublicKey::Rsa { n, e }));
        }
        "ssh-ed25519" => {
            let x = field()?.to_vec();
            return blob.is_empty().then_some(Found::Public(PublicKey::Ed25519 { x }));
        }
        "ecdsa-sha2-nistp256" => Curve::P256,
        "ecdsa-sha2-nistp384" => Curve::P384,
        "ecdsa-sha2-nistp521" => Curve::P521,
        "ssh-dss" => return Some(Found::Other("a DSA key")),
        _ => return Some(Found::Other("an OpenSSH key of another type")),
    };
    // The curve occurs twice: in the name, and as a field.
    if field()? != name.strip_prefix("ecdsa-sha2-")?.as_bytes() {
        return None;
    }
    let point = field()?.to_vec();
    blob.is_empty().then_some(Found::Public(PublicKey::Ec { curve, point }))
}
