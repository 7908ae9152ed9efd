//! The tokens that the flows issue, each with its expiry.

use std::fmt;

use super::Auth;
use crate::clock::Timestamp;
use crate::error::{Error, TokenError};
use crate::token::{Sliding, Token, TokenType};

/// A newly issued token, with its expiry, so that it doesn't have to be decoded.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issued {
    /// The signed token in compact form (RFC 7515 section 7.1).
    pub token: String,
    /// The time at which it expires, in whole seconds: its `exp`.
    pub expires_at: Timestamp,
    /// The time until which it can be renewed, even after it has expired: the refresh expiry of a
    /// sliding token (`SLIDING_TOKEN_REFRESH_EXP_CLAIM`). `None` for any other type.
    pub renewable_until: Option<Timestamp>,
}

impl Issued {
    /// Returns the time at which it becomes useless: expired, and no longer renewable.
    pub fn useful_until(&self) -> Timestamp {
        self.renewable_until.map_or(self.expires_at, |until| until.max(self.expires_at))
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the token.
        f.debug_struct("Issued")
            .field("expires_at", &self.expires_at)
            .field("renewable_until", &self.renewable_until)
            .finish_non_exhaustive()
    }
}

/// The tokens that a login issues.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenPair {
    /// The refresh token.
    pub refresh: Issued,
    /// The access token.
    pub access: Issued,
}

/// The tokens that a refresh issues.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refreshed {
    /// The new access token.
    pub access: Issued,
    /// The new refresh token, with `ROTATE_REFRESH_TOKENS`.
    pub refresh: Option<Issued>,
    /// The time until which the client can refresh again: the expiry of the new refresh token or,
    /// without one, of the presented token.
    pub refreshable_until: Timestamp,
}

impl Auth {
    /// Signs the token, and returns it with its expiry.
    pub(super) fn issue<T: TokenType>(&self, token: &Token<T>) -> Result<Issued, Error> {
        let renewable_until = match T::NAME == Sliding::NAME {
            true => token.claims().numeric_date(&self.settings().sliding_token_refresh_exp_claim),
            false => Ok(None),
        };
        Ok(Issued {
            token: self.tokens.encode(token)?,
            expires_at: self.expires_at(token)?,
            renewable_until: renewable_until.ok().flatten().map(Timestamp::from_secs),
        })
    }

    pub(super) fn expires_at<T>(&self, token: &Token<T>) -> Result<Timestamp, TokenError> {
        self.tokens.expires_at(token).ok_or_else(|| TokenError::MissingClaim("exp".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_token() {
        let issued = Issued {
            token: "e30.e30.MAC".into(),
            expires_at: Timestamp::from_secs(7),
            renewable_until: None,
        };
        let pair = TokenPair { refresh: issued.clone(), access: issued };
        let shown = format!("{pair:?}");
        assert!(shown.contains("expires_at") && !shown.contains("e30"), "{shown}");
    }

    #[test]
    fn a_sliding_token_is_of_use_for_as_long_as_it_can_be_renewed() {
        let useful_until = |exp, renewable: Option<i64>| {
            let renewable_until = renewable.map(Timestamp::from_secs);
            let expires_at = Timestamp::from_secs(exp);
            let issued = Issued { token: String::new(), expires_at, renewable_until };
            issued.useful_until().as_secs()
        };
        assert_eq!(useful_until(5, None), 5);
        assert_eq!(useful_until(5, Some(9)), 9);
        assert_eq!(useful_until(5, Some(3)), 5);
    }
}
