//! The one source of randomness: the operating system's.

/// Fills `buffer` with random bytes of cryptographic quality.
///
/// The operating system's generator doesn't fail on the supported platforms once the machine is
/// up; should it fail all the same, there is no safe way on, so this panics.
#[expect(clippy::disallowed_methods, reason = "the one source of randomness")]
pub(crate) fn fill(buffer: &mut [u8]) {
    #[expect(clippy::expect_used, reason = "no safe way on without randomness")]
    getrandom::fill(buffer).expect("the operating system gives random bytes");
}

/// A random UUIDv4 as 32 lower-case hex digits: what upstream writes into `jti`.
pub(crate) fn uuid4_hex() -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut bytes = [0_u8; 16];
    fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut hex = String::with_capacity(32);
    for byte in bytes {
        hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
        hex.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant_and_does_not_repeat() {
        let (a, b) = (uuid4_hex(), uuid4_hex());
        assert_ne!(a, b);
        for id in [a, b] {
            assert_eq!(id.len(), 32);
            assert_eq!(id.as_bytes()[12], b'4');
            assert!(b"89ab".contains(&id.as_bytes()[16]), "{id}");
        }
    }
}
