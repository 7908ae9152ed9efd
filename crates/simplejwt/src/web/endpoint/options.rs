//! The paths and behaviour of the endpoints, for every framework.

use std::time::Duration;

use super::{GatewayOptions, OAuthClients};
use crate::web::ErrorShape;

/// The paths and behaviour of the endpoints.
///
/// ```
/// use simplejwt::web::endpoint::RouterOptions;
///
/// let options = RouterOptions { prefix: "/auth/jwt/".into(), ..RouterOptions::default() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterOptions {
    /// The path before all paths of the router, for several issuers on one host: with `/acme`, the
    /// token endpoints are below `/acme/api/token/` and the public keys at
    /// `/acme/.well-known/jwks.json`. Only the issuer's metadata are at the host's root, with the
    /// issuer's path behind them (RFC 8414 section 3.1), and below this path besides. Default: none.
    pub root_path: String,
    /// The common prefix of the token endpoints' paths, which is also the path of the refresh
    /// token's cookie. Begins and ends with a slash. Default: `/api/token/`.
    pub prefix: String,
    /// Redirects a path without its trailing slash (301), as Django's `APPEND_SLASH` does. Default:
    /// on.
    pub append_slash: bool,
    /// Adds `/api/protected/` and `/api/protected-stateless/`, behind `root_path`. Default: off.
    pub demo: bool,
    /// The way `/api/protected/` authenticates. Default: by the user's row.
    pub authentication: Authentication,
    /// The name of the login field: the user model's `USERNAME_FIELD`. Default: `username`.
    pub username_field: String,
    /// The maximum length of a body, in bytes; a longer one is answered with 413. Enforced by the
    /// adapter, which does the reading. Default: 64 KiB.
    pub body_limit: usize,
    /// The options of `authenticate/`, for gateways. Default: it authenticates by the user's row,
    /// and returns only the user's identity.
    pub gateway: GatewayOptions,
    /// The clients that may use `revoke/` and `introspect/`. Default: none, so these endpoints
    /// don't exist.
    pub clients: OAuthClients,
    /// Adds `/.well-known/jwks.json` and, if the setting [`issuer`](crate::Settings::issuer) is a
    /// URL, `/.well-known/oauth-authorization-server` with the issuer's path behind it. They are
    /// those of the whole host, so the router has to be at its root: one that is nested has them
    /// below its own path, where only programs that are told so find them. Default: on.
    pub well_known: bool,
    /// The time for which clients and caches may keep the public keys and the server's metadata, in
    /// whole seconds: `max-age` of `Cache-Control`. A key has to be published for that long before
    /// it signs. Default: 5 minutes.
    pub jwks_max_age: Duration,
    /// The shape of these endpoints' errors. Default: that of the `Auth`
    /// ([`Auth::with_errors`](crate::Auth::with_errors)), which also applies to the extractors, the
    /// layers and `not_found_with`; if it is set there, all of an application's errors look alike.
    pub error: Option<ErrorShape>,
}

impl Default for RouterOptions {
    fn default() -> Self {
        Self {
            root_path: String::new(),
            prefix: "/api/token/".into(),
            append_slash: true,
            demo: false,
            authentication: Authentication::User,
            username_field: "username".into(),
            body_limit: 64 * 1024,
            gateway: GatewayOptions::default(),
            clients: OAuthClients::default(),
            well_known: true,
            jwks_max_age: Duration::from_secs(300),
            error: None,
        }
    }
}

impl RouterOptions {
    /// Returns the path before the token endpoints, with a slash at either end.
    pub(super) fn normal_prefix(&self) -> String {
        let root = self.normal_root();
        match self.prefix.trim_matches('/') {
            "" => root,
            prefix => format!("{root}{prefix}/"),
        }
    }

    /// Returns the path before everything, with a slash at either end.
    pub(super) fn normal_root(&self) -> String {
        match self.root_path.trim_matches('/') {
            "" => "/".to_owned(),
            root => format!("/{root}/"),
        }
    }
}

/// The way [`Endpoint::Protected`](super::Endpoint::Protected) identifies the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// By the user's row: upstream's `JWTAuthentication`.
    #[default]
    User,
    /// By the token alone: upstream's `JWTStatelessUserAuthentication`.
    Stateless,
}
