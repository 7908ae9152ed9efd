//! Checks that a key fits its algorithm and is safe to use.

use super::KeyError;
use crate::jws::{Algorithm, KeyKind, PublicKey};

pub(super) fn needs_pair(algorithm: Algorithm) -> Result<(), KeyError> {
    if algorithm.is_symmetric() {
        let needed = algorithm.key_kind().description();
        return Err(KeyError::WrongConstructor { algorithm, needed });
    }
    Ok(())
}

pub(super) fn not_hmac(algorithm: Algorithm) -> KeyError {
    KeyError::WrongConstructor { algorithm, needed: algorithm.key_kind().description() }
}

pub(super) fn wrong_type(algorithm: Algorithm, found: &'static str) -> KeyError {
    KeyError::WrongType { algorithm, needed: algorithm.key_kind().description(), found }
}

pub(super) fn check_type(algorithm: Algorithm, found: KeyKind) -> Result<(), KeyError> {
    match (algorithm.key_kind(), found) {
        (KeyKind::Secret { .. }, KeyKind::Secret { .. }) => Ok(()),
        (needed, found) if needed == found => Ok(()),
        (_, found) => Err(wrong_type(algorithm, found.description())),
    }
}

pub(super) fn public_kind(key: &PublicKey) -> KeyKind {
    match key {
        PublicKey::Rsa { .. } => KeyKind::Rsa,
        PublicKey::Ec { curve, .. } => KeyKind::Ec(*curve),
        PublicKey::Ed25519 { .. } => KeyKind::Ed25519,
    }
}

/// Checks the numbers, as far as that is possible without computing with them.
pub(super) fn check_numbers(key: &PublicKey) -> Result<(), KeyError> {
    const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
    match key {
        PublicKey::Rsa { n, e } => {
            let zeros = n.first().map_or(0, |first| first.leading_zeros() as usize);
            let bits = n.len() * 8 - zeros;
            if bits < *RSA_BITS.start() {
                return Err(KeyError::RsaTooShort { bits });
            }
            if bits > *RSA_BITS.end() {
                return Err(KeyError::RsaTooLong { bits });
            }
            if is_roca(n) {
                return Err(KeyError::RsaRoca);
            }
            if e.as_slice() == [1] || e.last().is_none_or(|last| last % 2 == 0) {
                return Err(KeyError::RsaExponent);
            }
        }
        PublicKey::Ec { curve, point } => {
            let compressed = 1 + curve.field_len();
            let fits = match point.first() {
                Some(2 | 3) => point.len() == compressed,
                Some(4) => point.len() == compressed + curve.field_len(),
                _ => false,
            };
            if !fits {
                return Err(KeyError::PointOffCurve(curve.name()));
            }
        }
        PublicKey::Ed25519 { x } => {
            if x.len() != 32 {
                return Err(KeyError::Invalid("the Ed25519 public key"));
            }
        }
    }
    Ok(())
}

/// `true` if a modulus has the structure of keys made by a faulty smart-card library, which can be
/// factored (ROCA, CVE-2017-15361): its remainder by each small prime is a power of 65537. Any
/// other modulus has that structure with a probability of about 2^-27.
fn is_roca(n: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let remainder = n.iter().fold(0, |r, &byte| (r * 256 + u32::from(byte)) % prime);
        let next = |power: &u32| Some(power * 65_537 % prime);
        // The powers repeat after at most `prime - 1` steps.
        std::iter::successors(Some(1), next).take(*prime as usize).any(|power| power == remainder)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_of_roca_is_seen() {
        // 65537^12345 modulo the product of the primes
        let mut n = *b"\x02\xca\x70\x75\x28\xe6\x40\x3d\xc5\x34\xdd\x0e\xc0\xf6\x8c\x18\x84\xdc\
            \x2c\x8d\x77\xad\x40\x3b\xf2\xaf\x0a\x18";
        assert!(is_roca(&n));
        n[27] += 1;
        assert!(!is_roca(&n));
    }
}
