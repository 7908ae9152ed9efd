//! Choosing among fetched keys the one that a token was signed with.

use crate::jws::{Compact, JwsError, Typ};
use crate::keys::{Algorithm, VerifyingKey};

/// The maximum number of keys with a key id that a token without one is tried with.
const MOST_TRIED: usize = 16;

/// Verifies a token's signature. A key is selected by the token's `kid` alone, as upstream does;
/// several keys with the same `kid` are tried one after another. A token without `kid` is tried
/// with the keys that have none, and if `without_kid` also with the first sixteen others.
pub(super) fn verify(
    algorithm: Algorithm,
    keys: &[VerifyingKey],
    without_kid: bool,
    token: &Compact<'_>,
) -> Result<Typ, JwsError> {
    let header = token.parse_header()?;
    // Checked before the key id, which doesn't matter for a token of another algorithm.
    if !algorithm.is_named(&header.alg) {
        return Err(JwsError::Algorithm);
    }
    let signed_by = |key: &VerifyingKey| token.is_signed_by(&key.verifier);
    if let Some(kid) = header.kid.as_deref().filter(|kid| !kid.is_empty()) {
        let mut named = keys.iter().filter(|key| key.kid() == Some(kid)).peekable();
        named.peek().ok_or(JwsError::UnknownKey)?;
        return if named.any(signed_by) { Ok(header.typ) } else { Err(JwsError::Signature) };
    }
    let others = keys.iter().filter(|key| without_kid && key.kid().is_some()).take(MOST_TRIED);
    let mut candidates = keys.iter().filter(|key| key.kid().is_none()).chain(others).peekable();
    candidates.peek().ok_or(JwsError::NoKeyId)?;
    // Without a name, a token of a new key looks like a forged one.
    if candidates.any(signed_by) { Ok(header.typ) } else { Err(JwsError::UnknownKey) }
}

/// `true` if the token may have been signed with a key that isn't among these.
pub(super) fn lacks_key(
    algorithm: Algorithm,
    keys: &[VerifyingKey],
    without_kid: bool,
    token: &str,
) -> bool {
    let Ok(token) = Compact::split(token) else { return false };
    let Ok(header) = token.parse_header() else { return false };
    if !algorithm.is_named(&header.alg) {
        return false;
    }
    match header.kid.as_deref().filter(|kid| !kid.is_empty()) {
        Some(kid) => !keys.iter().any(|key| key.kid() == Some(kid)),
        None => verify(algorithm, keys, without_kid, &token) == Err(JwsError::UnknownKey),
    }
}
