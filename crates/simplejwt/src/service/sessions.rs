//! Listing and ending a user's sessions.

use std::borrow::Cow;

use super::Auth;
use super::events::presented;
use crate::claims::UserClaim;
use crate::clock::Timestamp;
use crate::error::{Error, TokenError, can_be_id};
use crate::event::{Act, Event, PresentedToken, TokenRefusal};
use crate::settings::{RevocationMode, SESSION_CLAIM};
use crate::store::session::{
    EndEvent, EndReason, EndSessions, Revocation, RevocationSubject, Session, SessionSelector,
    SessionStore,
};
use crate::store::{Blacklisting, OutstandingToken};
use crate::token::{Refresh, Token};
use crate::users::UserId;

/// The session that a refresh token belongs to.
pub(super) enum Belonging {
    /// The token is in this session, or names it.
    Session(Held),
    /// The token is in no session that is known here.
    None,
    /// The token names this session, which is another user's.
    Foreign(String),
}

/// A session that a token belongs to.
pub(super) struct Held {
    pub(super) id: String,
    pub(super) has_ended: bool,
    /// The time at which the token was spent in it, if it was.
    pub(super) spent_at: Option<Timestamp>,
}

impl Auth {
    /// Returns a user's sessions that haven't ended, the most recently refreshed first.
    ///
    /// # Errors
    /// [`Error::SessionsDisabled`]; internal errors.
    pub async fn sessions_of(&self, user_id: &UserId) -> Result<Vec<Session>, Error> {
        let sessions = self.session_store()?;
        if !can_be_id(user_id.as_str()) {
            return Ok(Vec::new());
        }
        let user_id = self.canonical(user_id).await?;
        Ok(sessions.sessions(&user_id, self.tokens.now()).await?)
    }

    /// Returns the id of a user as tokens and sessions have it. It may be given in any form that
    /// the database considers equal: a UUID with capital letters or without hyphens, text in
    /// another case. The id of a deleted user who still has sessions is returned as given.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`]; [`Error::SessionsDisabled`]; internal errors.
    pub async fn known_user(&self, user_id: &UserId) -> Result<UserId, Error> {
        let sessions = self.session_store()?;
        if !can_be_id(user_id.as_str()) {
            return Err(Error::NoSuchUser);
        }
        if let Some(found) = self.found(user_id).await? {
            return Ok(found);
        }
        match sessions.sessions(user_id, self.tokens.now()).await?.is_empty() {
            true => Err(Error::NoSuchUser),
            false => Ok(user_id.clone()),
        }
    }

    /// Ends sessions with their refresh tokens, and with their access tokens if the setting
    /// `revocation` has those checked. Returns the number of sessions.
    ///
    /// For use by staff, and after a user's password was changed or the user was deactivated or
    /// deleted. The user's id may have any form that [`known_user`](Self::known_user) accepts.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`] if all sessions were to be ended of a user who doesn't exist and has
    /// none; [`Error::SessionsDisabled`]; internal errors.
    pub async fn end_sessions(
        &self,
        which: SessionSelector,
        reason: EndReason,
    ) -> Result<u64, Error> {
        self.end_sessions_at(which, reason, self.tokens.now()).await
    }

    pub(super) async fn end_sessions_at(
        &self,
        which: SessionSelector,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<u64, Error> {
        let sessions = self.session_store()?;
        if !which.can_be_there() {
            return match which {
                SessionSelector::One { .. } => Ok(0),
                SessionSelector::All { .. } => Err(Error::NoSuchUser),
            };
        }
        let which = match which {
            SessionSelector::One { id, user_id: Some(user_id) } => {
                SessionSelector::One { id, user_id: Some(self.canonical(&user_id).await?) }
            }
            SessionSelector::All { user_id, except } => match self.known_user(&user_id).await {
                Ok(user_id) => SessionSelector::All { user_id, except },
                Err(Error::NoSuchUser) => {
                    self.forget_user(sessions, user_id, at).await?;
                    return Err(Error::NoSuchUser);
                }
                Err(error) => return Err(error),
            },
            which => which,
        };
        let end = self.ending(which, reason, EndEvent::SessionsEnded, at);
        let ended = sessions.end_sessions(&end).await?;
        self.tell_recorded(&ended.events);
        Ok(ended.outcome)
    }

    pub(super) fn ending(
        &self,
        which: SessionSelector,
        reason: EndReason,
        event: EndEvent,
        at: Timestamp,
    ) -> EndSessions {
        let (cause, retain_until) = (self.cause_at(at), self.retain_until(at));
        EndSessions { which, reason, event, cause, retain_until }
    }

    /// Revokes the access tokens outside of sessions of a user who no longer exists.
    async fn forget_user(
        &self,
        sessions: &dyn SessionStore,
        user_id: UserId,
        now: Timestamp,
    ) -> Result<(), Error> {
        if self.settings().sessions.revocation != RevocationMode::Stateless {
            let subject = RevocationSubject::User(user_id);
            let expires_at = self.retain_until(now).access;
            let revocation = Revocation { subject, revoked_at: now, expires_at };
            let recorded = sessions.revoke(&revocation, &Act::untold(self.cause_at(now))).await?;
            self.tell_recorded(&recorded.events);
        }
        Ok(())
    }

    /// Returns the id of an existing user as the user's row has it; the given one if there is no
    /// user store.
    async fn found(&self, user_id: &UserId) -> Result<Option<UserId>, Error> {
        match &self.users {
            Some(users) => Ok(users.find(user_id).await?.map(|user| user.id)),
            None => Ok(Some(user_id.clone())),
        }
    }

    /// Returns the id as the user's row has it, or as given if there is no row.
    pub(super) async fn canonical(&self, user_id: &UserId) -> Result<UserId, Error> {
        Ok(self.found(user_id).await?.unwrap_or_else(|| user_id.clone()))
    }

    pub(super) fn session_store(&self) -> Result<&dyn SessionStore, Error> {
        self.sessions().ok_or(Error::SessionsDisabled)
    }

    /// Decodes a refresh token with valid form, signature, times and type, even if it is
    /// blacklisted. Returns its id, too.
    pub(super) async fn decode_spent_too(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<(Token<Refresh>, String), Error> {
        let claims = self.decode_claims(token, now).await?;
        let jti = self.tokens.jti_of(&claims).ok_or(TokenError::MissingId)?;
        let named = self.named_session(&claims).map(Cow::into_owned);
        match self.tokens.accept::<Refresh>(claims) {
            Ok(refresh) => Ok((refresh, jti)),
            Err(error) => Err(self.blacklisted_or(error.into(), &jti, named.as_deref()).await?),
        }
    }

    /// Returns the session that a refresh token is in, or names.
    pub(super) async fn belonging(
        &self,
        sessions: &dyn SessionStore,
        refresh: &Token<Refresh>,
        jti: &str,
    ) -> Result<Belonging, Error> {
        let named = self.named_session(refresh.claims());
        if let Some(head) = sessions.session_of(jti, named.as_deref()).await? {
            // Only the token may have said that it is in this session.
            if named.is_some() && !self.is_of(refresh, &head.user_id).await? {
                return Ok(Belonging::Foreign(head.id));
            }
            let has_ended = head.ended_at.is_some();
            return Ok(Belonging::Session(Held {
                id: head.id,
                has_ended,
                spent_at: head.spent_at,
            }));
        }
        let Some(id) = refresh.claims().str(SESSION_CLAIM).map(Cow::into_owned) else {
            return Ok(Belonging::None);
        };
        let Some(session) = sessions.session(&id).await? else { return Ok(Belonging::None) };
        if !self.is_of(refresh, &session.user_id).await? {
            return Ok(Belonging::Foreign(id));
        }
        let has_ended = session.ended_at.is_some();
        Ok(Belonging::Session(Held { id, has_ended, spent_at: None }))
    }

    /// Returns `true` if the token is this user's.
    async fn is_of(&self, token: &Token<Refresh>, user_id: &UserId) -> Result<bool, Error> {
        match self.tokens.user_claim(token) {
            UserClaim::Id(id) => Ok(id == *user_id || self.canonical(&id).await? == *user_id),
            UserClaim::Missing | UserClaim::Malformed => Ok(false),
        }
    }

    /// Refuses a token that names another user's session. The client isn't told the reason.
    pub(super) fn foreign(&self, jti: &str, session: &str, user_id: &str) -> Error {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let token = PresentedToken {
            jti: known(jti),
            session_id: Some(session.to_owned()),
            user_id: known(user_id).map(UserId::from),
        };
        self.tell(Event::TokenRefused { token, reason: TokenRefusal::ForeignSession });
        TokenError::Invalid.into()
    }

    /// Blacklists a refresh token and ends its session; reports `event` if either was done. Returns
    /// the outcome for the token, or `Blacklisted` if a session was ended, and `true` if there was
    /// something to report.
    pub(super) async fn end_session_of(
        &self,
        sessions: &dyn SessionStore,
        refresh: &Token<Refresh>,
        spent: &OutstandingToken,
        reason: EndReason,
        event: impl Fn(PresentedToken) -> Event,
        now: Timestamp,
    ) -> Result<(Blacklisting, bool), Error> {
        let ended = self.end_session_for(sessions, refresh, spent, reason, &event, now).await?;
        // For a token that hasn't been seen before, or is in no session.
        let outcome = self.list(spent, (!ended).then(|| event(presented(spent))), now).await?;
        let is_first = outcome == Blacklisting::Blacklisted;
        Ok((if ended { Blacklisting::Blacklisted } else { outcome }, ended || is_first))
    }

    /// Blacklists a token, and reports this event if it wasn't blacklisted before.
    pub(super) async fn list(
        &self,
        token: &OutstandingToken,
        event: Option<Event>,
        now: Timestamp,
    ) -> Result<Blacklisting, Error> {
        let act = Act { event, cause: self.cause_at(now) };
        let recorded = self.blacklist_store()?.blacklist(token, &act).await?;
        self.tell_recorded(&recorded.events);
        Ok(recorded.outcome)
    }

    /// Ends the session that the token is in or names, and reports what `event` makes of the token
    /// and that session. Returns `true` if the session hadn't ended before.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] if the session is another user's; internal errors.
    pub(super) async fn end_session_for(
        &self,
        sessions: &dyn SessionStore,
        refresh: &Token<Refresh>,
        spent: &OutstandingToken,
        reason: EndReason,
        event: impl FnOnce(PresentedToken) -> Event,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let id = match self.belonging(sessions, refresh, &spent.jti).await? {
            Belonging::Session(session) if !session.has_ended => session.id,
            Belonging::Session(_) | Belonging::None => return Ok(false),
            Belonging::Foreign(id) => {
                let user_id = spent.user_id.as_ref().map_or("", UserId::as_str);
                return Err(self.foreign(&spent.jti, &id, user_id));
            }
        };
        let token = PresentedToken { session_id: Some(id.clone()), ..presented(spent) };
        let which = SessionSelector::One { id: id.clone(), user_id: None };
        let end = self.ending(which, reason, EndEvent::Other(event(token)), at);
        let ended = sessions.end_sessions(&end).await?;
        self.tell_recorded(&ended.events);
        if ended.outcome > 0 {
            return Ok(true);
        }
        let was_ended = was_ended_at(sessions, &id, at).await?;
        if was_ended {
            self.tell_recorded(&end.recorded(1).events);
        }
        Ok(was_ended)
    }
}

/// Returns `true` if a session was ended at exactly this time: by this very call, which was
/// repeated because the database's first answer got lost.
pub(super) async fn was_ended_at(
    sessions: &dyn SessionStore,
    id: &str,
    at: Timestamp,
) -> Result<bool, Error> {
    Ok(sessions.session(id).await?.is_some_and(|session| session.ended_at == Some(at)))
}
