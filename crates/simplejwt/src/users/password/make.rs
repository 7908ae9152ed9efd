//! New hashes, and unusable passwords.

use zeroize::Zeroizing;

use super::parameters::SALT_LENGTH;
use super::{EncodeError, Hasher, Hashers, argon2, bcrypt, md5, pbkdf2, scrypt};
use crate::random;

/// Django's `UNUSABLE_PASSWORD_PREFIX`.
const UNUSABLE_PREFIX: char = '!';
/// Django's `UNUSABLE_PASSWORD_SUFFIX_LENGTH`.
const UNUSABLE_LENGTH: usize = 40;

impl Hashers {
    /// Makes a hash of the preferred kind with a new random salt; Django's `make_password`.
    ///
    /// # Errors
    /// [`EncodeError::TooLongForBcrypt`], or the algorithm's own failure.
    pub fn encode(&self, password: &str) -> Result<String, EncodeError> {
        self.refusals.count(self.new_hashes());
        let hasher = self.preferred;
        let parameters = &self.parameters;
        let salt = || random::alphanumeric(SALT_LENGTH);
        let rest = match hasher {
            Hasher::Pbkdf2Sha256 => pbkdf2::encode(
                pbkdf2::Digest::Sha256,
                password,
                &salt(),
                parameters.pbkdf2_iterations,
            ),
            Hasher::Pbkdf2Sha1 => pbkdf2::encode(
                pbkdf2::Digest::Sha1,
                password,
                &salt(),
                parameters.pbkdf2_iterations,
            ),
            Hasher::Argon2 => argon2::encode(password, &salt(), parameters.argon2)?,
            Hasher::BcryptSha256 => bcrypt::encode(
                bcrypt::Input::Sha256,
                password,
                random_bytes(),
                parameters.bcrypt_rounds,
            )?,
            Hasher::Bcrypt => bcrypt::encode(
                bcrypt::Input::Password,
                password,
                random_bytes(),
                parameters.bcrypt_rounds,
            )?,
            Hasher::Scrypt => scrypt::encode(password, &salt(), parameters.scrypt)?,
            Hasher::Md5 => md5::encode(password, &salt()),
        };
        Ok(format!("{hasher}${rest}"))
    }
}

pub(super) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    random::fill(&mut bytes);
    bytes
}

/// Returns a value for the password column of a user who can't log in with a password: `!` and 40
/// random characters. Django's `set_unusable_password`.
#[must_use]
pub fn unusable_password() -> String {
    format!("{UNUSABLE_PREFIX}{}", random::alphanumeric(UNUSABLE_LENGTH))
}

/// Returns a random password of `length` letters and digits, with 5.95 bits of entropy each.
#[must_use]
pub fn random_password(length: usize) -> Zeroizing<String> {
    Zeroizing::new(random::alphanumeric(length))
}

/// `true` unless the stored value is one of [`unusable_password`]; Django's `is_password_usable`.
/// An empty or corrupt value counts as usable, but no password matches it.
#[must_use]
pub fn is_usable(encoded: &str) -> bool {
    !encoded.starts_with(UNUSABLE_PREFIX)
}
