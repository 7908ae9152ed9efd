//! The stored hashes that a login rewrites.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::Hasher;
use super::kind::HashKind;

/// The stored hashes that a login rewrites, since the password is available.
///
/// Django compares for inequality, and so also rewrites to a lower cost. Two programs with
/// different costs would rewrite each other's hashes in a shared table for ever; therefore the
/// owner of the table decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rehash {
    /// No hash.
    Never,
    /// Hashes weaker than new ones, and never with less work than they took: within an algorithm by
    /// cost (or because the salt is too short), between algorithms from a weaker to a stronger one.
    /// From weak to strong: md5, pbkdf2_sha1, pbkdf2_sha256, bcrypt, bcrypt_sha256, scrypt, argon2.
    Stronger,
    /// The hashes for which Django's `must_update` is true: those that differ from new ones in
    /// algorithm, cost or salt length, in either direction.
    Always,
}

impl Rehash {
    /// All values, with their names in the setting.
    pub const NAMES: [(&'static str, Rehash); 3] =
        [("never", Rehash::Never), ("stronger", Rehash::Stronger), ("always", Rehash::Always)];
}

impl fmt::Display for Rehash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rehash::Never => "never",
            Rehash::Stronger => "stronger",
            Rehash::Always => "always",
        })
    }
}

/// A text that isn't one of [`Rehash::NAMES`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of never, stronger and always")]
pub struct UnknownRehash(String);

impl FromStr for Rehash {
    type Err = UnknownRehash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::NAMES.iter().find(|(name, _)| *name == text);
        named.map(|(_, rehash)| *rehash).ok_or_else(|| UnknownRehash(text.to_owned()))
    }
}

/// `true` if a new hash is stronger than the stored one. `is_stale` means that the stored one is in
/// an old form or its salt is too short, whatever its cost.
pub(super) fn is_stronger(new: HashKind, stored: HashKind, is_stale: bool) -> bool {
    let cost = stored.cost().partial_cmp(&new.cost());
    if stored.hasher() == new.hasher() {
        return match cost {
            Some(Ordering::Less) => true,
            Some(Ordering::Equal) => is_stale,
            Some(Ordering::Greater) | None => false,
        };
    }
    let same_family = std::mem::discriminant(&stored.cost()) == std::mem::discriminant(&new.cost());
    let gives_up_work = same_family && !matches!(cost, Some(Ordering::Less | Ordering::Equal));
    rank(stored.hasher()) < rank(new.hasher()) && !gives_up_work
}

/// Ranks algorithms by how hard they make guessing for an attacker who has the table.
const fn rank(hasher: Hasher) -> u8 {
    match hasher {
        Hasher::Md5 => 0,
        Hasher::Pbkdf2Sha1 => 1,
        Hasher::Pbkdf2Sha256 => 2,
        Hasher::Bcrypt => 3,
        Hasher::BcryptSha256 => 4,
        Hasher::Scrypt => 5,
        Hasher::Argon2 => 6,
    }
}
