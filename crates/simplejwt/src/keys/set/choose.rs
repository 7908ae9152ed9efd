//! Which of a set's keys a token is tried with.

use std::fmt;

use super::VerifyingKey;
use crate::jws::{Compact, Header, JwsError, Typ};

/// The header segments that the keys of a set write. Most tokens have one of them, byte for byte,
/// and it needs no parsing.
#[derive(Clone)]
pub(super) struct Headers {
    /// The last bytes of each, in which the headers of different keys differ, in ascending order.
    tails: Vec<u128>,
    /// In the order of their tails, those of one tail in the order of the keys.
    written: Vec<Written>,
}

#[derive(Clone)]
struct Written {
    header: Box<str>,
    /// The position of the key.
    key: usize,
    typ: Typ,
}

impl Headers {
    pub(super) const fn none() -> Self {
        Self { tails: Vec::new(), written: Vec::new() }
    }

    /// Adds those of the key at a position.
    pub(super) fn add(&mut self, position: usize, key: &VerifyingKey) {
        for (typ, header) in key.headers.iter() {
            let tail = tail(header);
            let at = self.tails.partition_point(|other| *other <= tail);
            self.tails.insert(at, tail);
            self.written.insert(at, Written { header: header.into(), key: position, typ });
        }
    }

    /// Returns the position of the first key that writes a header, and its `typ`.
    fn writer(&self, header: &str) -> Option<(usize, Typ)> {
        let tail = tail(header);
        let from = self.tails.partition_point(|other| *other < tail);
        let of_tail = self.tails.iter().zip(&self.written).skip(from);
        of_tail
            .take_while(|(other, _)| **other == tail)
            .find(|(_, written)| *written.header == *header)
            .map(|(_, written)| (written.key, written.typ))
    }
}

fn tail(header: &str) -> u128 {
    header.as_bytes().last_chunk().map_or(0, |bytes| u128::from_ne_bytes(*bytes))
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").finish_non_exhaustive()
    }
}

/// Tries a token with the keys that it is meant for, and returns its `typ`.
pub(super) fn verify_among(
    keys: &[VerifyingKey],
    headers: &Headers,
    token: &Compact<'_>,
) -> Result<Typ, JwsError> {
    let writer = headers.writer(token.header);
    if let Some((writer, typ)) = writer.and_then(|(at, typ)| Some((keys.get(at)?, typ))) {
        // No other key of the set has its key id.
        if writer.kid().is_some() {
            return verify_with(token, std::iter::once(writer)).map(|()| typ);
        }
        let is_meant =
            |key: &&VerifyingKey| key.algorithm() == writer.algorithm() && !key.is_named_only;
        return verify_with(token, keys.iter().filter(is_meant)).map(|()| typ);
    }
    let header = token.parse_header()?;
    let of_algorithm = || keys.iter().filter(|key| key.algorithm().is_named(&header.alg));
    if of_algorithm().next().is_none() {
        return Err(JwsError::Algorithm);
    }
    let typ = header.typ;
    let Header { kid: Some(kid), .. } = &header else {
        let mut unnamed = of_algorithm().filter(|key| !key.is_named_only).peekable();
        unnamed.peek().ok_or(JwsError::NoKeyId)?;
        return verify_with(token, unnamed).map(|()| typ);
    };
    if keys.iter().any(|key| key.kid() == Some(kid)) {
        let named = of_algorithm().filter(|key| key.kid() == Some(kid));
        return verify_with(token, named).map(|()| typ);
    }
    if of_algorithm().all(|key| key.kid().is_some()) {
        return Err(JwsError::UnknownKey);
    }
    verify_with(token, of_algorithm().filter(|key| key.kid().is_none())).map(|()| typ)
}

/// Returns the result of trying a token with each of these keys.
fn verify_with<'k>(
    token: &Compact<'_>,
    mut keys: impl Iterator<Item = &'k VerifyingKey>,
) -> Result<(), JwsError> {
    if keys.any(|key| token.is_signed_by(&key.verifier)) {
        Ok(())
    } else {
        Err(JwsError::Signature)
    }
}
