//! A presented refresh token, and the outcome of the refresh.

use std::time::Duration;

use super::{NewSession, RetainUntil};
use crate::clock::Timestamp;
use crate::event::Cause;
use crate::store::OutstandingToken;

/// The successor of a presented refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextToken {
    /// None: it stays as it is.
    None,
    /// An additional token (rotation without blacklisting).
    Added(OutstandingToken),
    /// A token that replaces it.
    Rotated {
        /// The successor.
        token: OutstandingToken,
        /// The id of the access token that is issued with it.
        access_jti: String,
    },
}

/// A presented refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRefresh {
    /// The token, verified.
    pub token: OutstandingToken,
    /// Its successor.
    pub next: NextToken,
    /// The session that the token joins if it is seen for the first time, opened if it doesn't
    /// exist: the one named by its `sid`, or by its own id. Its password is also compared with that
    /// of a session seen before.
    pub session: NewSession,
    /// The time for which a spent token is answered with the newest pair of its session.
    pub grace: Duration,
    /// The time for which a spent token is refused without ending its session.
    pub tolerance: Duration,
    /// The maximum time without a refresh.
    pub idle: Option<Duration>,
    /// The maximum lifetime of a session.
    pub lifetime: Option<Duration>,
    /// The actor, client and time.
    pub cause: Cause,
    /// The times until which the end of the session is remembered, if this call ends it.
    pub retain_until: RetainUntil,
}

impl SessionRefresh {
    /// The minimum time between updates of the time of use of a token that isn't rotated.
    pub const USE_INTERVAL: Duration = Duration::from_secs(60);

    /// Returns `true` if a token that was spent at this time is answered again. Never without a
    /// grace, even if the clock of the process that spent it is ahead.
    pub fn is_within_grace(&self, spent_at: Timestamp) -> bool {
        !self.grace.is_zero() && spent_at + self.grace > self.cause.at
    }

    /// Returns `true` if a token that was spent at this time is refused without ending anything.
    /// Never without a tolerance, even if the clock of the process that spent it is ahead.
    pub fn is_within_tolerance(&self, spent_at: Timestamp) -> bool {
        !self.tolerance.is_zero() && spent_at + self.tolerance > self.cause.at
    }

    /// As [`is_within_tolerance`](Self::is_within_tolerance), for a token that somebody else
    /// blacklisted, at this time according to the column.
    ///
    /// Django without `USE_TZ` writes its local time there, which is off by a multiple of a quarter
    /// of an hour, at most 14 hours. Since the zone isn't known, this is the tolerance in every
    /// zone; a clock may be ahead by as much as the tolerance.
    pub fn is_within_tolerance_in_any_zone(&self, blacklisted_at: Timestamp) -> bool {
        const QUARTER: i64 = 15 * 60 * 1_000_000;
        const FARTHEST: u64 = 14 * 60 * 60 * 1_000_000;
        let tolerance = i64::try_from(self.tolerance.as_micros()).unwrap_or(i64::MAX);
        let apart = self.cause.at.as_micros().saturating_sub(blacklisted_at.as_micros());
        let beyond = apart.rem_euclid(QUARTER);
        let is_soon = beyond < tolerance || QUARTER - beyond < tolerance;
        is_soon && apart.unsigned_abs() < FARTHEST.saturating_add(tolerance.unsigned_abs())
    }

    /// Returns `true` if a session that was opened at `opened_at`, and whose token was made or last
    /// used at `used_at`, has lasted too long or was idle too long.
    pub(crate) fn is_over(&self, opened_at: Timestamp, used_at: Timestamp) -> bool {
        let passed = |limit: Option<Duration>, since: Timestamp| {
            limit.is_some_and(|limit| since + limit <= self.cause.at)
        };
        passed(self.lifetime, opened_at) || passed(self.idle, used_at)
    }

    /// Returns `true` if the session was opened with a password other than the user's current one.
    pub(crate) fn has_other_password(&self, opened_with: Option<&str>) -> bool {
        match (opened_with, self.session.password.as_deref()) {
            (Some(then), Some(now)) => then != now,
            _ => false,
        }
    }

    /// Returns `true` if the token's `exp` has passed, and only the leeway let it through.
    pub(crate) fn has_expired(&self) -> bool {
        self.token.expires_at <= self.cause.at
    }

    /// Returns `true` for the id of the successor that this very call wants to store.
    pub(crate) fn is_own(&self, jti: &str) -> bool {
        matches!(&self.next, NextToken::Rotated { token, .. } if token.jti == jti)
    }
}

/// The newest token of a session that descends from a spent one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The token's id.
    pub jti: String,
    /// The id of the access token that was issued with it.
    pub access_jti: String,
    /// The time at which it was made.
    pub created_at: Timestamp,
    /// `true` if it was made for a client with the same address.
    pub same_address: bool,
}

/// The outcome of [`SessionStore::refresh`](super::SessionStore::refresh).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum RefreshOutcome {
    /// The token was valid, and its successor, if any, is stored.
    Refreshed,
    /// The token was spent less than `grace` ago, and this is its newest descendant: nothing was
    /// changed.
    Repeated(Successor),
    /// The token was spent less than `tolerance` ago: it is refused, and nothing was changed.
    Replayed,
    /// The token was already spent: a theft or a fault. This call has ended the session.
    Reused,
    /// The token has no successor in the session, but was blacklisted by somebody else longer than
    /// `tolerance` ago. The session has ended, by this call or before.
    Blacklisted,
    /// The token's `exp` has passed and it is no longer registered, so it may have been
    /// blacklisted: nothing was changed.
    Forgotten,
    /// The session that the token names is another user's: nothing was changed.
    Foreign,
    /// The session had ended before: nothing was changed.
    Ended,
    /// The session was idle too long or has lasted too long. This call has ended it.
    Expired,
    /// The user's password isn't the one that the session was opened with: nothing was changed.
    PasswordChanged,
}
