//! The phases of a server that is shutting down.

use tokio::sync::watch;

/// The phase that connections follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    /// Requests are accepted, and each answer ends its connection.
    Draining,
    /// Requests in flight are finished, and no new ones begin.
    Closing,
}

/// Announces the phase to all connections, and knows when the last has ended.
#[derive(Debug)]
pub(super) struct Phases(watch::Sender<Phase>);

/// A connection's view.
#[derive(Clone, Debug)]
pub(super) struct Stage(watch::Receiver<Phase>);

impl Phases {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Phase::Serving))
    }

    /// Returns the view of a connection, which counts for as long as it is held.
    pub(super) fn stage(&self) -> Stage {
        Stage(self.0.subscribe())
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    /// Waits until there are no connections.
    pub(super) async fn all_ended(&self) {
        self.0.closed().await;
    }
}

impl Stage {
    pub(super) fn is(&self, phase: Phase) -> bool {
        *self.0.borrow() >= phase
    }

    /// Waits until this phase is reached.
    pub(super) async fn reaches(&self, phase: Phase) {
        let mut receiver = self.0.clone();
        // The sender is only dropped together with everything else.
        if receiver.wait_for(|reached| *reached >= phase).await.is_err() {
            std::future::pending().await
        }
    }
}
