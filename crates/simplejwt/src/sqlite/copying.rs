//! Copying the log into the file beside the writing thread.
//!
//! SQLite has the commit that makes the log too long copy it, which takes as long as many commits.
//! Any other connection can do it just as well, while the writing thread goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

/// The number of calls after which the log is copied. A call is a batch of the purge, which fills
/// the log by a few hundred pages at most.
const CALLS: u32 = 8;

/// Copies of the log, of which there is one at a time.
#[derive(Debug, Default)]
pub(super) struct Copying {
    calls: AtomicU32,
    is_under_way: AtomicBool,
}

impl Copying {
    /// Runs `copy` on a thread of its own at every eighth call, unless one still runs.
    pub(super) fn now_and_then(
        self: &Arc<Self>,
        copy: impl FnOnce() -> rusqlite::Result<()> + Send + 'static,
    ) {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if !calls.is_multiple_of(CALLS) || self.is_under_way.swap(true, Ordering::AcqRel) {
            return;
        }
        let copying = Under(Arc::clone(self));
        // Without a thread or if it fails, the writing thread copies the log when it is long.
        let _ = thread::Builder::new().name("sqlite-copy".into()).spawn(move || {
            let _copying = copying;
            let _ = copy();
        });
    }
}

/// A copy under way.
struct Under(Arc<Copying>);

impl Drop for Under {
    fn drop(&mut self) {
        self.0.is_under_way.store(false, Ordering::Release);
    }
}
