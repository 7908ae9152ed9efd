//! Attempts under way in this process. Until one has an outcome, it counts as a failure; otherwise
//! any number of guesses could be made at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;

use crate::store::throttle::CounterId;

/// The attempts under way. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<CounterId, Flying>>>);

#[derive(Debug, Default)]
struct Flying {
    attempts: u32,
    waiting: Vec<oneshot::Sender<()>>,
}

/// An attempt, until it is dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    flights: InFlight,
    ids: Vec<CounterId>,
}

/// A turn that is waited for.
struct Turn {
    flights: InFlight,
    id: CounterId,
    receiver: oneshot::Receiver<()>,
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, HashMap<CounterId, Flying>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters an attempt at these counters. Returns the numbers of those entered before, in the
    /// counters' order: whatever these fail is either counted already or among them.
    pub(super) fn reserve(&self, ids: &[CounterId]) -> (Reserved, Vec<u32>) {
        let mut flying = self.lock();
        let mut enter = |id: &CounterId| {
            let flying = flying.entry(*id).or_default();
            flying.attempts += 1;
            flying.attempts - 1
        };
        let before = ids.iter().map(&mut enter).collect();
        (Reserved { flights: self.clone(), ids: ids.to_vec() }, before)
    }

    /// Lets one of those that wait for this counter go on.
    fn wake(&self, id: CounterId) {
        if let Some(flying) = self.lock().get_mut(&id) {
            flying.wake();
        }
    }
}

impl Flying {
    fn wake(&mut self) {
        while let Some(waiting) = self.waiting.pop() {
            if waiting.send(()).is_ok() {
                return;
            }
        }
    }
}

impl Reserved {
    /// Leaves, and waits until another attempt at this counter has ended.
    pub(super) async fn leave_and_wait(self, id: CounterId) {
        let flights = self.flights.clone();
        let (sender, receiver) = oneshot::channel();
        let others = {
            let mut flying = flights.lock();
            match flying.get_mut(&id) {
                Some(flying) if flying.attempts > 1 => {
                    flying.waiting.insert(0, sender);
                    true
                }
                _ => false,
            }
        };
        // Nobody is woken by this: it was one too many.
        self.leave(false);
        if others {
            let mut turn = Turn { flights, id, receiver };
            let _ = (&mut turn.receiver).await;
        }
    }

    fn leave(mut self, wakes: bool) {
        release(&self.flights, &std::mem::take(&mut self.ids), wakes);
    }
}

fn release(flights: &InFlight, ids: &[CounterId], wakes: bool) {
    let mut all = flights.lock();
    for id in ids {
        let Some(flying) = all.get_mut(id) else { continue };
        flying.attempts = flying.attempts.saturating_sub(1);
        // Whoever is the last lets the others go on in any case.
        if wakes || flying.attempts == 0 {
            flying.wake();
        }
        if flying.attempts == 0 && flying.waiting.is_empty() {
            all.remove(id);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        release(&self.flights, &self.ids, true);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // It was this one's turn, and its request is gone.
        if let Ok(Some(())) = self.receiver.try_recv() {
            self.flights.wake(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::throttle::Counted;

    const ID: CounterId = CounterId { counted: Counted::Pair, hash: [1; 16] };

    #[tokio::test]
    async fn those_that_wait_go_on_one_after_another() {
        let flights = InFlight::default();
        let (first, before) = flights.reserve(&[ID]);
        assert_eq!(before, [0]);
        let (second, before) = flights.reserve(&[ID]);
        assert_eq!(before, [1]);
        let (third, _) = flights.reserve(&[ID]);
        let waits = tokio::spawn(second.leave_and_wait(ID));
        let gives_up = tokio::spawn(third.leave_and_wait(ID));
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        gives_up.abort();
        assert!(gives_up.await.is_err());
        drop(first);
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, waits).await.unwrap().unwrap();
        assert_eq!(flights.reserve(&[ID]).1, [0], "all have left");
        // The last one doesn't wait for itself.
        let (alone, _) = flights.reserve(&[ID]);
        tokio::time::timeout(limit, alone.leave_and_wait(ID)).await.unwrap();
        assert!(flights.lock().is_empty());
    }
}
