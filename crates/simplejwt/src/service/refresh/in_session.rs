//! RefreshOutcome where there are sessions: the store decides, and a lost race is an answer.

use crate::claims::UserClaim;
use crate::clock::Timestamp;
use crate::error::{Error, TokenError};
use crate::event::{Event, PresentedToken, Recorded, TokenRefusal};
use crate::service::events::presented;
use crate::service::{Auth, Refreshed};
use crate::settings::{SESSION_CLAIM, TokenClass};
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
        // Upstream looks at the blacklist first. Here the rotation itself does, unless it doesn't
        // come to one.
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
            Err(error) => return Err(self.blacklisted_or(error, &jti).await?),
        };
        let known = SessionFacts::of(self, sessions, &refresh, now).await?;
        let refresh = match &known.session_claim {
            Some(id) => self.tokens.in_session(refresh, id),
            None => refresh,
        };
        // Before the store is asked: the pair that is made again comes of the same claims as the
        // first one.
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

    /// Tells what came of it; the answer for the client.
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
                    // Somebody else has ended it meanwhile.
                    self.tell(refused(presented(token)));
                }
                Err(Error::PasswordChanged)
            }
        }
    }

    /// What the store is asked, and the answer for the client if it agrees.
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

    /// The newest pair of the session as it was first handed out, made again; with another access
    /// token where that one has expired.
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

    /// A refresh that the user stands in the way of. Where the user is inactive or gone, that is
    /// the end of all sessions.
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
        // A spent token, too, says whose session it is that has to end.
        let reason = match &error {
            Error::PasswordChanged => Some(EndReason::Password),
            Error::NoActiveAccountForToken if self.is_gone(refresh).await? => Some(EndReason::User),
            _ => None,
        };
        let error = self.blacklisted_or(error, &spent.jti).await?;
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

    /// Whether the token's user is inactive or doesn't exist; not whether a hook dislikes it.
    async fn is_gone(&self, refresh: &Token<Refresh>) -> Result<bool, Error> {
        let UserClaim::Id(id) = self.tokens.user_claim(refresh) else { return Ok(false) };
        let user = self.user_store()?.find(&id).await?;
        Ok(user.is_none_or(|user| !user.is_active))
    }
}

fn fingerprint(user: &User) -> Option<String> {
    (!user.password.is_empty()).then(|| password_fingerprint(&user.password))
}

/// A refresh that is asked of the store, and the answer if it agrees.
struct Attempt {
    refresh: SessionRefresh,
    answer: Refreshed,
}

/// What has to be known of a token's session before its successor can be made.
struct SessionFacts {
    /// The session, where the token doesn't open one.
    id: Option<String>,
    created_at: Timestamp,
    /// What `sid` has to be in the tokens that are issued, where it isn't in this one.
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
        let named = refresh.claims().str(SESSION_CLAIM).filter(|_| settings.session_claim);
        let named = named.map(std::borrow::Cow::into_owned);
        let mut known = Self { id: named, created_at: now, session_claim: None };
        let unnamed = settings.session_claim && known.id.is_none();
        // Only what isn't in the token costs a look into the database.
        if settings.lifetime.is_some() || unnamed {
            let Some(jti) = auth.tokens.jti(refresh) else { return Ok(known) };
            if let Some(session) = sessions.session_of(&jti).await? {
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
