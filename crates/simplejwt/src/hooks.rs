//! An application's own rules as one trait: the equivalent of upstream's settings that hold import
//! strings.

mod error;
mod shared;

use async_trait::async_trait;

use crate::claims::Claims;
use crate::settings::{Settings, TokenClass};
use crate::users::{Credentials, User};
pub use error::HookError;

/// The points at which an application can add its own rules. Every method's default is Django's
/// behaviour.
///
/// # Claims
/// [`extra_claims`](Self::extra_claims) and [`refreshed_claims`](Self::refreshed_claims) can set
/// and remove any claim except those that identify or validate a token
/// ([`Settings::reserved_claims`]: type, id, user, times, session …). A hook that changes one of
/// these fails, and the log names the claim: lifetimes come from the settings, and the user comes
/// from the user store. (Upstream lets `get_token` overwrite them.)
///
/// # Errors
/// A hook's error becomes the answer to the request, and `?` converts any error ([`HookError`]): an
/// error of your own is a 500 without details and a log line with the cause;
/// [`Error::NoActiveAccount`](crate::Error::NoActiveAccount) or
/// [`Error::PermissionDenied`](crate::Error::PermissionDenied) refuse the request as they do
/// anywhere else.
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
/// `Arc<T>` and `Box<T>` implement `Hooks` if `T` does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Hooks`",
    label = "`Hooks` isn't implemented for `{Self}`",
    note = "write `#[simplejwt::async_trait] impl Hooks for …` with the methods that differ from Django's behaviour: all of them are optional"
)]
#[async_trait]
pub trait Hooks: Send + Sync + 'static {
    /// Returns `true` if this user may have tokens. Called at login and at every refresh. Upstream:
    /// `USER_AUTHENTICATION_RULE`.
    fn may_authenticate(&self, settings: &Settings, user: &User) -> bool {
        !settings.check_user_is_active || user.is_active
    }

    /// Adds claims to the token that a login issues: the refresh or sliding token. The access token
    /// copies them. Upstream: a serializer's `get_token`.
    ///
    /// # Errors
    /// An error becomes the login's answer; nothing has been written by then.
    async fn extra_claims(
        &self,
        _kind: TokenClass,
        _user: &User,
        _claims: &mut Claims,
    ) -> Result<(), HookError> {
        Ok(())
    }

    /// Changes the claims that a refresh carries over. Called with the claims of the refresh token,
    /// from which the access token and, with rotation, the successor are made; or with those of the
    /// sliding token that is renewed. The default leaves them as they were at login, as upstream
    /// does. To compute them anew, do the same here as in [`extra_claims`](Self::extra_claims).
    ///
    /// A refresh that is repeated within `rotation_grace` is answered with the same pair only if
    /// this method sets the same claims again: derive them from the user, not from the time or from
    /// randomness.
    ///
    /// # Errors
    /// An error becomes the refresh's answer; the token isn't spent.
    async fn refreshed_claims(
        &self,
        _kind: TokenClass,
        _user: &User,
        _claims: &mut Claims,
    ) -> Result<(), HookError> {
        Ok(())
    }

    /// Called after every successful login, when everything has been written and before the answer
    /// is sent.
    async fn on_login_success(&self, _user: &User) {}

    /// Called after every refused login: wrong credentials, a user who may not have tokens
    /// ([`may_authenticate`](Self::may_authenticate)), or too many sessions. Not called if the
    /// login failed because of a fault on the server's side, or was refused by a hook's error.
    async fn on_login_failed(&self, _credentials: &Credentials) {}
}

/// Django's behaviour, with nothing added.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultHooks;

impl Hooks for DefaultHooks {}
