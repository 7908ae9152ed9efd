//! The memory that all request bodies take together.
//!
//! When it is used up, the body that has been arriving the longest gives way: honest bodies arrive
//! within moments, and a client that sends many of them slowly gains nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Shared by all connections.
#[derive(Debug)]
pub(super) struct BodyMemory {
    limit: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    next: u64,
    /// Bodies that are still arriving, in the order in which they began.
    coming: BTreeMap<u64, Coming>,
}

#[derive(Debug)]
struct Coming {
    bytes: usize,
    given_up: Arc<Notify>,
}

/// The share of one body, which is returned when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    memory: Arc<BodyMemory>,
    number: u64,
    /// Notified when this body has to give way.
    pub(super) given_up: Arc<Notify>,
    /// The bytes of a body that is complete.
    kept: usize,
}

/// There is no memory left for this body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoMemory;

impl BodyMemory {
    /// Creates a memory of `limit` bytes.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: Mutex::default() })
    }

    /// Returns a share for a new body.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        let given_up = Arc::new(Notify::new());
        let mut held = self.held();
        let number = held.next;
        held.next += 1;
        held.coming.insert(number, Coming { bytes: 0, given_up: Arc::clone(&given_up) });
        Share { memory: Arc::clone(self), number, given_up, kept: 0 }
    }

    /// The lock can't be poisoned: nothing fails while it is held.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes this number of additional bytes.
    ///
    /// # Errors
    /// There is not enough memory, and no older body that could give way.
    pub(super) fn grow(&self, bytes: usize) -> Result<(), NoMemory> {
        let mut held = self.memory.held();
        while held.bytes.saturating_add(bytes) > self.memory.limit {
            // It is the oldest itself, or already given up.
            let Some(oldest) = held.coming.first_entry() else { return Err(NoMemory) };
            if *oldest.key() >= self.number {
                return Err(NoMemory);
            }
            // Its memory is free as soon as its connection is notified.
            let gone = oldest.remove();
            held.bytes = held.bytes.saturating_sub(gone.bytes);
            gone.given_up.notify_one();
        }
        let coming = held.coming.get_mut(&self.number).ok_or(NoMemory)?;
        coming.bytes += bytes;
        held.bytes += bytes;
        Ok(())
    }

    /// Marks the body as complete, so that it no longer gives way.
    pub(super) fn complete(&mut self) {
        if let Some(coming) = self.memory.held().coming.remove(&self.number) {
            self.kept = coming.bytes;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.memory.held();
        let coming = held.coming.remove(&self.number).map_or(0, |coming| coming.bytes);
        held.bytes = held.bytes.saturating_sub(coming + self.kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(memory: &BodyMemory) -> usize {
        memory.held().bytes
    }

    #[tokio::test]
    async fn the_oldest_gives_way() {
        let memory = BodyMemory::new(100);
        let (first, second, third) = (memory.share(), memory.share(), memory.share());
        second.grow(40).unwrap();
        first.grow(40).unwrap();
        third.grow(20).unwrap();
        assert_eq!(taken(&memory), 100);
        third.grow(10).unwrap();
        first.given_up.notified().await;
        assert_eq!(taken(&memory), 70);
        assert_eq!(first.grow(1), Err(NoMemory), "it has given way");
        assert_eq!(second.grow(50), Err(NoMemory), "none is older");
        drop((first, second));
        assert_eq!(taken(&memory), 30);
    }

    #[test]
    fn what_is_complete_stays_until_it_is_dropped() {
        let memory = BodyMemory::new(100);
        let mut first = memory.share();
        first.grow(90).unwrap();
        first.complete();
        let second = memory.share();
        assert_eq!(second.grow(20), Err(NoMemory));
        assert_eq!(taken(&memory), 90);
        drop(first);
        second.grow(100).unwrap();
        drop(second);
        assert_eq!(taken(&memory), 0);
    }

    #[test]
    fn more_than_all_of_it_is_refused() {
        let memory = BodyMemory::new(100);
        assert_eq!(memory.share().grow(101), Err(NoMemory));
        assert_eq!(memory.share().grow(usize::MAX), Err(NoMemory));
        assert_eq!(taken(&memory), 0);
    }
}
