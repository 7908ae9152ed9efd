//! Logging out, and what a user sees of their sessions.

use super::Auth;
use crate::claims::UserClaim;
use crate::clock::Timestamp;
use crate::error::{Error, TokenError, can_be_id};
use crate::settings::SESSION_CLAIM;
use crate::store::session::{EndReason, EndSessions, Session, SessionStore, Which};
use crate::store::{Blacklisting, OutstandingToken};
use crate::token::{Access, Refresh, Token};
use crate::users::UserId;

/// What to log out of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The session that asks.
    #[default]
    This,
    /// Every session but that.
    Others,
    /// Every session.
    All,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::This, Self::Others, Self::All];

    /// The word for it in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::This => "this",
            Self::Others => "others",
            Self::All => "all",
        }
    }

    /// The scope that a request names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Who asks for sessions, or for their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The session that asks, as far as the token tells.
    pub session: Option<String>,
}

impl Auth {
    /// Who sent this access token: `sid` names the session, where there is one.
    ///
    /// # Errors
    /// [`Error::NoUserClaim`]
    pub fn caller(&self, token: &Token<Access>) -> Result<Caller, Error> {
        let user_id = self.stateless_user_of(token)?;
        let session = token.claims().str(SESSION_CLAIM).map(std::borrow::Cow::into_owned);
        Ok(Caller { user_id, session })
    }

    /// Who holds this refresh token.
    ///
    /// # Errors
    /// [`Error::Token`] for a token that isn't good; [`Error::SessionsDisabled`],
    /// [`Error::NoUserClaim`]; internal errors.
    pub async fn caller_of_refresh(&self, token: &str) -> Result<Caller, Error> {
        let sessions = self.session_store()?;
        let refresh = self.decode_listed::<Refresh>(token, self.tokens.now()).await?;
        let UserClaim::Id(user_id) = self.tokens.user_claim(&refresh) else {
            return Err(Error::NoUserClaim);
        };
        let jti = self.tokens.jti(&refresh).ok_or(TokenError::MissingId)?;
        let known = sessions.session_of(&jti).await?.map(|session| session.id);
        let named = refresh.claims().str(SESSION_CLAIM).map(std::borrow::Cow::into_owned);
        Ok(Caller { user_id, session: known.or(named) })
    }

    /// Ends the caller's sessions; how many.
    ///
    /// # Errors
    /// [`Error::SessionUnknown`] where the scope needs the caller's session and the token doesn't
    /// tell; [`Error::SessionsDisabled`]; internal errors.
    pub async fn log_out(&self, caller: &Caller, scope: Scope) -> Result<u64, Error> {
        let user_id = caller.user_id.clone();
        let which = match (scope, &caller.session) {
            (Scope::This, Some(id)) => Which::One { id: id.clone(), user_id: Some(user_id) },
            (Scope::Others, Some(id)) => Which::All { user_id, except: Some(id.clone()) },
            (Scope::All, _) => Which::All { user_id, except: None },
            (Scope::This | Scope::Others, None) => return Err(Error::SessionUnknown),
        };
        self.end_sessions(which, EndReason::Logout).await
    }

    /// Ends the session of a refresh token, also of one that hasn't been seen here before. Unlike
    /// [`blacklist`](Self::blacklist), it is content when somebody else does so at the same time.
    ///
    /// # Errors
    /// [`Error::Token`] for a token that isn't good, a blacklisted one included;
    /// [`Error::SessionsDisabled`]; internal errors.
    pub async fn log_out_with(&self, token: &str) -> Result<(), Error> {
        let sessions = self.session_store()?;
        let now = self.tokens.now();
        let refresh = self.decode_listed::<Refresh>(token, now).await?;
        let spent = self.outstanding(&refresh, token, now)?;
        let reason = EndReason::Logout;
        let _ = self.end_session_of(sessions, &refresh, &spent, reason, now).await?;
        tracing::info!(jti = ?spent.jti, user_id = ?spent.user_id, "logged out");
        Ok(())
    }

    /// A user's sessions that haven't ended; the one refreshed last comes first.
    ///
    /// # Errors
    /// [`Error::SessionsDisabled`]; internal errors.
    pub async fn sessions_of(&self, user_id: &UserId) -> Result<Vec<Session>, Error> {
        let sessions = self.session_store()?;
        if !can_be_id(user_id.as_str()) {
            return Ok(Vec::new());
        }
        Ok(sessions.sessions(user_id, self.tokens.now()).await?)
    }

    /// Ends sessions, and with them their refresh tokens; their access tokens too, where the
    /// setting `revocation` has them looked at. How many sessions there were.
    ///
    /// For a changed password, a user that was deactivated or deleted, or by staff.
    ///
    /// # Errors
    /// [`Error::SessionsDisabled`]; internal errors.
    pub async fn end_sessions(&self, which: Which, reason: EndReason) -> Result<u64, Error> {
        let sessions = self.session_store()?;
        if !which.can_be_there() {
            return Ok(0);
        }
        let at = self.tokens.now();
        let end = EndSessions { which, reason, at, horizon: self.horizon(at) };
        let ended = sessions.end_sessions(&end).await?;
        tracing::info!(which = ?end.which, %reason, ended, "sessions ended");
        Ok(ended)
    }

    pub(super) fn session_store(&self) -> Result<&dyn SessionStore, Error> {
        self.sessions().ok_or(Error::SessionsDisabled)
    }

    /// Ends the session of a refresh token that is put on the blacklist.
    pub(super) async fn end_session_of(
        &self,
        sessions: &dyn SessionStore,
        refresh: &Token<Refresh>,
        spent: &OutstandingToken,
        reason: EndReason,
        now: Timestamp,
    ) -> Result<Blacklisting, Error> {
        let ended = self.end_session_for(sessions, refresh, spent, reason, now).await?;
        // Of a token that nobody has seen yet, or that is alone.
        let blacklisting = self.blacklist_store()?.blacklist(spent, now).await?;
        Ok(if ended { Blacklisting::Blacklisted } else { blacklisting })
    }

    /// Ends the session that the token is in or names; whether it hadn't ended before.
    pub(super) async fn end_session_for(
        &self,
        sessions: &dyn SessionStore,
        refresh: &Token<Refresh>,
        spent: &OutstandingToken,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let id = match sessions.session_of(&spent.jti).await? {
            Some(session) => Some(session.id),
            None => refresh.claims().str(SESSION_CLAIM).map(std::borrow::Cow::into_owned),
        };
        let Some(id) = id else { return Ok(false) };
        let which = Which::One { id, user_id: None };
        let end = EndSessions { which, reason, at, horizon: self.horizon(at) };
        Ok(sessions.end_sessions(&end).await? > 0)
    }
}
