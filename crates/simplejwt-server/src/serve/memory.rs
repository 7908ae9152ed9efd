//! The memory that request bodies take, all of them together.
//!
//! Where there is no more, the one that has been coming for longest gives way: honest bodies come
//! within moments, and whoever sends a great many slowly gets nothing from it.

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
    /// Bodies that are still coming, in the order of their beginning.
    coming: BTreeMap<u64, Coming>,
}

#[derive(Debug)]
struct Coming {
    bytes: usize,
    given_up: Arc<Notify>,
}

/// What one body takes of it. Given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    memory: Arc<BodyMemory>,
    number: u64,
    /// What is told when this body has to give way.
    pub(super) given_up: Arc<Notify>,
    /// Of a body that is complete.
    kept: usize,
}

/// There is no more memory for this body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoMemory;

impl BodyMemory {
    /// Of `limit` bytes.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: Mutex::default() })
    }

    /// For a body that begins.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        let given_up = Arc::new(Notify::new());
        let mut held = self.held();
        let number = held.next;
        held.next += 1;
        held.coming.insert(number, Coming { bytes: 0, given_up: Arc::clone(&given_up) });
        Share { memory: Arc::clone(self), number, given_up, kept: 0 }
    }

    /// Nothing in between fails.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes so many bytes more.
    ///
    /// # Errors
    /// There aren't so many, and none that began earlier to give way.
    pub(super) fn grow(&self, bytes: usize) -> Result<(), NoMemory> {
        let mut held = self.memory.held();
        while held.bytes.saturating_add(bytes) > self.memory.limit {
            // Itself the oldest, or given up already.
            let Some(oldest) = held.coming.first_entry() else { return Err(NoMemory) };
            if *oldest.key() >= self.number {
                return Err(NoMemory);
            }
            // Gone as soon as its connection hears of it.
            let gone = oldest.remove();
            held.bytes = held.bytes.saturating_sub(gone.bytes);
            gone.given_up.notify_one();
        }
        let coming = held.coming.get_mut(&self.number).ok_or(NoMemory)?;
        coming.bytes += bytes;
        held.bytes += bytes;
        Ok(())
    }

    /// All of it is there, and doesn't give way any more.
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
