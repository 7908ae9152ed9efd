//! A stored hash of any family, parsed.

use super::bcrypt::Input;
use super::kind::{Cost, HashKind};
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
    /// Parses the part after the name of the hasher and its `$`.
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

    /// Computes the hash of `password` with this one's salt and cost, and compares them.
    pub(super) fn matches(&self, password: &str) -> bool {
        match &self.family {
            Family::Pbkdf2(stored) => stored.matches(password),
            Family::Argon2(stored) => stored.matches(password),
            Family::Bcrypt(stored) => stored.matches(password),
            Family::Scrypt(stored) => stored.matches(password),
            Family::Md5(stored) => stored.matches(password),
        }
    }

    /// Returns the algorithm and the cost.
    pub(super) fn kind(&self) -> HashKind {
        let cost = match &self.family {
            Family::Pbkdf2(stored) => stored.cost(),
            Family::Argon2(stored) => stored.cost(),
            Family::Bcrypt(stored) => stored.cost(),
            Family::Scrypt(stored) => stored.cost(),
            Family::Md5(_) => Cost::Md5,
        };
        HashKind::of(self.hasher, cost)
    }

    /// `true` if it is in an old form, or its salt is too short, whatever its cost. For bcrypt and
    /// scrypt, Django considers only the cost.
    pub(super) fn is_stale(&self) -> bool {
        match &self.family {
            Family::Pbkdf2(stored) => stored.is_stale(),
            Family::Argon2(stored) => stored.is_stale(),
            Family::Bcrypt(_) | Family::Scrypt(_) => false,
            Family::Md5(stored) => stored.is_stale(),
        }
    }
}
