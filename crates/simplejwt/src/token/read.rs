//! What a token says.

use super::{Token, Tokens};
use crate::claims::{Claims, UserClaim};
use crate::clock::Timestamp;
use crate::users::UserId;

impl Tokens {
    /// Returns the value of the token's user claim in canonical text form; `None` if it is missing,
    /// or neither a string nor an integer.
    pub fn user_id<T>(&self, token: &Token<T>) -> Option<UserId> {
        match self.user_claim(token) {
            UserClaim::Id(id) => Some(id),
            UserClaim::Missing | UserClaim::Malformed => None,
        }
    }

    pub(crate) fn user_claim<T>(&self, token: &Token<T>) -> UserClaim {
        token.claims.user_id(&self.inner.settings.user_id_claim)
    }

    /// Returns the token's id: the value of `JTI_CLAIM`, if it is a string, or an integer in a
    /// claim other than `jti`.
    pub fn jti<T>(&self, token: &Token<T>) -> Option<String> {
        self.jti_of(&token.claims)
    }

    pub(crate) fn jti_of(&self, claims: &Claims) -> Option<String> {
        claims.id(self.inner.settings.jti_claim.as_deref()?)
    }

    /// Returns the time at which the token expires, in whole seconds.
    pub fn expires_at<T>(&self, token: &Token<T>) -> Option<Timestamp> {
        token.claims.numeric_date("exp").ok().flatten().map(Timestamp::from_secs)
    }
}
