//! The keys of the settings beside those of a ring.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use simplejwt::KeySet;
use tokio::sync::Notify;

/// The keys of the settings, which may be replaced while the server runs. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Base(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    keys: Mutex<Numbered>,
    replaced: Notify,
}

#[derive(Debug)]
struct Numbered {
    keys: KeySet,
    /// How often they were replaced.
    generation: u64,
}

impl Base {
    pub(super) fn new(keys: KeySet) -> Self {
        let keys = Mutex::new(Numbered { keys, generation: 0 });
        Self(Arc::new(Shared { keys, replaced: Notify::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the keys.
    pub(crate) fn keys(&self) -> KeySet {
        self.lock().keys.clone()
    }

    /// Replaces the keys. The task that follows the ring puts them into use.
    pub(crate) fn replace(&self, keys: KeySet) {
        let mut numbered = self.lock();
        numbered.keys = keys;
        numbered.generation = numbered.generation.wrapping_add(1);
        drop(numbered);
        self.0.replaced.notify_one();
    }

    /// Returns a number that changes when the keys are replaced.
    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Waits until the keys are replaced.
    pub(super) async fn replaced(&self) {
        self.0.replaced.notified().await;
    }
}
