//! Refreshing with sessions: the store decides, and a lost race is one of the outcomes.

use std::borrow::Cow;

use crate::claims::UserClaim;
use crate::clock::Timestamp;
use crate::error::{Error, TokenError};
use crate::event::{Event, PresentedToken, Recorded, TokenRefusal};
use crate::service::events::presented;
use crate::service::{Auth, Refreshed};
use crate::settings::TokenClass;
use crate::store::OutstandingToken;
use crate::store::session::{
    EndEvent, EndReason, NewSession, NextToken, RefreshOutcome, SessionRefresh, SessionSelector,
    SessionStore, Successor,
};
use crate::token::{Refresh, Token};
use crate::users::{User, password_fingerprint};

impl Auth {
    /// See [`refresh`](Self::refresh).
    pub(super) async fn refresh_in_session(
        &self,
        sessions: &dyn SessionStore,
        token: &str,
    ) -> Result<Refreshed, Error> {
        let now = self.tokens.now();
        let claims = self.decode_claims(token, now).await?;
        let jti = self.tokens.jti_of(&claims).ok_or(TokenError::MissingId)?;
        let named = self.named_session(&claims).map(Cow::into_owned);
        // Upstream checks the blacklist first. Here the rotation does, or `blacklisted_or` if there
        // is no rotation.
        let accepted = async {
            let refresh = self.tokens.accept::<Refresh>(claims)?;
            let user = self.check_user(&refresh).await;
            Ok::<_, Error>((refresh, user))
        };
        let (refresh, user) = match accepted.await {
            Ok((refresh, Ok(user))) => (refresh, user),
            Ok((refresh, Err(error))) => {
                let spent = self.outstanding(&refresh, token, now)?;
                return Err(self.refused(sessions, &refresh, &spent, error, now).await?);
            }
            Err(error) => return Err(self.blacklisted_or(error, &jti, named.as_deref()).await?),
        };
        let known = SessionFacts::of(self, sessions, &refresh, now).await?;
        let refresh = match &known.session_claim {
            Some(id) => self.tokens.in_session(refresh, id),
            None => refresh,
        };
        // Before the store is asked, so that a repeated pair has the same claims as the first.
        let refresh = self.with_refreshed_claims(TokenClass::Refresh, &user, refresh).await?;
        let mut attempt = self.attempt(&refresh, token, &user, &known, now)?;
        let mut recorded = sessions.refresh(&attempt.refresh).await?;
        if recorded.outcome == RefreshOutcome::PasswordChanged
            && let Some(user) = self.user_store()?.find(&user.id).await?
        {
            // The hash may have been rewritten, for the same password, since it was read.
            attempt.refresh.session.password = fingerprint(&user);
            recorded = sessions.refresh(&attempt.refresh).await?;
        }
        self.outcome(sessions, recorded, attempt, &refresh, &known, now).await
    }

    /// Reports the outcome and returns the answer for the client.
    async fn outcome(
        &self,
        sessions: &dyn SessionStore,
        recorded: Recorded<RefreshOutcome>,
        attempt: Attempt,
        refresh: &Token<Refresh>,
        known: &SessionFacts,
        now: Timestamp,
    ) -> Result<Refreshed, Error> {
        let Attempt { refresh: asked, answer } = attempt;
        self.tell_recorded(&recorded.events);
        match recorded.outcome {
            RefreshOutcome::Refreshed => Ok(answer),
            RefreshOutcome::Repeated(successor) => self.again(refresh, &successor, known, now),
            RefreshOutcome::Replayed
            | RefreshOutcome::Reused
            | RefreshOutcome::Blacklisted
            | RefreshOutcome::Ended => Err(TokenError::Blacklisted.into()),
            RefreshOutcome::Foreign => Err(TokenError::Invalid.into()),
            RefreshOutcome::Forgotten | RefreshOutcome::Expired => Err(TokenError::Expired.into()),
            RefreshOutcome::PasswordChanged => {
                let user_id = &asked.session.user_id;
                let refused = |token| Event::TokenRefused {
                    token: PresentedToken { user_id: Some(user_id.clone()), ..token },
                    reason: TokenRefusal::PasswordChanged,
                };
                let (token, reason) = (&asked.token, EndReason::Password);
                let end = self.end_session_for(sessions, refresh, token, reason, refused, now);
                if !end.await? {
                    // Somebody else has ended it in the meantime.
                    self.tell(refused(presented(token)));
                }
                Err(Error::PasswordChanged)
            }
        }
    }

    /// Returns the request to the store, and the answer for the client if the store agrees.
    fn attempt(
        &self,
        refresh: &Token<Refresh>,
        token: &str,
        user: &User,
        known: &SessionFacts,
        now: Timestamp,
    ) -> Result<Attempt, Error> {
        let settings = self.settings();
        let spent = self.outstanding(refresh, token, now)?;
        let access = self.tokens.access_from_at(refresh, now, None);
        let access = self.within_lifetime(access, known.created_at, now);
        let access_jti = self.tokens.jti(&access).ok_or(TokenError::MissingId)?;
        let access = self.issue(&access)?;
        let mut issued = None;
        let mut next = NextToken::None;
        if settings.rotate_refresh_tokens {
            let successor = self.tokens.rotated(refresh, now, None);
            let successor = self.within_lifetime(successor, known.created_at, now);
            let encoded = issued.insert(self.issue(&successor)?);
            let token = self.outstanding(&successor, &encoded.token, now)?;
            next = if settings.blacklist_after_rotation {
                NextToken::Rotated { token, access_jti }
            } else {
                NextToken::Added(token)
            };
        }
        let answer = self.refreshed(access, issued, refresh)?;
        let refresh = SessionRefresh {
            session: NewSession {
                id: known.id.clone().unwrap_or_else(|| spent.jti.clone()),
                user_id: user.id.clone(),
                password: fingerprint(user),
            },
            token: spent,
            next,
            grace: settings.sessions.rotation_grace,
            tolerance: settings.sessions.reuse_tolerance,
            idle: settings.sessions.idle_lifetime,
            lifetime: settings.sessions.lifetime,
            cause: self.cause_at(now),
            retain_until: self.retain_until(now),
        };
        Ok(Attempt { refresh, answer })
    }

    /// Returns the newest pair of the session again, as it was first issued, but with a new access
    /// token if that one has expired.
    fn again(
        &self,
        refresh: &Token<Refresh>,
        successor: &Successor,
        known: &SessionFacts,
        now: Timestamp,
    ) -> Result<Refreshed, Error> {
        let then = successor.created_at;
        let access = self.tokens.access_from_at(refresh, then, Some(&successor.access_jti));
        let mut access = self.within_lifetime(access, known.created_at, then);
        if self.tokens.expires_at(&access).is_none_or(|expires_at| expires_at <= now) {
            let fresh = self.tokens.access_from_at(refresh, now, None);
            access = self.within_lifetime(fresh, known.created_at, now);
        }
        let next = self.tokens.rotated(refresh, then, Some(&successor.jti));
        let next = self.within_lifetime(next, known.created_at, then);
        let (access, next) = (self.issue(&access)?, self.issue(&next)?);
        self.refreshed(access, Some(next), refresh)
    }

    /// Handles a refresh that is refused because of its user, and returns the error for the client.
    /// If the user is inactive or gone, all of the user's sessions end.
    async fn refused(
        &self,
        sessions: &dyn SessionStore,
        refresh: &Token<Refresh>,
        spent: &OutstandingToken,
        error: Error,
        now: Timestamp,
    ) -> Result<Error, Error> {
        if error.is_internal() {
            return Ok(error);
        }
        // Even a spent token identifies the session that has to end.
        let reason = match &error {
            Error::PasswordChanged => Some(EndReason::Password),
            Error::NoActiveAccountForToken if self.is_gone(refresh).await? => Some(EndReason::User),
            _ => None,
        };
        let named = self.named_session(refresh.claims());
        let error = self.blacklisted_or(error, &spent.jti, named.as_deref()).await?;
        let Some(reason) = reason else { return Ok(error) };
        let refusal = match reason {
            EndReason::Password => TokenRefusal::PasswordChanged,
            _ => TokenRefusal::UserInactive,
        };
        let refused = |_| Event::TokenRefused { token: presented(spent), reason: refusal };
        self.end_session_for(sessions, refresh, spent, reason, refused, now).await?;
        if reason == EndReason::User
            && let UserClaim::Id(user_id) = self.tokens.user_claim(refresh)
        {
            let which = SessionSelector::All { user_id, except: None };
            let end = self.ending(which, reason, EndEvent::None, now);
            self.tell_recorded(&sessions.end_sessions(&end).await?.events);
        }
        Ok(error)
    }

    /// Returns `true` if the token's user is inactive or doesn't exist. Hooks don't matter here.
    async fn is_gone(&self, refresh: &Token<Refresh>) -> Result<bool, Error> {
        let UserClaim::Id(id) = self.tokens.user_claim(refresh) else { return Ok(false) };
        let user = self.user_store()?.find(&id).await?;
        Ok(user.is_none_or(|user| !user.is_active))
    }
}

fn fingerprint(user: &User) -> Option<String> {
    (!user.password.is_empty()).then(|| password_fingerprint(&user.password))
}

/// A refresh to request from the store, and the answer if the store agrees.
struct Attempt {
    refresh: SessionRefresh,
    answer: Refreshed,
}

/// The facts about a token's session that its successor depends on.
struct SessionFacts {
    /// The session's id; `None` if the token opens one.
    id: Option<String>,
    created_at: Timestamp,
    /// The `sid` of the tokens to be issued, if this token has none.
    session_claim: Option<String>,
}

impl SessionFacts {
    async fn of(
        auth: &Auth,
        sessions: &dyn SessionStore,
        refresh: &Token<Refresh>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let settings = &auth.settings().sessions;
        let named = auth.named_session(refresh.claims()).map(Cow::into_owned);
        let mut known = Self { id: named, created_at: now, session_claim: None };
        let unnamed = settings.session_claim && known.id.is_none();
        // The database is only asked for what isn't in the token.
        if settings.lifetime.is_some() || unnamed {
            let Some(jti) = auth.tokens.jti(refresh) else { return Ok(known) };
            if let Some(session) = sessions.session_of(&jti, known.id.as_deref()).await? {
                known.created_at = session.created_at;
                known.id = Some(session.id);
            } else if let Some(id) = &known.id
                && let Some(session) = sessions.session(id).await?
            {
                known.created_at = session.created_at;
            }
            if unnamed {
                known.session_claim = Some(known.id.clone().unwrap_or(jti));
            }
        }
        Ok(known)
    }
}
