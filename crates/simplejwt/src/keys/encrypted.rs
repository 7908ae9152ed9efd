//! Private keys that are encrypted with a passphrase (PKCS#8, RFC 5958 and 8018).

use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::der::{self, Found};
use super::{Algorithm, KeyError, SigningKey, generate, needs_pair, pem, wrong_type};

/// The label of such a key in PEM.
const LABEL: &str = "ENCRYPTED PRIVATE KEY";

impl SigningKey {
    /// Reads a private key from PEM that is encrypted with a passphrase: `ENCRYPTED PRIVATE KEY`,
    /// as `openssl genpkey -aes-256-cbc` writes it. White space at the passphrase's end isn't part
    /// of it.
    ///
    /// # Errors
    /// [`KeyError`] for text without such a key, for another passphrase, and for ways of encryption
    /// that aren't secure (those before PBES2).
    pub fn from_encrypted_pem(
        algorithm: Algorithm,
        pem: &[u8],
        passphrase: &[u8],
    ) -> Result<Self, KeyError> {
        needs_pair(algorithm)?;
        let decrypted = Self::decrypted(pem, passphrase)?;
        match der::private_key_info(decrypted.as_bytes()) {
            Some(Found::Private(key)) => Self::new_private(algorithm, &key),
            Some(Found::Other(found)) => Err(wrong_type(algorithm, found)),
            Some(Found::Public(_)) | None => Err(KeyError::Malformed("the private key (PKCS#8)")),
        }
    }

    /// Decrypts a private key in PEM: returns it as `PRIVATE KEY`, which [`parse`](Self::parse)
    /// accepts.
    ///
    /// # Errors
    /// As [`from_encrypted_pem`](Self::from_encrypted_pem).
    pub fn decrypt_pem(pem: &[u8], passphrase: &[u8]) -> Result<Zeroizing<String>, KeyError> {
        let decrypted = Self::decrypted(pem, passphrase)?;
        Ok(generate::pem("PRIVATE KEY", decrypted.as_bytes()))
    }

    fn decrypted(pem: &[u8], passphrase: &[u8]) -> Result<SecretDocument, KeyError> {
        let blocks = pem::blocks(pem);
        let block = blocks.iter().find(|block| block.label == LABEL);
        let Some(block) = block else {
            return Err(if blocks.iter().any(|block| block.encrypted) {
                KeyError::OldEncryption
            } else {
                KeyError::NotEncrypted
            });
        };
        let encrypted = block.der.as_ref().map_err(Clone::clone)?;
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(encrypted.as_slice())
            .map_err(|_| KeyError::OldEncryption)?;
        encrypted.decrypt(passphrase.trim_ascii_end()).map_err(|_| KeyError::Passphrase)
    }
}
