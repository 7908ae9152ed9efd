//! What upstream does with import strings: an application's own rules, as one trait.

mod error;
mod shared;

use async_trait::async_trait;

use crate::claims::Claims;
use crate::settings::{Settings, TokenClass};
use crate::users::{Credentials, User};
pub use error::HookError;

/// The places where an application has a say. Every method's default is Django's behaviour.
///
/// # Claims
/// [`extra_claims`](Self::extra_claims) and [`refreshed_claims`](Self::refreshed_claims) can set
/// and remove any claim but those that a token is known or checked by
/// ([`Settings::reserved_claims`]: type, id, user, times, session …). A hook that changes one of
/// these fails, with the claim's name in the log: the lifetimes are settings, and who the user is
/// is the user store's to say. (Upstream lets `get_token` overwrite them.)
///
/// # Errors
/// A hook's error is the answer to the request, and any error becomes one by `?`
/// ([`HookError`]): one of your own is a 500 without details, and a log line with the cause;
/// [`Error::NoActiveAccount`](crate::Error::NoActiveAccount) or
/// [`Error::PermissionDenied`](crate::Error::PermissionDenied) refuse as they do anywhere else.
///
/// ```
/// use simplejwt::settings::TokenClass;
/// use simplejwt::{Claims, Error, HookError, Hooks, User};
///
/// struct WithTeam;
///
/// #[simplejwt::async_trait]
/// impl Hooks for WithTeam {
///     async fn extra_claims(
///         &self,
///         _kind: TokenClass,
///         user: &User,
///         claims: &mut Claims,
///     ) -> Result<(), HookError> {
///         let teams = std::fs::read_to_string("/etc/teams")?;
///         let Some(team) = teams.lines().position(|name| name == user.username) else {
///             return Err(Error::PermissionDenied.into());
///         };
///         claims.set("team", team)?;
///         Ok(())
///     }
/// }
/// ```
///
/// `Arc<T>` and `Box<T>` of hooks are hooks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `Hooks`",
    label = "`Hooks` isn't implemented for `{Self}`",
    note = "write `#[simplejwt::async_trait] impl Hooks for …` with the methods that differ from Django's behaviour: none has to be there"
)]
#[async_trait]
pub trait Hooks: Send + Sync + 'static {
    /// Whether this user may have tokens: asked at login and at every refresh. Upstream:
    /// `USER_AUTHENTICATION_RULE`.
    fn may_authenticate(&self, settings: &Settings, user: &User) -> bool {
        !settings.check_user_is_active || user.is_active
    }

    /// Adds claims to a token that a login issues, which is the refresh or the sliding token; the
    /// access token copies them. Upstream: a serializer's `get_token`.
    ///
    /// # Errors
    /// An error is the login's answer; nothing has been written then.
    async fn extra_claims(
        &self,
        _kind: TokenClass,
        _user: &User,
        _claims: &mut Claims,
    ) -> Result<(), HookError> {
        Ok(())
    }

    /// Changes the claims that a refresh carries over: called with those of the refresh token, of
    /// which then both the access token and, with rotation, the successor are made; or with those
    /// of the sliding token that is renewed. The default leaves them as they were at login, as
    /// upstream does. To compute them anew, do the same here as in
    /// [`extra_claims`](Self::extra_claims).
    ///
    /// A refresh that is repeated within `rotation_grace` is answered with the same pair again as
    /// long as this sets the same claims for it: go by the user, not by the time or by chance.
    ///
    /// # Errors
    /// An error is the refresh's answer; the token isn't spent then.
    async fn refreshed_claims(
        &self,
        _kind: TokenClass,
        _user: &User,
        _claims: &mut Claims,
    ) -> Result<(), HookError> {
        Ok(())
    }

    /// Told of every successful login, when everything is written and before its answer is sent.
    async fn on_login_success(&self, _user: &User) {}

    /// Told of every refused login: wrong credentials, a user who may not have tokens
    /// ([`may_authenticate`](Self::may_authenticate)), or one session too many. Not of one that
    /// failed by this side's fault, or that was refused by a hook's error.
    async fn on_login_failed(&self, _credentials: &Credentials) {}
}

/// Django's behaviour, with nothing added.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultHooks;

impl Hooks for DefaultHooks {}
