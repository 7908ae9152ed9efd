//! Encryption of keys that are stored where others can read them, such as a database.

use std::fmt;
use std::sync::Arc;

use base64_simd::{URL_SAFE_NO_PAD, forgiving_decode_to_vec};
use zeroize::Zeroizing;

use crate::jws::{Cipher, KEY_LEN, NONCE_LEN};
use crate::random;

/// The beginning of every sealed key, which names the way in which it is encrypted.
const VERSION: &str = "A256GCM.";

/// A key that encrypts the keys of a [ring](super::ring), with AES-256-GCM. It has to be kept where
/// those keys aren't.
///
/// Cheap to clone. `Debug` shows nothing of it.
///
/// ```
/// use simplejwt::keys::seal::KeyEncryptionKey;
///
/// let key = KeyEncryptionKey::parse(b"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY")?;
/// let sealed = key.seal(b"a secret", b"number 1")?;
/// assert_eq!(key.open(&sealed, b"number 1")?.as_slice(), b"a secret");
/// assert!(key.open(&sealed, b"number 2").is_err());
/// # Ok::<_, simplejwt::keys::seal::SealError>(())
/// ```
#[derive(Clone)]
pub struct KeyEncryptionKey(Arc<Cipher>);

/// The reason a key can't be encrypted or decrypted. Never contains key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The text isn't a key of 32 bytes.
    #[error(
        "the key that encrypts keys isn't 32 random bytes in base64 or hex: make one with \
         `openssl rand -base64 32`"
    )]
    NotAKey,
    /// The stored key isn't encrypted.
    #[error("the stored key isn't encrypted, as nothing else than simplejwt would have written it")]
    NotSealed,
    /// The stored key was encrypted with another key, or changed.
    #[error("the stored key was encrypted with another key than the configured one, or changed")]
    CannotOpen,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Failed,
}

impl KeyEncryptionKey {
    /// Generates a key as text that [`parse`](Self::parse) accepts: 32 random bytes in base64url.
    ///
    /// ```
    /// use simplejwt::keys::seal::KeyEncryptionKey;
    ///
    /// let text = KeyEncryptionKey::generate();
    /// assert!(KeyEncryptionKey::parse(text.as_bytes()).is_ok());
    /// ```
    pub fn generate() -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        random::fill(bytes.as_mut_slice());
        Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(bytes.as_slice()))
    }

    /// Reads a key: 32 bytes in base64, base64url or hex. White space around it is ignored.
    ///
    /// # Errors
    /// [`SealError::NotAKey`].
    pub fn parse(text: &[u8]) -> Result<Self, SealError> {
        let text = text.trim_ascii();
        let bytes = if text.len() == 2 * KEY_LEN { from_hex(text) } else { from_base64(text) };
        bytes
            .filter(|bytes| bytes.len() == KEY_LEN)
            .and_then(|bytes| Cipher::new(&bytes))
            .map(|cipher| Self(Arc::new(cipher)))
            .ok_or(SealError::NotAKey)
    }

    /// Encrypts `content` so that it can only be decrypted in the same `context`.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn seal(&self, content: &[u8], context: &[u8]) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce);
        let sealed = self.0.seal(content, context, nonce).ok_or(SealError::Failed)?;
        Ok(format!("{VERSION}{}", URL_SAFE_NO_PAD.encode_to_string(&sealed)))
    }

    /// Decrypts what [`seal`](Self::seal) returned for the same context.
    ///
    /// # Errors
    /// [`SealError::NotSealed`], [`SealError::CannotOpen`].
    pub fn open(&self, sealed: &str, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let encoded = sealed.strip_prefix(VERSION).ok_or(SealError::NotSealed)?;
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(encoded).map_err(|_| SealError::CannotOpen)?;
        self.0.open(&bytes, context).ok_or(SealError::CannotOpen)
    }
}

/// `true` if a stored key is encrypted.
pub(super) fn is_sealed(text: &str) -> bool {
    text.starts_with(VERSION)
}

fn from_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let standard = text.iter().map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    });
    let standard = Zeroizing::new(standard.collect::<Vec<_>>());
    forgiving_decode_to_vec(&standard).ok().map(Zeroizing::new)
}

fn from_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, _) = text.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<Vec<_>>>().map(Zeroizing::new)
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_key_is_the_same_key() {
        let bytes: Vec<u8> = (200..232).collect();
        let base64 = base64_simd::STANDARD.encode_to_string(&bytes);
        let url = URL_SAFE_NO_PAD.encode_to_string(&bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_ne!(base64, url);
        let sealed =
            KeyEncryptionKey::parse(base64.as_bytes()).unwrap().seal(b"key", b"here").unwrap();
        for text in [url, hex.to_lowercase(), hex, format!("  {base64}\r\n")] {
            let key = KeyEncryptionKey::parse(text.as_bytes()).unwrap();
            assert_eq!(key.open(&sealed, b"here").unwrap().as_slice(), b"key", "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "secret", "MDEyMzQ1Njc4OWFiY2RlZg==", &"g".repeat(64), &"0".repeat(62)] {
            assert_eq!(
                KeyEncryptionKey::parse(text.as_bytes()).map(drop),
                Err(SealError::NotAKey),
                "{text}"
            );
        }
    }

    #[test]
    fn a_changed_key_is_not_opened() {
        let key = KeyEncryptionKey::parse(KeyEncryptionKey::generate().as_bytes()).unwrap();
        let other = KeyEncryptionKey::parse(KeyEncryptionKey::generate().as_bytes()).unwrap();
        let sealed = key.seal(b"a secret", b"1").unwrap();
        assert_ne!(sealed, key.seal(b"a secret", b"1").unwrap(), "nonces are random");
        assert_eq!(other.open(&sealed, b"1"), Err(SealError::CannotOpen));
        assert_eq!(key.open(&sealed, b"2"), Err(SealError::CannotOpen));
        assert_eq!(key.open("a secret", b"1"), Err(SealError::NotSealed));
        assert_eq!(key.open(VERSION, b"1"), Err(SealError::CannotOpen));
        for at in VERSION.len()..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(key.open(&changed, b"1"), Err(SealError::CannotOpen), "{at}");
        }
    }
}
