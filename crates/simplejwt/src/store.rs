//! Where issued and blacklisted tokens are kept: the contract.
//!
//! The tables behind it are upstream's `token_blacklist_outstandingtoken` and
//! `token_blacklist_blacklistedtoken`. [`TokenStore`] asks for what the flows need, as verbs
//! with outcomes; no caller decides anything by reading first and writing after.
//!
//! To add a store: implement [`TokenStore`] and run `conformance::all` (feature `testing`) on
//! it.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod memory;
#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sql")]
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(dead_code, reason = "each database uses a part of it")
)]
pub mod schema;
pub mod session;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::fmt;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::users::UserId;

/// A refresh or sliding token as it is registered. `Debug` leaves the token itself out.
#[derive(Clone, PartialEq, Eq)]
pub struct OutstandingToken {
    /// The token's id: the unique key.
    pub jti: String,
    /// The encoded token.
    pub token: String,
    /// The value of the token's user claim; stored as the user's key, or as null where there is
    /// no such user.
    pub user_id: Option<UserId>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The token's `exp`.
    pub expires_at: Timestamp,
}

impl fmt::Debug for OutstandingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutstandingToken")
            .field("jti", &self.jti)
            .field("user_id", &self.user_id)
            .field("created_at", &self.created_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// How a rotation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Rotation {
    /// This call blacklisted the spent token and registered its successor.
    Rotated,
    /// The token was blacklisted already, by another rotation or otherwise: nothing was changed.
    Replayed,
}

/// How a blacklisting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Blacklisting {
    /// This call put the token on the blacklist.
    Blacklisted,
    /// It was there already: nothing was changed.
    AlreadyBlacklisted,
}

/// Keeps track of issued tokens and of those that are no longer good.
///
/// # Contract
/// - A call that returns `Ok` is durable: it survives the death of the process.
/// - A call that returns `Err` has changed nothing.
/// - Calls may come from any number of tasks, processes and machines at once.
///
/// There are no default methods on purpose: a store that forgot one would be a hole.
#[async_trait]
pub trait TokenStore: fmt::Debug + Send + Sync + 'static {
    /// Registers a token. One that is registered under the same `jti` already stays as it is.
    async fn record(&self, token: &OutstandingToken) -> Result<(), StoreError>;

    /// Blacklists `spent` (registering it where it wasn't) and registers `next`, in one
    /// transaction. Of any number of concurrent calls with the same `spent`, exactly one returns
    /// [`Rotation::Rotated`].
    async fn rotate(
        &self,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        at: Timestamp,
    ) -> Result<Rotation, StoreError>;

    /// Blacklists a token, registering it where it wasn't.
    async fn blacklist(
        &self,
        token: &OutstandingToken,
        at: Timestamp,
    ) -> Result<Blacklisting, StoreError>;

    /// Blacklists every registered token of a user that hasn't expired (`expires_at > at`) and
    /// isn't blacklisted; how many these were. A rotation beside it comes before or after:
    /// either it finds its token blacklisted, or its successor is blacklisted too.
    async fn blacklist_all(&self, user_id: &UserId, at: Timestamp) -> Result<u64, StoreError>;

    /// Whether a token with this id is blacklisted.
    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError>;

    /// Deletes at most `batch` tokens with `expires_at <= before` and their blacklist entries,
    /// in one transaction; how many tokens were deleted. Upstream: `flushexpiredtokens`.
    async fn flush_expired(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError>;

    /// Whether the store can be used just now.
    async fn ping(&self) -> Result<(), StoreError>;
}
