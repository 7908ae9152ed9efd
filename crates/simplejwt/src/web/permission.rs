//! Permissions modelled on Django REST framework's: what a client with a token may do.

mod max_age;
mod shared;

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
pub use max_age::MaxAge;

use crate::claims::Claims;
use crate::error::Error;
use crate::hooks::HookError;
use crate::service::Auth;
use crate::token::{Access, Token};

/// Decides whether a request may continue: Django REST framework's `BasePermission`.
///
/// ```
/// use http::Method;
/// use simplejwt::web::permission::Permission;
/// use simplejwt::{Access, Auth, HookError, Token};
///
/// /// Lets everybody read, and Alice write.
/// #[derive(Default)]
/// struct AliceWrites;
///
/// #[simplejwt::async_trait]
/// impl Permission for AliceWrites {
///     async fn has_permission(
///         &self,
///         auth: &Auth,
///         method: &Method,
///         token: Option<&Token<Access>>,
///     ) -> Result<bool, HookError> {
///         let Some(token) = token else { return Ok(method.is_safe()) };
///         Ok(method.is_safe() || auth.user_of(token).await?.username == "alice")
///     }
/// }
/// ```
///
/// `Arc<T>` and `Box<T>` implement `Permission` if `T` does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a permission",
    label = "`Permission` isn't implemented for `{Self}`",
    note = "write `#[simplejwt::async_trait] impl Permission for …`; this crate's permissions are in `simplejwt::web::permission`"
)]
#[async_trait]
pub trait Permission: Send + Sync + 'static {
    /// Returns `true` if a request with this method and this token may continue; the token is
    /// `None` if the request has no credentials. `false` is answered with 401 without a token,
    /// otherwise with 403.
    ///
    /// # Errors
    /// Refuses the request with the error's own status; `?` converts any error ([`HookError`]).
    async fn has_permission(
        &self,
        auth: &Auth,
        method: &Method,
        token: Option<&Token<Access>>,
    ) -> Result<bool, HookError>;
}

/// Checks a permission; a refusal is 401 or 403 (RFC 9110 sections 15.5.2 and 15.5.4).
///
/// # Errors
/// [`Error::NotAuthenticated`], [`Error::PermissionDenied`], and the permission's own errors.
pub async fn check(
    permission: &dyn Permission,
    auth: &Auth,
    method: &Method,
    token: Option<&Token<Access>>,
) -> Result<(), Error> {
    match permission.has_permission(auth, method, token).await? {
        true => Ok(()),
        false if token.is_none() => Err(Error::NotAuthenticated),
        false => Err(Error::PermissionDenied),
    }
}

/// As [`check`] with each of these permissions, for a request whose token was `found` or not: they
/// also decide whether credentials are needed.
///
/// # Errors
/// Those of [`check`], and the reason why the credentials are refused. An expired cookie counts as
/// no credentials, and is reported if credentials are needed.
pub async fn check_all(
    permissions: &[Arc<dyn Permission>],
    auth: &Auth,
    method: &Method,
    found: Result<Token<Access>, Error>,
) -> Result<Option<Token<Access>>, Error> {
    let (token, missing) = match found {
        Ok(token) => (Some(token), None),
        Err(error @ (Error::NotAuthenticated | Error::CookieExpired(_))) => (None, Some(error)),
        Err(error) => return Err(error),
    };
    for permission in permissions {
        match check(permission.as_ref(), auth, method, token.as_ref()).await {
            Err(Error::NotAuthenticated) => return Err(missing.unwrap_or(Error::NotAuthenticated)),
            other => other?,
        }
    }
    Ok(token)
}

/// Allows requests with a valid token. Django REST framework's permission of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IsAuthenticated;

#[async_trait]
impl Permission for IsAuthenticated {
    async fn has_permission(
        &self,
        _: &Auth,
        _: &Method,
        token: Option<&Token<Access>>,
    ) -> Result<bool, HookError> {
        Ok(token.is_some())
    }
}

/// Allows requests with a valid token, and all GET, HEAD and OPTIONS requests. Django REST
/// framework's permission of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IsAuthenticatedOrReadOnly;

#[async_trait]
impl Permission for IsAuthenticatedOrReadOnly {
    async fn has_permission(
        &self,
        _: &Auth,
        method: &Method,
        token: Option<&Token<Access>>,
    ) -> Result<bool, HookError> {
        Ok(token.is_some() || matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS))
    }
}

/// Allows active users with `is_staff`, from their row. Django REST framework's permission of the
/// same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IsAdminUser;

#[async_trait]
impl Permission for IsAdminUser {
    async fn has_permission(
        &self,
        auth: &Auth,
        _: &Method,
        token: Option<&Token<Access>>,
    ) -> Result<bool, HookError> {
        let Some(token) = token else { return Ok(false) };
        Ok(auth.user_of(token).await?.is_staff)
    }
}

/// Allows tokens with a claim of this value, or with a list that contains it. Doesn't use a
/// database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HasClaim {
    name: String,
    value: serde_json::Value,
}

impl HasClaim {
    /// Creates a permission from the claim's name and the required value.
    ///
    /// ```
    /// use simplejwt::web::permission::HasClaim;
    ///
    /// let editors = HasClaim::new("roles", "editor");
    /// let grown_up = HasClaim::new("adult", true);
    /// ```
    pub fn new(name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

#[async_trait]
impl Permission for HasClaim {
    async fn has_permission(
        &self,
        _: &Auth,
        _: &Method,
        token: Option<&Token<Access>>,
    ) -> Result<bool, HookError> {
        let sent = token.and_then(|token| claim(token.claims(), &self.name));
        Ok(match sent {
            Some(serde_json::Value::Array(values)) if !self.value.is_array() => {
                values.contains(&self.value)
            }
            Some(value) => value == self.value,
            None => false,
        })
    }
}

/// Allows tokens whose `scope` claim (RFC 8693 section 4.2) contains this scope among its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HasScope(String);

impl HasScope {
    /// Creates a permission from the scope.
    pub fn new(scope: impl Into<String>) -> Self {
        Self(scope.into())
    }
}

#[async_trait]
impl Permission for HasScope {
    async fn has_permission(
        &self,
        _: &Auth,
        _: &Method,
        token: Option<&Token<Access>>,
    ) -> Result<bool, HookError> {
        let scope = token.and_then(|token| token.claims().str("scope"));
        Ok(scope.is_some_and(|scope| scope.split(' ').any(|word| word == self.0)))
    }
}

/// Allows users with this Django permission, their own or their groups', from the database. Django:
/// `User.has_perm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HasPermission(String);

impl HasPermission {
    /// Creates a permission from Django's name for it: `polls.add_choice`.
    ///
    /// ```
    /// use simplejwt::web::permission::HasPermission;
    ///
    /// let may_add = HasPermission::new("polls.add_choice");
    /// ```
    pub fn new(permission: impl Into<String>) -> Self {
        Self(permission.into())
    }
}

#[async_trait]
impl Permission for HasPermission {
    async fn has_permission(
        &self,
        auth: &Auth,
        _: &Method,
        token: Option<&Token<Access>>,
    ) -> Result<bool, HookError> {
        let Some(token) = token else { return Ok(false) };
        Ok(auth.has_permission(&auth.user_of(token).await?, &self.0).await?)
    }
}

fn claim(claims: &Claims, name: &str) -> Option<serde_json::Value> {
    serde_json::from_str(claims.raw(name)?).ok()
}
