//! The revoked access tokens that this process has received.
//!
//! [`Revoked`] is kept up to date by [`Auth::poll_revocations`](crate::Auth::poll_revocations) and
//! consulted on each request: lookups in three maps, without a database. It holds exactly the
//! revocations that still matter, and reports when there are too many to hold.

mod ids;

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::store::feed::{Mark, Revocation, RevocationFeed, RevocationSubject, Revocations};
use ids::Ids;

/// The number of revocations read at a time.
const PAGE: u32 = 5_000;
/// The interval at which expired entries are removed.
const SWEEP: Duration = Duration::from_secs(30);
/// The time after an overflow until everything is read again.
const RETRY: Duration = Duration::from_secs(60);
/// The time without contact after which everything is read again, whatever the database's state:
/// the entry at the last sequence number may have been purged in any history.
const OUT_OF_TOUCH: Duration = Duration::from_secs(3600);

/// The revocation status of an access token, as far as this process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevocationStatus {
    /// The token is revoked.
    Revoked,
    /// The token isn't revoked.
    NotRevoked,
    /// There are more revocations than are kept in memory.
    Unknown,
}

/// Revoked access tokens, kept in memory. Clones of an [`Auth`](crate::Auth) share them.
pub(crate) struct Revoked {
    max_entries: usize,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    sessions: Ids,
    tokens: Ids,
    /// Users, each with the time of the revocation and the time at which it can be forgotten.
    users: HashMap<Box<str>, (Timestamp, Timestamp)>,
    heard: Heard,
    /// The time of the last successful and complete query to the database.
    current_at: Option<Timestamp>,
    swept_at: Option<Timestamp>,
    /// The time of the overflow, if there are too many.
    overflowed_at: Option<Timestamp>,
}

/// The position in a history up to which it has been read, with marks that identify the history.
#[derive(Default)]
struct Heard {
    sequence: i64,
    /// The entry at that sequence number.
    mark: Option<Mark>,
    timeline: Option<String>,
}

impl Heard {
    /// Returns the reason why a page requested from this position doesn't continue this history, if
    /// so.
    fn differs(&self, found: &Revocations) -> Option<&'static str> {
        if found.sequence < self.sequence {
            return Some("its sequence numbers went back");
        }
        if self.sequence > 0 && found.before != self.mark {
            return Some("its entry at the last sequence number is a different one");
        }
        match (&self.timeline, &found.timeline) {
            (Some(heard), Some(now)) if heard != now => Some("the server is on another timeline"),
            _ => None,
        }
    }
}

impl State {
    fn len(&self) -> usize {
        self.sessions.len() + self.tokens.len() + self.users.len()
    }

    fn insert(&mut self, revocation: Revocation) {
        let Revocation { subject, revoked_at, expires_at } = revocation;
        match subject {
            RevocationSubject::Session(id) => self.sessions.insert(id, expires_at),
            RevocationSubject::Token(jti) => self.tokens.insert(jti, expires_at),
            RevocationSubject::User(id) => {
                let entry =
                    self.users.entry(id.as_str().into()).or_insert((revoked_at, expires_at));
                *entry = (entry.0.max(revoked_at), entry.1.max(expires_at));
            }
        }
    }

    fn clear(&mut self) {
        self.sessions = Ids::default();
        self.tokens = Ids::default();
        self.users = HashMap::new();
        self.heard = Heard::default();
    }

    /// Removes expired entries: those that stopped counting by `due`.
    fn sweep(&mut self, now: Timestamp, due: Timestamp) {
        if self.swept_at.is_some_and(|swept_at| swept_at + SWEEP > now) {
            return;
        }
        self.swept_at = Some(now);
        self.sessions.forget(due);
        self.tokens.forget(due);
        self.users.retain(|_, (_, expires_at)| *expires_at > due);
    }
}

impl Revoked {
    pub(crate) fn new(max_entries: u32) -> Self {
        Self { max_entries: max_entries as usize, state: RwLock::default() }
    }

    /// An update can't fail half-way.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time of the last successful query to the database.
    pub(crate) fn current_at(&self) -> Option<Timestamp> {
        self.read().current_at
    }

    /// Returns the number of revocations kept.
    pub(crate) fn len(&self) -> usize {
        self.read().len()
    }

    pub(crate) fn status(
        &self,
        session: Option<&str>,
        jti: Option<&str>,
        user_id: Option<&str>,
        issued_at: Option<Timestamp>,
    ) -> RevocationStatus {
        let state = self.read();
        if state.overflowed_at.is_some() {
            return RevocationStatus::Unknown;
        }
        let by_session = session.is_some_and(|id| state.sessions.contains(id));
        let by_id = jti.is_some_and(|jti| state.tokens.contains(jti));
        let by_user = || {
            session.is_none()
                && user_id.and_then(|id| state.users.get(id)).is_some_and(|(revoked_at, _)| {
                    issued_at.is_none_or(|issued_at| issued_at <= *revoked_at)
                })
        };
        if by_session || by_id || by_user() {
            RevocationStatus::Revoked
        } else {
            RevocationStatus::NotRevoked
        }
    }

    /// Reads new revocations, except those that are already
    /// [`due`](crate::store::retention::Retention::due). One caller at a time is enough.
    ///
    /// If the database's history isn't the one read so far, all of it is read, and no known
    /// revocation is forgotten. Until that is done, the status of tokens is unknown.
    pub(crate) async fn poll(
        &self,
        store: &dyn RevocationFeed,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        let mut after = {
            let mut state = self.write();
            if state.overflowed_at.is_some_and(|at| at + RETRY <= now) {
                state.clear();
                state.overflowed_at = None;
            }
            if state.current_at.is_some_and(|at| at + OUT_OF_TOUCH <= now) {
                state.heard = Heard::default();
            }
            state.sweep(now, due);
            state.heard.sequence
        };
        let mut is_read_anew = false;
        loop {
            let found = store.revocations(after, PAGE, due).await?;
            let mut state = self.write();
            if let Some(reason) = state.heard.differs(&found) {
                state.heard = Heard::default();
                state.current_at = None;
                if is_read_anew {
                    let cause = "databases with different histories are answering in turn";
                    return Err(StoreError::unavailable("revocations", cause));
                }
                tracing::warn!(
                    event = "feed_restarted",
                    reason,
                    "the revocation feed has a different history: reading all of it"
                );
                (after, is_read_anew) = (0, true);
                continue;
            }
            for entry in found.entries {
                state.insert(entry);
            }
            after = found.sequence;
            let timeline = found.timeline.or_else(|| state.heard.timeline.take());
            state.heard = Heard { sequence: after, mark: found.last, timeline };
            if state.len() > self.max_entries {
                tracing::error!(
                    event = "feed_overflowed",
                    limit = self.max_entries,
                    "more revocations than feed_max_entries: the database is asked instead"
                );
                // The next page is useless without this one.
                let heard = std::mem::take(&mut state.heard);
                state.clear();
                state.heard = heard;
                state.overflowed_at = Some(now);
            }
            if found.complete {
                state.current_at = Some(now);
                return Ok(());
            }
        }
    }
}

impl fmt::Debug for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revoked").field("entries", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Act;
    use crate::store::SessionStore as _;
    use crate::store::memory::MemoryStore;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    async fn revoke(store: &MemoryStore, subject: RevocationSubject, seconds: i64) {
        let revocation =
            Revocation { subject, revoked_at: at(seconds), expires_at: at(seconds + 100) };
        store.revoke(&revocation, &Act::at(revocation.revoked_at)).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_heard_is_known_until_it_is_of_no_consequence() {
        let (store, revoked) = (MemoryStore::default(), Revoked::new(10));
        let good = |session, jti, user, issued| revoked.status(session, jti, user, issued);
        revoke(&store, RevocationSubject::Session("s".into()), 0).await;
        assert_eq!(revoked.current_at(), None);
        assert_eq!(
            good(Some("s"), None, None, None),
            RevocationStatus::NotRevoked,
            "not heard of yet"
        );
        revoked.poll(&store, at(1), at(1)).await.unwrap();
        assert_eq!(revoked.current_at(), Some(at(1)));
        assert_eq!(good(Some("s"), None, None, None), RevocationStatus::Revoked);
        assert_eq!(good(Some("t"), None, None, None), RevocationStatus::NotRevoked);
        revoke(&store, RevocationSubject::Token("j".into()), 2).await;
        revoke(&store, RevocationSubject::User("1".into()), 2).await;
        revoked.poll(&store, at(2), at(2)).await.unwrap();
        assert_eq!(good(Some("t"), Some("j"), None, None), RevocationStatus::Revoked);
        assert_eq!(good(None, None, Some("1"), Some(at(2))), RevocationStatus::Revoked);
        assert_eq!(good(None, None, Some("1"), Some(at(3))), RevocationStatus::NotRevoked);
        assert_eq!(good(None, None, Some("1"), None), RevocationStatus::Revoked);
        assert_eq!(good(Some("t"), None, Some("1"), Some(at(2))), RevocationStatus::NotRevoked);
        assert_eq!(revoked.len(), 3);
        revoked.poll(&store, at(102), at(102)).await.unwrap();
        assert_eq!(revoked.len(), 0);
    }

    #[tokio::test]
    async fn too_many_are_said_to_be_too_many_until_they_fit_again() {
        let (store, revoked) = (MemoryStore::default(), Revoked::new(3));
        for number in 0..4 {
            revoke(&store, RevocationSubject::Session(number.to_string()), number).await;
        }
        revoked.poll(&store, at(5), at(5)).await.unwrap();
        assert_eq!(revoked.status(Some("0"), None, None, None), RevocationStatus::Unknown);
        assert_eq!(revoked.status(Some("x"), None, None, None), RevocationStatus::Unknown);
        assert_eq!(revoked.len(), 0);
        revoked.poll(&store, at(64), at(64)).await.unwrap();
        assert_eq!(revoked.status(Some("3"), None, None, None), RevocationStatus::Unknown);
        // The first entry has expired.
        revoked.poll(&store, at(124), at(124)).await.unwrap();
        revoked.poll(&store, at(100), at(100)).await.unwrap();
        assert_eq!(revoked.status(Some("x"), None, None, None), RevocationStatus::NotRevoked);
    }

    /// Creates a store in which these sessions were revoked, one after another.
    async fn history(names: &[&str]) -> MemoryStore {
        let store = MemoryStore::default();
        for name in names {
            revoke(&store, RevocationSubject::Session((*name).into()), 0).await;
        }
        store
    }

    #[tokio::test]
    async fn a_counter_that_went_back_and_forth_is_noticed() {
        for other in [&["a", "c"][..], &["c", "b2", "d"], &["c", "d", "e", "f", "g"]] {
            let revoked = Revoked::new(10);
            revoked.poll(&history(&["a", "b"]).await, at(0), at(0)).await.unwrap();
            let promoted = history(other).await;
            revoked.poll(&promoted, at(1), at(1)).await.unwrap();
            for name in ["a", "b"].iter().chain(other) {
                let known = revoked.status(Some(name), None, None, None);
                assert_eq!(known, RevocationStatus::Revoked, "{name} of {other:?}");
            }
            assert_eq!(revoked.current_at(), Some(at(1)));
            // In the same history from then on.
            revoke(&promoted, RevocationSubject::Session("z".into()), 2).await;
            revoked.poll(&promoted, at(2), at(2)).await.unwrap();
            assert_eq!(revoked.status(Some("z"), None, None, None), RevocationStatus::Revoked);
        }
    }

    #[tokio::test]
    async fn what_was_purged_is_no_other_history_for_long() {
        let (store, revoked) = (history(&["a"]).await, Revoked::new(10));
        revoked.poll(&store, at(0), at(0)).await.unwrap();
        store.flush_sessions(at(200), 10).await.unwrap();
        for _ in 0..2 {
            revoked.poll(&store, at(200), at(200)).await.unwrap();
            assert_eq!(revoked.current_at(), Some(at(200)));
        }
        assert_eq!(revoked.read().heard.sequence, 1);
        let promoted = history(&["c"]).await;
        revoked.poll(&promoted, at(0), at(0)).await.unwrap();
        assert_eq!(revoked.status(Some("c"), None, None, None), RevocationStatus::Revoked);
    }

    /// Both have purged the entry at the last sequence number.
    #[tokio::test]
    async fn after_long_out_of_touch_all_of_it_is_read() {
        let revoked = Revoked::new(10);
        let old = history(&["a", "b"]).await;
        old.flush_sessions(at(200), 10).await.unwrap();
        revoked.poll(&old, at(200), at(200)).await.unwrap();
        let promoted = MemoryStore::default();
        for (name, expires_at) in [("long", 90_000), ("short", 100)] {
            let subject = RevocationSubject::Session(name.into());
            let expires_at = at(expires_at);
            promoted
                .revoke(&Revocation { subject, revoked_at: at(0), expires_at }, &Act::at(at(0)))
                .await
                .unwrap();
        }
        let later = 200 + 3600;
        promoted.flush_sessions(at(later), 10).await.unwrap();
        revoked.poll(&promoted, at(later), at(later)).await.unwrap();
        assert_eq!(revoked.status(Some("long"), None, None, None), RevocationStatus::Revoked);
    }

    #[tokio::test]
    async fn a_database_that_went_back_is_read_anew() {
        let (store, revoked) = (MemoryStore::default(), Revoked::new(10));
        for name in ["a", "b"] {
            revoke(&store, RevocationSubject::Session(name.into()), 0).await;
        }
        revoked.poll(&store, at(0), at(0)).await.unwrap();
        let restored = MemoryStore::default();
        revoke(&restored, RevocationSubject::Session("c".into()), 0).await;
        revoked.poll(&restored, at(1), at(1)).await.unwrap();
        assert_eq!(revoked.status(Some("c"), None, None, None), RevocationStatus::Revoked);
        assert_eq!(
            revoked.status(Some("a"), None, None, None),
            RevocationStatus::Revoked,
            "better known"
        );
    }
}
