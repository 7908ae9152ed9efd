//! The stores of tokens, sessions and revocations: the contracts, one for each capability.
//!
//! | contract | keeps |
//! |---|---|
//! | [`TokenStore`] | issued and blacklisted tokens |
//! | [`SessionStore`] | which refresh tokens belong together, since which login |
//! | [`RevocationFeed`] | access tokens that were revoked |
//! | [`Leases`] | which of several processes does a piece of work |
//! | [`SessionRows`](rows::SessionRows) | sessions as one row each |
//! | [`KeyStore`] | the keys of a ring |
//! | [`ThrottleStore`] | counters of failures |
//!
//! The tables behind it are upstream's `token_blacklist_outstandingtoken` and
//! `token_blacklist_blacklistedtoken`. [`TokenStore`] asks for what the flows need, as verbs
//! with outcomes; no caller decides anything by reading first and writing after.
//!
//! To add a store: implement [`TokenStore`] and run `conformance::all` (feature `testing`) on
//! it.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod event;
pub mod feed;
pub mod flush;
pub mod keys;
pub mod leases;
pub mod memory;
pub mod retention;
pub mod rows;
pub mod session;
mod shared;
pub mod throttle;

use std::fmt;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Cause, Recorded};
use crate::users::UserId;

pub use feed::RevocationFeed;
pub use flush::{FlushExpired, Flushed, Position, Referenced};
pub use keys::KeyStore;
pub use leases::Leases;
pub use session::SessionStore;
pub use throttle::ThrottleStore;

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

impl Blacklisting {
    #[cfg(feature = "sql")]
    #[allow(dead_code, reason = "for each database")]
    pub(crate) fn first_if(is_first: bool) -> Self {
        if is_first { Self::Blacklisted } else { Self::AlreadyBlacklisted }
    }

    /// This outcome of a blacklisting, with the record of the act if it was done.
    pub fn recorded(self, act: &Act) -> Recorded<Self> {
        match self {
            Self::Blacklisted => act.recorded(self),
            Self::AlreadyBlacklisted => Recorded::nothing(self),
        }
    }
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

/// The outcome of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Rotation {
    /// This call blacklisted the spent token and registered its successor.
    Rotated,
    /// The token was blacklisted already, by another rotation or otherwise: nothing was changed.
    Replayed,
}

/// The outcome of a blacklisting.
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
/// - The [records](Recorded) that a call returns were made in the transaction that it is: a store that
///   keeps them has stored them if it returns `Ok`, and none of a call that was undone.
/// - Calls may come from any number of tasks, processes and machines at once.
///
/// There are no default methods but [`waiting`](Self::waiting) on purpose: a store that forgot one
/// would be a hole.
///
/// `Arc<T>` and `Box<T>` of a store are stores, `Arc<dyn TokenStore>` too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store of tokens",
    label = "`TokenStore` isn't implemented for `{Self}`",
    note = "write `#[simplejwt::async_trait] impl TokenStore for …`, and run `simplejwt::store::conformance` on it (feature `testing`)",
    note = "the stores of this crate are in `simplejwt::store`: `memory`, and behind features of their names `sqlite`, `postgres` and `mysql`"
)]
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// Registers a token, and tells of the act. One that is registered under the same `jti` already
    /// stays as it is.
    async fn record(&self, token: &OutstandingToken, act: &Act)
    -> Result<Recorded<()>, StoreError>;

    /// Blacklists `spent` (registering it where it wasn't) and registers `next`, in one
    /// transaction. Of any number of concurrent calls with the same `spent`, exactly one returns
    /// [`Rotation::Rotated`]. The record is that of [`Rotation::recorded`].
    async fn rotate(
        &self,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        cause: &Cause,
    ) -> Result<Recorded<Rotation>, StoreError>;

    /// Blacklists a token, registering it where it wasn't. The act is told of where that is
    /// [`Blacklisting::Blacklisted`].
    async fn blacklist(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<Blacklisting>, StoreError>;

    /// Blacklists every registered token of a user that isn't blacklisted; how many these were.
    /// Also those whose `expires_at` has passed: a sliding token may have been renewed since, and
    /// there is `LEEWAY`. A rotation beside it comes before or after: either it finds its token
    /// blacklisted, or its successor is blacklisted too.
    async fn blacklist_all(&self, user_id: &UserId, at: Timestamp) -> Result<u64, StoreError>;

    /// `true` if a token with this id is blacklisted.
    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError>;

    /// A step of the purge: deletes tokens that count no longer, with their blacklist entries.
    /// Upstream: `flushexpiredtokens`, which goes by `expires_at` alone and doesn't wait.
    ///
    /// Looks at no more than `batch` tokens whose `expires_at` is
    /// [due](retention::Retention::due), and goes on where the step before came to. A token goes
    /// if its [last `exp`](retention::Retention::last_exp_of), by what the registered token says
    /// of itself, is due as well. Where it isn't, `expires_at` becomes that last `exp`, so that
    /// no purge comes upon the row again before its time.
    ///
    /// A token that another table's foreign key refers to, or whose entry in the blacklist it
    /// refers to, stays and is [told of](Flushed::referenced), unless
    /// [`cascade`](FlushExpired::cascade) has what refers to it deleted first. It costs no other
    /// token its turn.
    ///
    /// A step is a transaction, or a few short ones; what one of them deletes is deleted with its
    /// blacklist entries or not at all. A crash of the database may bring it back, for the next
    /// purge to delete.
    async fn flush_expired(&self, flush: &FlushExpired) -> Result<Flushed, StoreError>;

    /// Returns the number of operations of this process that wait for the database now, or for its
    /// answer. The purge gives way to them. 0 by default.
    fn waiting(&self) -> usize {
        0
    }

    /// At most `limit` of the registered tokens, those that were registered last; the user may be
    /// left out. To see whether the columns say what the tokens say.
    async fn newest(&self, limit: u32) -> Result<Vec<OutstandingToken>, StoreError>;

    /// Checks that tokens can be registered and blacklisted just now: their reads and writes are tried
    /// without changing a row. A server that only reads, or a right that is missing, is an error.
    async fn ping(&self) -> Result<(), StoreError>;
}
