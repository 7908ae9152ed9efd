//! The reasons for events, and their consequences.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason a session ended; for events, the log and the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user logged out of it.
    Logout,
    /// One of its spent tokens was presented again.
    Reuse,
    /// Its token was put on the blacklist.
    Blacklisted,
    /// It was idle too long, or lasted too long.
    Expired,
    /// The user's password was changed.
    Password,
    /// The user is inactive or gone.
    User,
    /// The user opened more sessions than allowed.
    Limit,
    /// Staff ended it.
    Staff,
}

impl EndReason {
    /// Returns the word that is stored; at most 16 characters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Reuse => "reuse",
            Self::Blacklisted => "blacklisted",
            Self::Expired => "expired",
            Self::Password => "password",
            Self::User => "user",
            Self::Limit => "limit",
            Self::Staff => "staff",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The reason a login was refused. The client is told only the last of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoginRefusal {
    /// The username or password is wrong, or the user store doesn't let this user log in at all.
    Credentials,
    /// The credentials are correct, but the user may not have tokens: inactive, or refused by
    /// [`Hooks::may_authenticate`](crate::Hooks::may_authenticate).
    NotAllowed,
    /// The user has as many sessions as `max_per_user` allows.
    TooManySessions,
}

/// The consequence for its session when a spent token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpentOutcome {
    /// It isn't ended, if there is one: only the token was refused.
    Refused,
    /// It was ended, since the token was considered stolen.
    SessionEnded,
}

impl SpentOutcome {
    /// Returns its name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::SessionEnded => "session_ended",
        }
    }
}

/// The reason a token with a valid signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenRefusal {
    /// It is on the blacklist.
    Blacklisted,
    /// Its session has ended.
    SessionEnded,
    /// Its session is older than `lifetime`, or was idle for longer than `idle_lifetime`.
    SessionExpired,
    /// It names a session of another user.
    ForeignSession,
    /// It has expired, within `LEEWAY`, and is no longer registered: it may have been blacklisted.
    Unregistered,
    /// The user's password was changed after the session was opened. The session has ended.
    PasswordChanged,
    /// The user is inactive or gone. All sessions of the user have ended.
    UserInactive,
}

/// A change to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UserChange {
    /// The user was added.
    Added,
    /// The user is active again.
    Enabled,
    /// The user is no longer active.
    Disabled,
    /// The user was deleted.
    Deleted,
}
