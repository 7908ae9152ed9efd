//! What upstream does with import strings: an application's own rules, as one trait.

use std::fmt;

use async_trait::async_trait;

use crate::claims::Claims;
use crate::error::Error;
use crate::settings::{Settings, TokenClass};
use crate::users::{Credentials, User};

/// The places where an application has a say. Every method's default is Django's behaviour.
///
/// ```
/// use simplejwt::{Claims, Error, Hooks, User};
/// use simplejwt::settings::TokenClass;
///
/// #[derive(Debug)]
/// struct WithName;
///
/// #[async_trait::async_trait]
/// impl Hooks for WithName {
///     async fn extra_claims(
///         &self,
///         _kind: TokenClass,
///         user: &User,
///         claims: &mut Claims,
///     ) -> Result<(), Error> {
///         claims.set("name", &user.username).map_err(|error| Error::Hook(error.into()))
///     }
/// }
/// ```
#[async_trait]
pub trait Hooks: fmt::Debug + Send + Sync + 'static {
    /// Whether this user may have tokens: asked at login and at every refresh. Upstream:
    /// `USER_AUTHENTICATION_RULE`.
    fn may_authenticate(&self, settings: &Settings, user: &User) -> bool {
        !settings.check_user_is_active || user.is_active
    }

    /// Adds claims to a token that a login issues; the access token copies them. Upstream: a
    /// serializer's `get_token`.
    ///
    /// # Errors
    /// An error refuses the login as this side's fault (500).
    async fn extra_claims(
        &self,
        _kind: TokenClass,
        _user: &User,
        _claims: &mut Claims,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// Told of every successful login, before its answer is sent.
    async fn on_login_success(&self, _user: &User) {}

    /// Told of every refused login.
    async fn on_login_failed(&self, _credentials: &Credentials) {}
}

/// Django's behaviour, with nothing added.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultHooks;

impl Hooks for DefaultHooks {}
