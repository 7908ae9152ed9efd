//! Sessions: the families of refresh tokens that begin with a login.
//!
//! A login opens a session; every rotation stays in it. The lineage is kept in separate tables
//! (`simplejwt_*`), so that the tokens and upstream's tables stay as they are. The rows of
//! upstream's blacklist decide who wins: a token is spent if and only if its id is there.
//!
//! [`verdict`] decides on a presented token, in the same way for all stores.

mod end;
mod refresh;
mod types;
pub mod verdict;

use async_trait::async_trait;

use super::TokenStore;
use super::leases::Leases;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::Recorded;
use crate::settings::Rows;
use crate::users::UserId;

pub use super::feed::{
    AccessClaims, Mark, Revocation, RevocationFeed, RevocationSubject, Revocations,
};
pub use crate::event::{Client, EndReason};
pub use end::{EndEvent, EndSessions, SessionSelector};
pub use refresh::{NextToken, RefreshOutcome, SessionRefresh, Successor};
pub use types::{
    NewSession, OpenOutcome, OpenSession, RetainUntil, Session, SessionHead, SessionLimit,
};

/// The row of the leases that [`SessionStore::ping_sessions`] writes.
#[cfg(feature = "sql")]
#[allow(dead_code, reason = "for each database")]
pub(crate) const PINGED: &str = "ping";

/// A [`TokenStore`] that knows which tokens belong together.
///
/// It is also the [`RevocationFeed`], since ending a session revokes its access tokens in the same
/// transaction, and keeps the [`Leases`] for its purge.
///
/// # Contract
/// As that of [`TokenStore`], and:
/// - Each method is one transaction, unless it says otherwise.
/// - The [records](Recorded) of [`open`](Self::open), [`refresh`](Self::refresh) and
///   [`end_sessions`](Self::end_sessions) are what `recorded` of the request returns for the
///   outcome.
/// - Ending a session blacklists its live tokens, stores a [`Revocation`] of it, and is final. A
///   concurrent refresh comes before or after: either it finds its token blacklisted, or its
///   successor is blacklisted too.
/// - Of any number of concurrent refreshes that rotate one token, exactly one stores its successor.
#[diagnostic::on_unimplemented(
    message = "`{Self}` keeps no sessions",
    label = "`SessionStore` isn't implemented for `{Self}`",
    note = "hand a store that only implements `TokenStore` to `Auth::with_store`; sessions need `SessionStore` as well, whose suite is `simplejwt::store::conformance::sessions` (feature `testing`)"
)]
#[async_trait]
pub trait SessionStore: TokenStore + RevocationFeed + Leases {
    /// Returns what it keeps a row for.
    fn rows(&self) -> Rows;

    /// Opens a session and registers its first token. With a limit, any number of concurrent logins
    /// leave no more live sessions than that: not ended, the newest token neither expired nor
    /// blacklisted.
    async fn open(&self, open: &OpenSession) -> Result<Recorded<OpenOutcome>, StoreError>;

    /// Refreshes with a presented token. [`verdict`](verdict::verdict) decides on it, based on what
    /// the store has found ([`Found`](verdict::Found)), in this order:
    ///
    /// 1. A token that is in no session joins `session` (opened if it doesn't exist), and is
    ///    registered if it isn't. If that session is another user's: [`RefreshOutcome::Foreign`].
    ///    If the token isn't registered and its `expires_at` has passed:
    ///    [`RefreshOutcome::Forgotten`].
    /// 2. The session has ended: [`RefreshOutcome::Ended`]. A token that has only just joined it is
    ///    blacklisted.
    /// 3. The token is spent: it has a successor in the session, whatever the blacklist says, or
    ///    it is blacklisted. It was spent when the successor was made, or else when it was
    ///    blacklisted.
    ///    - The successor is this call's own `next`: [`RefreshOutcome::Refreshed`] (the database's
    ///      first answer got lost).
    ///    - It was replaced [within the grace](SessionRefresh::is_within_grace), and its newest
    ///      descendant is neither blacklisted nor expired: the outcome of 4 or 5 for that one, or
    ///      else [`RefreshOutcome::Repeated`]. A store may stop looking for the newest after 100
    ///      rotations: [`RefreshOutcome::Replayed`].
    ///    - It was spent [within the tolerance](SessionRefresh::is_within_tolerance), or without a
    ///      successor [in any time zone](SessionRefresh::is_within_tolerance_in_any_zone):
    ///      [`RefreshOutcome::Replayed`].
    ///    - Otherwise [`RefreshOutcome::Reused`] with a successor, [`RefreshOutcome::Blacklisted`]
    ///      without.
    /// 4. `lifetime` has passed since the session was opened, or `idle` since the token was made
    ///    or last used: [`RefreshOutcome::Expired`].
    /// 5. Both the session and `session` have a password and they differ:
    ///    [`RefreshOutcome::PasswordChanged`].
    /// 6. The token is no longer registered: [`RefreshOutcome::Forgotten`] if its `expires_at` has
    ///    passed; otherwise it is registered again.
    /// 7. `next` is registered and joins the session; if it replaces the token, the token is
    ///    blacklisted. Without a `next`, the token's time of use is updated if it is more than a
    ///    minute old.
    ///
    /// Sessions that have to end are ended in the same transaction.
    ///
    /// The record names the session that the token is in, which isn't always the one that the token
    /// names.
    async fn refresh(
        &self,
        refresh: &SessionRefresh,
    ) -> Result<Recorded<RefreshOutcome>, StoreError>;

    /// Returns the session with this id, ended or not.
    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError>;

    /// Returns the session that the refresh token with this id is in, ended or not. Doesn't access
    /// the session's other tokens. `session` is the id of the session that the token names (its
    /// `sid`), which a store needs that keeps no row for each token.
    async fn session_of(
        &self,
        jti: &str,
        session: Option<&str>,
    ) -> Result<Option<SessionHead>, StoreError>;

    /// Returns `true` if the refresh or sliding token with this id is no longer valid: it is
    /// blacklisted, has a successor that replaced it in its session, or the session has ended. The
    /// latter two count even if somebody else has deleted the rows of the blacklist. `session` is
    /// as for [`session_of`](Self::session_of).
    async fn is_spent(&self, jti: &str, session: Option<&str>) -> Result<bool, StoreError>;

    /// Returns the live sessions of a user: not ended, the newest token neither expired at `at` nor
    /// blacklisted. The most recently refreshed comes first.
    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Ends sessions, and returns the number of those that hadn't ended before. Ending all sessions
    /// of a user may take several transactions of bounded size, the last of which has the record;
    /// sessions opened in the meantime may stay. If tokens outside of sessions are ended too, a
    /// [`RevocationSubject::User`] is revoked until [`RetainUntil::refresh`]: those tokens are from
    /// others, who may have other lifetimes.
    async fn end_sessions(&self, end: &EndSessions) -> Result<Recorded<u64>, StoreError>;

    /// Ties sessions that were tied to the fingerprint `old` to `new`, after the hash of a user's
    /// unchanged password was rewritten.
    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError>;

    /// Deletes at most `batch` rows each of tokens in sessions, of sessions without tokens, and of
    /// revocations whose `expires_at` is `before` or earlier. Returns the total number; 0 means
    /// that there are no more. A store may count rows that it has only looked at and put off.
    /// `before` is what is [due](super::retention::Retention::sessions_due).
    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError>;

    /// Checks that sessions can be kept at the moment: tries their reads and writes without
    /// changing a row, and a commit to prove that the disk accepts it. `at` is the current time,
    /// and differs with each call.
    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError>;
}
