//! Deletes expired rows: a few at a time, by one of all processes that share a database.

mod pace;
mod stop;

use std::sync::Arc;
use std::time::Duration;

use simplejwt::store::retention::Retention;
use simplejwt::store::{FlushExpired, Referenced};
use simplejwt::{Clock as _, SessionStore, StoreError, SystemClock, Timestamp};

use self::pace::Pace;
pub(crate) use self::pace::Speed;
pub(crate) use self::stop::Stop;
use crate::config::Config;

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
    pub(crate) speed: Speed,
    /// Ends it between two transactions.
    pub(crate) stop: Stop,
}

impl Purge {
    /// Creates a purge beside requests, as configured.
    pub(crate) fn new(
        store: Arc<dyn SessionStore>,
        config: &Config,
        batch: u32,
        holder: String,
        stop: Stop,
    ) -> Self {
        Self {
            store,
            batch,
            with_sessions: config.settings.has_sessions(),
            holder,
            retention: Retention::of(&config.settings),
            cascade: config.database.purge_cascade,
            speed: Speed::BesideRequests,
            stop,
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
        let _running = self.stop.running().await;
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
        let mut purged = Purged::default();
        let mut renew_at = begun;
        let sessions_due = self.retention.sessions_due(begun);
        let mut flush = FlushExpired::new(self.retention.clone(), begun, 0);
        flush.cascade = self.cascade;
        // A row of one kind costs more than one of the other.
        let mut tokens = Some(self.pace());
        let mut sessions = self.with_sessions.then(|| self.pace());
        while !self.stop.is_asked() && (tokens.is_some() || sessions.is_some()) {
            let started = SystemClock.now();
            if self.with_sessions && started >= renew_at {
                if !self.store.lease(NAME, &self.holder, started, started + LEASE).await? {
                    return Ok(None);
                }
                renew_at = started + LEASE / 3;
            }
            if let Some(pace) = &mut tokens {
                flush.batch = pace.batch();
                let (flushed, took) = timed(self.store.flush_expired(&flush)).await;
                let flushed = flushed?;
                purged.tokens += flushed.deleted;
                purged.longest = purged.longest.max(took);
                flushed.referenced.iter().for_each(|kept| purged.keep(kept));
                flush.after = flushed.next;
                self.rest(pace, took).await;
                if flush.after.is_none() {
                    tokens = None;
                }
            }
            if let Some(pace) = &mut sessions {
                let (rows, took) =
                    timed(self.store.flush_sessions(sessions_due, pace.batch())).await;
                let rows = rows?;
                purged.sessions += rows;
                purged.longest = purged.longest.max(took);
                self.rest(pace, took).await;
                if rows == 0 {
                    sessions = None;
                }
            }
        }
        Ok(Some(purged))
    }

    fn pace(&self) -> Pace {
        Pace::new(self.speed, self.batch)
    }

    /// Leaves the database to others for a while.
    async fn rest(&self, pace: &mut Pace, took: Duration) {
        let (_, pause) = pace.next(took, self.store.waiting());
        self.stop.asked_within(pause).await;
        while let Some(pause) = pace.give_way(self.store.waiting()) {
            self.stop.asked_within(pause).await;
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

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = SystemClock.now();
    let outcome = work.await;
    (outcome, since(started, SystemClock.now()))
}

fn since(start: Timestamp, end: Timestamp) -> Duration {
    let micros = end.as_micros().saturating_sub(start.as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use simplejwt::Settings;
    use simplejwt::sql::table::UserTable;
    use simplejwt::sqlite::{SqliteDatabase, SqliteStore, migrate};

    use super::*;

    /// A purge of so many expired tokens, one in each transaction.
    async fn purge_of(tokens: u32) -> (tempfile::TempDir, Purge) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db.sqlite3");
        let database = SqliteDatabase::open_or_create(&path, Default::default()).unwrap();
        let users = UserTable::default();
        migrate::apply(&database, &users, SystemClock.now()).await.unwrap();
        let raw = rusqlite::Connection::open(path).unwrap();
        let fill = "WITH RECURSIVE numbers (n) AS (\
            SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1) \
            INSERT INTO token_blacklist_outstandingtoken (token, expires_at, jti) \
            SELECT 'a.b.c', '2001-01-01 00:00:00', n FROM numbers";
        raw.execute(fill, [tokens]).unwrap();
        let purge = Purge {
            store: Arc::new(SqliteStore::open(&database, &users).unwrap()),
            batch: 1,
            with_sessions: true,
            holder: "this".into(),
            retention: Retention::of(&Settings::default()),
            cascade: false,
            speed: Speed::BesideRequests,
            stop: Stop::default(),
        };
        (directory, purge)
    }

    #[tokio::test]
    async fn a_purge_that_is_asked_to_stop_ends_after_its_transaction_and_frees_its_lease() {
        let (_directory, purge) = purge_of(50).await;
        let stop = purge.stop.clone();
        let asked = async {
            stop.ask().await;
            let now = SystemClock.now();
            assert!(purge.store.lease(NAME, "another", now, now).await.unwrap());
        };
        // The first is polled first: it runs when it is asked.
        let (purged, ()) = tokio::join!(purge.once(), asked);
        assert_eq!(purged.unwrap().unwrap().tokens, 1);
        let rest = Purge { stop: Stop::default(), speed: Speed::Full, ..purge };
        assert_eq!(rest.once().await.unwrap().unwrap().tokens, 49);
    }

    #[tokio::test]
    async fn a_purge_is_as_thorough_at_full_speed() {
        let (_directory, purge) = purge_of(50).await;
        let purge = Purge { speed: Speed::Full, ..purge };
        assert_eq!(purge.once().await.unwrap().unwrap().tokens, 50);
        assert_eq!(purge.once().await.unwrap().unwrap().tokens, 0);
    }

    #[tokio::test]
    async fn a_purge_leaves_it_to_another_that_holds_the_lease() {
        let (_directory, purge) = purge_of(3).await;
        let now = SystemClock.now();
        assert!(purge.store.lease(NAME, "another", now, now + LEASE).await.unwrap());
        assert_eq!(purge.once().await.unwrap(), None);
    }
}
