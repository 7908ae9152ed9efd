//! Equal work for every login that is refused, whatever the account: as much as the costliest kind
//! of hash takes that is known to be in the table.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::kind::{Cost, HashKind};
use super::make::random_bytes;
use super::parameters::SALT_LENGTH;
use super::stored::Stored;
use super::work::UnitCosts;
use super::{Hasher, argon2, bcrypt, md5, pbkdf2, scrypt};
use crate::random;

/// What all clones of [`Hashers`](super::Hashers) share.
#[derive(Debug)]
pub(super) struct Refusals {
    /// What new hashes are: no refusal takes less.
    new: HashKind,
    computations: AtomicU64,
    /// Nanoseconds of all that was computed, as the units have it.
    work: AtomicU64,
    known: Mutex<Known>,
}

struct Known {
    /// Nanoseconds that a refusal is padded to at most, unless a new hash takes longer.
    limit: u64,
    units: UnitCosts,
    /// The costliest of the last sample.
    sampled: Option<HashKind>,
    /// The costliest of the logins since that sample, and of those before it.
    seen: Option<HashKind>,
    seen_before: Option<HashKind>,
    stand_in: Arc<StandIn>,
}

/// The hash in whose place an unknown user's would be.
struct StandIn {
    kind: HashKind,
    /// What follows the name in a well-formed hash of this kind whose digest is random.
    prepared: String,
    /// Nanoseconds that each refusal takes.
    target: u64,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known")
            .field("limit", &self.limit)
            .field("stand_in", &self.stand_in.kind)
            .finish_non_exhaustive()
    }
}

impl Refusals {
    pub(super) fn new(new: HashKind, limit: Duration) -> Self {
        let units = UnitCosts::default();
        let stand_in =
            Arc::new(StandIn { kind: new, prepared: prepare(new), target: units.of(new) });
        let known = Known {
            limit: nanoseconds(limit),
            units,
            sampled: None,
            seen: None,
            seen_before: None,
            stand_in,
        };
        Refusals {
            new,
            computations: AtomicU64::new(0),
            work: AtomicU64::new(0),
            known: known.into(),
        }
    }

    pub(super) fn computations(&self) -> u64 {
        self.computations.load(Ordering::Relaxed)
    }

    pub(super) fn work(&self) -> Duration {
        Duration::from_nanos(self.work.load(Ordering::Relaxed))
    }

    pub(super) fn limit(&self) -> Duration {
        Duration::from_nanos(self.lock().limit)
    }

    pub(super) fn set_limit(&self, limit: Duration) {
        let mut known = self.lock();
        known.limit = nanoseconds(limit);
        known.choose(self.new);
    }

    pub(super) fn set_units(&self, units: UnitCosts) {
        let mut known = self.lock();
        known.units = units;
        known.choose(self.new);
    }

    /// How long one computation of this kind takes.
    pub(super) fn time_of(&self, kind: HashKind) -> Duration {
        Duration::from_nanos(self.lock().units.of(kind))
    }

    /// How long a refusal takes, and the kind that it stands in for.
    pub(super) fn target(&self) -> (HashKind, Duration) {
        let known = self.lock();
        (known.stand_in.kind, Duration::from_nanos(known.stand_in.target))
    }

    /// A login met a hash of this kind.
    pub(super) fn saw(&self, kind: HashKind) {
        let mut known = self.lock();
        let costlier = known.costlier(known.seen, Some(kind));
        if costlier != known.seen {
            known.seen = costlier;
            known.choose(self.new);
        }
    }

    /// The table was looked at anew. What logins met stays known until the next time.
    pub(super) fn sampled(&self, kinds: impl IntoIterator<Item = HashKind>) {
        let mut known = self.lock();
        known.sampled =
            kinds.into_iter().fold(None, |so_far, kind| known.costlier(so_far, Some(kind)));
        known.seen_before = known.seen.take();
        known.choose(self.new);
    }

    /// Counts a computation of this kind.
    pub(super) fn count(&self, kind: HashKind) {
        self.add(self.lock().units.of(kind));
    }

    /// The work of a refusal for want of a hash.
    pub(super) fn stand_in(&self, password: &str) {
        let stand_in = Arc::clone(&self.lock().stand_in);
        self.count(stand_in.kind);
        let stored = Stored::parse(stand_in.kind.hasher(), &stand_in.prepared);
        std::hint::black_box(stored.map(|stored| stored.matches(password)));
        self.pad(password, stand_in.kind);
    }

    /// What is missing to the work of a refusal after one computation of this kind.
    pub(super) fn pad(&self, password: &str, done: HashKind) {
        let known = self.lock();
        let (units, target) = (known.units, known.stand_in.target);
        drop(known);
        let iterations = units.iterations(target.saturating_sub(units.of(done)));
        if iterations > 0 {
            self.add(units.padding(pbkdf2::spend(pbkdf2::Digest::Sha256, password, iterations)));
        }
    }

    fn add(&self, nanoseconds: u64) {
        self.computations.fetch_add(1, Ordering::Relaxed);
        self.work.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Nothing in between can fail and leave half a change behind.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn costlier(&self, one: Option<HashKind>, two: Option<HashKind>) -> Option<HashKind> {
        let cost = |kind: &HashKind| self.units.of(*kind);
        // The first of equals, so that nothing changes without a reason.
        [one, two].into_iter().flatten().rev().max_by_key(cost)
    }

    /// Finds the stand-in again after something has changed.
    fn choose(&mut self, new: HashKind) {
        let least = self.units.of(new);
        let most = self.limit.max(least);
        let known = [self.sampled, self.seen, self.seen_before];
        let costliest = known.iter().flatten().map(|kind| self.units.of(*kind)).max();
        let target = costliest.unwrap_or_default().clamp(least, most);
        // One that takes longer than a refusal may can't stand in for it.
        let cost = |kind: HashKind| self.units.of(kind);
        let fits = known.into_iter().flatten().filter(|kind| cost(*kind) <= most);
        let kind =
            fits.fold(new, |so_far, kind| if cost(kind) > cost(so_far) { kind } else { so_far });
        let prepared = match self.stand_in.kind == kind {
            true => self.stand_in.prepared.clone(),
            false => prepare(kind),
        };
        self.stand_in = Arc::new(StandIn { kind, prepared, target });
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What follows the name in a well-formed hash whose digest is random.
fn prepare(kind: HashKind) -> String {
    let salt = random::alphanumeric(SALT_LENGTH);
    let digest = random_bytes::<64>();
    match kind.cost() {
        Cost::Pbkdf2(iterations) => {
            let of = match kind.hasher() {
                Hasher::Pbkdf2Sha1 => pbkdf2::Digest::Sha1,
                _ => pbkdf2::Digest::Sha256,
            };
            pbkdf2::prepare(of, &salt, &digest, iterations)
        }
        Cost::Argon2(cost) => argon2::prepare(&salt, &digest, cost),
        Cost::Bcrypt(rounds) => bcrypt::prepare(random_bytes(), &digest, rounds),
        Cost::Scrypt(cost) => scrypt::prepare(&salt, &digest, cost),
        Cost::Md5 => md5::prepare(&salt, &digest),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Parameters;
    use super::*;

    /// Were the prepared hash not one, the work of a refusal would be none.
    #[test]
    fn a_prepared_hash_is_one_of_its_kind() {
        for hasher in Hasher::ALL {
            let kind = HashKind::new(hasher, &Parameters::default());
            let prepared = prepare(kind);
            let stored = Stored::parse(hasher, &prepared).unwrap();
            assert_eq!(stored.kind(), kind);
            assert!(!stored.is_stale(), "{hasher}");
            assert_ne!(prepared, prepare(kind));
        }
    }
}
