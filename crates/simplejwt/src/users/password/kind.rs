//! The algorithm and the cost of a hash.

use std::cmp::Ordering;
use std::fmt;

use super::parameters::{Argon2Cost, ScryptCost};
use super::{Hasher, Parameters};

/// The cost of a hash, in the units of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cost {
    /// Iterations of PBKDF2, over SHA-256 or SHA-1.
    Pbkdf2(u32),
    /// Argon2's passes, memory and lanes.
    Argon2(Argon2Cost),
    /// Rounds of bcrypt, as a power of two.
    Bcrypt(u32),
    /// scrypt's work factor, block size and parallelism.
    Scrypt(ScryptCost),
    /// No cost: md5.
    Md5,
}

/// The algorithm and the cost of a hash.
///
/// ```
/// use simplejwt::users::password::{HashKind, Hasher, Parameters};
///
/// let kind = HashKind::new(Hasher::Pbkdf2Sha256, &Parameters::default());
/// assert_eq!(kind.to_string(), "pbkdf2_sha256 with 1000000 iterations");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashKind {
    hasher: Hasher,
    cost: Cost,
}

impl HashKind {
    /// Returns the kind of a new hash.
    #[must_use]
    pub const fn new(hasher: Hasher, parameters: &Parameters) -> Self {
        let cost = match hasher {
            Hasher::Pbkdf2Sha256 | Hasher::Pbkdf2Sha1 => Cost::Pbkdf2(parameters.pbkdf2_iterations),
            Hasher::Argon2 => Cost::Argon2(parameters.argon2),
            Hasher::BcryptSha256 | Hasher::Bcrypt => Cost::Bcrypt(parameters.bcrypt_rounds),
            Hasher::Scrypt => Cost::Scrypt(parameters.scrypt),
            Hasher::Md5 => Cost::Md5,
        };
        HashKind { hasher, cost }
    }

    pub(super) const fn of(hasher: Hasher, cost: Cost) -> Self {
        HashKind { hasher, cost }
    }

    /// Returns the algorithm.
    #[must_use]
    pub const fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// Returns the cost.
    #[must_use]
    pub const fn cost(&self) -> Cost {
        self.cost
    }
}

impl fmt::Display for HashKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hasher = self.hasher;
        match self.cost {
            Cost::Md5 => write!(f, "{hasher}"),
            cost => write!(f, "{hasher} with {cost}"),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cost::Pbkdf2(iterations) => write!(f, "{iterations} iterations"),
            Cost::Argon2(Argon2Cost { time_cost, memory_cost, parallelism }) => {
                write!(f, "t={time_cost} m={memory_cost} p={parallelism}")
            }
            Cost::Bcrypt(rounds) => write!(f, "{rounds} rounds"),
            Cost::Scrypt(ScryptCost { work_factor, block_size, parallelism }) => {
                write!(f, "n={work_factor} r={block_size} p={parallelism}")
            }
            Cost::Md5 => f.write_str("no cost"),
        }
    }
}

/// Compares the work within a family. Costs of different families can't be compared, nor can costs
/// of which one number is higher and another lower. Argon2's lanes don't count, since they share
/// the work.
impl PartialOrd for Cost {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let every = |pairs: &[(u32, u32)]| {
            pairs.iter().try_fold(Ordering::Equal, |so_far, (one, two)| {
                match (so_far, one.cmp(two)) {
                    (so_far, Ordering::Equal) => Some(so_far),
                    (Ordering::Equal, new) => Some(new),
                    (so_far, new) => (so_far == new).then_some(so_far),
                }
            })
        };
        match (self, other) {
            (Cost::Pbkdf2(one), Cost::Pbkdf2(two)) | (Cost::Bcrypt(one), Cost::Bcrypt(two)) => {
                Some(one.cmp(two))
            }
            (Cost::Argon2(one), Cost::Argon2(two)) => {
                let order =
                    every(&[(one.memory_cost, two.memory_cost), (one.time_cost, two.time_cost)])?;
                // Equal work, but different costs.
                let equal = order == Ordering::Equal && one.parallelism != two.parallelism;
                (!equal).then_some(order)
            }
            (Cost::Scrypt(one), Cost::Scrypt(two)) => every(&[
                (one.work_factor, two.work_factor),
                (one.block_size, two.block_size),
                (one.parallelism, two.parallelism),
            ]),
            (Cost::Md5, Cost::Md5) => Some(Ordering::Equal),
            _ => None,
        }
    }
}
