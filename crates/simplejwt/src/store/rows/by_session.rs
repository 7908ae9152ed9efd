//! The store that keeps a row for each session.

mod tokens;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::decide::{self, Step};
use super::{Change, Changed, RowEnd, SessionRow, SessionRows};
use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::event::{EndReason, Recorded};
use crate::settings::{Rows, Settings};
use crate::store::session::{
    EndSessions, OpenOutcome, OpenSession, RefreshOutcome, Session, SessionHead, SessionRefresh,
    SessionSelector, SessionStore,
};
use crate::users::UserId;

/// The number of times that a row is read again after another change came first.
const MOST_TIMES: u32 = 30;
/// The largest number of sessions that one transaction ends.
const BATCH: u32 = 1000;

/// Keeps sessions in a row each, and everything else in `S`: tokens outside of sessions, the
/// blacklist of tokens that were never seen here, revocations and leases.
///
/// To be used with [`rows`](crate::settings::SessionSettings::rows) = [`Rows::Sessions`], which
/// [`Auth::check`](crate::Auth::check) makes sure of. Sessions that `S` itself has kept have to be
/// moved first, since they count as ended here.
///
/// A first refresh with a token that has no row opens one, unless the tables of tokens say that it
/// is blacklisted; so tokens issued by Django, or before there were sessions, remain valid. A
/// session has one valid refresh token: another one that names it is taken for spent.
///
/// ```
/// use simplejwt::settings::{Rows, SessionSettings};
/// use simplejwt::store::memory::MemoryStore;
/// use simplejwt::store::rows::BySession;
/// use simplejwt::{Auth, Settings, Tokens};
///
/// let settings = Settings {
///     signing_key: Some("a secret of at least thirty-two bytes".into()),
///     token_blacklist: true,
///     rotate_refresh_tokens: true,
///     blacklist_after_rotation: true,
///     sessions: SessionSettings {
///         session_claim: true,
///         rows: Rows::Sessions,
///         ..SessionSettings::default()
///     },
///     ..Settings::default()
/// };
/// let store = BySession::new(MemoryStore::default(), &settings);
/// let auth = Auth::new(Tokens::new(settings)?).with_sessions(store);
/// auth.check()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BySession<S> {
    store: S,
    /// The claim that tells a refresh token from an access token.
    type_claim: Option<Arc<str>>,
}

impl<S> fmt::Debug for BySession<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BySession").finish_non_exhaustive()
    }
}

impl<S: SessionRows> BySession<S> {
    /// Creates the store, for tokens that are issued with these settings.
    pub fn new(store: S, settings: &Settings) -> Self {
        Self { store, type_claim: settings.token_type_claim.as_deref().map(Into::into) }
    }

    /// Returns the store that keeps the rows and everything else.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Returns the row of the session that a token names; otherwise of the one that it was in when
    /// each token had a row.
    async fn row_of(
        &self,
        jti: &str,
        session: Option<&str>,
    ) -> Result<Option<SessionRow>, StoreError> {
        let id = session.unwrap_or(jti);
        if let Some(row) = self.store.row(id).await? {
            return Ok(Some(row));
        }
        match self.store.known(jti).await?.session {
            Some(earlier) if earlier != id => self.store.row(&earlier).await,
            _ => Ok(None),
        }
    }

    /// Changes a row, and reads it again for as long as others come first.
    async fn change<T, W>(
        &self,
        operation: &'static str,
        id: &str,
        work: W,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Fn(Option<&SessionRow>) -> (Change, T) + Clone + Send + Sync + 'static,
    {
        for _ in 0..MOST_TIMES {
            if let Changed::Done(outcome) = self.store.change(operation, id, work.clone()).await? {
                return Ok(outcome);
            }
        }
        Err(interfered(operation))
    }

    async fn end_all(
        &self,
        user_id: &UserId,
        except: Option<&str>,
        end: &RowEnd,
    ) -> Result<u64, StoreError> {
        let mut ended = 0;
        loop {
            let batch = self.store.end_rows(user_id, except, end, BATCH).await?;
            ended += batch;
            if batch < u64::from(BATCH) {
                return Ok(ended);
            }
        }
    }
}

fn interfered(operation: &'static str) -> StoreError {
    StoreError::unavailable(operation, "other changes of the session came first, again and again")
}

/// Its successor was to stay valid beside it.
fn no_place() -> StoreError {
    StoreError::new(
        "refresh",
        StoreErrorKind::Incompatible,
        "a session that is one row has one refresh token, but tokens are rotated without \
         blacklisting: set BLACKLIST_AFTER_ROTATION",
    )
}

#[async_trait]
impl<S: SessionRows> SessionStore for BySession<S> {
    fn rows(&self) -> Rows {
        Rows::Sessions
    }

    async fn open(&self, open: &OpenSession) -> Result<Recorded<OpenOutcome>, StoreError> {
        let row = SessionRow::opened(open);
        let Some(limit) = open.limit else {
            let add = move |found: Option<&SessionRow>| {
                let insert = |row: &SessionRow| Change::Insert {
                    row: Box::new(row.clone()),
                    unless_listed: None,
                    revocation: None,
                };
                (if found.is_some() { Change::None } else { insert(&row) }, ())
            };
            self.change("open", &open.session.id, add).await?;
            return Ok(open.recorded(OpenOutcome::Opened { evicted: 0 }));
        };
        let (at, retain_until) = (open.cause.at, open.retain_until);
        let end = RowEnd { reason: EndReason::Limit, at, retain_until };
        Ok(open.recorded(match self.store.open_row(&row, limit, &end).await? {
            Some(evicted) => OpenOutcome::Opened { evicted },
            None => OpenOutcome::TooMany,
        }))
    }

    async fn refresh(
        &self,
        refresh: &SessionRefresh,
    ) -> Result<Recorded<RefreshOutcome>, StoreError> {
        let asked = Arc::new(refresh.clone());
        let mut id = refresh.session.id.clone();
        let mut was_good = false;
        for _ in 0..MOST_TIMES {
            let refresh = Arc::clone(&asked);
            let work = move |row: Option<&SessionRow>| match row {
                Some(row) => decide::refreshed(&refresh, row, was_good),
                None => (Change::None, Step::Missing),
            };
            match self.store.change("refresh", &id, work).await? {
                Changed::Done(Step::Done(recorded)) => return Ok(recorded),
                Changed::Done(Step::NoPlace) | Changed::Lost(Step::NoPlace) => {
                    return Err(no_place());
                }
                Changed::Lost(step) => {
                    was_good |= is_refreshed(&step);
                    continue;
                }
                Changed::Done(Step::Missing) => {}
            }
            let known = self.store.known(&asked.token.jti).await?;
            if let Some(earlier) = &known.session {
                if *earlier != id {
                    id.clone_from(earlier);
                    continue;
                }
                // It was over when the sessions were moved here.
                return Ok(asked.recorded(RefreshOutcome::Ended, Some(earlier)));
            }
            let refresh = Arc::clone(&asked);
            let work = move |row: Option<&SessionRow>| match row {
                Some(row) => decide::refreshed(&refresh, row, was_good),
                None => decide::joined(&refresh, &known),
            };
            match self.store.change("refresh", &id, work).await? {
                Changed::Done(Step::Done(recorded)) => return Ok(recorded),
                Changed::Done(Step::NoPlace) | Changed::Lost(Step::NoPlace) => {
                    return Err(no_place());
                }
                Changed::Lost(step) => was_good |= is_refreshed(&step),
                Changed::Done(Step::Missing) => {}
            }
        }
        Err(interfered("refresh"))
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        Ok(self.store.row(id).await?.map(|row| row.session()))
    }

    async fn session_of(
        &self,
        jti: &str,
        session: Option<&str>,
    ) -> Result<Option<SessionHead>, StoreError> {
        Ok(self.row_of(jti, session).await?.map(|row| row.head(jti)))
    }

    async fn is_spent(&self, jti: &str, session: Option<&str>) -> Result<bool, StoreError> {
        let id = session.unwrap_or(jti);
        if let Some(row) = self.store.row(id).await? {
            return Ok(row.is_over_for(jti));
        }
        let known = self.store.known(jti).await?;
        Ok(match known.session {
            Some(earlier) if earlier != id => {
                self.store.row(&earlier).await?.is_none_or(|row| row.is_over_for(jti))
            }
            Some(_) => true,
            None => known.blacklisted.is_some(),
        })
    }

    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        let rows = self.store.live_rows(user_id, at).await?;
        Ok(rows.iter().map(SessionRow::session).collect())
    }

    async fn end_sessions(&self, ending: &EndSessions) -> Result<Recorded<u64>, StoreError> {
        let (reason, at) = (ending.reason, ending.cause.at);
        let end = RowEnd { reason, at, retain_until: ending.retain_until };
        let (user_id, except) = match &ending.which {
            SessionSelector::One { id, user_id } => {
                let user_id = user_id.clone();
                let work = move |row: Option<&SessionRow>| {
                    let is_theirs = |row: &SessionRow| {
                        user_id.as_ref().is_none_or(|user_id| row.user_id == *user_id)
                    };
                    match row.filter(|row| row.ended_at.is_none() && is_theirs(row)) {
                        Some(row) => (Change::end(row.ended(&end)), 1),
                        None => (Change::None, 0),
                    }
                };
                return Ok(ending.recorded(self.change("end_sessions", id, work).await?));
            }
            SessionSelector::All { user_id, except } => (user_id, except.as_deref()),
        };
        let mut ended = self.end_all(user_id, except, &end).await?;
        ended += self.store.end_sessions(ending).await?.outcome;
        // A token that was in no session may have got a row before it was blacklisted.
        ended += self.end_all(user_id, except, &end).await?;
        Ok(ending.recorded(ended))
    }

    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        self.store.rehash_rows(user_id, old, new).await
    }

    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let flushed = self.store.flush_rows(before, batch).await?;
        Ok(flushed + self.store.flush_sessions(before, batch).await?)
    }

    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError> {
        self.store.ping_rows().await?;
        self.store.ping_sessions(at).await
    }
}

/// Returns `true` if the token was good, and the change that was lost would have refreshed it.
fn is_refreshed(step: &Step) -> bool {
    matches!(step, Step::Done(recorded) if recorded.outcome == RefreshOutcome::Refreshed)
}
