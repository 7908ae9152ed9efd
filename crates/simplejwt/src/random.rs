//! The one place that draws randomness.
//!
//! Everything comes from the operating system's generator, through `getrandom`.
//! A process that cannot get randomness cannot issue tokens or hash passwords safely,
//! so a failing generator ends the calling thread instead of being worked around.
#![cfg_attr(not(feature = "passwords"), allow(dead_code))]

/// The characters of Django's `get_random_string`.
const ALPHANUMERIC: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Overwrites `bytes` with random ones.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system's random generator answers");
}

/// `length` characters out of `[A-Za-z0-9]`, each as likely as any other
/// (22 of them carry 131 bits).
pub(crate) fn alphanumeric(length: usize) -> String {
    // 248 is the largest multiple of 62 in a byte: values from there on would favour
    // the first letters and are drawn again.
    const FAIR: u8 = 248;
    let mut text = String::with_capacity(length);
    let mut bytes = [0u8; 64];
    while text.len() < length {
        fill(&mut bytes);
        let missing = length - text.len();
        text.extend(
            bytes
                .iter()
                .filter(|byte| **byte < FAIR)
                .take(missing)
                .map(|byte| char::from(ALPHANUMERIC[usize::from(byte % 62)])),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphanumeric_has_the_length_and_the_whole_alphabet_evenly() {
        for length in [0, 1, 22, 40, 1000] {
            assert_eq!(alphanumeric(length).len(), length);
        }
        let sample = alphanumeric(62_000);
        for letter in ALPHANUMERIC {
            let count = sample.bytes().filter(|byte| byte == letter).count();
            // 1000 expected, standard deviation 31.4: six of them on either side.
            assert!((810..=1190).contains(&count), "{letter}: {count}");
        }
    }

    #[test]
    fn fill_does_not_repeat_itself() {
        let (mut one, mut two) = ([0u8; 32], [0u8; 32]);
        fill(&mut one);
        fill(&mut two);
        assert_ne!(one, two);
    }
}
