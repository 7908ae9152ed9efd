//! Verifying tokens, and finding their users.

use subtle::ConstantTimeEq as _;

use super::Auth;
use crate::claims::{Claims, UserClaim};
use crate::error::{Error, ThrottleScope, TokenMessage};
use crate::settings::{RevocationMode, TokenClass};
use crate::token::{Access, Refresh, Sliding, Token, Untyped};
use crate::users::{User, UserId, revoke_claim};

impl Auth {
    /// Verifies a token of any type. Upstream: `TokenVerifyView`, which checks the blacklist only
    /// if `BLACKLIST_AFTER_ROTATION` is on.
    ///
    /// # Errors
    /// [`Error::Token`], [`Error::VerifiedBlacklisted`], [`Error::Throttled`]; internal errors.
    pub async fn verify(&self, token: &str) -> Result<Token<Untyped>, Error> {
        let verified = self.verify_any(token).await;
        self.counted(ThrottleScope::Verify, verified)
    }

    async fn verify_any(&self, token: &str) -> Result<Token<Untyped>, Error> {
        let now = self.tokens.now();
        let claims = self.decode_claims(token, now).await?;
        let token = self.tokens.accept::<Untyped>(claims)?;
        let revocation = self.settings().sessions.revocation;
        if revocation != RevocationMode::Stateless && self.is_revoked(&token).await? {
            return Err(Error::VerifiedBlacklisted);
        }
        let settings = self.settings();
        // Access tokens too: one that somebody has blacklisted is meant to be refused.
        if (settings.blacklist_after_rotation || revocation != RevocationMode::Stateless)
            && self.is_listed(&token, now).await?
        {
            return Err(Error::VerifiedBlacklisted);
        }
        Ok(token)
    }

    /// Verifies the token of a request as one of `AUTH_TOKEN_CLASSES`. Upstream:
    /// `JWTAuthentication.get_validated_token`.
    ///
    /// # Errors
    /// [`Error::TokenNotValid`] with one message per class; internal errors.
    pub async fn authenticate(&self, token: &str) -> Result<Token<Access>, Error> {
        let now = self.tokens.now();
        let mut messages = Vec::new();
        for &class in &self.settings().auth_token_classes {
            let outcome = match class {
                TokenClass::Access => self.decode_unrevoked::<Access>(token, now).await,
                TokenClass::Untyped => {
                    self.decode_unrevoked::<Untyped>(token, now).await.map(Token::into_kind)
                }
                TokenClass::Refresh => {
                    self.decode_listed::<Refresh>(token, now).await.map(Token::into_kind)
                }
                TokenClass::Sliding => {
                    self.decode_listed::<Sliding>(token, now).await.map(Token::into_kind)
                }
            };
            match outcome {
                Ok(token) => return Ok(token),
                Err(Error::Token(error)) => messages.push(TokenMessage {
                    token_class: class.class_name(),
                    token_type: class.token_type(),
                    error,
                }),
                Err(error) => return Err(error),
            }
        }
        Err(Error::TokenNotValid(messages))
    }

    /// Returns the user that the token names, without a lookup. Upstream:
    /// `JWTStatelessUserAuthentication`.
    ///
    /// # Errors
    /// [`Error::NoUserClaim`]
    pub fn stateless_user_of(&self, token: &Token<Access>) -> Result<UserId, Error> {
        match self.tokens.user_claim(token) {
            UserClaim::Id(id) => Ok(id),
            UserClaim::Missing | UserClaim::Malformed => Err(Error::NoUserClaim),
        }
    }

    /// Returns the row of the token's user. Upstream: `JWTAuthentication.get_user`.
    ///
    /// # Errors
    /// [`Error::NoUserClaim`], [`Error::UserNotFound`], [`Error::UserInactive`],
    /// [`Error::PasswordChanged`]; internal errors.
    pub async fn user_of(&self, token: &Token<Access>) -> Result<User, Error> {
        let id = match self.tokens.user_claim(token) {
            UserClaim::Id(id) => id,
            UserClaim::Missing => return Err(Error::NoUserClaim),
            UserClaim::Malformed => return Err(Error::UserNotFound),
        };
        let user = self.user_store()?.find(&id).await?.ok_or(Error::UserNotFound)?;
        if self.settings().check_user_is_active && !user.is_active {
            return Err(Error::UserInactive);
        }
        self.check_password_fingerprint(token.claims(), &user)?;
        Ok(user)
    }

    /// Returns `true` if the user has this permission (`app_label.codename`), by Django's rule: an
    /// inactive user has none, a superuser has all, even those that don't exist, and others have
    /// those that the user store returns. Upstream: `user.has_perm`.
    ///
    /// ```
    /// # async fn change(auth: &simplejwt::Auth, user: &simplejwt::User) -> Result<(), simplejwt::Error> {
    /// if !auth.has_permission(user, "blog.change_post").await? {
    ///     return Err(simplejwt::Error::PermissionDenied);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Internal errors.
    pub async fn has_permission(&self, user: &User, permission: &str) -> Result<bool, Error> {
        if !user.is_active || user.is_superuser {
            return Ok(user.is_active);
        }
        Ok(self.user_store()?.permissions(&user.id).await?.contains(permission))
    }

    /// Returns the names of the user's groups, sorted; none if the user store has no groups.
    ///
    /// # Errors
    /// Internal errors.
    pub async fn groups_of(&self, user: &User) -> Result<Vec<String>, Error> {
        Ok(self.user_store()?.groups(&user.id).await?)
    }

    /// Returns the token's user, who must still exist and be allowed to have tokens.
    pub(super) async fn check_user<T>(&self, token: &Token<T>) -> Result<User, Error> {
        let id = match self.tokens.user_claim(token) {
            UserClaim::Id(id) => id,
            UserClaim::Missing => return Err(Error::NoUserClaim),
            UserClaim::Malformed => return Err(Error::NoActiveAccountForToken),
        };
        match self.user_store()?.find(&id).await? {
            Some(user) if self.hooks.may_authenticate(self.settings(), &user) => {
                self.check_password_fingerprint(token.claims(), &user)?;
                Ok(user)
            }
            _ => Err(Error::NoActiveAccountForToken),
        }
    }

    pub(super) fn check_password_fingerprint(
        &self,
        claims: &Claims,
        user: &User,
    ) -> Result<(), Error> {
        let settings = self.settings();
        if !settings.check_revoke_token {
            return Ok(());
        }
        let current = revoke_claim(&user.password);
        let in_token = claims.str(&settings.revoke_token_claim).unwrap_or_default();
        if bool::from(in_token.as_bytes().ct_eq(current.as_bytes())) {
            Ok(())
        } else {
            Err(Error::PasswordChanged)
        }
    }
}
