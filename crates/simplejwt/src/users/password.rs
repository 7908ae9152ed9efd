//! Django's password hashes: verified, made, and told when they are out of date.
//!
//! [`Hashers`] is Django's `PASSWORD_HASHERS` setting: the first hasher makes new hashes,
//! all of them verify. It is synchronous and slow on purpose; [`HashingPool`] runs it on
//! threads of its own, so that logins never hold up the tasks that serve requests.
//!
//! ```
//! use simplejwt::users::password::{Hashers, Parameters, Verdict};
//!
//! // Far too little work for anything but an example.
//! let hashers = Hashers::default().with_parameters(Parameters {
//!     pbkdf2_iterations: 1000,
//!     ..Parameters::default()
//! })?;
//! let stored = hashers.encode("correct horse")?;
//! assert!(stored.starts_with("pbkdf2_sha256$1000$"));
//! assert_eq!(hashers.verify("correct horse", &stored), Verdict::Correct { must_update: false });
//! assert_eq!(hashers.verify("battery staple", &stored), Verdict::Wrong);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Differences from Django
//! - A malformed hash refuses the login. Django answers most of them with an error 500.
//! - A hash that asks for more work than the `MAX_…` limits is refused like a malformed one.
//! - A password over 72 bytes is wrong for plain bcrypt. Django's answer hangs on the version
//!   of its bcrypt library: truncation before 5.0, an error 500 since.
//! - Of Argon2 only the versions 16 and 19 exist here.
//! - A wrong password for a hash that took less than half of the work of a new one, and
//!   that Django does not harden (another algorithm, Argon2, scrypt), costs one computation
//!   of the preferred hasher more. Otherwise quick answers would tell apart accounts whose
//!   hash is of an old kind.

mod argon2;
mod bcrypt;
mod hasher;
mod md5;
mod parameters;
mod pbkdf2;
mod pool;
mod scrypt;
mod stored;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

pub use hasher::Hasher;
pub use parameters::{
    Argon2Cost, MAX_ARGON2_MEMORY, MAX_ARGON2_PARALLELISM, MAX_ARGON2_TIME, MAX_ARGON2_WORK,
    MAX_BCRYPT_ROUNDS, MAX_ENCODED_LENGTH, MAX_PBKDF2_ITERATIONS, MAX_SCRYPT_MEMORY,
    MAX_SCRYPT_WORK, Parameters, ScryptCost,
};
pub use pool::{HashingPool, PoolError, PoolOptions};

use crate::random;
use parameters::SALT_LENGTH;
use stored::Stored;

/// Django's `UNUSABLE_PASSWORD_PREFIX`.
const UNUSABLE_PREFIX: char = '!';
/// Django's `UNUSABLE_PASSWORD_SUFFIX_LENGTH`.
const UNUSABLE_LENGTH: usize = 40;

/// What came of comparing a password with a stored hash.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password.
    Correct {
        /// The hash should be made anew with [`Hashers::encode`], now that the password is at
        /// hand: it is of another algorithm, cost or salt length than new ones.
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

/// The hashers in use: Django's `PASSWORD_HASHERS` with the costs of new hashes.
///
/// The default is Django 5.2's: new hashes are `pbkdf2_sha256` with 1,000,000 iterations;
/// `pbkdf2_sha1`, `argon2`, `bcrypt_sha256` and `scrypt` are accepted as well. Plain
/// `bcrypt` and `md5` must be named in the list to be accepted.
///
/// Clones share the count of [`computations`](Hashers::computations).
#[derive(Clone)]
pub struct Hashers {
    accepted: Vec<Hasher>,
    preferred: Hasher,
    parameters: Parameters,
    /// A hash as `encode` would make it, of a password that nobody has.
    prepared: String,
    computations: Arc<AtomicU64>,
}

impl Default for Hashers {
    fn default() -> Self {
        let [preferred, ..] = Hasher::DJANGO_DEFAULT;
        Hashers::build(preferred, Hasher::DJANGO_DEFAULT.to_vec(), Parameters::default())
    }
}

impl fmt::Debug for Hashers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashers")
            .field("accepted", &self.accepted)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

impl Hashers {
    /// The hashers of a `PASSWORD_HASHERS` list: the first one makes new hashes.
    ///
    /// # Errors
    /// [`HashersError::Empty`] for an empty list.
    pub fn new(accepted: impl IntoIterator<Item = Hasher>) -> Result<Self, HashersError> {
        let accepted: Vec<Hasher> = accepted.into_iter().collect();
        let preferred = *accepted.first().ok_or(HashersError::Empty)?;
        Ok(Hashers::build(preferred, accepted, Parameters::default()))
    }

    /// The hashers of a `PASSWORD_HASHERS` list of class paths or names.
    ///
    /// # Errors
    /// [`HashersError::Unknown`] for a path that is not one of Django's own hashers,
    /// [`HashersError::Empty`] for an empty list.
    pub fn from_setting<S: AsRef<str>>(
        paths: impl IntoIterator<Item = S>,
    ) -> Result<Self, HashersError> {
        let accepted: Vec<Hasher> =
            paths.into_iter().map(|path| path.as_ref().parse()).collect::<Result<_, _>>()?;
        Hashers::new(accepted)
    }

    /// The same hashers with other costs for new hashes. In Django this takes a subclass of
    /// the hasher.
    ///
    /// # Errors
    /// [`HashersError::OutOfRange`] as [`Parameters::validate`] has it.
    pub fn with_parameters(self, parameters: Parameters) -> Result<Self, HashersError> {
        parameters.validate()?;
        Ok(Hashers::build(self.preferred, self.accepted, parameters))
    }

    fn build(preferred: Hasher, accepted: Vec<Hasher>, parameters: Parameters) -> Self {
        Hashers {
            prepared: prepare(preferred, &parameters),
            preferred,
            accepted,
            parameters,
            computations: Arc::default(),
        }
    }

    /// The hasher of new hashes.
    #[must_use]
    pub const fn preferred(&self) -> Hasher {
        self.preferred
    }

    /// The hashers whose hashes are verified, the preferred one first.
    #[must_use]
    pub fn accepted(&self) -> &[Hasher] {
        &self.accepted
    }

    /// The costs of new hashes.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// How many hashes were computed so far, by these hashers and their clones: one for each
    /// password compared or encoded and each run of [`dummy_work`](Hashers::dummy_work), and
    /// those that harden a wrong password against a cheap hash.
    #[must_use]
    pub fn computations(&self) -> u64 {
        self.computations.load(Ordering::Relaxed)
    }

    /// Compares a password with a stored hash; Django's `verify_password`.
    ///
    /// Takes as long as the stored hash asks for. An unusable, empty, corrupt or excessive
    /// hash, or one whose algorithm is not accepted, costs one [`dummy_work`] and is
    /// [`Verdict::Wrong`]. After a wrong password the work that the stored hash saves over a
    /// new one is spent as well.
    ///
    /// [`dummy_work`]: Hashers::dummy_work
    pub fn verify(&self, password: &str, encoded: &str) -> Verdict {
        let Some(stored) = self.identify(encoded) else {
            self.dummy_work(password);
            return Verdict::Wrong;
        };
        let must_update = stored.hasher() != self.preferred || stored.must_update(&self.parameters);
        self.count(1);
        if stored.matches(password) {
            return Verdict::Correct { must_update };
        }
        if must_update {
            self.harden(&stored, password);
        }
        Verdict::Wrong
    }

    /// Makes a hash of the preferred kind with a new random salt; Django's `make_password`.
    ///
    /// # Errors
    /// [`EncodeError::TooLongForBcrypt`], or the refusal of the algorithm.
    pub fn encode(&self, password: &str) -> Result<String, EncodeError> {
        self.count(1);
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

    /// Does the work of one verification and comes to nothing: for a user who does not exist.
    /// It goes through the comparison with a prepared hash of the preferred kind and today's
    /// costs.
    pub fn dummy_work(&self, password: &str) {
        self.count(1);
        let stored = Stored::parse(self.preferred, &self.prepared);
        std::hint::black_box(stored.map(|stored| stored.matches(password)));
    }

    /// Takes a stored hash apart, if its hasher is one of the accepted ones.
    fn identify<'a>(&self, encoded: &'a str) -> Option<Stored<'a>> {
        if encoded.len() > MAX_ENCODED_LENGTH {
            return None;
        }
        let (name, rest) = encoded.split_once('$')?;
        let hasher = self.accepted.iter().copied().find(|hasher| hasher.name() == name)?;
        Stored::parse(hasher, rest)
    }

    fn harden(&self, stored: &Stored<'_>, password: &str) {
        if stored.hasher() == self.preferred
            && let Some(computed) = stored.harden(password, &self.parameters)
        {
            self.count(computed);
            return;
        }
        let new = Stored::parse(self.preferred, &self.prepared);
        if new.is_some_and(|new| stored.nanoseconds() < new.nanoseconds() / 2) {
            self.dummy_work(password);
        }
    }

    fn count(&self, computed: u64) {
        self.computations.fetch_add(computed, Ordering::Relaxed);
    }
}

/// What follows the name in a well-formed hash whose digest is random.
fn prepare(hasher: Hasher, parameters: &Parameters) -> String {
    let salt = random::alphanumeric(SALT_LENGTH);
    let digest = random_bytes::<64>();
    let Parameters { pbkdf2_iterations, argon2, bcrypt_rounds, scrypt } = *parameters;
    match hasher {
        Hasher::Pbkdf2Sha256 => {
            pbkdf2::prepare(pbkdf2::Digest::Sha256, &salt, &digest, pbkdf2_iterations)
        }
        Hasher::Pbkdf2Sha1 => {
            pbkdf2::prepare(pbkdf2::Digest::Sha1, &salt, &digest, pbkdf2_iterations)
        }
        Hasher::Argon2 => argon2::prepare(&salt, &digest, argon2),
        Hasher::BcryptSha256 | Hasher::Bcrypt => {
            bcrypt::prepare(random_bytes(), &digest, bcrypt_rounds)
        }
        Hasher::Scrypt => scrypt::prepare(&salt, &digest, scrypt),
        Hasher::Md5 => md5::prepare(&salt, &digest),
    }
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    random::fill(&mut bytes);
    bytes
}

/// A value for the password column of a user who shall not log in with a password: `!` and
/// 40 random characters. Django's `set_unusable_password`.
#[must_use]
pub fn unusable_password() -> String {
    format!("{UNUSABLE_PREFIX}{}", random::alphanumeric(UNUSABLE_LENGTH))
}

/// A password nobody guesses: `length` random letters and digits, 5.95 bits each.
#[must_use]
pub fn random_password(length: usize) -> Zeroizing<String> {
    Zeroizing::new(random::alphanumeric(length))
}

/// Whether the stored value is anything but one of [`unusable_password`]; Django's
/// `is_password_usable`. An empty or corrupt value counts as usable, and no password
/// matches it.
#[must_use]
pub fn is_usable(encoded: &str) -> bool {
    !encoded.starts_with(UNUSABLE_PREFIX)
}

/// A password on its way to a hashing thread; wiped when dropped.
type Password = Zeroizing<String>;

#[cfg(test)]
mod tests {
    use super::*;

    /// Were the prepared hash not one, the dummy work would be none.
    #[test]
    fn the_prepared_hash_is_one_of_todays() {
        for hasher in Hasher::ALL {
            let hashers = Hashers::new([hasher]).unwrap();
            let stored = Stored::parse(hasher, &hashers.prepared).unwrap();
            assert!(!stored.must_update(hashers.parameters()), "{hasher}");
            let encoded = format!("{hasher}${}", hashers.prepared);
            assert!(hashers.identify(&encoded).is_some());
            assert_ne!(hashers.prepared, Hashers::new([hasher]).unwrap().prepared);
        }
    }
}
