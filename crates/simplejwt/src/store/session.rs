//! Sessions: the families of refresh tokens that begin with a login.
//!
//! A login opens a session; every rotation stays in it. The lineage is kept in tables of our
//! own (`simplejwt_*`), so that the tokens and the tables of upstream stay as they are. The rows
//! of upstream's blacklist decide who wins: a token is spent when, and only when, its id is
//! there.
//!
//! [`verdict`] decides on a presented token, for every store alike.

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
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub(crate) const PINGED: &str = "ping";

/// A [`TokenStore`] that knows which tokens belong together.
///
/// It is also the [`RevocationFeed`], since ending a session revokes its access tokens by the same
/// transaction, and keeps the [`Leases`] of whoever purges it.
///
/// # Contract
/// As that of [`TokenStore`], and:
/// - Each method is one transaction, unless it says otherwise.
/// - What is [recorded](Recorded) of [`open`](Self::open), [`refresh`](Self::refresh) and
///   [`end_sessions`](Self::end_sessions) is what `recorded` of their requests gives for the outcome.
/// - Ending a session blacklists its live tokens, stores a [`Revocation`] of it, and is final.
///   A refresh beside it comes before or after: either it finds its token blacklisted, or its
///   successor is blacklisted too.
/// - Of any number of concurrent refreshes that rotate one token, exactly one stores its
///   successor.
#[diagnostic::on_unimplemented(
    message = "`{Self}` keeps no sessions",
    label = "`SessionStore` isn't implemented for `{Self}`",
    note = "hand a store that only implements `TokenStore` to `Auth::with_store`; sessions need `SessionStore` as well, whose suite is `simplejwt::store::conformance::sessions` (feature `testing`)"
)]
#[async_trait]
pub trait SessionStore: TokenStore + RevocationFeed + Leases {
    /// Opens a session and registers its first token. With a limit, of any number of concurrent
    /// logins no more than so many leave a session that is live: not ended, its newest token
    /// neither expired nor blacklisted.
    async fn open(&self, open: &OpenSession) -> Result<Recorded<OpenOutcome>, StoreError>;

    /// Takes a refresh token. [`verdict`](verdict::verdict) decides on it, by what the store has
    /// found ([`Found`](verdict::Found)) and in this order:
    ///
    /// 1. A token that is in no session joins `session` (opened if it isn't there), and is
    ///    registered if it isn't. Where that session is another user's: [`RefreshOutcome::Foreign`].
    ///    Where the token isn't registered and its `expires_at` has passed:
    ///    [`RefreshOutcome::Forgotten`].
    /// 2. The session has ended: [`RefreshOutcome::Ended`]. A token that has only just joined it is
    ///    blacklisted.
    /// 3. The token is spent: it has a successor in the session, whatever the blacklist says, or
    ///    it is blacklisted. It was spent when the successor was made, or else when it was
    ///    blacklisted.
    ///    - The successor is this call's own `next`: [`RefreshOutcome::Refreshed`] (an answer got lost
    ///      on the way from the database).
    ///    - It was replaced [within the grace](SessionRefresh::is_within_grace), and the newest
    ///      token that comes of it is neither blacklisted nor expired: what 4 and 5 say of that
    ///      one, or [`RefreshOutcome::Repeated`]. A store may give up looking for the newest after
    ///      100 rotations: [`RefreshOutcome::Replayed`].
    ///    - It was spent [within the tolerance](SessionRefresh::is_within_tolerance), or without a
    ///      successor [by any zone's clock](SessionRefresh::is_within_tolerance_in_any_zone):
    ///      [`RefreshOutcome::Replayed`].
    ///    - Otherwise [`RefreshOutcome::Reused`] with a successor, [`RefreshOutcome::Blacklisted`] without.
    /// 4. `lifetime` has passed since the session was opened, or `idle` since the token was made
    ///    or last used: [`RefreshOutcome::Expired`].
    /// 5. Both the session and `session` have a password and they differ:
    ///    [`RefreshOutcome::PasswordChanged`].
    /// 6. The token isn't registered any more: where its `expires_at` has passed,
    ///    [`RefreshOutcome::Forgotten`]; otherwise it is registered anew.
    /// 7. `next` is registered and joins the session; where it takes the token's place, that
    ///    is blacklisted. Where there is no `next`, the token's time of use is brought up to
    ///    date, if it is more than a minute old.
    ///
    /// Sessions that have to end have ended when this returns, by the same transaction.
    ///
    /// The record names the session that the token is in, which isn't always the one that the token
    /// names.
    async fn refresh(
        &self,
        refresh: &SessionRefresh,
    ) -> Result<Recorded<RefreshOutcome>, StoreError>;

    /// The session with this id, ended or not.
    async fn session(&self, id: &str) -> Result<Option<Session>, StoreError>;

    /// The session that the refresh token with this id is in, ended or not. Touches none of the
    /// session's other tokens.
    async fn session_of(&self, jti: &str) -> Result<Option<SessionHead>, StoreError>;

    /// `true` if the refresh or sliding token with this id is no longer good: it stands on the
    /// blacklist, has a successor that took its place in its session, or the session has ended.
    /// The latter two count also where somebody else has deleted the rows of the blacklist.
    async fn is_spent(&self, jti: &str) -> Result<bool, StoreError>;

    /// The live sessions of a user: not ended, the newest token neither expired at `at` nor
    /// blacklisted. The one refreshed last comes first.
    async fn sessions(&self, user_id: &UserId, at: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Ends sessions; how many there were that hadn't ended before. Ending all sessions of a
    /// user may take several transactions, of a bounded size each, of which the last has the record;
    /// those that are opened in the meantime may stay. Where tokens that are in no session are ended too, a [`RevocationSubject::User`]
    /// is revoked, until [`RetainUntil::refresh`]: these are tokens of others, who may have other
    /// lifetimes.
    async fn end_sessions(&self, end: &EndSessions) -> Result<Recorded<u64>, StoreError>;

    /// The user's password hash was rewritten although the password is the same: sessions that
    /// were tied to the fingerprint `old` are tied to `new`.
    async fn password_rehashed(
        &self,
        user_id: &UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError>;

    /// Deletes at most `batch` rows each of tokens in sessions, of sessions without tokens, and
    /// of revocations whose `expires_at` is `before` or earlier; how many in all. 0 means that
    /// there are no more: a store may count what it has only looked at and put off. `before` is
    /// what is [due](super::retention::Retention::sessions_due).
    async fn flush_sessions(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError>;

    /// Checks that sessions can be kept just now: their reads and writes are tried without changing a
    /// row, and a commit proves that the disk takes it. `at` is the current time, and another with
    /// each call.
    async fn ping_sessions(&self, at: Timestamp) -> Result<(), StoreError>;
}
