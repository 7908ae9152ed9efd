//! A session, and the login that opens one.

use crate::clock::Timestamp;
use crate::event::{Cause, Client};
use crate::settings::Settings;
use crate::store::OutstandingToken;
use crate::store::retention::Retention;
use crate::users::UserId;

/// A session to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The session's id, as in the claim `sid`: the id of its first refresh token.
    pub id: String,
    /// The value of the token's user claim.
    pub user_id: UserId,
    /// The [fingerprint](crate::users::password_fingerprint) of the user's stored password hash;
    /// `None` if the session isn't tied to the password.
    pub password: Option<String>,
}

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: String,
    /// The id of its user.
    pub user_id: UserId,
    /// The time at which it was opened.
    pub created_at: Timestamp,
    /// The time at which its newest token was made or last used.
    pub refreshed_at: Timestamp,
    /// The time at which its newest token expires.
    pub expires_at: Timestamp,
    /// The time at which it was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// The address of the last refresh (or login) and the user agent of the login.
    pub client: Client,
}

/// The part of a [`Session`] that costs the same to look up, however many tokens it has had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionHead {
    /// The session's id.
    pub id: String,
    /// The id of its user.
    pub user_id: UserId,
    /// The time at which it was opened.
    pub created_at: Timestamp,
    /// The time at which it was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// The time at which the requested token got a successor in the session, if it has one: it has
    /// been spent since then, whatever the blacklist says.
    pub spent_at: Option<Timestamp>,
}

/// The maximum number of sessions of a user, and the consequence of one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionLimit {
    /// The oldest ones are ended to make room.
    EvictOldest(u32),
    /// The new one isn't opened.
    Refuse(u32),
}

impl SessionLimit {
    /// Returns the number of sessions that have to end to make room for another beside `live` ones;
    /// `None` if it isn't opened.
    pub(crate) fn surplus(self, live: usize) -> Option<usize> {
        let (Self::EvictOldest(places) | Self::Refuse(places)) = self;
        let surplus = (live + 1).saturating_sub(places as usize);
        match self {
            Self::Refuse(_) if surplus > 0 => None,
            _ => Some(surplus.min(live)),
        }
    }
}

/// A login: a session and its first token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// The session.
    pub session: NewSession,
    /// Its first token.
    pub token: OutstandingToken,
    /// The latest `exp` that the token can have, which is how long its row in the session is kept:
    /// its `exp`, or for a sliding token what the last renewal can give.
    pub expires_at: Timestamp,
    /// The limit on the user's sessions.
    pub limit: Option<SessionLimit>,
    /// The login's client and time, which the session keeps, and its actor.
    pub cause: Cause,
    /// The times until which sessions that are ended to make room are remembered.
    pub retain_until: RetainUntil,
}

/// The times until which the end of a session is remembered: until they are
/// [due](Retention::due).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetainUntil {
    /// The latest `exp` of a refresh or sliding token in the session: until it is due, the
    /// session's row says that it has ended.
    pub refresh: Timestamp,
    /// The latest `exp` of an access token in the session: until it is due, the session is among
    /// the [revocations](super::RevocationFeed::revocations).
    pub access: Timestamp,
}

impl RetainUntil {
    /// Returns the times for a session that ends at this time, with the lifetimes of these
    /// settings.
    pub fn of(settings: &Settings, at: Timestamp) -> Self {
        let retention = Retention::of(settings);
        Self { refresh: retention.last_refresh_exp(at), access: retention.last_access_exp(at) }
    }
}
/// The outcome of [`SessionStore::open`](super::SessionStore::open).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum OpenOutcome {
    /// The session is open.
    Opened {
        /// The number of sessions that were ended to make room.
        evicted: u64,
    },
    /// The user has as many sessions as allowed: nothing was changed.
    TooMany,
}
