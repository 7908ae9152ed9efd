//! Which sessions are ended, and why.

use std::fmt;

use super::RetainUntil;
use crate::clock::Timestamp;
use crate::error::can_be_id;
use crate::users::UserId;

/// Why a session was ended; for the log and the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Which sessions to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionSelector {
    /// The one with this id; of this user, where one is named.
    One {
        /// The session's id.
        id: String,
        /// Whose it has to be.
        user_id: Option<UserId>,
    },
    /// Every session of a user, but perhaps this one; and every token of the user that is in
    /// none.
    All {
        /// Whose sessions.
        user_id: UserId,
        /// The id of the session that stays.
        except: Option<String>,
    },
}

impl SessionSelector {
    /// Whether any session can be meant: none has an id or a user that the tables can't hold.
    pub(crate) fn can_be_there(&self) -> bool {
        let user_can = |user_id: &UserId| can_be_id(user_id.as_str());
        match self {
            Self::One { id, user_id } => can_be_id(id) && user_id.as_ref().is_none_or(user_can),
            Self::All { user_id, .. } => user_can(user_id),
        }
    }
}

/// Sessions to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndSessions {
    /// Which.
    pub which: SessionSelector,
    /// Why.
    pub reason: EndReason,
    /// The current time.
    pub at: Timestamp,
    /// How long it is remembered.
    pub retain_until: RetainUntil,
}
