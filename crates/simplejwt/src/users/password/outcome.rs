//! The outcomes of comparing, making and configuring password hashes.

/// The result of comparing a password with a stored hash.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Correct {
        /// `true` if the hash differs from new ones in its algorithm, cost or salt length, in which
        /// case Django rewrites it, since the password is available. Whether it is rewritten here
        /// is decided by [`Hashers::should_rewrite`](super::Hashers::should_rewrite).
        must_update: bool,
    },
    /// The password is wrong, or there is no such user or no usable hash.
    Wrong,
}

impl Verdict {
    /// `true` if the password was right.
    #[must_use]
    pub const fn is_correct(self) -> bool {
        matches!(self, Verdict::Correct { .. })
    }
}

/// The reason a list of hashers or their parameters can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashersError {
    /// The list is empty, so nothing could make a hash.
    #[error("the list of password hashers is empty")]
    Empty,
    /// Neither the class path nor the name of one of Django's hashers.
    #[error("`{0}` is not one of Django's password hashers")]
    Unknown(String),
    /// A cost outside the range that its algorithm or this crate allows.
    #[error("password hashers: {setting} is out of range")]
    OutOfRange {
        /// The setting in question.
        setting: &'static str,
    },
}

/// The reason a password couldn't be hashed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The password is longer than plain bcrypt's limit of 72 bytes. `bcrypt_sha256` has no such
    /// limit.
    #[error("the password is longer than bcrypt's limit of 72 bytes")]
    TooLongForBcrypt,
    /// Argon2 failed, most likely for lack of memory.
    #[error("argon2 failed to hash the password")]
    Argon2(#[source] ::argon2::Error),
    /// scrypt refused its parameters.
    #[error("scrypt failed to hash the password")]
    Scrypt(#[source] ::scrypt::errors::InvalidParams),
}
