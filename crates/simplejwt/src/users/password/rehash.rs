//! Which stored hashes a login makes anew.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::Hasher;
use super::kind::HashKind;

/// Which stored hashes a login makes anew, now that the password is at hand.
///
/// Django compares with "not equal" and so rewrites downwards as well. Two programs with different
/// costs on one table would rewrite each other's hashes for ever: whoever owns the table decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rehash {
    /// None.
    Never,
    /// Those that took less work than new ones take, and never with less work than they took:
    /// within an algorithm by its cost (or a salt that is too short), between algorithms from a
    /// weaker to a stronger one. From weak to strong: md5, pbkdf2_sha1, pbkdf2_sha256, bcrypt,
    /// bcrypt_sha256, scrypt, argon2.
    Stronger,
    /// Those that Django's `must_update` names: of another algorithm, cost or salt length than new
    /// ones, be it more or less.
    Always,
}

impl Rehash {
    /// Every value, by the names of the setting.
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

/// A text that is none of [`Rehash::NAMES`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not never, stronger or always")]
pub struct UnknownRehash(String);

impl FromStr for Rehash {
    type Err = UnknownRehash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::NAMES.iter().find(|(name, _)| *name == text);
        named.map(|(_, rehash)| *rehash).ok_or_else(|| UnknownRehash(text.to_owned()))
    }
}

/// Whether a new hash is stronger than the stored one. `is_stale`: the stored one is in an old
/// form, or its salt is too short, whatever its cost.
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

/// How hard an algorithm makes guessing, for an attacker who has the table.
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
