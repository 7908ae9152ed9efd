//! Ending the purge between two transactions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, watch};

/// The time that a transaction under way has to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ends a purge. Clones are about the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    asked: Arc<watch::Sender<bool>>,
    running: Arc<Mutex<()>>,
}

impl Stop {
    /// Asks the purge to end, and waits until its transaction and its lease have.
    pub(crate) async fn ask(&self) {
        self.asked.send_replace(true);
        let _ = tokio::time::timeout(PATIENCE, self.running.lock()).await;
    }

    /// Waits for a purge under way; until the value is dropped, one is.
    pub(super) async fn running(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.running).lock_owned().await
    }

    pub(super) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Waits until the purge is asked to end, but not longer than this.
    pub(super) async fn asked_within(&self, time: Duration) {
        if time.is_zero() {
            return tokio::task::yield_now().await;
        }
        let mut asked = self.asked.subscribe();
        let _ = tokio::time::timeout(time, asked.wait_for(|asked| *asked)).await;
    }
}
