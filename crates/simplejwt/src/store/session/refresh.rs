//! A refresh token that is presented, and its outcome.

use std::time::Duration;

use super::{NewSession, RetainUntil};
use crate::clock::Timestamp;
use crate::event::Cause;
use crate::store::OutstandingToken;

/// The successor of a refresh token that is presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextToken {
    /// Nothing: it stays as it is.
    None,
    /// Another one beside it (rotation without blacklisting).
    Added(OutstandingToken),
    /// Another one in its place.
    Rotated {
        /// The successor.
        token: OutstandingToken,
        /// The id of the access token that is handed out with it.
        access_jti: String,
    },
}

/// A refresh token that is presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRefresh {
    /// The token, verified.
    pub token: OutstandingToken,
    /// Its successor.
    pub next: NextToken,
    /// The session it joins if it is seen for the first time, opened if there is none with
    /// this id: as named by its `sid`, or by its own id. Its password is also what the password
    /// of a session seen before is compared with.
    pub session: NewSession,
    /// For this long, a spent token is answered with the newest pair of its session.
    pub grace: Duration,
    /// For this long, a spent token that comes again is refused and ends nothing.
    pub tolerance: Duration,
    /// The longest time that a session may go without a refresh.
    pub idle: Option<Duration>,
    /// The longest time that a session may last.
    pub lifetime: Option<Duration>,
    /// The one who presents it, from where and when.
    pub cause: Cause,
    /// The time until which the end of the session is remembered, should this be it.
    pub retain_until: RetainUntil,
}

impl SessionRefresh {
    /// The use of a token that isn't rotated is noted no more often than this.
    pub const USE_INTERVAL: Duration = Duration::from_secs(60);

    /// `true` if a token that was spent at this time is answered again. Never without a grace, also
    /// where the clock of who spent it is ahead.
    pub fn is_within_grace(&self, spent_at: Timestamp) -> bool {
        !self.grace.is_zero() && spent_at + self.grace > self.cause.at
    }

    /// `true` if a token that was spent at this time is refused without ending anything. Never
    /// without a tolerance, also where the clock of who spent it is ahead.
    pub fn is_within_tolerance(&self, spent_at: Timestamp) -> bool {
        !self.tolerance.is_zero() && spent_at + self.tolerance > self.cause.at
    }

    /// The same of a token that somebody else blacklisted, at this time as the column has it.
    ///
    /// Django without `USE_TZ` writes the time of its zone there, which is off by quarters of an
    /// hour, 14 hours at most. Nobody can tell by how many, so that this is the tolerance by the
    /// clock of every zone; a clock may be ahead by as much as the tolerance.
    pub fn is_within_tolerance_in_any_zone(&self, blacklisted_at: Timestamp) -> bool {
        const QUARTER: i64 = 15 * 60 * 1_000_000;
        const FARTHEST: u64 = 14 * 60 * 60 * 1_000_000;
        let tolerance = i64::try_from(self.tolerance.as_micros()).unwrap_or(i64::MAX);
        let apart = self.cause.at.as_micros().saturating_sub(blacklisted_at.as_micros());
        let beyond = apart.rem_euclid(QUARTER);
        let is_soon = beyond < tolerance || QUARTER - beyond < tolerance;
        is_soon && apart.unsigned_abs() < FARTHEST.saturating_add(tolerance.unsigned_abs())
    }

    /// `true` if a session that was opened at one time, and whose token was made or last used at
    /// the other, has lasted too long or was idle too long.
    pub(crate) fn is_over(&self, opened_at: Timestamp, used_at: Timestamp) -> bool {
        let passed = |limit: Option<Duration>, since: Timestamp| {
            limit.is_some_and(|limit| since + limit <= self.cause.at)
        };
        passed(self.lifetime, opened_at) || passed(self.idle, used_at)
    }

    /// `true` if the session was opened with another password than the user's of now.
    pub(crate) fn has_other_password(&self, opened_with: Option<&str>) -> bool {
        match (opened_with, self.session.password.as_deref()) {
            (Some(then), Some(now)) => then != now,
            _ => false,
        }
    }

    /// `true` if the token's `exp` has passed: it was let through by a leeway.
    pub(crate) fn has_expired(&self) -> bool {
        self.token.expires_at <= self.cause.at
    }

    /// `true` for the id of the successor that this very call wants to store.
    pub(crate) fn is_own(&self, jti: &str) -> bool {
        matches!(&self.next, NextToken::Rotated { token, .. } if token.jti == jti)
    }
}

/// The newest token of a session that comes of a spent one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// Its id.
    pub jti: String,
    /// The id of the access token that was handed out with it.
    pub access_jti: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// `true` if it was made for a client with the same address.
    pub same_address: bool,
}

/// The outcome of [`SessionStore::refresh`](super::SessionStore::refresh).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum RefreshOutcome {
    /// The token was good, and what comes after it is stored.
    Refreshed,
    /// The token was spent less than `grace` ago, and this is the newest one that comes of it:
    /// nothing was changed.
    Repeated(Successor),
    /// The token was spent less than `tolerance` ago: it is refused, and nothing was changed.
    Replayed,
    /// The token was spent before: a theft or a fault. This call has ended the session.
    Reused,
    /// The token is blacklisted and has no successor in the session: somebody else did it, longer
    /// than `tolerance` ago. The session has ended, by this call or before.
    Blacklisted,
    /// The token's `exp` has passed and it isn't registered any more, so that nobody can tell
    /// whether it was blacklisted: nothing was changed.
    Forgotten,
    /// The session that the token names is another user's: nothing was changed.
    Foreign,
    /// The session had ended before: nothing was changed.
    Ended,
    /// The session was idle too long or has lasted too long. This call has ended it.
    Expired,
    /// The user's password is another than the session was opened with: nothing was changed.
    PasswordChanged,
}
