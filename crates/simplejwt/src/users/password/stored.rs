//! A stored hash of any family, taken apart.

use super::bcrypt::Input;
use super::parameters::Parameters;
use super::pbkdf2::Digest;
use super::{Hasher, argon2, bcrypt, md5, pbkdf2, scrypt};

/// A well-formed stored hash within the limits.
pub(super) struct Stored<'a> {
    hasher: Hasher,
    family: Family<'a>,
}

enum Family<'a> {
    Pbkdf2(pbkdf2::Stored<'a>),
    Argon2(argon2::Stored),
    Bcrypt(bcrypt::Stored<'a>),
    Scrypt(scrypt::Stored<'a>),
    Md5(md5::Stored<'a>),
}

impl<'a> Stored<'a> {
    /// `rest` is what follows the name of the hasher and its `$`.
    pub(super) fn parse(hasher: Hasher, rest: &'a str) -> Option<Self> {
        let family = match hasher {
            Hasher::Pbkdf2Sha256 => Family::Pbkdf2(pbkdf2::Stored::parse(Digest::Sha256, rest)?),
            Hasher::Pbkdf2Sha1 => Family::Pbkdf2(pbkdf2::Stored::parse(Digest::Sha1, rest)?),
            Hasher::Argon2 => Family::Argon2(argon2::Stored::parse(rest)?),
            Hasher::BcryptSha256 => Family::Bcrypt(bcrypt::Stored::parse(Input::Sha256, rest)?),
            Hasher::Bcrypt => Family::Bcrypt(bcrypt::Stored::parse(Input::Password, rest)?),
            Hasher::Scrypt => Family::Scrypt(scrypt::Stored::parse(rest)?),
            Hasher::Md5 => Family::Md5(md5::Stored::parse(rest)?),
        };
        Some(Stored { hasher, family })
    }

    pub(super) fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// Computes the hash of `password` with this one's salt and cost, and compares.
    pub(super) fn matches(&self, password: &str) -> bool {
        match &self.family {
            Family::Pbkdf2(stored) => stored.matches(password),
            Family::Argon2(stored) => stored.matches(password),
            Family::Bcrypt(stored) => stored.matches(password),
            Family::Scrypt(stored) => stored.matches(password),
            Family::Md5(stored) => stored.matches(password),
        }
    }

    /// Whether a new hash of the same hasher would be of another cost or salt length.
    pub(super) fn must_update(&self, parameters: &Parameters) -> bool {
        match &self.family {
            Family::Pbkdf2(stored) => stored.must_update(parameters.pbkdf2_iterations),
            Family::Argon2(stored) => stored.must_update(parameters.argon2),
            Family::Bcrypt(stored) => stored.must_update(parameters.bcrypt_rounds),
            Family::Scrypt(stored) => stored.must_update(parameters.scrypt),
            Family::Md5(stored) => stored.must_update(),
        }
    }

    /// Django's `harden_runtime`: spends the work that this hash saves over a new one of the
    /// same hasher. Returns the computations; `None` where the family cannot do it.
    pub(super) fn harden(&self, password: &str, parameters: &Parameters) -> Option<u64> {
        match &self.family {
            Family::Pbkdf2(stored) => Some(stored.harden(password, parameters.pbkdf2_iterations)),
            Family::Bcrypt(stored) => Some(stored.harden(password, parameters.bcrypt_rounds)),
            Family::Argon2(_) | Family::Scrypt(_) | Family::Md5(_) => None,
        }
    }

    /// About how long one computation takes on common hardware. Good enough to tell an
    /// md5 from a bcrypt, no more.
    pub(super) fn nanoseconds(&self) -> u64 {
        match &self.family {
            Family::Pbkdf2(stored) => stored.nanoseconds(),
            Family::Argon2(stored) => stored.nanoseconds(),
            Family::Bcrypt(stored) => stored.nanoseconds(),
            Family::Scrypt(stored) => stored.nanoseconds(),
            Family::Md5(_) => 0,
        }
    }
}
