//! The endpoints: which there are, and how a request to one is answered.
//!
//! Each is a file with its [`Spec`] and what it answers. Routes, the answer to `OPTIONS`, `Allow`,
//! what a body is looked through for and the table in docs/http-api.md come of the [`Spec`].

mod authenticate;
mod blacklist;
mod call;
mod cookies;
mod gateway;
mod introspect;
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
mod session;
mod sessions;
mod spec;
mod verify;

use std::future::Future;

use http::Response;
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

/// Makes the endpoints of their names and files: one that has no `SPEC` or no `answer` doesn't
/// compile, and one that isn't on the list is dead code.
macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident => $module:ident,)*) => {
        /// An endpoint, named after upstream's view.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Endpoint { $($(#[$doc])* $name,)* }

        impl Endpoint {
            /// Every endpoint.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What it is, as data.
            pub const fn spec(self) -> &'static Spec {
                match self { $(Self::$name => &$module::SPEC,)* }
            }

            async fn answer(self, call: &Call<'_>) -> Answer {
                match self { $(Self::$name => $module::answer(call).await,)* }
            }
        }
    };
}

endpoints! {
    /// Logs in: a refresh and an access token.
    TokenObtainPair => obtain_pair,
    /// A new access token for a refresh token.
    TokenRefresh => refresh,
    /// Whether a token is good.
    TokenVerify => verify,
    /// Puts a refresh token on the blacklist.
    TokenBlacklist => blacklist,
    /// Logs in: a sliding token.
    TokenObtainSliding => obtain_sliding,
    /// A sliding token with its lifetime renewed.
    TokenRefreshSliding => refresh_sliding,
    /// Ends sessions: the one that asks, the user's others, or all.
    Logout => logout,
    /// The user's sessions.
    Sessions => sessions,
    /// One of them, to be ended.
    Session => session,
    /// The guides' protected view: greets the user, as its row has it or as
    /// [`Authentication`] says.
    Protected => protected,
    /// The same, always by the token alone.
    ProtectedStateless => protected_stateless,
    /// Whether a gateway may let a request through: 204 and who it is, or 401.
    Authenticate => authenticate,
    /// Revokes a token, for OAuth's clients (RFC 7009).
    Revoke => revoke,
    /// What a token is worth, for OAuth's clients (RFC 7662).
    Introspect => introspect,
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Longer than the limit.
    TooLarge,
    /// The connection broke off or was too slow.
    Incomplete,
}

/// Answers a request to an endpoint. The body is read only once it is needed; an adapter reads no
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
