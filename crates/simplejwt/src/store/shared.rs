//! Pointers to stores are stores, so that one can be shared as an `Arc`.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::flush::{FlushExpired, Flushed};
use super::session::{
    AccessClaims, EndSessions, OpenOutcome, OpenSession, RefreshOutcome, Revocation, Revocations,
    Session, SessionHead, SessionRefresh, SessionStore,
};
use super::{Blacklisting, Leases, OutstandingToken, RevocationFeed, Rotation, TokenStore};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Cause, Recorded};
use crate::settings::Rows;
use crate::users::UserId;

macro_rules! behind {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: TokenStore + ?Sized> TokenStore for $pointer {
            async fn record(
                &self,
                token: &OutstandingToken,
                act: &Act,
            ) -> Result<Recorded<()>, StoreError> {
                (**self).record(token, act).await
            }

            async fn rotate(
                &self,
                spent: &OutstandingToken,
                next: &OutstandingToken,
                cause: &Cause,
            ) -> Result<Recorded<Rotation>, StoreError> {
                (**self).rotate(spent, next, cause).await
            }

            async fn blacklist(
                &self,
                token: &OutstandingToken,
                act: &Act,
            ) -> Result<Recorded<Blacklisting>, StoreError> {
                (**self).blacklist(token, act).await
            }

            async fn blacklist_all(&self, user: &UserId, at: Timestamp) -> Result<u64, StoreError> {
                (**self).blacklist_all(user, at).await
            }

            async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
                (**self).is_blacklisted(jti).await
            }

            async fn flush_expired(&self, flush: &FlushExpired) -> Result<Flushed, StoreError> {
                (**self).flush_expired(flush).await
            }

            fn waiting(&self) -> usize {
                (**self).waiting()
            }

            async fn newest(&self, limit: u32) -> Result<Vec<OutstandingToken>, StoreError> {
                (**self).newest(limit).await
            }

            async fn ping(&self) -> Result<(), StoreError> {
                (**self).ping().await
            }
        }

        #[async_trait]
        impl<T: SessionStore + ?Sized> SessionStore for $pointer {
            fn rows(&self) -> Rows {
                (**self).rows()
            }

            async fn open(&self, open: &OpenSession) -> Result<Recorded<OpenOutcome>, StoreError> {
                (**self).open(open).await
            }

            async fn refresh(
                &self,
                refresh: &SessionRefresh,
            ) -> Result<Recorded<RefreshOutcome>, StoreError> {
                (**self).refresh(refresh).await
            }

            async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
                (**self).session(id).await
            }

            async fn session_of(
                &self,
                jti: &str,
                session: Option<&str>,
            ) -> Result<Option<SessionHead>, StoreError> {
                (**self).session_of(jti, session).await
            }

            async fn is_spent(&self, jti: &str, session: Option<&str>) -> Result<bool, StoreError> {
                (**self).is_spent(jti, session).await
            }

            async fn sessions(
                &self,
                user: &UserId,
                at: Timestamp,
            ) -> Result<Vec<Session>, StoreError> {
                (**self).sessions(user, at).await
            }

            async fn end_sessions(&self, end: &EndSessions) -> Result<Recorded<u64>, StoreError> {
                (**self).end_sessions(end).await
            }

            async fn password_rehashed(
                &self,
                user: &UserId,
                old: &str,
                new: &str,
            ) -> Result<(), StoreError> {
                (**self).password_rehashed(user, old, new).await
            }

            async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError> {
                (**self).flush_sessions(before, batch).await
            }

            async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError> {
                (**self).ping_sessions(at).await
            }
        }

        #[async_trait]
        impl<T: RevocationFeed + ?Sized> RevocationFeed for $pointer {
            async fn revoke(
                &self,
                revocation: &Revocation,
                act: &Act,
            ) -> Result<Recorded<()>, StoreError> {
                (**self).revoke(revocation, act).await
            }

            async fn revocations(
                &self,
                after: i64,
                limit: u32,
                at: Timestamp,
            ) -> Result<Revocations, StoreError> {
                (**self).revocations(after, limit, at).await
            }

            async fn is_revoked(
                &self,
                access: &AccessClaims,
                at: Timestamp,
            ) -> Result<bool, StoreError> {
                (**self).is_revoked(access, at).await
            }

            async fn revocation_notice(&self) -> Result<(), StoreError> {
                (**self).revocation_notice().await
            }
        }

        #[async_trait]
        impl<T: Leases + ?Sized> Leases for $pointer {
            async fn lease(
                &self,
                name: &str,
                holder: &str,
                at: Timestamp,
                until: Timestamp,
            ) -> Result<bool, StoreError> {
                (**self).lease(name, holder, at, until).await
            }
        }
    )*};
}

behind!(Arc<T>, Box<T>, &'static T);

/// Lets types that hold a store derive `Debug`; the store itself needn't have it.
impl fmt::Debug for dyn TokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn TokenStore")
    }
}

impl fmt::Debug for dyn SessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn SessionStore")
    }
}
