//! A store whose callers always know which session a token is in, as the flows do: tokens name
//! theirs by the claim `sid`. For stores that keep a row for each session, and so need to be told.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::encoded;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Cause, Recorded};
use crate::settings::Rows;
use crate::store::feed::{AccessClaims, Revocation, RevocationFeed, Revocations};
use crate::store::session::{
    EndSessions, NextToken, OpenOutcome, OpenSession, RefreshOutcome, Session, SessionHead,
    SessionRefresh, SessionStore,
};
use crate::store::{
    Blacklisting, FlushExpired, Flushed, Leases, OutstandingToken, Rotation, TokenStore,
};
use crate::users::UserId;

/// The store. With a row for each token, it is the one behind it.
pub(super) struct Named<S> {
    store: S,
    /// The sessions that tokens were issued in.
    sessions: Mutex<HashMap<String, String>>,
}

impl<S: SessionStore> Named<S> {
    pub(super) fn new(store: S) -> Self {
        Self { store, sessions: Mutex::default() }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the session that a token names.
    fn named(&self, jti: &str) -> Option<String> {
        self.sessions().get(jti).filter(|_| self.store.rows() == Rows::Sessions).cloned()
    }

    /// Returns the token as it is encoded, with its claim.
    fn naming(&self, token: &OutstandingToken) -> OutstandingToken {
        let mut token = token.clone();
        if let Some(id) = self.named(&token.jti) {
            token.token = encoded(&serde_json::json!({ "sid": id }).to_string());
        }
        token
    }
}

#[async_trait]
impl<S: SessionStore> TokenStore for Named<S> {
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
        self.store.rotate(&self.naming(spent), next, cause).await
    }

    async fn blacklist(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<Blacklisting>, StoreError> {
        self.store.blacklist(&self.naming(token), act).await
    }

    async fn blacklist_all(&self, user_id: &UserId, at: Timestamp) -> Result<u64, StoreError> {
        self.store.blacklist_all(user_id, at).await
    }

    /// A token of a session is asked for by the session that it names: the guarantee is that it is
    /// no longer valid, wherever that is written down.
    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        match self.named(jti) {
            Some(id) => self.store.is_spent(jti, Some(&id)).await,
            None => self.store.is_blacklisted(jti).await,
        }
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
impl<S: SessionStore> SessionStore for Named<S> {
    fn rows(&self) -> Rows {
        self.store.rows()
    }

    async fn open(&self, open: &OpenSession) -> Result<Recorded<OpenOutcome>, StoreError> {
        self.sessions().insert(open.token.jti.clone(), open.session.id.clone());
        self.store.open(open).await
    }

    async fn refresh(
        &self,
        refresh: &SessionRefresh,
    ) -> Result<Recorded<RefreshOutcome>, StoreError> {
        let mut refresh = refresh.clone();
        if let Some(id) = self.named(&refresh.token.jti) {
            refresh.session.id = id;
        }
        let recorded = self.store.refresh(&refresh).await?;
        if recorded.outcome == RefreshOutcome::Refreshed {
            let mut sessions = self.sessions();
            if let NextToken::Rotated { token, .. } | NextToken::Added(token) = &refresh.next {
                sessions.insert(token.jti.clone(), refresh.session.id.clone());
            }
            sessions.insert(refresh.token.jti, refresh.session.id);
        }
        Ok(recorded)
    }

    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        self.store.session(id).await
    }

    async fn session_of(
        &self,
        jti: &str,
        session: Option<&str>,
    ) -> Result<Option<SessionHead>, StoreError> {
        let named = self.named(jti);
        self.store.session_of(jti, session.or(named.as_deref())).await
    }

    async fn is_spent(&self, jti: &str, session: Option<&str>) -> Result<bool, StoreError> {
        let named = self.named(jti);
        self.store.is_spent(jti, session.or(named.as_deref())).await
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
        self.store.flush_sessions(before, batch).await
    }

    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError> {
        self.store.ping_sessions(at).await
    }
}

#[async_trait]
impl<S: SessionStore> RevocationFeed for Named<S> {
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
impl<S: SessionStore> Leases for Named<S> {
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
