//! The endpoints, and answering requests to them.
//!
//! Each endpoint is a file with its [`Spec`] and its handler. Routes, the answer to `OPTIONS`,
//! `Allow`, the fields read from a body and the table in docs/http-api.md are derived from the
//! [`Spec`].

mod authenticate;
mod blacklist;
mod call;
mod cookies;
mod document;
mod gateway;
mod introspect;
mod issuer;
mod jwks;
mod logout;
mod metadata;
mod oauth;
mod obtain_pair;
mod obtain_sliding;
mod options;
mod protected;
mod protected_stateless;
mod refresh;
mod refresh_sliding;
mod rest;
mod revoke;
mod routes;
mod server_metadata;
mod session;
mod sessions;
mod spec;
mod verify;

use std::future::Future;
use std::sync::OnceLock;

use http::Response;
use http::header::HeaderValue;
use http::request::Parts;

use super::error_shape;
use crate::service::Auth;
use call::{Answer, Call};

pub use gateway::GatewayOptions;
pub use oauth::{OAuthClient, OAuthClients};
pub use options::{Authentication, RouterOptions};
pub use routes::{Route, Target};
pub use spec::{
    Base, Body, Cookies, Credentials, Field, Operation, Outcome, Place, Presence, Protocol, Spec,
    TokenCookie, Value, Verb,
};

/// Defines the endpoints by their names and files: one without `SPEC` or `answer` doesn't compile,
/// and one that isn't on the list is dead code.
macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident => $module:ident,)*) => {
        /// An endpoint, named after upstream's view.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Endpoint { $($(#[$doc])* $name,)* }

        impl Endpoint {
            /// All endpoints.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the endpoint's specification.
            pub const fn spec(self) -> &'static Spec {
                match self { $(Self::$name => &$module::SPEC,)* }
            }

            /// Returns the value of `Allow`, which is the same for every request.
            fn allow(self) -> Option<HeaderValue> {
                static VALUES: [OnceLock<Option<HeaderValue>>; Endpoint::ALL.len()] =
                    [const { OnceLock::new() }; Endpoint::ALL.len()];
                let value = || self.spec().allow().and_then(|allow| allow.try_into().ok());
                VALUES.get(self as usize)?.get_or_init(value).clone()
            }

            async fn answer(self, call: &Call<'_>) -> Answer {
                match self { $(Self::$name => $module::answer(call).await,)* }
            }
        }
    };
}

endpoints! {
    /// Logs in and returns a refresh and an access token.
    TokenObtainPair => obtain_pair,
    /// Returns a new access token for a refresh token.
    TokenRefresh => refresh,
    /// Verifies a token.
    TokenVerify => verify,
    /// Puts a refresh token on the blacklist.
    TokenBlacklist => blacklist,
    /// Logs in and returns a sliding token.
    TokenObtainSliding => obtain_sliding,
    /// Renews the lifetime of a sliding token.
    TokenRefreshSliding => refresh_sliding,
    /// Ends sessions: the current one, the user's others, or all.
    Logout => logout,
    /// Lists the user's sessions.
    Sessions => sessions,
    /// Ends one of the user's sessions.
    Session => session,
    /// The protected view of the guides: greets the user, from its row or as [`Authentication`]
    /// says.
    Protected => protected,
    /// The same, always by the token alone.
    ProtectedStateless => protected_stateless,
    /// Tells a gateway whether to let a request through: 204 with the user's identity, or 401.
    Authenticate => authenticate,
    /// Revokes a token, for OAuth's clients (RFC 7009).
    Revoke => revoke,
    /// Returns the state of a token, for OAuth's clients (RFC 7662).
    Introspect => introspect,
    /// Returns the public keys (RFC 7517), for whoever checks tokens.
    Jwks => jwks,
    /// Returns the metadata of the issuer (RFC 8414): where its keys are, and its endpoints for
    /// OAuth's clients.
    ServerMetadata => server_metadata,
}

/// The reason a body couldn't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Longer than the limit.
    TooLarge,
    /// The connection broke or was too slow.
    Incomplete,
}

/// Answers a request to an endpoint. The body is read only when it is needed; an adapter reads no
/// more of it than [`RouterOptions::body_limit`].
pub async fn respond<F>(
    auth: &Auth,
    endpoint: Endpoint,
    options: &RouterOptions,
    parts: &Parts,
    read_body: impl FnOnce() -> F,
) -> Response<Vec<u8>>
where
    F: Future<Output = Result<Vec<u8>, ReadError>>,
{
    let response = match endpoint.spec().protocol {
        Protocol::Rest => rest::respond(auth, endpoint, options, parts, read_body).await,
        Protocol::Gateway => gateway::respond(auth, endpoint, options, parts).await,
        Protocol::Document => document::respond(auth, endpoint, options, parts).await,
        // Its errors have the shape that OAuth's clients expect.
        Protocol::OAuth => {
            return oauth::respond(auth, endpoint, options, parts, read_body).await;
        }
    };
    match &options.error {
        Some(shape) => error_shape::reshaped(shape, response),
        None => error_shape::apply(auth, response),
    }
}
