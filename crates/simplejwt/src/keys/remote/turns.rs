//! One fetch at a time, and those who wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;

/// The maximum number of callers that wait for a fetch. Others go on without its result.
pub(super) const MOST_WAITING: usize = 256;

/// `Some` while a fetch is in progress, with its waiters.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Option<Vec<oneshot::Sender<()>>>>);

/// The fetch in progress. Ends it even if its future is dropped half-way.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `None` if a fetch is already in progress, or if none is due.
    pub(super) fn begin(&self, is_due: impl FnOnce() -> bool) -> Option<Turn<'_>> {
        let mut running = self.lock();
        if running.is_some() || !is_due() {
            return None;
        }
        *running = Some(Vec::new());
        Some(Turn(self))
    }

    /// Waits until no fetch is in progress, unless too many callers do so already.
    pub(super) async fn finished(&self) {
        let waiting = self.lock().as_mut().and_then(|waiting| {
            // Callers that have gone away wait no longer.
            waiting.retain(|sender| !sender.is_canceled());
            if waiting.len() >= MOST_WAITING {
                return None;
            }
            let (sender, receiver) = oneshot::channel();
            waiting.push(sender);
            Some(receiver)
        });
        if let Some(receiver) = waiting {
            // The sender is dropped when the fetch ends.
            let _ = receiver.await;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().take();
    }
}
