//! Logging out: the caller, and the sessions to end.

use std::borrow::Cow;

use super::Auth;
use super::events::presented;
use super::sessions::{Belonging, was_ended_at};
use crate::claims::UserClaim;
use crate::error::{Error, TokenError};
use crate::event::{Event, Target, TokenRefusal};
use crate::settings::SESSION_CLAIM;
use crate::store::Blacklisting;
use crate::store::session::{EndReason, SessionSelector};
use crate::token::{Access, Token};
use crate::users::UserId;

/// The sessions to log out of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The caller's session.
    #[default]
    This,
    /// Every session except the caller's.
    Others,
    /// Every session.
    All,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::This, Self::Others, Self::All];

    /// Returns the scope's name in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::This => "this",
            Self::Others => "others",
            Self::All => "all",
        }
    }

    /// Returns the scope with this name; `None` if there is none.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// The user who asks for their sessions, or ends them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The id of the caller's session, if known from the token.
    pub session: Option<String>,
    /// `true` if the refresh token that they hold was spent longer than `rotation_grace` ago: it
    /// can end its own session, and nothing else.
    pub is_spent: bool,
}

impl Auth {
    /// Returns the sender of this access token. The session is the one in `sid`, if there is one.
    ///
    /// # Errors
    /// [`Error::NoUserClaim`]
    pub fn caller(&self, token: &Token<Access>) -> Result<Caller, Error> {
        let user_id = self.stateless_user_of(token)?;
        let session = token.claims().str(SESSION_CLAIM).map(Cow::into_owned);
        Ok(Caller { user_id, session, is_spent: false })
    }

    /// Returns the holder of this refresh token, which may be a spent one until its session ends.
    ///
    /// # Errors
    /// [`Error::Token`] for an invalid token; [`Error::SessionsDisabled`], [`Error::NoUserClaim`];
    /// internal errors.
    pub async fn caller_of_refresh(&self, token: &str) -> Result<Caller, Error> {
        let sessions = self.session_store()?;
        let now = self.tokens.now();
        let (refresh, jti) = self.decode_spent_too(token, now).await?;
        let named = self.named_session(refresh.claims());
        let is_listed = self.is_spent(&jti, named.as_deref()).await?;
        let belonging = self.belonging(sessions, &refresh, &jti).await?;
        let UserClaim::Id(user_id) = self.tokens.user_claim(&refresh) else {
            return Err(Error::NoUserClaim);
        };
        let session = match belonging {
            Belonging::Session(session) if !session.has_ended => session,
            Belonging::None if !is_listed => {
                let named = refresh.claims().str(SESSION_CLAIM).map(Cow::into_owned);
                return Ok(Caller { user_id, session: named, is_spent: false });
            }
            Belonging::Foreign(id) => return Err(self.foreign(&jti, &id, user_id.as_str())),
            Belonging::Session(_) | Belonging::None => {
                self.tell_blacklisted(Target::Sessions, &jti);
                return Err(TokenError::Blacklisted.into());
            }
        };
        let grace = self.settings().sessions.rotation_grace;
        let is_spent = match session.spent_at {
            // Within the grace, it could still be refreshed.
            Some(spent_at) => grace.is_zero() || spent_at + grace <= now,
            None => is_listed,
        };
        Ok(Caller { user_id, session: Some(session.id), is_spent })
    }

    /// Ends the caller's sessions and returns their number, which can be 0 only with
    /// [`Scope::Others`] and [`Scope::All`].
    ///
    /// # Errors
    /// [`Error::SessionUnknown`] if the scope needs the caller's session and the token doesn't name
    /// one, or names one that doesn't exist; [`Error::Token`] if that session has already ended or
    /// is another user's, or if the caller's token is spent and the scope isn't [`Scope::This`];
    /// [`Error::SessionsDisabled`]; internal errors.
    pub async fn log_out(&self, caller: &Caller, scope: Scope) -> Result<u64, Error> {
        let user_id = caller.user_id.clone();
        if caller.is_spent && scope != Scope::This {
            return Err(TokenError::Blacklisted.into());
        }
        let which = match (scope, &caller.session) {
            (Scope::This, Some(id)) => return self.log_out_of(id, user_id).await,
            (Scope::Others, Some(id)) => SessionSelector::All { user_id, except: Some(id.clone()) },
            (Scope::All, _) => SessionSelector::All { user_id, except: None },
            (Scope::This | Scope::Others, None) => return Err(Error::SessionUnknown),
        };
        self.end_sessions(which, EndReason::Logout).await
    }

    /// Ends one session of this user, which must exist.
    async fn log_out_of(&self, id: &str, user_id: UserId) -> Result<u64, Error> {
        let which = SessionSelector::One { id: id.to_owned(), user_id: Some(user_id.clone()) };
        let at = self.tokens.now();
        let ended = self.end_sessions_at(which, EndReason::Logout, at).await?;
        let sessions = self.session_store()?;
        if ended > 0 || was_ended_at(sessions, id, at).await? {
            return Ok(1);
        }
        match sessions.session(id).await? {
            None => Err(Error::SessionUnknown),
            Some(session) if session.user_id == self.canonical(&user_id).await? => {
                Err(TokenError::Blacklisted.into())
            }
            Some(_) => Err(self.foreign("", id, user_id.as_str())),
        }
    }

    /// Ends the session of a refresh token, which may be one that hasn't been seen here before, or
    /// a spent one until its session ends. Returns the number of sessions, which is 1.
    ///
    /// # Errors
    /// [`Error::Token`] for an invalid token, or for a blacklisted one if there is no session left
    /// to end; [`Error::SessionsDisabled`]; internal errors.
    pub async fn log_out_with(&self, token: &str) -> Result<u64, Error> {
        let sessions = self.session_store()?;
        let now = self.tokens.now();
        let (refresh, _) = self.decode_spent_too(token, now).await?;
        let spent = self.outstanding(&refresh, token, now)?;
        let reason = EndReason::Logout;
        let event = |token| Event::LoggedOut { token };
        match self.end_session_of(sessions, &refresh, &spent, reason, event, now).await? {
            (Blacklisting::Blacklisted, _) => Ok(1),
            (Blacklisting::AlreadyBlacklisted, _) => {
                let (token, reason) = (presented(&spent), TokenRefusal::SessionEnded);
                self.tell_of(Target::Sessions, Event::TokenRefused { token, reason });
                Err(TokenError::Blacklisted.into())
            }
        }
    }
}
