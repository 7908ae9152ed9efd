//! Reasons of events, and their consequences.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason for the end of a session; for events, the log and the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user logged out of it.
    Logout,
    /// A spent token of it was presented.
    Reuse,
    /// Its token was put on the blacklist.
    Blacklisted,
    /// It was idle too long, or lasted too long.
    Expired,
    /// The user's password was changed.
    Password,
    /// The user is inactive or gone.
    User,
    /// The user opened more sessions than may be.
    Limit,
    /// Staff ended it.
    Staff,
}

impl EndReason {
    /// The word that is stored; at most 16 characters.
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

/// The reason for the refusal of a login. The client isn't told which of these it was, but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoginRefusal {
    /// Name or password is wrong, or the store of users lets this user in with none.
    Credentials,
    /// The credentials are right, and the user may not have tokens: inactive, or refused by
    /// [`Hooks::may_authenticate`](crate::Hooks::may_authenticate).
    NotAllowed,
    /// The user has as many sessions as `max_per_user` allows.
    TooManySessions,
}

/// The consequence for the session of a spent token that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpentOutcome {
    /// It goes on, if there is one: the token was refused and nothing else.
    Refused,
    /// It was ended, since the token was taken for stolen.
    SessionEnded,
}

impl SpentOutcome {
    /// The word for it in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::SessionEnded => "session_ended",
        }
    }
}

/// The reason for the refusal of a token whose signature is good.
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
    /// It is past its expiry, within `LEEWAY`, and not registered any more: it may have been
    /// blacklisted.
    Unregistered,
    /// The user's password was changed after the session was opened. The session has ended.
    PasswordChanged,
    /// The user is inactive or gone. All sessions of the user have ended.
    UserInactive,
}

/// A change of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UserChange {
    /// The user was added.
    Added,
    /// The user is active again.
    Enabled,
    /// The user isn't active any more.
    Disabled,
    /// The user is gone.
    Deleted,
}
