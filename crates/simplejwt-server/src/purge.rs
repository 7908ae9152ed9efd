//! Deletes what has expired: a few rows at a time, by one process of all that share a database.

use std::sync::Arc;
use std::time::Duration;

use simplejwt::{Clock as _, SessionStore, StoreError, SystemClock, Timestamp};

/// A transaction that took longer than this is followed by a smaller one. A fifth of what one may
/// take: the next may be slower by that much for reasons that have nothing to do with its size.
const TARGET: Duration = Duration::from_millis(10);
/// The share of time that is left to others: so many times what the last transaction took.
const PAUSES: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// Fewer make no transaction shorter where the commit alone takes longer than `TARGET`.
const SMALLEST_BATCH: u32 = 100;
/// How long the lease is taken for; renewed long before that.
const LEASE: Duration = Duration::from_secs(60);
const NAME: &str = "purge";

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Purged {
    pub(crate) tokens: u64,
    /// Rows of sessions and revocations.
    pub(crate) sessions: u64,
    /// The longest transaction.
    pub(crate) longest: Duration,
}

/// Deletes what has expired.
#[derive(Debug)]
pub(crate) struct Purge {
    pub(crate) store: Arc<dyn SessionStore>,
    /// Rows that are deleted by one transaction at most.
    pub(crate) batch: u32,
    pub(crate) with_sessions: bool,
    /// The name under which this process holds the lease.
    pub(crate) holder: String,
}

impl Purge {
    /// Every `interval`, for as long as the process lives.
    pub(crate) async fn every(self, interval: Duration) {
        loop {
            match self.once().await {
                Ok(Some(purged)) if purged.tokens + purged.sessions > 0 => {
                    tracing::info!(
                        tokens = purged.tokens,
                        session_rows = purged.sessions,
                        longest_ms = purged.longest.as_millis(),
                        "expired rows deleted"
                    );
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %crate::failure::chain(&error), "purge interrupted");
                }
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// Everything that has expired by now; `None` where another process is at it.
    ///
    /// # Errors
    /// The store's. What was deleted is deleted.
    pub(crate) async fn once(&self) -> Result<Option<Purged>, StoreError> {
        let purged = self.leased().await;
        if self.with_sessions && !matches!(purged, Ok(None)) {
            // Nobody has to wait for the lease of work that is done.
            let now = SystemClock.now();
            let _ = self.store.lease(NAME, &self.holder, now, now).await;
        }
        purged
    }

    async fn leased(&self) -> Result<Option<Purged>, StoreError> {
        let before = SystemClock.now();
        let mut purged = Purged::default();
        let mut renew_at = before;
        // How quick the database is isn't known yet.
        let mut batch = SMALLEST_BATCH.min(self.batch);
        loop {
            let started = SystemClock.now();
            if self.with_sessions && started >= renew_at {
                if !self.store.lease(NAME, &self.holder, started, started + LEASE).await? {
                    return Ok(None);
                }
                renew_at = started + LEASE / 3;
            }
            let (tokens, took) = timed(self.store.flush_expired(before, batch)).await;
            let tokens = tokens?;
            let (mut sessions, mut longest) = (0, took);
            if self.with_sessions {
                pause(took).await;
                let (rows, took) = timed(self.store.flush_sessions(before, batch)).await;
                sessions = rows?;
                longest = longest.max(took);
            }
            purged.tokens += tokens;
            purged.sessions += sessions;
            purged.longest = purged.longest.max(longest);
            if tokens + sessions == 0 {
                return Ok(Some(purged));
            }
            batch = next_batch(batch, self.batch, longest);
            pause(longest).await;
        }
    }
}

fn next_batch(batch: u32, most: u32, took: Duration) -> u32 {
    if took > TARGET {
        (batch / 2).max(SMALLEST_BATCH.min(most))
    } else if took < TARGET / 4 {
        batch.saturating_mul(2).min(most)
    } else {
        batch
    }
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = SystemClock.now();
    let outcome = work.await;
    (outcome, since(started, SystemClock.now()))
}

fn since(start: Timestamp, end: Timestamp) -> Duration {
    let micros = end.as_micros().saturating_sub(start.as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// Leaves the database to others for a while.
async fn pause(took: Duration) {
    tokio::time::sleep((took * PAUSES).clamp(SHORTEST_PAUSE, Duration::from_secs(1))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_the_time_they_take() {
        let ms = Duration::from_millis;
        assert_eq!(next_batch(500, 500, ms(1)), 500);
        assert_eq!(next_batch(500, 500, ms(11)), 250);
        assert_eq!(next_batch(250, 500, ms(10)), 250);
        assert_eq!(next_batch(250, 500, ms(3)), 250);
        assert_eq!(next_batch(250, 500, ms(2)), 500);
        assert_eq!(next_batch(110, 500, ms(100)), 100);
        assert_eq!(next_batch(1, 1, ms(100)), 1);
    }
}
