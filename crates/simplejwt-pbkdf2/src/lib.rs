#![doc = include_str!("../README.md")]

use hmac::Hmac;
use sha1::Sha1;
use sha2::Sha256;

/// PBKDF2 with HMAC-SHA256: Django's `pbkdf2_sha256`.
///
/// Fills `output` with the derived key, of any length in bytes; Django's has 32. Zero iterations
/// count as one.
///
/// ```
/// let mut key = [0; 32];
/// simplejwt_pbkdf2::hmac_sha256(b"password", b"salt", 1, &mut key);
/// assert_eq!(key[..4], [0x12, 0x0f, 0xb6, 0xcf]);
/// ```
pub fn hmac_sha256(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    let derived = pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, iterations.max(1), output);
    derived.expect("HMAC takes a key of any length");
}

/// PBKDF2 with HMAC-SHA1: Django's `pbkdf2_sha1`, whose key has 20 bytes.
///
/// ```
/// let mut key = [0; 20];
/// simplejwt_pbkdf2::hmac_sha1(b"password", b"salt", 1, &mut key);
/// assert_eq!(key[..4], [0x0c, 0x60, 0xc8, 0x0f]); // RFC 6070
/// ```
pub fn hmac_sha1(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    let derived = pbkdf2::pbkdf2::<Hmac<Sha1>>(password, salt, iterations.max(1), output);
    derived.expect("HMAC takes a key of any length");
}
