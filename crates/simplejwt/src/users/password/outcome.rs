//! What comes of comparing, making and configuring password hashes.

/// What came of comparing a password with a stored hash.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password.
    Correct {
        /// The hash is of another algorithm, cost or salt length than new ones: Django makes it
        /// anew, now that the password is at hand. Whether to do so here is another question:
        /// [`Hashers::should_rewrite`](super::Hashers::should_rewrite).
        must_update: bool,
    },
    /// It is not; or there is no such user, or no usable hash.
    Wrong,
}

impl Verdict {
    /// Whether the password was the right one.
    #[must_use]
    pub const fn is_correct(self) -> bool {
        matches!(self, Verdict::Correct { .. })
    }
}

/// Why a list of hashers or their parameters cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashersError {
    /// The list is empty, so that nothing could make a hash.
    #[error("the list of password hashers is empty")]
    Empty,
    /// Neither a class path of Django's hashers nor the name of one.
    #[error("`{0}` is not one of Django's password hashers")]
    Unknown(String),
    /// A cost outside of what its algorithm or this crate allows.
    #[error("{setting} of the password hashers are out of range")]
    OutOfRange {
        /// Which.
        setting: &'static str,
    },
}

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Plain bcrypt takes no more than 72 bytes. `bcrypt_sha256` has no such limit.
    #[error("the password is over bcrypt's 72 bytes")]
    TooLongForBcrypt,
    /// Argon2 refused, for want of memory in all likelihood.
    #[error("argon2 did not hash the password")]
    Argon2(#[source] ::argon2::Error),
    /// scrypt refused its parameters.
    #[error("scrypt did not hash the password")]
    Scrypt(#[source] ::scrypt::errors::InvalidParams),
}
