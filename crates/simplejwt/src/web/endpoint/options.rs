//! Where the endpoints stand and how they behave, in every framework.

use super::{GatewayOptions, OAuthClients};
use crate::web::ErrorShape;

/// Where the endpoints stand and how they behave.
///
/// ```
/// use simplejwt::web::endpoint::RouterOptions;
///
/// let options = RouterOptions { prefix: "/auth/jwt/".into(), ..RouterOptions::default() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterOptions {
    /// What the token endpoints' paths begin with, and where the refresh token's cookie is sent;
    /// begins and ends with a slash. Default: `/api/token/`.
    pub prefix: String,
    /// Whether a path without its trailing slash is redirected (301), as Django's `APPEND_SLASH`
    /// does. Default: on.
    pub append_slash: bool,
    /// Whether `/api/protected/` and `/api/protected-stateless/` are there. Default: off.
    pub demo: bool,
    /// How `/api/protected/` authenticates. Default: by the user's row.
    pub authentication: Authentication,
    /// The name of the login field: the user model's `USERNAME_FIELD`. Default: `username`.
    pub username_field: String,
    /// The longest body that is read, in bytes; a longer one is a 413. It is the adapter that
    /// reads. Default: 64 KiB.
    pub body_limit: usize,
    /// What `authenticate/` looks at, and tells a gateway. Default: by the user's row, and
    /// nothing but who it is.
    pub gateway: GatewayOptions,
    /// Who may use `revoke/` and `introspect/`. Default: nobody, so that they aren't there.
    pub clients: OAuthClients,
    /// The shape of these endpoints' errors. Default: that of the `Auth`
    /// ([`Auth::with_errors`](crate::Auth::with_errors)), which is also the extractors', the
    /// layers' and `not_found_with`'s; set it there, and all of an application's errors look
    /// alike.
    pub error: Option<ErrorShape>,
}

impl Default for RouterOptions {
    fn default() -> Self {
        Self {
            prefix: "/api/token/".into(),
            append_slash: true,
            demo: false,
            authentication: Authentication::User,
            username_field: "username".into(),
            body_limit: 64 * 1024,
            gateway: GatewayOptions::default(),
            clients: OAuthClients::default(),
            error: None,
        }
    }
}

impl RouterOptions {
    /// The prefix, with a slash at either end.
    pub(super) fn normal_prefix(&self) -> String {
        match self.prefix.trim_matches('/') {
            "" => "/".to_owned(),
            prefix => format!("/{prefix}/"),
        }
    }
}

/// How [`Endpoint::Protected`](super::Endpoint::Protected) finds out who the user is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Loads the row: upstream's `JWTAuthentication`.
    #[default]
    User,
    /// Believes the token: upstream's `JWTStatelessUserAuthentication`.
    Stateless,
}
