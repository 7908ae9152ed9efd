//! Tokens that were sent, verified as far as each flow asks.

use std::sync::Arc;

use super::Auth;
use crate::claims::Claims;
use crate::clock::Timestamp;
use crate::error::{Error, TokenError};
use crate::event::Target;
use crate::keys::{JwsError, RemoteKeys};
use crate::settings::RevocationMode;
use crate::token::{Token, TokenType};

impl Auth {
    /// Fetches the verifying keys where `JWK_URL` says where from and they are due: for calling
    /// every few seconds, so that no request has to wait for it.
    pub async fn refresh_keys(&self) {
        if let Some(remote) = self.tokens.keys().remote() {
            remote.keep_fresh(self.tokens.now()).await;
        }
    }

    /// Why no token can be verified, where the keys behind `JWK_URL` were never there: each check
    /// is [`Error::KeysUnavailable`] then. `None` where there are keys, be they old.
    pub fn why_keys_are_missing(&self) -> Option<Arc<str>> {
        self.tokens.keys().remote().and_then(RemoteKeys::why_missing)
    }

    pub(super) async fn decode_claims(&self, token: &str, now: Timestamp) -> Result<Claims, Error> {
        let keys = self.tokens.keys();
        if let Some(remote) = keys.remote() {
            let lacks_key = || keys.verify_compact(token) == Err(JwsError::UnknownKey);
            let missing = remote.why_missing().is_some() || lacks_key();
            remote.refresh(now, missing).await;
            // What a key that can't be had would say of the token, nobody knows.
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

    /// Verifies a token of a kind that can be blacklisted. As upstream does, the blacklist is
    /// asked once the signature and the times are known to be good, before the rest is looked at.
    pub(super) async fn decode_listed<T: TokenType>(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Token<T>, Error> {
        let claims = self.decode_claims(token, now).await?;
        if self.settings().token_blacklist {
            let jti = self.tokens.jti_of(&claims).ok_or(TokenError::MissingId)?;
            if self.is_spent(&jti).await? {
                self.tell_blacklisted(Target::Service, &jti);
                return Err(TokenError::Blacklisted.into());
            }
        }
        Ok(self.tokens.accept(claims)?)
    }

    /// Whether a token is blacklisted or, as its session knows, was spent or ended with it.
    pub(super) async fn is_spent(&self, jti: &str) -> Result<bool, Error> {
        let store = self.blacklist_store()?;
        Ok(match self.sessions() {
            Some(sessions) => sessions.is_spent(jti).await?,
            None => store.is_blacklisted(jti).await?,
        })
    }
}
