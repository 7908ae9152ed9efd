//! Counters in a process's memory, in tables of a fixed size.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::store::throttle::{Charge, Counted, CounterId, ThrottleStore};

/// The number of counters of each kind. 3 MiB, of which only what is in use is in memory.
const COUNTERS: usize = 1 << 17;
/// The number of places that a counter may be in.
const WAYS: usize = 16;

/// Counters in memory, for a single process. Each kind of counter has a table of a fixed size
/// (131072), so that memory is bounded, whatever number of names or addresses there is.
///
/// A counter that doesn't fit replaces, of the 16 in its place, the one with the least to forget.
/// Where that is depends on a keyed hash, so nobody can choose it: to be rid of a counter, one would
/// have to make as many failures as it has for all others there, which is hundreds of thousands of
/// times as many. Names that were tried once replace each other.
///
/// ```
/// use simplejwt::store::throttle::{Counted, CounterId, ThrottleStore};
/// use simplejwt::throttle::MemoryThrottle;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), simplejwt::StoreError> {
/// let counters = MemoryThrottle::default();
/// let id = CounterId { counted: Counted::Account, hash: [7; 16] };
/// assert_eq!(counters.arrivals(&[id]).await?, [None]);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct MemoryThrottle {
    tables: Mutex<[Vec<Place>; Counted::ALL.len()]>,
}

/// Both halves of the hash, and the arrival time; 0 is a free place. Numbers, so that a new table
/// needs no memory until it is written.
type Place = [u64; 3];

impl fmt::Debug for MemoryThrottle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryThrottle").finish_non_exhaustive()
    }
}

/// Returns the halves of the hash.
fn halves(id: CounterId) -> (u64, u64) {
    let number = u128::from_be_bytes(id.hash);
    #[expect(clippy::cast_possible_truncation, reason = "each is one half")]
    ((number >> 64) as u64, number as u64)
}

/// Returns the places that a counter may be in.
fn places(table: &mut [Place], id: CounterId) -> &mut [Place] {
    let buckets = table.len() / WAYS;
    let bucket = usize::try_from(halves(id).0 % (buckets.max(1) as u64)).unwrap_or_default();
    table.get_mut(bucket * WAYS..(bucket + 1) * WAYS).unwrap_or_default()
}

fn arrival_of(place: &Place) -> i64 {
    place[2].cast_signed()
}

fn find(table: &mut [Place], id: CounterId) -> Option<&mut Place> {
    let (high, low) = halves(id);
    places(table, id).iter_mut().find(|p| p[0] == high && p[1] == low && p[2] != 0)
}

impl MemoryThrottle {
    fn lock(&self) -> MutexGuard<'_, [Vec<Place>; Counted::ALL.len()]> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn arrival(&self, id: CounterId) -> Option<Timestamp> {
        let mut tables = self.lock();
        let table = tables.get_mut(id.counted as usize)?;
        find(table, id).map(|place| Timestamp::from_micros(arrival_of(place)))
    }

    pub(super) fn charge_one(&self, charge: Charge, at: Timestamp) {
        let mut tables = self.lock();
        let Some(table) = tables.get_mut(charge.id.counted as usize) else { return };
        if table.is_empty() {
            *table = vec![[0; 3]; COUNTERS];
        }
        if let Some(place) = find(table, charge.id) {
            let arrival = Timestamp::from_micros(arrival_of(place)).max(at) + charge.cost;
            place[2] = arrival.as_micros().cast_unsigned();
            return;
        }
        let arrival = (at + charge.cost).as_micros();
        let least = places(table, charge.id).iter_mut().min_by_key(|place| arrival_of(place));
        if let Some(place) = least
            && arrival_of(place) <= arrival
        {
            let (high, low) = halves(charge.id);
            *place = [high, low, arrival.cast_unsigned()];
        }
    }
}

#[async_trait]
impl ThrottleStore for MemoryThrottle {
    async fn arrivals(&self, ids: &[CounterId]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        Ok(ids.iter().map(|id| self.arrival(*id)).collect())
    }

    async fn charge(&self, charges: &[Charge], at: Timestamp) -> Result<(), StoreError> {
        charges.iter().for_each(|charge| self.charge_one(*charge, at));
        Ok(())
    }

    async fn clear(&self, id: CounterId) -> Result<(), StoreError> {
        let mut tables = self.lock();
        if let Some(place) = tables.get_mut(id.counted as usize).and_then(|table| find(table, id)) {
            *place = [0; 3];
        }
        Ok(())
    }

    async fn flush_counters(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let mut tables = self.lock();
        let due = tables
            .iter_mut()
            .flatten()
            .filter(|place| place[2] != 0 && arrival_of(place) <= before.as_micros());
        let mut flushed = 0;
        for place in due.take(usize::try_from(batch).unwrap_or(usize::MAX)) {
            *place = [0; 3];
            flushed += 1;
        }
        Ok(flushed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::conformance;

    const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);
    const INTERVAL: Duration = Duration::from_secs(360);

    /// Spreads as a hash does.
    fn id(number: u64) -> CounterId {
        let mut hash = [0; 16];
        let mixed =
            (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        hash.copy_from_slice(&(mixed ^ (mixed >> 61)).to_be_bytes());
        CounterId { counted: Counted::Account, hash }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_is_a_store() {
        let spawn = |task| drop(tokio::spawn(task));
        conformance::throttle(|| async { MemoryThrottle::default() }, spawn).await;
    }

    #[test]
    fn ten_million_names_cost_no_more_memory_and_evict_no_attackers_counter() {
        let counters = MemoryThrottle::default();
        let attackers = 0..100_u64;
        for attacker in attackers.clone() {
            for _ in 0..10 {
                counters.charge_one(Charge { id: id(attacker), cost: INTERVAL }, NOW);
            }
        }
        let innocent = id(u64::MAX);
        for name in 1_000..10_001_000_u64 {
            // Within a minute.
            let at = NOW + Duration::from_micros(name * 6);
            counters.charge_one(Charge { id: id(name), cost: INTERVAL }, at);
        }
        for attacker in attackers {
            assert_eq!(counters.arrival(id(attacker)), Some(NOW + INTERVAL * 10));
        }
        assert_eq!(counters.arrival(innocent), None, "nobody else's counter is charged");
        let tables = counters.lock();
        assert_eq!(tables.iter().map(Vec::len).sum::<usize>(), COUNTERS);
    }
}
