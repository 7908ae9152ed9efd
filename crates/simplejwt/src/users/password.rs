//! Django's password hashes: verifying, making, and recognizing outdated ones.
//!
//! [`Hashers`] is Django's `PASSWORD_HASHERS` setting: the first hasher makes new hashes, and all
//! of them verify. It is synchronous and slow on purpose; [`HashingPool`] runs it on threads of its
//! own, so that logins never hold up the tasks that serve requests.
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
//! - A hash that needs more work than the `MAX_…` limits is refused like a malformed one.
//! - A password over 72 bytes is wrong for plain bcrypt. Django's result depends on the version of
//!   its bcrypt library: truncation before 5.0, an error 500 since.
//! - Of Argon2, only versions 16 and 19 are supported.
//! - Every refusal takes as much work as one for the costliest kind of hash known to be in the
//!   table ([`Hashers::learn`]), up to [`Hashers::with_max_refusal_work`]. Django compensates for a
//!   cheaper hash within one algorithm, and computes one new hash for an unknown user; its response
//!   times reveal the rest.

mod argon2;
mod bcrypt;
mod hasher;
mod kind;
mod make;
mod md5;
mod outcome;
mod parameters;
mod pbkdf2;
mod pool;
mod refusal;
mod rehash;
mod scrypt;
mod stored;
mod survey;
mod weak;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

pub use hasher::Hasher;
pub use kind::{Cost, HashKind};
pub use make::{is_usable, random_password, unusable_password};
pub use outcome::{EncodeError, HashersError, Verdict};
pub use parameters::{
    Argon2Cost, MAX_ARGON2_MEMORY, MAX_ARGON2_PARALLELISM, MAX_ARGON2_TIME, MAX_ARGON2_WORK,
    MAX_BCRYPT_ROUNDS, MAX_ENCODED_LENGTH, MAX_PBKDF2_ITERATIONS, MAX_SCRYPT_MEMORY,
    MAX_SCRYPT_WORK, Parameters, ScryptCost,
};
pub use pool::{HashingPool, PoolError, PoolOptions};
pub use rehash::{Rehash, UnknownRehash};
pub use survey::{PasswordSurvey, StoredKind};
pub use weak::{Weakness, weaknesses};

use refusal::Refusals;
use stored::Stored;
use work::UnitCosts;

/// The default of [`Hashers::with_max_refusal_work`].
pub const DEFAULT_MAX_REFUSAL_WORK: Duration = Duration::from_secs(1);

/// The hashers in use: Django's `PASSWORD_HASHERS` with the costs of new hashes.
///
/// The default is Django 5.2's: new hashes are `pbkdf2_sha256` with 1,000,000 iterations;
/// `pbkdf2_sha1`, `argon2`, `bcrypt_sha256` and `scrypt` are accepted as well. Plain `bcrypt` and
/// `md5` must be named in the list to be accepted.
///
/// Clones share the knowledge of the table's hashes and the number of
/// [`computations`](Hashers::computations).
#[derive(Clone)]
pub struct Hashers {
    accepted: Vec<Hasher>,
    preferred: Hasher,
    parameters: Parameters,
    rehash: Option<Rehash>,
    refusals: Arc<Refusals>,
}

impl Default for Hashers {
    fn default() -> Self {
        let [preferred, ..] = Hasher::DJANGO_DEFAULT;
        let accepted = Hasher::DJANGO_DEFAULT.to_vec();
        Hashers::build(preferred, accepted, Parameters::default(), None)
    }
}

impl fmt::Debug for Hashers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashers")
            .field("accepted", &self.accepted)
            .field("parameters", &self.parameters)
            .field("rehash", &self.rehash)
            .finish_non_exhaustive()
    }
}

impl Hashers {
    /// Creates the hashers of a `PASSWORD_HASHERS` list: the first one makes new hashes, and hashes
    /// are rewritten as Django does ([`Rehash::Always`]).
    ///
    /// # Errors
    /// [`HashersError::Empty`] for an empty list.
    pub fn new(accepted: impl IntoIterator<Item = Hasher>) -> Result<Self, HashersError> {
        let accepted: Vec<Hasher> = accepted.into_iter().collect();
        let preferred = *accepted.first().ok_or(HashersError::Empty)?;
        Ok(Hashers::build(preferred, accepted, Parameters::default(), Some(Rehash::Always)))
    }

    /// Creates the hashers of a `PASSWORD_HASHERS` list of class paths or names.
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

    /// Sets the costs of new hashes, and rewrites hashes as Django does ([`Rehash::Always`]). In
    /// Django this takes a subclass of the hasher.
    ///
    /// # Errors
    /// [`HashersError::OutOfRange`], see [`Parameters::validate`].
    pub fn with_parameters(self, parameters: Parameters) -> Result<Self, HashersError> {
        parameters.validate()?;
        let limit = self.refusals.limit();
        let hashers =
            Hashers::build(self.preferred, self.accepted, parameters, Some(Rehash::Always));
        Ok(hashers.with_max_refusal_work(limit))
    }

    /// Sets which stored hashes are rewritten. With `None` that depends on who owns the table: if
    /// Django or any other program has made it, no hash is rewritten; if only `migrate` has,
    /// [`Rehash::Stronger`] applies. `None` is the default if neither a list nor costs are given,
    /// since the owner of the table decides what a hash costs. Call this after
    /// [`with_parameters`](Hashers::with_parameters), which sets it as well.
    ///
    /// ```
    /// use simplejwt::users::password::{Hashers, Parameters, Rehash};
    ///
    /// assert_eq!(Hashers::default().rehash(), None);
    /// let as_django_4_2 = Parameters { pbkdf2_iterations: 600_000, ..Parameters::default() };
    /// let hashers = Hashers::default().with_parameters(as_django_4_2)?;
    /// assert_eq!(hashers.rehash(), Some(Rehash::Always));
    /// assert_eq!(hashers.with_rehash(Rehash::Never).rehash(), Some(Rehash::Never));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_rehash(mut self, rehash: impl Into<Option<Rehash>>) -> Self {
        self.rehash = rehash.into();
        self
    }

    /// Sets the maximum processor time of a refused login; it is never less than for one new hash.
    /// Default: [`DEFAULT_MAX_REFUSAL_WORK`]. Existing clones are changed, too.
    #[must_use]
    pub fn with_max_refusal_work(self, limit: Duration) -> Self {
        self.refusals.set_limit(limit);
        self
    }

    fn build(
        preferred: Hasher,
        accepted: Vec<Hasher>,
        parameters: Parameters,
        rehash: Option<Rehash>,
    ) -> Self {
        let new = HashKind::new(preferred, &parameters);
        let refusals = Arc::new(Refusals::new(new, DEFAULT_MAX_REFUSAL_WORK));
        Hashers { preferred, accepted, parameters, rehash, refusals }
    }

    /// Returns the hasher of new hashes.
    #[must_use]
    pub const fn preferred(&self) -> Hasher {
        self.preferred
    }

    /// Returns the hashers whose hashes are verified, the preferred one first.
    #[must_use]
    pub fn accepted(&self) -> &[Hasher] {
        &self.accepted
    }

    /// Returns the costs of new hashes.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Returns which stored hashes are rewritten; `None` if that depends on who owns the table.
    #[must_use]
    pub const fn rehash(&self) -> Option<Rehash> {
        self.rehash
    }

    /// Returns the algorithm and cost of new hashes.
    #[must_use]
    pub const fn new_hashes(&self) -> HashKind {
        HashKind::new(self.preferred, &self.parameters)
    }

    /// Returns the number of computations so far, by these hashers and their clones: one for each
    /// password compared or encoded, one for each run of [`dummy_work`](Hashers::dummy_work), and
    /// one for each that was padded to the work of a refusal.
    #[must_use]
    pub fn computations(&self) -> u64 {
        self.refusals.computations()
    }

    /// Returns the work of all [`computations`](Hashers::computations): not the time they took, but
    /// the time that their algorithms and costs take according to [`time_of`](Hashers::time_of).
    #[must_use]
    pub fn work(&self) -> Duration {
        self.refusals.work()
    }

    /// Returns the processor time of one computation of this kind, as measured by
    /// [`calibrate`](Hashers::calibrate), or else on common hardware.
    #[must_use]
    pub fn time_of(&self, kind: HashKind) -> Duration {
        self.refusals.time_of(kind)
    }

    /// Returns the current work of each refusal, and the kind of hash that it corresponds to.
    #[must_use]
    pub fn refusal_work(&self) -> (HashKind, Duration) {
        self.refusals.target()
    }

    /// Measures how long computations take on this machine, for new hashes and those of a sample of
    /// the table, which is also [learned](Hashers::learn). Blocks for three computations of the
    /// costliest Argon2 and scrypt hashes, if there are any, plus a few hundredths of a second.
    pub fn calibrate(&self, survey: &PasswordSurvey) {
        let mut kinds = vec![self.new_hashes()];
        kinds.extend(survey.accepted().map(|(kind, _)| kind));
        // Kinds that refusals aren't padded to needn't be measured.
        let most = self.refusals.limit().max(self.time_of(self.new_hashes()));
        kinds.retain(|kind| self.time_of(*kind) <= most);
        self.refusals.set_units(UnitCosts::measured(&kinds));
        // Another kind may be the costliest now.
        self.learn(survey);
    }

    /// Records the kinds of hashes in a sample of the table, replacing those of the previous
    /// sample: refusals take as much work as the costliest of them. Other kinds that logins
    /// encounter are learned automatically, and remembered until the sample after the next.
    pub fn learn(&self, survey: &PasswordSurvey) {
        self.refusals.sampled(survey.accepted().map(|(kind, _)| kind));
    }

    /// Classifies a stored value, without computing anything.
    #[must_use]
    pub fn kind_of(&self, encoded: &str) -> StoredKind {
        if encoded.is_empty() || !is_usable(encoded) {
            return StoredKind::Unusable;
        }
        if let Some(stored) = self.identify(encoded) {
            return StoredKind::Accepted(stored.kind());
        }
        let name = encoded.split_once('$').map_or("", |(name, _)| name);
        match self.accepted.iter().find(|hasher| hasher.name() == name) {
            Some(hasher) => StoredKind::Malformed(*hasher),
            None => StoredKind::NotAccepted(survey::name_of(encoded)),
        }
    }

    /// `true` if a login with the right password rewrites this stored hash.
    #[must_use]
    pub fn should_rewrite(&self, encoded: &str, rehash: Rehash) -> bool {
        let new = self.new_hashes();
        self.identify(encoded).is_some_and(|stored| match rehash {
            Rehash::Never => false,
            Rehash::Stronger => rehash::is_stronger(new, stored.kind(), stored.is_stale()),
            Rehash::Always => stored.kind() != new || stored.is_stale(),
        })
    }

    /// Compares a password with a stored hash; Django's `verify_password`.
    ///
    /// Takes as long as the stored hash requires. After a wrong password, the remainder of the
    /// [work of a refusal](Hashers::refusal_work) is done as well. An unusable, empty, corrupt or
    /// excessive hash, or one whose algorithm is not accepted, costs one [`dummy_work`] and is
    /// [`Verdict::Wrong`].
    ///
    /// [`dummy_work`]: Hashers::dummy_work
    pub fn verify(&self, password: &str, encoded: &str) -> Verdict {
        self.compare(password, encoded, false)
    }

    /// As [`verify`](Hashers::verify), for a user who is refused whatever the password: even the
    /// right one takes the work of a refusal.
    pub fn verify_refused(&self, password: &str, encoded: &str) -> Verdict {
        self.compare(password, encoded, true)
    }

    fn compare(&self, password: &str, encoded: &str, refused: bool) -> Verdict {
        let Some(stored) = self.identify(encoded) else {
            self.dummy_work(password);
            return Verdict::Wrong;
        };
        let kind = stored.kind();
        self.refusals.saw(kind);
        self.refusals.count(kind);
        let correct = stored.matches(password);
        if refused || !correct {
            self.refusals.pad(password, kind);
        }
        match correct {
            true => {
                let must_update = kind != self.new_hashes() || stored.is_stale();
                Verdict::Correct { must_update }
            }
            false => Verdict::Wrong,
        }
    }

    /// Does the [work of a refusal](Hashers::refusal_work) without a result, for a user who doesn't
    /// exist. It runs the comparison with a prepared hash of the kind that it stands in for.
    pub fn dummy_work(&self, password: &str) {
        self.refusals.stand_in(password);
    }

    /// Parses a stored hash, if its hasher is one of the accepted ones.
    fn identify<'a>(&self, encoded: &'a str) -> Option<Stored<'a>> {
        if encoded.len() > MAX_ENCODED_LENGTH {
            return None;
        }
        let (name, rest) = encoded.split_once('$')?;
        let hasher = self.accepted.iter().copied().find(|hasher| hasher.name() == name)?;
        Stored::parse(hasher, rest)
    }
}

/// A password on its way to a hashing thread; wiped when dropped.
type Password = Zeroizing<String>;
