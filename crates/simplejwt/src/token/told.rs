//! What the log is told once, and not with every request.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Tokens;

/// Whether the log already says that browsers drop the cookies of these tokens, by reason.
#[derive(Default)]
pub(super) struct Told([AtomicBool; 2]);

impl Tokens {
    /// Returns `true` to the first caller with this reason, of which there are two.
    pub(crate) fn tells_of_dropped_cookies(&self, reason: usize) -> bool {
        let told = self.inner.told.0.get(reason);
        told.is_some_and(|told| !told.swap(true, Ordering::Relaxed))
    }
}
