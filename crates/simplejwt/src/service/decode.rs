//! Decoding presented tokens, with the checks that each flow needs.

use std::borrow::Cow;
use std::sync::Arc;

use super::Auth;
use crate::claims::Claims;
use crate::clock::Timestamp;
use crate::error::{Error, TokenError};
use crate::event::Target;
use crate::keys::RemoteKeys;
use crate::settings::{RevocationMode, SESSION_CLAIM};
use crate::token::{Token, TokenType};

impl Auth {
    /// Fetches the verifying keys from `JWK_URL`, if it is set and they are due. Meant to be called
    /// every few seconds, so that no request has to wait for it.
    pub async fn refresh_keys(&self) {
        if let Some(remote) = self.tokens.keys().remote() {
            remote.keep_fresh(self.tokens.now()).await;
        }
    }

    /// Returns the reason why there are no keys from `JWK_URL`, so that every check fails with
    /// [`Error::KeysUnavailable`]; `None` if there are some, even old ones.
    pub fn why_keys_are_missing(&self) -> Option<Arc<str>> {
        self.tokens.keys().remote().and_then(RemoteKeys::why_missing)
    }

    pub(super) async fn decode_claims(&self, token: &str, now: Timestamp) -> Result<Claims, Error> {
        let keys = self.tokens.keys();
        if let Some(remote) = keys.remote() {
            remote.drop_stale(now);
            let lacks_key = || remote.lacks_key_of(token);
            let missing = remote.why_missing().is_some() || lacks_key();
            remote.refresh(now, missing).await;
            // The key that is missing might have verified the token.
            if remote.why_missing().is_some() || missing && remote.is_out_of_date() && lacks_key() {
                return Err(Error::KeysUnavailable);
            }
        }
        Ok(self.tokens.decode_claims(token, now)?)
    }

    pub(super) async fn decode_unrevoked<T: TokenType>(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Token<T>, Error> {
        let token = self.tokens.accept(self.decode_claims(token, now).await?)?;
        if self.settings().sessions.revocation != RevocationMode::Stateless
            && self.is_revoked(&token).await?
        {
            return Err(TokenError::Blacklisted.into());
        }
        Ok(token)
    }

    /// Verifies a token of a type that can be blacklisted. As in upstream, the blacklist is checked
    /// after the signature and the times, and before the rest.
    pub(super) async fn decode_listed<T: TokenType>(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Token<T>, Error> {
        let claims = self.decode_claims(token, now).await?;
        if self.settings().token_blacklist {
            let jti = self.tokens.jti_of(&claims).ok_or(TokenError::MissingId)?;
            if self.is_spent(&jti, self.named_session(&claims).as_deref()).await? {
                self.tell_blacklisted(Target::Service, &jti);
                return Err(TokenError::Blacklisted.into());
            }
        }
        Ok(self.tokens.accept(claims)?)
    }

    /// Returns the session that the token names, if the settings let us write that claim.
    pub(super) fn named_session<'a>(&self, claims: &'a Claims) -> Option<Cow<'a, str>> {
        claims.str(SESSION_CLAIM).filter(|_| self.settings().sessions.session_claim)
    }

    /// Returns `true` if a token is blacklisted or, according to its session, was spent or has
    /// ended. `session` is the one that a refresh or sliding token [names](Self::named_session).
    pub(super) async fn is_spent(&self, jti: &str, session: Option<&str>) -> Result<bool, Error> {
        let store = self.blacklist_store()?;
        Ok(match self.sessions() {
            Some(sessions) => sessions.is_spent(jti, session).await?,
            None => store.is_blacklisted(jti).await?,
        })
    }
}
