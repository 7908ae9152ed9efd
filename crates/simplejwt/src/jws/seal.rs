//! AES-256-GCM (NIST SP 800-38D), for keys that are stored where others can read them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// The length of a key that encrypts, in bytes.
pub(crate) const KEY_LEN: usize = 32;

/// The length of a nonce, in bytes.
pub(crate) const NONCE_LEN: usize = aws_lc_rs::aead::NONCE_LEN;

/// A key that encrypts keys.
pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    /// Returns `None` unless the key has [`KEY_LEN`] bytes.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, key).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    /// Encrypts `content`, bound to `context`: the nonce, which has to be random, followed by the
    /// ciphertext and its tag. `None` if the cryptographic library fails.
    pub(crate) fn seal(
        &self,
        content: &[u8],
        context: &[u8],
        nonce: [u8; NONCE_LEN],
    ) -> Option<Vec<u8>> {
        let mut sealed = Zeroizing::new(content.to_vec());
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut *sealed,
            )
            .ok()?;
        Some([&nonce, sealed.as_slice()].concat())
    }

    /// Decrypts what [`seal`](Self::seal) returned for the same context; `None` for anything else.
    pub(crate) fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, content) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut content = Zeroizing::new(content.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened =
            self.0.open_in_place(nonce, Aad::from(context), content.as_mut_slice()).ok()?.len();
        content.truncate(opened);
        Some(content)
    }
}
