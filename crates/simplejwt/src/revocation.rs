//! What this process has heard of revoked access tokens.
//!
//! [`Revoked`] is kept up to date by [`Auth::poll_revocations`](crate::Auth::poll_revocations)
//! and asked with each request: a look into three maps, and no database. It holds exactly what
//! is revoked and still of consequence; what it can't hold, it says.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::store::feed::{Mark, Revocation, RevocationFeed, Revocations, Subject};

/// Read at a time.
const PAGE: u32 = 5_000;
/// How often what has expired is thrown out.
const SWEEP: Duration = Duration::from_secs(30);
/// How long after an overflow all of it is read again.
const RETRY: Duration = Duration::from_secs(60);
/// After so long out of touch all of it is read again, whatever the database looks like: what
/// stood at the number that was heard last may have been purged in any history.
const OUT_OF_TOUCH: Duration = Duration::from_secs(3600);

/// Whether an access token is revoked, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is.
    Revoked,
    /// It isn't.
    Good,
    /// There are more revocations than are kept.
    TooMany,
}

/// Access tokens that are revoked, kept in memory. Clones of an
/// [`Auth`](crate::Auth) share it.
pub(crate) struct Revoked {
    max_entries: usize,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// Each with when it can be forgotten.
    sessions: HashMap<Box<str>, Timestamp>,
    tokens: HashMap<Box<str>, Timestamp>,
    /// When it was revoked, and when that can be forgotten.
    users: HashMap<Box<str>, (Timestamp, Timestamp)>,
    heard: Heard,
    /// When the database was last asked, successfully and to the end.
    current_at: Option<Timestamp>,
    swept_at: Option<Timestamp>,
    /// Since when there have been too many.
    overflowed_at: Option<Timestamp>,
}

/// How far a history was heard, and by what it is known again.
#[derive(Default)]
struct Heard {
    sequence: i64,
    /// What stood at that number.
    mark: Option<Mark>,
    timeline: Option<String>,
}

impl Heard {
    /// Why a page that was asked from here is none of the history that was heard.
    fn differs(&self, found: &Revocations) -> Option<&'static str> {
        if found.sequence < self.sequence {
            return Some("its numbers went back");
        }
        if self.sequence > 0 && found.before != self.mark {
            return Some("something else stands at the number that was heard last");
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
        let longer = |known: &mut Timestamp| *known = (*known).max(expires_at);
        match subject {
            Subject::Session(id) => {
                self.sessions.entry(id.into()).and_modify(longer).or_insert(expires_at);
            }
            Subject::Token(jti) => {
                self.tokens.entry(jti.into()).and_modify(longer).or_insert(expires_at);
            }
            Subject::User(id) => {
                let entry =
                    self.users.entry(id.as_str().into()).or_insert((revoked_at, expires_at));
                *entry = (entry.0.max(revoked_at), entry.1.max(expires_at));
            }
        }
    }

    fn clear(&mut self) {
        self.sessions = HashMap::new();
        self.tokens = HashMap::new();
        self.users = HashMap::new();
        self.heard = Heard::default();
    }

    /// `due` is what counts no longer at this time.
    fn sweep(&mut self, now: Timestamp, due: Timestamp) {
        if self.swept_at.is_some_and(|swept_at| swept_at + SWEEP > now) {
            return;
        }
        self.swept_at = Some(now);
        self.sessions.retain(|_, expires_at| *expires_at > due);
        self.tokens.retain(|_, expires_at| *expires_at > due);
        self.users.retain(|_, (_, expires_at)| *expires_at > due);
    }
}

impl Revoked {
    pub(crate) fn new(max_entries: u32) -> Self {
        Self { max_entries: max_entries as usize, state: RwLock::default() }
    }

    /// No update leaves half of itself behind.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the database was last asked, successfully.
    pub(crate) fn current_at(&self) -> Option<Timestamp> {
        self.read().current_at
    }

    /// How many revocations are kept.
    pub(crate) fn len(&self) -> usize {
        self.read().len()
    }

    pub(crate) fn knows(
        &self,
        session: Option<&str>,
        jti: Option<&str>,
        user_id: Option<&str>,
        issued_at: Option<Timestamp>,
    ) -> Known {
        let state = self.read();
        if state.overflowed_at.is_some() {
            return Known::TooMany;
        }
        let by_session = session.is_some_and(|id| state.sessions.contains_key(id));
        let by_id = jti.is_some_and(|jti| state.tokens.contains_key(jti));
        let by_user = || {
            session.is_none()
                && user_id.and_then(|id| state.users.get(id)).is_some_and(|(revoked_at, _)| {
                    issued_at.is_none_or(|issued_at| issued_at <= *revoked_at)
                })
        };
        if by_session || by_id || by_user() { Known::Revoked } else { Known::Good }
    }

    /// Reads what is new, but for what is [`due`](crate::store::retention::Retention::due). One
    /// at a time is enough.
    ///
    /// Where the database's history isn't the one that was heard, all of it is read, and nothing
    /// that was heard is forgotten. Until that is done it isn't known what is revoked.
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
                    let cause = "databases with different histories answer in turn";
                    return Err(StoreError::unavailable("revocations", cause));
                }
                tracing::warn!(
                    event = "feed_restarted",
                    reason,
                    "the feed of revocations is another one: reading all of it"
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
                // What comes next is no use without what was before it.
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

    async fn revoke(store: &MemoryStore, subject: Subject, seconds: i64) {
        let revocation =
            Revocation { subject, revoked_at: at(seconds), expires_at: at(seconds + 100) };
        store.revoke(&revocation, &Act::at(revocation.revoked_at)).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_heard_is_known_until_it_is_of_no_consequence() {
        let (store, revoked) = (MemoryStore::default(), Revoked::new(10));
        let good = |session, jti, user, issued| revoked.knows(session, jti, user, issued);
        revoke(&store, Subject::Session("s".into()), 0).await;
        assert_eq!(revoked.current_at(), None);
        assert_eq!(good(Some("s"), None, None, None), Known::Good, "not heard of yet");
        revoked.poll(&store, at(1), at(1)).await.unwrap();
        assert_eq!(revoked.current_at(), Some(at(1)));
        assert_eq!(good(Some("s"), None, None, None), Known::Revoked);
        assert_eq!(good(Some("t"), None, None, None), Known::Good);
        revoke(&store, Subject::Token("j".into()), 2).await;
        revoke(&store, Subject::User("1".into()), 2).await;
        revoked.poll(&store, at(2), at(2)).await.unwrap();
        assert_eq!(good(Some("t"), Some("j"), None, None), Known::Revoked);
        assert_eq!(good(None, None, Some("1"), Some(at(2))), Known::Revoked);
        assert_eq!(good(None, None, Some("1"), Some(at(3))), Known::Good);
        assert_eq!(good(None, None, Some("1"), None), Known::Revoked);
        assert_eq!(good(Some("t"), None, Some("1"), Some(at(2))), Known::Good);
        assert_eq!(revoked.len(), 3);
        revoked.poll(&store, at(102), at(102)).await.unwrap();
        assert_eq!(revoked.len(), 0);
    }

    #[tokio::test]
    async fn too_many_are_said_to_be_too_many_until_they_fit_again() {
        let (store, revoked) = (MemoryStore::default(), Revoked::new(3));
        for number in 0..4 {
            revoke(&store, Subject::Session(number.to_string()), number).await;
        }
        revoked.poll(&store, at(5), at(5)).await.unwrap();
        assert_eq!(revoked.knows(Some("0"), None, None, None), Known::TooMany);
        assert_eq!(revoked.knows(Some("x"), None, None, None), Known::TooMany);
        assert_eq!(revoked.len(), 0);
        revoked.poll(&store, at(64), at(64)).await.unwrap();
        assert_eq!(revoked.knows(Some("3"), None, None, None), Known::TooMany);
        // The first has expired.
        revoked.poll(&store, at(124), at(124)).await.unwrap();
        revoked.poll(&store, at(100), at(100)).await.unwrap();
        assert_eq!(revoked.knows(Some("x"), None, None, None), Known::Good);
    }

    /// A store with these sessions revoked, one after the other.
    async fn history(names: &[&str]) -> MemoryStore {
        let store = MemoryStore::default();
        for name in names {
            revoke(&store, Subject::Session((*name).into()), 0).await;
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
                let known = revoked.knows(Some(name), None, None, None);
                assert_eq!(known, Known::Revoked, "{name} of {other:?}");
            }
            assert_eq!(revoked.current_at(), Some(at(1)));
            // Known from then on.
            revoke(&promoted, Subject::Session("z".into()), 2).await;
            revoked.poll(&promoted, at(2), at(2)).await.unwrap();
            assert_eq!(revoked.knows(Some("z"), None, None, None), Known::Revoked);
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
        assert_eq!(revoked.knows(Some("c"), None, None, None), Known::Revoked);
    }

    /// Both have purged what stood at the number that was heard.
    #[tokio::test]
    async fn after_long_out_of_touch_all_of_it_is_read() {
        let revoked = Revoked::new(10);
        let old = history(&["a", "b"]).await;
        old.flush_sessions(at(200), 10).await.unwrap();
        revoked.poll(&old, at(200), at(200)).await.unwrap();
        let promoted = MemoryStore::default();
        for (name, expires_at) in [("long", 90_000), ("short", 100)] {
            let subject = Subject::Session(name.into());
            let expires_at = at(expires_at);
            promoted
                .revoke(&Revocation { subject, revoked_at: at(0), expires_at }, &Act::at(at(0)))
                .await
                .unwrap();
        }
        let later = 200 + 3600;
        promoted.flush_sessions(at(later), 10).await.unwrap();
        revoked.poll(&promoted, at(later), at(later)).await.unwrap();
        assert_eq!(revoked.knows(Some("long"), None, None, None), Known::Revoked);
    }

    #[tokio::test]
    async fn a_database_that_went_back_is_read_anew() {
        let (store, revoked) = (MemoryStore::default(), Revoked::new(10));
        for name in ["a", "b"] {
            revoke(&store, Subject::Session(name.into()), 0).await;
        }
        revoked.poll(&store, at(0), at(0)).await.unwrap();
        let restored = MemoryStore::default();
        revoke(&restored, Subject::Session("c".into()), 0).await;
        revoked.poll(&restored, at(1), at(1)).await.unwrap();
        assert_eq!(revoked.knows(Some("c"), None, None, None), Known::Revoked);
        assert_eq!(revoked.knows(Some("a"), None, None, None), Known::Revoked, "better known");
    }
}
