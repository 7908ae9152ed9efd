//! The names of Django's password hashers.

use std::fmt;
use std::str::FromStr;

use super::HashersError;

/// One of the password hashers that Django 5.2 ships.
///
/// Parsed from the class path in the `PASSWORD_HASHERS` setting, or from the name that begins a
/// stored hash:
///
/// ```
/// use simplejwt::users::password::Hasher;
///
/// let hasher: Hasher = "django.contrib.auth.hashers.Argon2PasswordHasher".parse()?;
/// assert_eq!(hasher, Hasher::Argon2);
/// assert_eq!("argon2".parse::<Hasher>()?, hasher);
/// assert_eq!(hasher.name(), "argon2");
/// # Ok::<(), simplejwt::users::password::HashersError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hasher {
    /// `PBKDF2PasswordHasher`: `pbkdf2_sha256$iterations$salt$base64`, Django's default.
    Pbkdf2Sha256,
    /// `PBKDF2SHA1PasswordHasher`: `pbkdf2_sha1$iterations$salt$base64`.
    Pbkdf2Sha1,
    /// `Argon2PasswordHasher`: `argon2$argon2id$v=19$m=102400,t=2,p=8$salt$hash`.
    Argon2,
    /// `BCryptSHA256PasswordHasher`: `bcrypt_sha256$$2b$12$…`, bcrypt over the hexadecimal
    /// SHA-256 of the password.
    BcryptSha256,
    /// `BCryptPasswordHasher`: `bcrypt$$2b$12$…`, for passwords of at most 72 bytes.
    Bcrypt,
    /// `ScryptPasswordHasher`: `scrypt$n$salt$r$p$base64`.
    Scrypt,
    /// `MD5PasswordHasher`: `md5$salt$hex`. For tests and very old tables only.
    Md5,
}

impl Hasher {
    /// All hashers that Django 5.2 ships, those accepted by default first.
    pub const ALL: [Hasher; 7] = [
        Hasher::Pbkdf2Sha256,
        Hasher::Pbkdf2Sha1,
        Hasher::Argon2,
        Hasher::BcryptSha256,
        Hasher::Scrypt,
        Hasher::Bcrypt,
        Hasher::Md5,
    ];

    /// Django's default for `PASSWORD_HASHERS`.
    pub const DJANGO_DEFAULT: [Hasher; 5] = [
        Hasher::Pbkdf2Sha256,
        Hasher::Pbkdf2Sha1,
        Hasher::Argon2,
        Hasher::BcryptSha256,
        Hasher::Scrypt,
    ];

    /// Returns the name that begins a stored hash.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Hasher::Pbkdf2Sha256 => "pbkdf2_sha256",
            Hasher::Pbkdf2Sha1 => "pbkdf2_sha1",
            Hasher::Argon2 => "argon2",
            Hasher::BcryptSha256 => "bcrypt_sha256",
            Hasher::Bcrypt => "bcrypt",
            Hasher::Scrypt => "scrypt",
            Hasher::Md5 => "md5",
        }
    }

    /// Returns the class path in Django's `PASSWORD_HASHERS` setting.
    #[must_use]
    pub const fn class_path(self) -> &'static str {
        match self {
            Hasher::Pbkdf2Sha256 => "django.contrib.auth.hashers.PBKDF2PasswordHasher",
            Hasher::Pbkdf2Sha1 => "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
            Hasher::Argon2 => "django.contrib.auth.hashers.Argon2PasswordHasher",
            Hasher::BcryptSha256 => "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
            Hasher::Bcrypt => "django.contrib.auth.hashers.BCryptPasswordHasher",
            Hasher::Scrypt => "django.contrib.auth.hashers.ScryptPasswordHasher",
            Hasher::Md5 => "django.contrib.auth.hashers.MD5PasswordHasher",
        }
    }
}

impl fmt::Display for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Hasher {
    type Err = HashersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Hasher::ALL
            .into_iter()
            .find(|hasher| text == hasher.name() || text == hasher.class_path())
            .ok_or_else(|| HashersError::Unknown(text.to_owned()))
    }
}
