//! Estimates of the time that a computation takes, by the algorithm and its cost.

use super::kind::{Cost, HashKind};
use super::pbkdf2::Digest;
use super::{Hasher, Password, argon2, bcrypt, pbkdf2, scrypt};
use crate::clock::work_nanos;

/// The time of the smallest step of each algorithm, in picoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnitCosts {
    /// One iteration.
    pbkdf2_sha256: u64,
    /// One iteration.
    pbkdf2_sha1: u64,
    /// One KiB, once.
    argon2: u64,
    /// A single round: each further one doubles the work.
    bcrypt: u64,
    /// One unit of `n · r · p`.
    scrypt: u64,
}

/// As measured on common hardware, for use without a measurement.
impl Default for UnitCosts {
    fn default() -> Self {
        UnitCosts {
            pbkdf2_sha256: 109_000,
            pbkdf2_sha1: 84_000,
            argon2: 730_000,
            bcrypt: 51_500_000,
            scrypt: 307_000,
        }
    }
}

impl UnitCosts {
    /// Returns the time of one computation, in nanoseconds.
    pub(super) fn of(&self, kind: HashKind) -> u64 {
        let (unit, units) = match kind.cost() {
            Cost::Pbkdf2(iterations) if kind.hasher() == Hasher::Pbkdf2Sha1 => {
                (self.pbkdf2_sha1, u64::from(iterations))
            }
            Cost::Pbkdf2(iterations) => (self.pbkdf2_sha256, u64::from(iterations)),
            Cost::Argon2(cost) => (self.argon2, cost.work()),
            Cost::Bcrypt(rounds) => (self.bcrypt, 1 << rounds.min(31)),
            Cost::Scrypt(cost) => (self.scrypt, cost.work()),
            Cost::Md5 => return 0,
        };
        unit.saturating_mul(units) / 1000
    }

    /// Returns the number of PBKDF2-SHA-256 iterations that take this many nanoseconds: the finest
    /// step available, and one that needs no memory.
    pub(super) fn iterations(&self, nanoseconds: u64) -> u32 {
        let iterations = nanoseconds.saturating_mul(1000) / self.pbkdf2_sha256.max(1);
        u32::try_from(iterations).unwrap_or(u32::MAX)
    }

    /// Returns the time of this many iterations, in nanoseconds.
    pub(super) fn padding(&self, iterations: u32) -> u64 {
        self.pbkdf2_sha256.saturating_mul(iterations.into()) / 1000
    }

    /// Measures the time that algorithms of these kinds take on this machine: the best of a few
    /// computations. Memory-hard algorithms are measured with their actual costs, since a KiB takes
    /// several times as long once the caches don't hold them all.
    pub(super) fn measured(kinds: &[HashKind]) -> Self {
        const ITERATIONS: u32 = 30_000;
        const ROUNDS: u32 = 8;
        const SALT: &str = "salt of 22 characters.";
        let password = Password::new("a password that nobody has".to_owned());
        let unit = |units: u64, work: &dyn Fn()| best(work).saturating_mul(1000) / units.max(1);
        let pbkdf2 = |digest| {
            unit(ITERATIONS.into(), &|| {
                pbkdf2::spend(digest, &password, ITERATIONS);
            })
        };
        let mut units = UnitCosts { pbkdf2_sha256: pbkdf2(Digest::Sha256), ..Self::default() };
        // The costliest kind of each family comes last and replaces the others.
        let mut kinds = kinds.to_vec();
        kinds.sort_by_key(|kind| Self::default().of(*kind));
        let last_of = |family: fn(&HashKind) -> bool| kinds.iter().rfind(|kind| family(kind));
        if last_of(|kind| kind.hasher() == Hasher::Pbkdf2Sha1).is_some() {
            units.pbkdf2_sha1 = pbkdf2(Digest::Sha1);
        }
        if let Some(Cost::Bcrypt(rounds)) =
            cost_of(last_of(|k| matches!(k.cost(), Cost::Bcrypt(_))))
        {
            let rounds = rounds.min(ROUNDS);
            units.bcrypt = unit(1 << rounds, &|| {
                drop(bcrypt::encode(bcrypt::Input::Sha256, &password, [7; 16], rounds));
            });
        }
        if let Some(Cost::Argon2(cost)) = cost_of(last_of(|k| matches!(k.cost(), Cost::Argon2(_))))
        {
            units.argon2 = unit(cost.work(), &|| drop(argon2::encode(&password, SALT, cost)));
        }
        if let Some(Cost::Scrypt(cost)) = cost_of(last_of(|k| matches!(k.cost(), Cost::Scrypt(_))))
        {
            units.scrypt = unit(cost.work(), &|| drop(scrypt::encode(&password, SALT, cost)));
        }
        units.or_default()
    }

    /// Replaces implausible measurements, during which the clock was set, by the defaults.
    fn or_default(self) -> Self {
        let usual = UnitCosts::default();
        let sane = |measured: u64, usual: u64| match measured {
            measured if (usual / 100..usual * 100).contains(&measured) => measured,
            _ => usual,
        };
        UnitCosts {
            pbkdf2_sha256: sane(self.pbkdf2_sha256, usual.pbkdf2_sha256),
            pbkdf2_sha1: sane(self.pbkdf2_sha1, usual.pbkdf2_sha1),
            argon2: sane(self.argon2, usual.argon2),
            bcrypt: sane(self.bcrypt, usual.bcrypt),
            scrypt: sane(self.scrypt, usual.scrypt),
        }
    }
}

fn cost_of(kind: Option<&HashKind>) -> Option<Cost> {
    kind.map(HashKind::cost)
}

/// Returns the nanoseconds of the quickest of three runs: other load on the machine only adds to
/// the time.
fn best(work: &dyn Fn()) -> u64 {
    let once = |_| {
        let start = work_nanos();
        work();
        work_nanos().saturating_sub(start)
    };
    (0..3).map(once).min().unwrap_or_default()
}
