//! New keys.

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{SigningKey, VerifyingKey};
use crate::jws::{self, Algorithm, SigningFailed};
use crate::random;

/// The length of a new HMAC secret, in bytes: that of the longest hash.
const SECRET_BYTES: usize = 64;
/// The line length of PEM (RFC 7468 section 2).
const PEM_LINE: usize = 64;

impl SigningKey {
    /// Generates a key as text that [`parse`](Self::parse) accepts, for storing in a file: 86
    /// random characters of base64url for HMAC, otherwise a private key as PKCS#8 PEM (RSA: 3072
    /// bits).
    ///
    /// ```
    /// use simplejwt::{Algorithm, SigningKey};
    ///
    /// let pem = SigningKey::generate(Algorithm::Es256)?;
    /// assert!(SigningKey::parse(Algorithm::Es256, pem.as_bytes(), false).is_ok());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`GenerateError`] if the cryptographic library couldn't make a key.
    pub fn generate(algorithm: Algorithm) -> Result<Zeroizing<String>, GenerateError> {
        if algorithm.is_symmetric() {
            let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
            random::fill(bytes.as_mut_slice());
            return Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(bytes.as_slice())));
        }
        let der = jws::generate_pkcs8(algorithm).map_err(|SigningFailed| GenerateError)?;
        Ok(pem("PRIVATE KEY", &der))
    }
}

impl VerifyingKey {
    /// Returns the public key as PEM (`PUBLIC KEY`, RFC 7468 section 13); `None` for a secret,
    /// which must not be published.
    pub fn to_pem(&self) -> Option<String> {
        Some(pem("PUBLIC KEY", &self.verifier.spki()?).to_string())
    }
}

pub(super) fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode_to_string(der));
    let mut text = Zeroizing::new(String::with_capacity(base64.len() * 2 + 2 * label.len() + 40));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for (i, character) in base64.chars().enumerate() {
        if i > 0 && i % PEM_LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

/// No key could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library could not make a key")]
pub struct GenerateError;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeySet;

    #[test]
    fn generated_keys_sign_and_their_public_pem_verifies() {
        for algorithm in Algorithm::ALL {
            let text = SigningKey::generate(algorithm).unwrap();
            assert_ne!(text, SigningKey::generate(algorithm).unwrap(), "{algorithm}");
            let signing = SigningKey::parse(algorithm, text.as_bytes(), false).unwrap();
            let public = signing.verifying_key().to_pem();
            assert_eq!(public.is_none(), algorithm.is_symmetric(), "{algorithm}");
            let token = KeySet::new(signing).sign_compact(b"{}").unwrap();
            if let Some(public) = public {
                let key = VerifyingKey::parse(algorithm, public.as_bytes(), false).unwrap();
                assert!(KeySet::verify_only([key]).unwrap().verify_compact(&token).is_ok());
            }
        }
    }
}
