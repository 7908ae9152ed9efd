//! Deletes expired rows: a few at a time, by one of all processes that share a database.

use std::sync::Arc;
use std::time::Duration;

use simplejwt::store::retention::Retention;
use simplejwt::store::{FlushExpired, Referenced};
use simplejwt::{Clock as _, SessionStore, StoreError, SystemClock, Timestamp};

use crate::config::Config;

/// The target duration of a transaction: one that took longer is followed by a smaller one. It is a
/// fifth of the permitted duration, because the next transaction may be slower for reasons
/// unrelated to its size.
const TARGET: Duration = Duration::from_millis(10);
/// The pause after a transaction, as a multiple of its duration: it leaves the database to others.
const PAUSES: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// The smallest batch. A smaller one would not shorten a transaction whose commit alone takes
/// longer than `TARGET`.
const SMALLEST_BATCH: u32 = 100;
/// The duration of the lease, which is renewed long before its end.
const LEASE: Duration = Duration::from_secs(60);
const NAME: &str = "purge";

/// The result of a purge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Purged {
    pub(crate) tokens: u64,
    /// The number of deleted rows of sessions and revocations.
    pub(crate) sessions: u64,
    /// The references that keep other tokens from being deleted.
    pub(crate) referenced: Vec<Referenced>,
    /// The duration of the longest transaction.
    pub(crate) longest: Duration,
}

/// Deletes expired rows.
#[derive(Debug)]
pub(crate) struct Purge {
    pub(crate) store: Arc<dyn SessionStore>,
    /// The maximum number of rows deleted in one transaction.
    pub(crate) batch: u32,
    pub(crate) with_sessions: bool,
    /// The name under which this process holds the lease.
    pub(crate) holder: String,
    pub(crate) retention: Retention,
    /// `true` if rows of other tables that refer to tokens are deleted with them.
    pub(crate) cascade: bool,
}

impl Purge {
    /// Creates a purge, as configured.
    pub(crate) fn new(
        store: Arc<dyn SessionStore>,
        config: &Config,
        batch: u32,
        holder: String,
    ) -> Self {
        Self {
            store,
            batch,
            with_sessions: config.settings.has_sessions(),
            holder,
            retention: Retention::of(&config.settings),
            cascade: config.database.purge_cascade,
        }
    }

    /// Purges at every `interval`, until it fails; then the supervisor logs the error and restarts
    /// it.
    pub(crate) async fn every(self, interval: Duration) -> StoreError {
        let mut told = Vec::new();
        loop {
            match self.once().await {
                Ok(Some(purged)) => {
                    if purged.tokens + purged.sessions > 0 {
                        tracing::info!(
                            event = "purge",
                            tokens = purged.tokens,
                            session_rows = purged.sessions,
                            longest_ms = purged.longest.as_millis(),
                            "expired rows deleted"
                        );
                    }
                    // Logged once for each reference, and not every hour.
                    for kept in &purged.referenced {
                        let key = (kept.table.clone(), kept.constraint.clone());
                        if !told.contains(&key) {
                            let message = kept_by(kept);
                            tracing::warn!(event = "purge_hindered", "{message}");
                            told.push(key);
                        }
                    }
                }
                Ok(None) => {}
                Err(error) => return error,
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// Deletes everything that has expired by now. Returns `None` if another process is doing it.
    ///
    /// # Errors
    /// Errors of the store. Rows deleted before the error stay deleted.
    pub(crate) async fn once(&self) -> Result<Option<Purged>, StoreError> {
        let purged = self.leased().await;
        if self.with_sessions && !matches!(purged, Ok(None)) {
            // The work is done, so others shouldn't have to wait for the lease to expire.
            let now = SystemClock.now();
            let _ = self.store.lease(NAME, &self.holder, now, now).await;
        }
        purged
    }

    async fn leased(&self) -> Result<Option<Purged>, StoreError> {
        let begun = SystemClock.now();
        let sessions_due = self.retention.sessions_due(begun);
        let mut flush = FlushExpired::new(self.retention.clone(), begun, 0);
        flush.cascade = self.cascade;
        let mut tokens_left = true;
        let mut purged = Purged::default();
        let mut renew_at = begun;
        // The speed of the database isn't known yet.
        let mut batch = SMALLEST_BATCH.min(self.batch);
        loop {
            let started = SystemClock.now();
            if self.with_sessions && started >= renew_at {
                if !self.store.lease(NAME, &self.holder, started, started + LEASE).await? {
                    return Ok(None);
                }
                renew_at = started + LEASE / 3;
            }
            let mut longest = Duration::ZERO;
            if tokens_left {
                flush.batch = batch;
                let (flushed, took) = timed(self.store.flush_expired(&flush)).await;
                let flushed = flushed?;
                longest = took;
                purged.tokens += flushed.deleted;
                flushed.referenced.iter().for_each(|kept| purged.keep(kept));
                tokens_left = flushed.next.is_some();
                flush.after = flushed.next;
            }
            let mut sessions = 0;
            if self.with_sessions {
                pause(longest).await;
                let (rows, took) = timed(self.store.flush_sessions(sessions_due, batch)).await;
                sessions = rows?;
                longest = longest.max(took);
            }
            purged.sessions += sessions;
            purged.longest = purged.longest.max(longest);
            if !tokens_left && sessions == 0 {
                return Ok(Some(purged));
            }
            batch = next_batch(batch, self.batch, longest);
            pause(longest).await;
        }
    }
}

impl Purged {
    fn keep(&mut self, kept: &Referenced) {
        let is_same = |known: &&mut Referenced| {
            known.table == kept.table && known.constraint == kept.constraint
        };
        match self.referenced.iter_mut().find(is_same) {
            Some(known) => known.tokens += kept.tokens,
            None => self.referenced.push(kept.clone()),
        }
    }
}

/// Returns a message about the references that keep tokens, and what to do about them.
pub(crate) fn kept_by(kept: &Referenced) -> String {
    let Referenced { constraint, table, tokens } = kept;
    let rows = if *tokens == 1 {
        "1 expired token stays".into()
    } else {
        format!("{tokens} expired tokens stay")
    };
    format!(
        "{rows}: the table \"{table}\" refers to them by \"{constraint}\". Django's \
         `manage.py flushexpiredtokens` removes them with what refers to them; so does the purge \
         here with purge_cascade = true in [database] (SIMPLEJWT_PURGE_CASCADE=true)"
    )
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
