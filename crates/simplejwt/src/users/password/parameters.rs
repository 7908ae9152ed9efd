//! The work of new hashes, and the maximum work of stored ones.

use super::HashersError;

/// The maximum length of a stored hash, in bytes; anything longer counts as corrupt. Django's
/// column holds 128 characters.
pub const MAX_ENCODED_LENGTH: usize = 1024;
/// The maximum number of PBKDF2 iterations: about two seconds. Django 5.2 uses 1,000,000.
pub const MAX_PBKDF2_ITERATIONS: u32 = 20_000_000;
/// The maximum memory of one Argon2 computation, in KiB: 1 GiB. Django uses 102,400.
pub const MAX_ARGON2_MEMORY: u32 = 1 << 20;
/// The maximum number of Argon2 passes over the memory. Django uses 2.
pub const MAX_ARGON2_TIME: u32 = 10_000;
/// The maximum number of Argon2 lanes. Django uses 8.
pub const MAX_ARGON2_PARALLELISM: u32 = 255;
/// The maximum of Argon2's memory times passes, in KiB: 8 GiB written, a few seconds.
pub const MAX_ARGON2_WORK: u64 = 1 << 23;
/// The maximum of bcrypt's rounds (as a power of two): about seven seconds. Django uses 12; the
/// format allows up to 31, which is more than a day.
pub const MAX_BCRYPT_ROUNDS: u32 = 17;
/// The maximum memory of one scrypt computation, `128 · r · (n + p)` bytes: 256 MiB. Django uses 16
/// MiB, and OpenSSL refuses to give it more than 32.
pub const MAX_SCRYPT_MEMORY: u64 = 256 << 20;
/// The maximum work of scrypt, `n · r · p`: a few seconds. Django uses 655,360.
pub const MAX_SCRYPT_WORK: u64 = 1 << 24;

/// The work of new hashes for each family; the defaults are those of Django 5.2.
///
/// Stored hashes contain their own parameters. They are verified up to the `MAX_…` limits of this
/// module; one that needs more is refused like a corrupt one, so that a row in the database can't
/// stall the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Iterations of both PBKDF2 hashers (`iterations`): 1,000,000.
    pub pbkdf2_iterations: u32,
    /// Argon2's passes, memory and lanes.
    pub argon2: Argon2Cost,
    /// Rounds of both bcrypt hashers as a power of two (`rounds`): 12.
    pub bcrypt_rounds: u32,
    /// scrypt's work factor, block size and parallelism.
    pub scrypt: ScryptCost,
}

/// The cost of an Argon2 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Argon2Cost {
    /// Passes over the memory (`time_cost`): 2.
    pub time_cost: u32,
    /// Memory in KiB (`memory_cost`): 102,400.
    pub memory_cost: u32,
    /// Lanes (`parallelism`): 8.
    pub parallelism: u32,
}

/// The cost of a scrypt hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScryptCost {
    /// `n`, a power of two (`work_factor`): 16,384.
    pub work_factor: u32,
    /// `r` (`block_size`): 8.
    pub block_size: u32,
    /// `p` (`parallelism`): 5.
    pub parallelism: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            pbkdf2_iterations: 1_000_000,
            argon2: Argon2Cost { time_cost: 2, memory_cost: 102_400, parallelism: 8 },
            bcrypt_rounds: 12,
            scrypt: ScryptCost { work_factor: 1 << 14, block_size: 8, parallelism: 5 },
        }
    }
}

impl Parameters {
    /// Checks that every value is allowed by its algorithm and within the limits of this module.
    ///
    /// # Errors
    /// [`HashersError::OutOfRange`] names the first value that isn't allowed.
    pub fn validate(&self) -> Result<(), HashersError> {
        let refused = |setting| Err(HashersError::OutOfRange { setting });
        if !pbkdf2_allowed(self.pbkdf2_iterations) {
            return refused("the number of PBKDF2 iterations");
        }
        if !self.argon2.allowed() {
            return refused("the Argon2 cost");
        }
        if !bcrypt_allowed(self.bcrypt_rounds) {
            return refused("the number of bcrypt rounds");
        }
        if !self.scrypt.allowed() {
            return refused("the scrypt cost");
        }
        Ok(())
    }
}

pub(super) fn pbkdf2_allowed(iterations: u32) -> bool {
    (1..=MAX_PBKDF2_ITERATIONS).contains(&iterations)
}

pub(super) fn bcrypt_allowed(rounds: u32) -> bool {
    (4..=MAX_BCRYPT_ROUNDS).contains(&rounds)
}

impl Argon2Cost {
    /// `true` if the values are allowed. RFC 9106 section 3.1 requires at least eight KiB per lane.
    pub(super) fn allowed(&self) -> bool {
        (1..=MAX_ARGON2_PARALLELISM).contains(&self.parallelism)
            && (1..=MAX_ARGON2_TIME).contains(&self.time_cost)
            && (8 * self.parallelism..=MAX_ARGON2_MEMORY).contains(&self.memory_cost)
            && self.work() <= MAX_ARGON2_WORK
    }

    /// Returns the KiB written.
    pub(super) fn work(&self) -> u64 {
        u64::from(self.memory_cost) * u64::from(self.time_cost)
    }
}

impl ScryptCost {
    /// `true` if the values are allowed. RFC 7914 section 2: `n` is a power of two above one and
    /// below `2^(128 · r / 8)`.
    pub(super) fn allowed(&self) -> bool {
        let (n, r, p) =
            (u64::from(self.work_factor), u64::from(self.block_size), u64::from(self.parallelism));
        let memory = r.saturating_mul(128).saturating_mul(n + p);
        self.work_factor > 1
            && self.work_factor.is_power_of_two()
            && r > 0
            && p > 0
            && u64::from(self.work_factor.ilog2()) < 16 * r
            && memory <= MAX_SCRYPT_MEMORY
            && self.work() <= MAX_SCRYPT_WORK
    }

    /// Returns `n · r · p`.
    pub(super) fn work(&self) -> u64 {
        u64::from(self.work_factor)
            .saturating_mul(u64::from(self.block_size))
            .saturating_mul(u64::from(self.parallelism))
    }
}

/// Parses a number as Django writes it: decimal digits, no sign, no leading zero.
///
/// Python's `int()` is more lenient, but Django compares the whole encoded text, so a hash with
/// `+5` or `05` iterations never matches there either.
pub(super) fn decimal(text: &str) -> Option<u32> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

/// `true` if a salt of this many characters has less than the 128 bits of entropy that Django
/// requires (5.954 for each of its 62 letters and digits).
pub(super) fn salt_too_short(characters: usize) -> bool {
    characters < SALT_LENGTH
}

/// The number of characters in a new salt: the smallest with 128 bits of entropy.
pub(super) const SALT_LENGTH: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_at_the_limits_are_allowed_and_one_step_on_refused() {
        assert!(pbkdf2_allowed(1) && pbkdf2_allowed(MAX_PBKDF2_ITERATIONS));
        assert!(!pbkdf2_allowed(0) && !pbkdf2_allowed(MAX_PBKDF2_ITERATIONS + 1));
        assert!(bcrypt_allowed(4) && bcrypt_allowed(MAX_BCRYPT_ROUNDS));
        assert!(!bcrypt_allowed(3) && !bcrypt_allowed(MAX_BCRYPT_ROUNDS + 1));

        let argon2 = |memory_cost, time_cost, parallelism| {
            Argon2Cost { time_cost, memory_cost, parallelism }.allowed()
        };
        assert!(argon2(8, 1, 1) && argon2(MAX_ARGON2_MEMORY, 8, 255) && argon2(800, 10_000, 1));
        assert!(!argon2(7, 1, 1) && !argon2(15, 1, 2), "eight KiB a lane");
        assert!(!argon2(8, 0, 1) && !argon2(8, 1, 0) && !argon2(8, 10_001, 1));
        assert!(!argon2(MAX_ARGON2_MEMORY + 1, 1, 1) && !argon2(MAX_ARGON2_MEMORY, 9, 1));
        assert!(!argon2(u32::MAX, 1, u32::MAX) && !argon2(1 << 12, 1, 256));

        let scrypt = |work_factor, block_size, parallelism| {
            ScryptCost { work_factor, block_size, parallelism }.allowed()
        };
        assert!(scrypt(2, 1, 1) && scrypt(1 << 17, 8, 1) && scrypt(1 << 15, 1, 1));
        assert!(!scrypt(0, 1, 1) && !scrypt(1, 1, 1) && !scrypt(3, 1, 1));
        assert!(!scrypt(2, 0, 1) && !scrypt(2, 1, 0) && !scrypt(1 << 16, 1, 1));
        assert!(!scrypt(1 << 18, 8, 1), "memory");
        assert!(!scrypt(2, 1, 1 << 21), "memory of the lanes");
        assert!(!scrypt(1 << 14, 8, 129), "work");
        assert!(!scrypt(1 << 31, u32::MAX, u32::MAX));
    }

    #[test]
    fn validate_names_the_family() {
        let usual = Parameters::default();
        assert_eq!(usual.validate(), Ok(()));
        let argon2 = Argon2Cost { time_cost: 0, ..usual.argon2 };
        let scrypt = ScryptCost { work_factor: 3, ..usual.scrypt };
        for (changed, family) in [
            (Parameters { pbkdf2_iterations: 0, ..usual }, "PBKDF2"),
            (Parameters { argon2, ..usual }, "Argon2"),
            (Parameters { bcrypt_rounds: 32, ..usual }, "bcrypt"),
            (Parameters { scrypt, ..usual }, "scrypt"),
        ] {
            let error = changed.validate().unwrap_err().to_string();
            assert!(error.contains(family), "{error}");
        }
    }

    #[test]
    fn numbers_are_as_django_writes_them() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("1000000"), Some(1_000_000));
        for text in ["", "+1", "-1", "01", " 1", "1_0", "x", "4294967296", "\u{0661}"] {
            assert_eq!(decimal(text), None, "{text:?}");
        }
    }
}
