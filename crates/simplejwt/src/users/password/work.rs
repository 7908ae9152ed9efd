//! How long one computation takes, told by the algorithm and its cost.

use super::kind::{Cost, HashKind};
use super::pbkdf2::Digest;
use super::{Hasher, Password, argon2, bcrypt, pbkdf2, scrypt};
use crate::clock::{Clock as _, SystemClock};

/// Picoseconds of the smallest step of each algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnitCosts {
    /// An iteration.
    pbkdf2_sha256: u64,
    /// An iteration.
    pbkdf2_sha1: u64,
    /// A KiB, once.
    argon2: u64,
    /// A round where there is one only: each more doubles the work.
    bcrypt: u64,
    /// `n · r · p` of one.
    scrypt: u64,
}

/// As measured on common hardware. Good enough where nobody has measured.
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
    /// Nanoseconds of one computation.
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

    /// The iterations of PBKDF2 over SHA-256 that take so many nanoseconds: the finest step
    /// there is, and one that needs no memory.
    pub(super) fn iterations(&self, nanoseconds: u64) -> u32 {
        let iterations = nanoseconds.saturating_mul(1000) / self.pbkdf2_sha256.max(1);
        u32::try_from(iterations).unwrap_or(u32::MAX)
    }

    /// Nanoseconds of so many iterations.
    pub(super) fn padding(&self, iterations: u32) -> u64 {
        self.pbkdf2_sha256.saturating_mul(iterations.into()) / 1000
    }

    /// What this machine takes for the algorithms of these kinds: the best of a few computations.
    /// What needs memory is measured with the costs that it has, since a KiB takes several times as
    /// long where the caches don't hold them all.
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
        // The costliest of each family comes last, and counts.
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

    /// A clock that was set in between tells nothing.
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

/// Nanoseconds of the quickest of three runs: whatever else the machine does only adds to it.
fn best(work: &dyn Fn()) -> u64 {
    let once = |_| {
        let start = SystemClock.now();
        work();
        let micros = SystemClock.now().as_micros().saturating_sub(start.as_micros());
        u64::try_from(micros).unwrap_or_default().saturating_mul(1000)
    };
    (0..3).map(once).min().unwrap_or_default()
}
