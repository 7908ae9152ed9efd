//! Whose a token is: that of the [`Tokens`] that issued or verified it.

use std::sync::Arc;

use super::{Token, TokenType, Tokens};
use crate::claims::Claims;

impl Tokens {
    /// Returns `true` if a token was issued or verified by these `Tokens` or a clone of them, and
    /// `false` for one of other `Tokens`, even with the same settings and keys. Programs with
    /// several issuers can tell by it whose token a request's extensions hold.
    ///
    /// ```
    /// use simplejwt::{Access, Settings, Tokens};
    ///
    /// # let settings = Settings {
    /// #     signing_key: Some("a secret of at least thirty-two bytes".into()),
    /// #     ..Settings::default()
    /// # };
    /// let (ours, theirs) = (Tokens::new(settings.clone())?, Tokens::new(settings)?);
    /// let token = ours.issue::<Access>("1");
    /// assert!(ours.vouch_for(&token) && !theirs.vouch_for(&token));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn vouch_for<T>(&self, token: &Token<T>) -> bool {
        Arc::ptr_eq(&self.inner.identity, &token.origin)
    }

    pub(super) fn own<T>(&self, claims: Claims) -> Token<T> {
        Token::new(claims, Arc::clone(&self.inner.identity))
    }

    pub(crate) fn mint<T: TokenType>(&self, claims: Claims) -> Token<T> {
        self.own(claims)
    }
}
