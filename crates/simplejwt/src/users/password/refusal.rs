//! Equal work for every refused login, whatever the account: that of the costliest kind of hash
//! known to be in the table.

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

/// State shared by all clones of [`Hashers`](super::Hashers).
#[derive(Debug)]
pub(super) struct Refusals {
    /// The kind of new hashes: no refusal takes less work.
    new: HashKind,
    computations: AtomicU64,
    /// The work of all computations in nanoseconds, according to the unit costs.
    work: AtomicU64,
    state: Mutex<State>,
}

struct State {
    /// The maximum work of a refusal in nanoseconds, unless a new hash takes longer.
    limit: u64,
    units: UnitCosts,
    /// The costliest kind in the last sample.
    sampled: Option<HashKind>,
    /// The costliest kinds encountered by logins since that sample, and before it.
    seen: Option<HashKind>,
    seen_before: Option<HashKind>,
    stand_in: Arc<StandIn>,
}

/// The hash that stands in for an unknown user's.
struct StandIn {
    kind: HashKind,
    /// A well-formed hash of this kind with a random digest, without its name.
    prepared: String,
    /// The work of each refusal, in nanoseconds.
    target: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
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
        let state = State {
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
            state: state.into(),
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
        let mut state = self.lock();
        state.limit = nanoseconds(limit);
        state.choose(self.new);
    }

    pub(super) fn set_units(&self, units: UnitCosts) {
        let mut state = self.lock();
        state.units = units;
        state.choose(self.new);
    }

    /// Returns the time of one computation of this kind.
    pub(super) fn time_of(&self, kind: HashKind) -> Duration {
        Duration::from_nanos(self.lock().units.of(kind))
    }

    /// Returns the work of a refusal, and the kind that it stands in for.
    pub(super) fn target(&self) -> (HashKind, Duration) {
        let state = self.lock();
        (state.stand_in.kind, Duration::from_nanos(state.stand_in.target))
    }

    /// Records that a login encountered a hash of this kind.
    pub(super) fn saw(&self, kind: HashKind) {
        let mut state = self.lock();
        let costlier = state.costlier(state.seen, Some(kind));
        if costlier != state.seen {
            state.seen = costlier;
            state.choose(self.new);
        }
    }

    /// Records the kinds in a new sample. Those encountered by logins are remembered until the next
    /// one.
    pub(super) fn sampled(&self, kinds: impl IntoIterator<Item = HashKind>) {
        let mut state = self.lock();
        state.sampled =
            kinds.into_iter().fold(None, |so_far, kind| state.costlier(so_far, Some(kind)));
        state.seen_before = state.seen.take();
        state.choose(self.new);
    }

    /// Counts a computation of this kind.
    pub(super) fn count(&self, kind: HashKind) {
        self.add(self.lock().units.of(kind));
    }

    /// Does the work of a refusal without a hash.
    pub(super) fn stand_in(&self, password: &str) {
        let stand_in = Arc::clone(&self.lock().stand_in);
        self.count(stand_in.kind);
        let stored = Stored::parse(stand_in.kind.hasher(), &stand_in.prepared);
        std::hint::black_box(stored.map(|stored| stored.matches(password)));
        self.pad(password, stand_in.kind);
    }

    /// Does the remaining work of a refusal after one computation of this kind.
    pub(super) fn pad(&self, password: &str, done: HashKind) {
        let state = self.lock();
        let (units, target) = (state.units, state.stand_in.target);
        drop(state);
        let iterations = units.iterations(target.saturating_sub(units.of(done)));
        if iterations > 0 {
            self.add(units.padding(pbkdf2::spend(pbkdf2::Digest::Sha256, password, iterations)));
        }
    }

    fn add(&self, nanoseconds: u64) {
        self.computations.fetch_add(1, Ordering::Relaxed);
        self.work.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// No operation can fail half-way and leave an inconsistent state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn costlier(&self, one: Option<HashKind>, two: Option<HashKind>) -> Option<HashKind> {
        let cost = |kind: &HashKind| self.units.of(*kind);
        // Prefers the first of equals, so that nothing changes without a reason.
        [one, two].into_iter().flatten().rev().max_by_key(cost)
    }

    /// Chooses the stand-in again after a change.
    fn choose(&mut self, new: HashKind) {
        let least = self.units.of(new);
        let most = self.limit.max(least);
        let known = [self.sampled, self.seen, self.seen_before];
        let costliest = known.iter().flatten().map(|kind| self.units.of(*kind)).max();
        let target = costliest.unwrap_or_default().clamp(least, most);
        // A kind that takes longer than a refusal can't stand in for one.
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

/// Makes a well-formed hash with a random digest, without its name.
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

    /// If the prepared hash weren't valid, a refusal would take no work.
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
