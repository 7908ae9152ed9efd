//! Log messages about readiness: when it changes, and then once a minute, however often it is asked
//! for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const AGAIN: Duration = Duration::from_secs(60);

/// The last reason that was logged, and the time. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadinessLog(Arc<Mutex<Option<(String, Instant)>>>);

impl ReadinessLog {
    /// Returns `true` if this reason should be logged now.
    fn is_news(&self, cause: &str, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match told.as_ref() {
            Some((last, at)) if last == cause && now.duration_since(*at) < AGAIN => false,
            _ => {
                *told = Some((cause.to_owned(), now));
                true
            }
        }
    }

    pub(super) fn trouble(&self, cause: &str) {
        if self.is_news(cause, Instant::now()) {
            tracing::warn!(event = "not_ready", error = cause, "not ready");
        }
    }

    pub(super) fn none(&self) {
        let was = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if was.is_some() {
            tracing::info!(event = "ready", "ready again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_a_minute_and_something_else_at_once() {
        let (told, start) = (ReadinessLog::default(), Instant::now());
        let news = |cause: &str, secs| told.is_news(cause, start + Duration::from_secs(secs));
        assert!(news("locked", 0));
        assert!(!news("locked", 1));
        assert!(!news("locked", 59));
        assert!(news("full", 59));
        assert!(!news("full", 118));
        assert!(news("full", 119));
        told.none();
        assert!(news("full", 120));
    }
}
