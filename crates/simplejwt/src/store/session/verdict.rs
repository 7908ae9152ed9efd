//! The decision on a presented refresh token, based on what a store has found.
//!
//! The rules are those of [`SessionStore::refresh`](super::SessionStore::refresh). A store looks up
//! the token, calls [`verdict`], and does what it says, in one transaction. A statement that
//! handles the usual case at once restates the rules; the suite tests each of them.
//!
//! ```
//! use simplejwt::store::session::verdict::{Found, Spent, TokenState, Verdict, verdict};
//! use simplejwt::store::session::{EndReason, RefreshOutcome, SessionRefresh};
//!
//! fn of_a_blacklisted_token(refresh: &SessionRefresh) -> Verdict {
//!     let found = TokenState {
//!         session_id: "3b7ce2b2c1e14d0cb0f7b0d9a4c0b8f3".into(),
//!         has_ended: false,
//!         has_just_joined: false,
//!         opened_at: refresh.cause.at,
//!         used_at: refresh.cause.at,
//!         password: None,
//!         is_registered: true,
//!         spent: Spent::Blacklisted(None),
//!     };
//!     verdict(refresh, &Found::InSession(found))
//! }
//! # use simplejwt::store::session::{NewSession, NextToken, RetainUntil};
//! # use simplejwt::{Timestamp, event::Cause, store::OutstandingToken};
//! # let at = Timestamp::from_secs(0);
//! # let refresh = SessionRefresh {
//! #     token: OutstandingToken {
//! #         jti: "a".into(), token: String::new(), user_id: None, created_at: at, expires_at: at,
//! #     },
//! #     next: NextToken::None,
//! #     session: NewSession {
//! #         id: "a".into(), user_id: "1".into(), password: None,
//! #     },
//! #     grace: Default::default(),
//! #     tolerance: Default::default(),
//! #     idle: None,
//! #     lifetime: None,
//! #     cause: Cause::at(at),
//! #     retain_until: RetainUntil { refresh: at, access: at },
//! # };
//! let ends = Verdict::End(EndReason::Blacklisted, RefreshOutcome::Blacklisted);
//! assert_eq!(of_a_blacklisted_token(&refresh), ends);
//! ```

#[cfg(test)]
mod tests;

use super::{EndReason, RefreshOutcome, SessionRefresh, Successor};
use crate::clock::Timestamp;
use crate::users::UserId;

/// The state of a presented token, as a store has found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is in no session.
    NoSession {
        /// The user of the session that it would join, if that exists already.
        owner: Option<UserId>,
        /// `true` if it is registered. Matters only for a token that has expired.
        is_registered: bool,
    },
    /// It is in a session.
    InSession(TokenState),
}

impl Found {
    /// Returns the session that the token is in.
    pub fn session_id(&self) -> Option<&str> {
        match self {
            Self::NoSession { .. } => None,
            Self::InSession(state) => Some(&state.session_id),
        }
    }

    /// Returns the same for a token that joined its session in this call.
    #[cfg(feature = "sql")]
    #[allow(dead_code, reason = "for each database that doesn't do it in SQL")]
    pub(crate) fn just_joined(mut self) -> Self {
        if let Self::InSession(state) = &mut self {
            state.has_just_joined = true;
        }
        self
    }
}

/// A token in a session, with the session's relevant state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenState {
    /// The session's id.
    pub session_id: String,
    /// `true` if the session has ended.
    pub has_ended: bool,
    /// `true` if the token joined the session in this very call.
    pub has_just_joined: bool,
    /// The time at which the session was opened.
    pub opened_at: Timestamp,
    /// The time at which the token was made or last used.
    pub used_at: Timestamp,
    /// The fingerprint of the password that the session is tied to.
    pub password: Option<String>,
    /// `true` if the token is registered.
    pub is_registered: bool,
    /// The way in which the token was spent, if it was.
    pub spent: Spent,
}

/// The way in which a token was spent, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spent {
    /// It isn't spent.
    No,
    /// It has no successor in the session and was blacklisted by somebody else: at this time, if it
    /// can be read.
    Blacklisted(Option<Timestamp>),
    /// It has a successor in the session, whatever the blacklist says.
    Replaced(Lineage),
}

impl TokenState {
    /// Returns `true` if the token is spent.
    pub fn is_spent(&self) -> bool {
        self.spent != Spent::No
    }
}

/// A descendant of a spent token, as a store has found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descendant {
    /// The answer, if this descendant counts.
    pub successor: Successor,
    /// The time at which it was made or last used.
    pub used_at: Timestamp,
    /// `true` if it is itself spent: it has a successor in the session.
    pub is_spent: bool,
    /// `true` if it is neither blacklisted nor expired.
    pub is_good: bool,
}

/// The descendants of a spent token, followed as far as they matter.
///
/// A store that has found the immediate successor looks up the successor of the
/// [wanted](Self::wanted) token, [follows](Self::follow) the result, and asks again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    spent_at: Timestamp,
    is_own: bool,
    newest: Descendant,
    /// The number of descendants that may still be looked up.
    left: usize,
}

impl Lineage {
    /// The maximum number of rotations that are followed from a spent token to the newest one.
    pub const FARTHEST: usize = 100;

    /// Creates the lineage of the presented token, whose immediate successor is `child`.
    ///
    /// `was_good` is `true` if the token is known not to have been spent when it was presented.
    /// Then it wasn't spent before that, whatever its successor's date: storing it took that long.
    pub fn new(refresh: &SessionRefresh, child: Descendant, was_good: bool) -> Self {
        let made_at = child.successor.created_at;
        let spent_at = if was_good { made_at.max(refresh.cause.at) } else { made_at };
        let is_own = refresh.is_own(&child.successor.jti);
        let counts = refresh.is_within_grace(spent_at) && !is_own;
        let left = if counts { Self::FARTHEST - 1 } else { 0 };
        Self { spent_at, is_own, newest: child, left }
    }

    /// Returns the id of the token whose successor has to be looked up; `None` if it makes no
    /// difference, or would go too far.
    pub fn wanted(&self) -> Option<&str> {
        (self.newest.is_spent && self.left > 0).then_some(self.newest.successor.jti.as_str())
    }

    /// Continues with the result of a lookup: `None` if the successor has gone in the meantime.
    pub fn follow(&mut self, found: Option<Descendant>) {
        match found {
            Some(next) => {
                self.newest = next;
                self.left -= usize::from(self.left > 0);
            }
            None => self.left = 0,
        }
    }
}

/// The decision on a presented token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It joins the session that the call names, which is opened if it doesn't exist, and is
    /// registered if it isn't. Then it is decided on again.
    Join,
    /// It is valid, and its successor, if any, is stored: [`RefreshOutcome::Refreshed`].
    Refresh {
        /// `true` if it has to be registered first, because its row is gone.
        register: bool,
    },
    /// This is the answer, and nothing is changed.
    Answer(RefreshOutcome),
    /// It has joined a session that has ended. It is blacklisted, so that it isn't valid elsewhere,
    /// and the answer is [`RefreshOutcome::Ended`].
    Blacklist,
    /// Its session is ended for this reason, and this is the answer; [`RefreshOutcome::Ended`] if
    /// somebody else has ended it in the meantime.
    End(EndReason, RefreshOutcome),
}

/// Decides on a presented token, based on what was found.
pub fn verdict(refresh: &SessionRefresh, found: &Found) -> Verdict {
    match found {
        Found::NoSession { owner, is_registered } => {
            if owner.as_ref().is_some_and(|owner| *owner != refresh.session.user_id) {
                return Verdict::Answer(RefreshOutcome::Foreign);
            }
            if refresh.has_expired() && !is_registered {
                return Verdict::Answer(RefreshOutcome::Forgotten);
            }
            Verdict::Join
        }
        Found::InSession(state) => of_state(refresh, state),
    }
}

/// Decides on a token that is in a session.
fn of_state(refresh: &SessionRefresh, state: &TokenState) -> Verdict {
    if state.has_ended {
        return match state.has_just_joined {
            true => Verdict::Blacklist,
            false => Verdict::Answer(RefreshOutcome::Ended),
        };
    }
    match &state.spent {
        Spent::No => {}
        Spent::Blacklisted(since) => {
            return match since.is_some_and(|at| refresh.is_within_tolerance_in_any_zone(at)) {
                true => Verdict::Answer(RefreshOutcome::Replayed),
                false => Verdict::End(EndReason::Blacklisted, RefreshOutcome::Blacklisted),
            };
        }
        Spent::Replaced(lineage) => return of_lineage(refresh, state, lineage),
    }
    if let Some(refused) = of_session(refresh, state, state.used_at) {
        return refused;
    }
    if !state.is_registered && refresh.has_expired() {
        return Verdict::Answer(RefreshOutcome::Forgotten);
    }
    Verdict::Refresh { register: !state.is_registered }
}

/// Decides on a token with a successor.
fn of_lineage(refresh: &SessionRefresh, state: &TokenState, lineage: &Lineage) -> Verdict {
    if lineage.is_own {
        // The answer to an earlier attempt got lost.
        return Verdict::Answer(RefreshOutcome::Refreshed);
    }
    if refresh.is_within_grace(lineage.spent_at) {
        let newest = &lineage.newest;
        if newest.is_spent {
            // The newest one is too far away, or others are rotating it.
            return Verdict::Answer(RefreshOutcome::Replayed);
        }
        if newest.is_good {
            let refused = of_session(refresh, state, newest.used_at);
            return refused.unwrap_or_else(|| {
                Verdict::Answer(RefreshOutcome::Repeated(newest.successor.clone()))
            });
        }
    }
    match refresh.is_within_tolerance(lineage.spent_at) {
        true => Verdict::Answer(RefreshOutcome::Replayed),
        false => Verdict::End(EndReason::Reuse, RefreshOutcome::Reused),
    }
}

/// Returns the refusal of a token that was made or last used at this time, if its session refuses
/// it.
fn of_session(refresh: &SessionRefresh, state: &TokenState, used_at: Timestamp) -> Option<Verdict> {
    if refresh.is_over(state.opened_at, used_at) {
        return Some(Verdict::End(EndReason::Expired, RefreshOutcome::Expired));
    }
    refresh
        .has_other_password(state.password.as_deref())
        .then_some(Verdict::Answer(RefreshOutcome::PasswordChanged))
}
