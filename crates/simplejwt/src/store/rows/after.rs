//! The store for a while after sessions were moved from a row each to rows of tokens.

use async_trait::async_trait;

use super::{MOVED, SessionRow, SessionRows};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Cause, EndReason, Recorded};
use crate::settings::Rows;
use crate::store::feed::{AccessClaims, Revocation, RevocationFeed, Revocations};
use crate::store::session::{
    EndEvent, EndSessions, OpenOutcome, OpenSession, RefreshOutcome, Session, SessionHead,
    SessionRefresh, SessionSelector, SessionStore,
};
use crate::store::{
    Blacklisting, FlushExpired, Flushed, Leases, OutstandingToken, Rotation, TokenStore,
};
use crate::users::UserId;

/// Keeps a row for each token in `S`, to which sessions were [moved](super::MoveSessions) that were
/// one row each.
///
/// Most of their spent tokens have no row. To `S` alone, they would be tokens of its sessions that
/// it sees for the first time, and valid. Here, a token that names a session which was moved, but
/// isn't among its tokens, is spent. Needed until the [rows that stay](MOVED) are gone, which the
/// purge deletes when all of those tokens have expired; each refresh reads one of them.
#[derive(Clone, Debug)]
pub struct AfterRows<S> {
    store: S,
}

impl<S: SessionRows> AfterRows<S> {
    /// Creates the store.
    pub fn new(store: S) -> Self {
        Self { store }
    }

    /// Returns the row that a moved session left behind, if the token isn't among the session's.
    async fn left(
        &self,
        jti: &str,
        session: Option<&str>,
    ) -> Result<Option<SessionRow>, StoreError> {
        let row = self.store.row(session.unwrap_or(jti)).await?;
        let Some(row) = row.filter(|row| row.end_reason.as_deref() == Some(MOVED)) else {
            return Ok(None);
        };
        Ok(self.store.session_of(jti, None).await?.is_none().then_some(row))
    }
}

#[async_trait]
impl<S: SessionRows> SessionStore for AfterRows<S> {
    fn rows(&self) -> Rows {
        Rows::Tokens
    }

    async fn open(&self, open: &OpenSession) -> Result<Recorded<OpenOutcome>, StoreError> {
        self.store.open(open).await
    }

    async fn refresh(
        &self,
        refresh: &SessionRefresh,
    ) -> Result<Recorded<RefreshOutcome>, StoreError> {
        let id = &refresh.session.id;
        let Some(row) = self.left(&refresh.token.jti, Some(id)).await? else {
            return self.store.refresh(refresh).await;
        };
        if row.user_id != refresh.session.user_id {
            return Ok(refresh.recorded(RefreshOutcome::Foreign, Some(id)));
        }
        let end = EndSessions {
            which: SessionSelector::One { id: id.clone(), user_id: None },
            reason: EndReason::Reuse,
            event: EndEvent::None,
            cause: refresh.cause.clone(),
            retain_until: refresh.retain_until,
        };
        let outcome = match self.store.end_sessions(&end).await?.outcome {
            0 => RefreshOutcome::Ended,
            _ => RefreshOutcome::Reused,
        };
        Ok(refresh.recorded(outcome, Some(id)))
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        self.store.session(id).await
    }

    async fn session_of(
        &self,
        jti: &str,
        session: Option<&str>,
    ) -> Result<Option<SessionHead>, StoreError> {
        if let Some(head) = self.store.session_of(jti, session).await? {
            return Ok(Some(head));
        }
        let Some(row) = self.left(jti, session).await? else { return Ok(None) };
        let now = self.store.session(&row.id).await?;
        let ended_at = now.and_then(|session| session.ended_at);
        Ok(Some(SessionHead { ended_at, ..row.head(jti) }))
    }

    async fn is_spent(&self, jti: &str, session: Option<&str>) -> Result<bool, StoreError> {
        Ok(self.store.is_spent(jti, session).await? || self.left(jti, session).await?.is_some())
    }

    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.store.sessions(user_id, at).await
    }

    async fn end_sessions(&self, end: &EndSessions) -> Result<Recorded<u64>, StoreError> {
        self.store.end_sessions(end).await
    }

    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        self.store.password_rehashed(user_id, old, new).await
    }

    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let flushed = self.store.flush_rows(before, batch).await?;
        Ok(flushed + self.store.flush_sessions(before, batch).await?)
    }

    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError> {
        self.store.ping_sessions(at).await
    }
}

#[async_trait]
impl<S: SessionRows> TokenStore for AfterRows<S> {
    async fn record(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<()>, StoreError> {
        self.store.record(token, act).await
    }

    async fn rotate(
        &self,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        cause: &Cause,
    ) -> Result<Recorded<Rotation>, StoreError> {
        self.store.rotate(spent, next, cause).await
    }

    async fn blacklist(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<Blacklisting>, StoreError> {
        self.store.blacklist(token, act).await
    }

    async fn blacklist_all(&self, user_id: &UserId, at: Timestamp) -> Result<u64, StoreError> {
        self.store.blacklist_all(user_id, at).await
    }

    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        self.store.is_blacklisted(jti).await
    }

    async fn flush_expired(&self, flush: &FlushExpired) -> Result<Flushed, StoreError> {
        self.store.flush_expired(flush).await
    }

    fn waiting(&self) -> usize {
        self.store.waiting()
    }

    async fn newest(&self, limit: u32) -> Result<Vec<OutstandingToken>, StoreError> {
        self.store.newest(limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}

#[async_trait]
impl<S: SessionRows> RevocationFeed for AfterRows<S> {
    async fn revoke(&self, revocation: &Revocation, act: &Act) -> Result<Recorded<()>, StoreError> {
        self.store.revoke(revocation, act).await
    }

    async fn revocations(
        &self,
        after: i64,
        limit: u32,
        at: Timestamp,
    ) -> Result<Revocations, StoreError> {
        self.store.revocations(after, limit, at).await
    }

    async fn is_revoked(&self, access: &AccessClaims, at: Timestamp) -> Result<bool, StoreError> {
        self.store.is_revoked(access, at).await
    }

    async fn revocation_notice(&self) -> Result<(), StoreError> {
        self.store.revocation_notice().await
    }
}

#[async_trait]
impl<S: SessionRows> Leases for AfterRows<S> {
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.store.lease(name, holder, at, until).await
    }
}
