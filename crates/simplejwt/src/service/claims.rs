//! The claims that hooks may change.

use super::Auth;
use crate::claims::Claims;
use crate::error::Error;
use crate::settings::TokenClass;
use crate::token::{Token, TokenType};
use crate::users::User;

/// A hook changed a claim that hooks can't change.
#[derive(Debug, thiserror::Error)]
#[error(
    "a hook changed the claim {claim:?} of a {token_type} token, which hooks can't change because \
     the token is identified or checked by it"
)]
struct ReservedClaim {
    claim: String,
    token_type: &'static str,
}

impl Auth {
    /// Returns the claims of a login's first token, including those that the hook adds.
    pub(super) async fn with_extra_claims(
        &self,
        class: TokenClass,
        user: &User,
        claims: Claims,
    ) -> Result<Claims, Error> {
        let mut changed = claims.clone();
        self.hooks.extra_claims(class, user, &mut changed).await?;
        self.check_reserved(class, &claims, &changed)?;
        Ok(changed)
    }

    /// Returns a token that is being refreshed, with the claims for the tokens issued from it.
    pub(super) async fn with_refreshed_claims<T: TokenType>(
        &self,
        class: TokenClass,
        user: &User,
        token: Token<T>,
    ) -> Result<Token<T>, Error> {
        let mut changed = token.claims().clone();
        self.hooks.refreshed_claims(class, user, &mut changed).await?;
        self.check_reserved(class, token.claims(), &changed)?;
        Ok(self.tokens.mint(changed))
    }

    fn check_reserved(
        &self,
        class: TokenClass,
        before: &Claims,
        after: &Claims,
    ) -> Result<(), Error> {
        let reserved = self.settings().reserved_claims();
        match reserved.into_iter().find(|claim| before.raw(claim) != after.raw(claim)) {
            None => Ok(()),
            Some(claim) => {
                let (claim, token_type) = (claim.to_owned(), class.token_type());
                Err(Error::Hook(ReservedClaim { claim, token_type }.into()))
            }
        }
    }
}
