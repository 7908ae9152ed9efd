//! Holds up a pool, so that the conformance suite of user stores can act between two steps of a
//! login.

use std::sync::mpsc;

use futures_channel::oneshot;

use super::{HashingPool, PoolError};

/// Keeps one thread of a pool from working until it is dropped.
pub(crate) struct Hold {
    _release: mpsc::Sender<()>,
    _answer: oneshot::Receiver<Result<(), PoolError>>,
}

impl HashingPool {
    /// Waits until a thread is idle, and holds it.
    pub(crate) async fn hold(&self) -> Result<Hold, PoolError> {
        let (started, has_started) = oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let answer = self.start(move |_| {
            let _ = started.send(());
            // Returns an error when the sender is dropped, which is the signal to end.
            let _ = released.recv();
        })?;
        has_started.await.map_err(|oneshot::Canceled| PoolError::Panicked)?;
        Ok(Hold { _release: release, _answer: answer })
    }
}
