//! Tokens, revocations and leases of [`BySession`]: those of the store behind it, except for tokens
//! in sessions.

use async_trait::async_trait;

use super::BySession;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Cause, Recorded};
use crate::settings::SESSION_CLAIM;
use crate::store::feed::{AccessClaims, Revocation, RevocationFeed, Revocations};
use crate::store::leases::Leases;
use crate::store::rows::{Change, SessionRow, SessionRows};
use crate::store::{
    Blacklisting, FlushExpired, Flushed, OutstandingToken, Rotation, TokenStore, retention,
};
use crate::users::UserId;

/// The place where a token is blacklisted.
enum Place {
    /// In the tables of tokens: no row is about it.
    Tokens,
    /// In the row of its session.
    Row(Blacklisting),
}

impl<S: SessionRows> BySession<S> {
    /// Blacklists a token in the row that is about it, if there is one.
    async fn blacklist_in_row(
        &self,
        token: &OutstandingToken,
        at: Timestamp,
    ) -> Result<Place, StoreError> {
        let claims = retention::payload(&token.token);
        let claim = |name: &str| claims.as_ref().and_then(|claims| claims.get(name)?.as_str());
        let kind = self.type_claim.as_deref().and_then(claim);
        if kind.is_some_and(|kind| !["refresh", "sliding"].contains(&kind)) {
            return Ok(Place::Tokens);
        }
        let Some(found) = self.row_of(&token.jti, claim(SESSION_CLAIM)).await? else {
            return Ok(Place::Tokens);
        };
        let (jti, user_id) = (token.jti.clone(), token.user_id.clone());
        let work = move |row: Option<&SessionRow>| {
            let Some(row) = row else { return (Change::None, Place::Tokens) };
            let is_known = row.jti == jti || row.spent.spent_at(&jti).is_some();
            // Only its claim says that it is in this session.
            if !is_known && user_id.as_ref().is_some_and(|user_id| *user_id != row.user_id) {
                return (Change::None, Place::Tokens);
            }
            if row.is_over_for(&jti) {
                return (Change::None, Place::Row(Blacklisting::AlreadyBlacklisted));
            }
            let row = SessionRow { blacklisted_at: Some(at), ..row.changed() };
            (Change::replace(row), Place::Row(Blacklisting::Blacklisted))
        };
        self.change("blacklist", &found.id, work).await
    }
}

#[async_trait]
impl<S: SessionRows> TokenStore for BySession<S> {
    async fn record(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<()>, StoreError> {
        self.store.record(token, act).await
    }

    /// A token in a session is spent by blacklisting it in its row first: whoever is killed between
    /// the two has spent it without a successor.
    async fn rotate(
        &self,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        cause: &Cause,
    ) -> Result<Recorded<Rotation>, StoreError> {
        match self.blacklist_in_row(spent, cause.at).await? {
            Place::Row(Blacklisting::AlreadyBlacklisted) => {
                Ok(Rotation::Replayed.recorded(spent, cause))
            }
            Place::Tokens | Place::Row(Blacklisting::Blacklisted) => {
                self.store.rotate(spent, next, cause).await
            }
        }
    }

    async fn blacklist(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<Blacklisting>, StoreError> {
        if let Place::Row(outcome) = self.blacklist_in_row(token, act.cause.at).await? {
            return Ok(outcome.recorded(act));
        }
        let recorded = self.store.blacklist(token, act).await?;
        // A row that was opened with it meanwhile.
        self.blacklist_in_row(token, act.cause.at).await?;
        Ok(recorded)
    }

    async fn blacklist_all(&self, user_id: &UserId, at: Timestamp) -> Result<u64, StoreError> {
        let mut blacklisted = self.store.blacklist_all(user_id, at).await?;
        for row in self.store.live_rows(user_id, Timestamp::from_micros(i64::MIN)).await? {
            let work = move |row: Option<&SessionRow>| {
                let live = row.filter(|row| row.ended_at.is_none() && row.blacklisted_at.is_none());
                match live {
                    Some(row) => {
                        let row = SessionRow { blacklisted_at: Some(at), ..row.changed() };
                        (Change::replace(row), 1)
                    }
                    None => (Change::None, 0),
                }
            };
            blacklisted += self.change("blacklist_all", &row.id, work).await?;
        }
        Ok(blacklisted)
    }

    /// The id alone doesn't tell a token's row, unless it is the first of its session.
    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        match self.store.row(jti).await? {
            Some(row) => Ok(row.is_over_for(jti)),
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
impl<S: SessionRows> RevocationFeed for BySession<S> {
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
        let Some(id) = &access.session else { return self.store.is_revoked(access, at).await };
        let is_theirs = |row: &SessionRow| {
            access.user_id.as_ref().is_none_or(|user_id| row.user_id == *user_id)
        };
        match self.store.row(id).await? {
            Some(row) if row.ended_at.is_none() && is_theirs(&row) => {
                // A revocation of its user is about tokens outside of sessions.
                let alone = AccessClaims { session: None, user_id: None, ..access.clone() };
                self.store.is_revoked(&alone, at).await
            }
            _ => Ok(true),
        }
    }

    async fn revocation_notice(&self) -> Result<(), StoreError> {
        self.store.revocation_notice().await
    }
}

#[async_trait]
impl<S: SessionRows> Leases for BySession<S> {
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
