//! Refreshing tokens: with sessions, or without as upstream.

mod in_session;

use super::{Auth, Issued, Refreshed};
use crate::clock::Timestamp;
use crate::error::{Error, ThrottleScope, TokenError};
use crate::event::Target;
use crate::settings::TokenClass;
use crate::store::Rotation;
use crate::store::session::SessionStore;
use crate::token::{Refresh, Sliding, Token};

impl Auth {
    /// Returns a new access token for a refresh token and, with `ROTATE_REFRESH_TOKENS`, its
    /// successor. Upstream: `TokenRefreshView`.
    ///
    /// With `BLACKLIST_AFTER_ROTATION`, exactly one of any number of concurrent calls with the same
    /// token rotates it. With sessions, the others get the newest pair of the session within
    /// `rotation_grace` of the rotation, are only refused within `reuse_tolerance` of it, and end
    /// the whole session after that.
    ///
    /// # Errors
    /// [`Error::Token`] for an invalid token; [`Error::NoActiveAccountForToken`],
    /// [`Error::NoUserClaim`], [`Error::PasswordChanged`]; [`Error::Throttled`]; internal errors.
    pub async fn refresh(&self, token: &str) -> Result<Refreshed, Error> {
        let refreshed = match self.sessions() {
            Some(sessions) => self.refresh_in_session(sessions, token).await,
            None => self.refresh_alone(token).await,
        };
        self.counted(ThrottleScope::Refresh, refreshed)
    }

    async fn refresh_alone(&self, token: &str) -> Result<Refreshed, Error> {
        let now = self.tokens.now();
        let refresh = self.decode_listed::<Refresh>(token, now).await?;
        let user = self.check_user(&refresh).await?;
        let refresh = self.with_refreshed_claims(TokenClass::Refresh, &user, refresh).await?;
        let access = self.issue(&self.tokens.access_from_at(&refresh, now, None))?;
        let settings = self.settings();
        if !settings.rotate_refresh_tokens {
            self.tell(self.refreshed_event(&refresh));
            return self.refreshed(access, None, &refresh);
        }
        let successor = self.tokens.rotated(&refresh, now, None);
        let issued = self.issue(&successor)?;
        if settings.blacklist_after_rotation {
            let spent = self.outstanding(&refresh, token, now)?;
            let next = self.outstanding(&successor, &issued.token, now)?;
            let store = self.blacklist_store()?;
            let recorded = store.rotate(&spent, &next, &self.cause_at(now)).await?;
            self.tell_recorded(&recorded.events);
            if recorded.outcome == Rotation::Replayed {
                return Err(TokenError::Blacklisted.into());
            }
        } else {
            let event = self.refreshed_event(&refresh);
            let events = self.register(&successor, &issued.token, event, now).await?;
            self.tell_recorded(&events);
        }
        self.refreshed(access, Some(issued), &refresh)
    }

    /// Returns the answer to a refresh with this token.
    fn refreshed(
        &self,
        access: Issued,
        refresh: Option<Issued>,
        presented: &Token<Refresh>,
    ) -> Result<Refreshed, Error> {
        let refreshable_until = match &refresh {
            Some(successor) => successor.expires_at,
            None => self.expires_at(presented)?,
        };
        Ok(Refreshed { access, refresh, refreshable_until })
    }

    /// Returns the token, expiring no later than its session.
    pub(super) fn within_lifetime<T>(
        &self,
        token: Token<T>,
        created_at: Timestamp,
        now: Timestamp,
    ) -> Token<T> {
        let settings = self.settings();
        match settings.sessions.lifetime.filter(|_| settings.has_sessions()) {
            // The store refuses a session that is over; nothing is issued already expired.
            Some(lifetime) if created_at + lifetime > now => {
                self.tokens.until(token, created_at + lifetime)
            }
            _ => token,
        }
    }

    /// Returns this error, or that of a blacklisted token, which takes precedence.
    pub(super) async fn blacklisted_or(
        &self,
        error: Error,
        jti: &str,
        session: Option<&str>,
    ) -> Result<Error, Error> {
        if self.is_spent(jti, session).await? {
            self.tell_blacklisted(Target::Refresh, jti);
            return Ok(TokenError::Blacklisted.into());
        }
        Ok(error)
    }

    /// Returns a renewed sliding token, expiring no later than its session, unless that is over.
    pub(super) async fn slide_in_session(
        &self,
        sessions: &dyn SessionStore,
        token: Token<Sliding>,
        now: Timestamp,
    ) -> Result<Token<Sliding>, Error> {
        let Some(jti) = self.tokens.jti(&token) else { return Ok(token) };
        let named = self.named_session(token.claims());
        let session = sessions.session_of(&jti, named.as_deref()).await?;
        let Some(session) = session else { return Ok(token) };
        if session.ended_at.is_some() {
            return Err(TokenError::Blacklisted.into());
        }
        let lifetime = self.settings().sessions.lifetime;
        if lifetime.is_some_and(|lifetime| session.created_at + lifetime <= now) {
            return Err(TokenError::Expired.into());
        }
        Ok(self.within_lifetime(token, session.created_at, now))
    }

    /// Renews the lifetime of a sliding token. Upstream: `TokenRefreshSlidingView`.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub async fn refresh_sliding(&self, token: &str) -> Result<Issued, Error> {
        let refreshed = self.slide(token).await;
        self.counted(ThrottleScope::Refresh, refreshed)
    }

    async fn slide(&self, token: &str) -> Result<Issued, Error> {
        let now = self.tokens.now();
        let token = self.decode_listed::<Sliding>(token, now).await?;
        let settings = self.settings();
        token.claims().check_expiry(
            &settings.sliding_token_refresh_exp_claim,
            now,
            settings.leeway,
        )?;
        let user = self.check_user(&token).await?;
        let token = self.with_refreshed_claims(TokenClass::Sliding, &user, token).await?;
        let slid = self.tokens.slid(&token, now);
        let slid = match &self.sessions() {
            Some(sessions) => self.slide_in_session(*sessions, slid, now).await?,
            None => slid,
        };
        let issued = self.issue(&slid)?;
        self.tell(self.refreshed_event(&slid));
        Ok(issued)
    }
}
