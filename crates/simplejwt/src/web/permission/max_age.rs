//! The age of the login that a route allows.

use std::time::Duration;

use async_trait::async_trait;
use http::Method;

use super::Permission;
use crate::error::Error;
use crate::hooks::HookError;
use crate::service::Auth;
use crate::token::{Access, Token};

/// The claim with the time of the login, in seconds (OpenID Connect Core 1.0 section 2).
const AUTH_TIME: &str = "auth_time";

/// Allows tokens whose user has logged in within the last so many seconds, by the claim `auth_time`,
/// which a refresh carries over: for what an application wants the password for again. The server
/// writes the claim with `[claims] auth_time = { auth_time = true }`, an application in
/// [`extra_claims`](crate::Hooks::extra_claims).
///
/// Otherwise, and if the token has no `auth_time`, the answer is 401 with
/// `error="insufficient_user_authentication"` and `max_age` (RFC 9470 section 3).
///
/// ```
/// use std::time::Duration;
/// use simplejwt::web::permission::MaxAge;
///
/// let recently = MaxAge::new(Duration::from_secs(5 * 60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxAge(Duration);

impl MaxAge {
    /// Creates a permission from the allowed age, of which whole seconds count.
    pub fn new(max_age: Duration) -> Self {
        Self(max_age)
    }

    /// Checks a token.
    ///
    /// # Errors
    /// [`Error::InsufficientUserAuthentication`]
    pub fn check(self, auth: &Auth, token: &Token<Access>) -> Result<(), Error> {
        let max_age = self.0.as_secs();
        let auth_time = token.claims().get::<f64>(AUTH_TIME).ok().flatten();
        let is_recent = auth_time.is_some_and(|auth_time| {
            let age = auth.tokens().now().as_secs() as f64 - auth_time;
            let leeway = auth.settings().leeway.as_secs_f64();
            // A time to come is no proof of a login.
            age <= max_age as f64 + leeway && -age <= leeway.max(1.0)
        });
        if is_recent { Ok(()) } else { Err(Error::InsufficientUserAuthentication { max_age }) }
    }
}

#[async_trait]
impl Permission for MaxAge {
    async fn has_permission(
        &self,
        auth: &Auth,
        _: &Method,
        token: Option<&Token<Access>>,
    ) -> Result<bool, HookError> {
        let Some(token) = token else { return Ok(false) };
        self.check(auth, token)?;
        Ok(true)
    }
}
