//! The only source of randomness: the operating system's generator.

/// Fills `buffer` with random bytes of cryptographic quality.
///
/// On the supported platforms the generator doesn't fail once the machine is up. If it did, there
/// would be no safe way to continue, so this panics.
#[expect(clippy::disallowed_methods, reason = "the one source of randomness")]
pub(crate) fn fill(buffer: &mut [u8]) {
    #[expect(clippy::expect_used, reason = "no safe way on without randomness")]
    getrandom::fill(buffer).expect("the operating system gives random bytes");
}

/// Returns a random UUIDv4 as 32 lower-case hex digits, as upstream writes it into `jti`.
pub(crate) fn uuid4_hex() -> String {
    // Digits are UTF-8.
    std::str::from_utf8(&uuid4_digits()).unwrap_or_default().to_owned()
}

/// Returns the digits of [`uuid4_hex`].
pub(crate) fn uuid4_digits() -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut bytes = [0_u8; 16];
    fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut hex = [0; 32];
    for (pair, byte) in hex.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0x0f)]];
    }
    hex
}

/// Returns `length` characters of `[A-Za-z0-9]`, all equally likely: the salts of Django's password
/// hashes. 22 of them have 131 bits of entropy.
#[cfg(feature = "passwords")]
pub(crate) fn alphanumeric(length: usize) -> String {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    // 248 is the largest multiple of 62 in a byte: values from there on would favour the first
    // letters and are drawn again.
    const FAIR: u8 = 248;
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        fill(&mut bytes);
        let missing = length - text.len();
        let fair = bytes.iter().filter(|byte| **byte < FAIR).take(missing);
        text.extend(fair.map(|byte| char::from(LETTERS[usize::from(byte % 62)])));
    }
    text
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

    #[test]
    #[cfg(feature = "passwords")]
    fn alphanumeric_has_the_length_and_the_whole_alphabet_evenly() {
        for length in [0, 1, 22, 40, 1000] {
            assert_eq!(alphanumeric(length).len(), length);
        }
        let sample = alphanumeric(62_000);
        for letter in ('a'..='z').chain('A'..='Z').chain('0'..='9') {
            let count = sample.chars().filter(|other| *other == letter).count();
            // 1000 expected, with a standard deviation of 31.4: six of them on either side.
            assert!((810..=1190).contains(&count), "{letter}: {count}");
        }
    }
}
