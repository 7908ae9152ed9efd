//! Requests to end sessions.

use super::RetainUntil;
use crate::error::can_be_id;
use crate::event::{Cause, EndReason, Event};
use crate::users::UserId;

/// The sessions to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionSelector {
    /// The session with this id, of this user if one is given.
    One {
        /// The session's id.
        id: String,
        /// The user it must belong to.
        user_id: Option<UserId>,
    },
    /// Every session of a user except one, if given, and every token of the user outside of
    /// sessions.
    All {
        /// The user.
        user_id: UserId,
        /// The id of the session to keep.
        except: Option<String>,
    },
}

impl SessionSelector {
    /// Returns `false` if there can be no such session, because the tables can't hold its id or
    /// user.
    pub(crate) fn can_be_there(&self) -> bool {
        let user_can = |user_id: &UserId| can_be_id(user_id.as_str());
        match self {
            Self::One { id, user_id } => can_be_id(id) && user_id.as_ref().is_none_or(user_can),
            Self::All { user_id, .. } => user_can(user_id),
        }
    }
}

/// The event to record for the end of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndEvent {
    /// [`Event::SessionsEnded`], even if there was none left to end.
    SessionsEnded,
    /// Another one, if a session was ended: what was done with a token of it.
    Other(Event),
    /// None: another event covers it.
    None,
}

/// A request to end sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndSessions {
    /// The sessions.
    pub which: SessionSelector,
    /// The reason.
    pub reason: EndReason,
    /// The event to record.
    pub event: EndEvent,
    /// The actor, client and time.
    pub cause: Cause,
    /// The times until which the end is remembered.
    pub retain_until: RetainUntil,
}
