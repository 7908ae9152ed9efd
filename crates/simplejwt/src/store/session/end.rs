//! Which sessions are ended.

use super::RetainUntil;
use crate::error::can_be_id;
use crate::event::{Cause, EndReason, Event};
use crate::users::UserId;

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
    /// `false` if no session can be meant: none has an id or a user that the tables can't hold.
    pub(crate) fn can_be_there(&self) -> bool {
        let user_can = |user_id: &UserId| can_be_id(user_id.as_str());
        match self {
            Self::One { id, user_id } => can_be_id(id) && user_id.as_ref().is_none_or(user_can),
            Self::All { user_id, .. } => user_can(user_id),
        }
    }
}

/// The event that tells of an end of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndEvent {
    /// [`Event::SessionsEnded`], also where none was left to be ended.
    SessionsEnded,
    /// Another one, if a session was ended: what somebody did with a token of it.
    Other(Event),
    /// None: another event tells of it already.
    None,
}

/// Sessions to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndSessions {
    /// Which.
    pub which: SessionSelector,
    /// The reason.
    pub reason: EndReason,
    /// The event that tells of it.
    pub event: EndEvent,
    /// The one who ends them, from where and when.
    pub cause: Cause,
    /// The time until which it is remembered.
    pub retain_until: RetainUntil,
}
