//! axum: the router with the token endpoints, and extractors for routes of one's own.

mod extract;
mod paths;

use std::convert::Infallible;
use std::sync::Arc;

use ::axum::Router;
use ::axum::body::Body;
use ::axum::extract::{OriginalUri, Request};
use ::axum::response::IntoResponse;
use ::axum::routing::{MethodRouter, any};

use super::cors::AllowedOriginsLayer;
use super::endpoint::{
    self, Authentication, Endpoint, EndpointOptions, GatewayOptions, OAuthClients, ReadError,
};
use super::{ErrorShape, request};
use crate::service::Auth;

pub use extract::{CurrentUser, HasAuth, Lenient, NamedPermission, Permitted, Rejection};
pub use paths::{PlainPaths, PlainPathsLayer};

/// Where the endpoints stand and how they behave.
///
/// ```
/// use simplejwt::web::axum::RouterOptions;
///
/// let options = RouterOptions { prefix: "/auth/jwt/".into(), ..RouterOptions::default() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterOptions {
    /// What the token endpoints' paths begin with; begins and ends with a slash.
    /// Default: `/api/token/`.
    pub prefix: String,
    /// Whether a path without its trailing slash is redirected (301), as Django's `APPEND_SLASH`
    /// does. Default: on.
    pub append_slash: bool,
    /// Whether `/api/protected/` and `/api/protected-stateless/` are there. Default: off.
    pub demo: bool,
    /// How `/api/protected/` authenticates. Default: by the user's row.
    pub authentication: Authentication,
    /// The name of the login field. Default: `username`.
    pub username_field: String,
    /// The longest body that is read, in bytes; a longer one is a 413. Default: 64 KiB.
    pub body_limit: usize,
    /// What `authenticate/` looks at, and tells a gateway. Default: by the user's row, and
    /// nothing but who it is.
    pub gateway: GatewayOptions,
    /// Who may use `revoke/` and `introspect/`. Default: nobody, so that they aren't there.
    pub clients: OAuthClients,
    /// The shape of these endpoints' errors. Default: that of the `Auth`
    /// ([`Auth::with_errors`]), which is also the extractors', the layers' and
    /// [`not_found_with`]'s; set it there, and all of an application's errors look alike.
    pub error: Option<ErrorShape>,
}

impl Default for RouterOptions {
    fn default() -> Self {
        let endpoint = EndpointOptions::default();
        Self {
            prefix: "/api/token/".into(),
            append_slash: true,
            demo: false,
            authentication: endpoint.authentication,
            username_field: endpoint.username_field,
            body_limit: 64 * 1024,
            gateway: endpoint.gateway,
            clients: endpoint.clients,
            error: None,
        }
    }
}

impl RouterOptions {
    /// The prefix, with a slash at either end.
    fn normal_prefix(&self) -> String {
        match self.prefix.trim_matches('/') {
            "" => "/".to_owned(),
            prefix => format!("/{prefix}/"),
        }
    }
}

/// The token endpoints under `/api/token/`, to be merged into or nested in any router.
///
/// ```
/// use axum::Router;
/// use simplejwt::{Auth, Settings, Tokens};
///
/// # let settings = Settings {
/// #     signing_key: Some("a secret of at least thirty-two bytes".into()),
/// #     ..Settings::default()
/// # };
/// let auth = Auth::new(Tokens::new(settings)?);
/// let app: Router = Router::new().merge(simplejwt::web::axum::router(auth));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn router<S>(auth: Auth) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router_with(auth, &RouterOptions::default())
}

/// The token endpoints, as the options have them.
pub fn router_with<S>(auth: Auth, options: &RouterOptions) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let prefix = options.normal_prefix();
    let mut paths: Vec<_> =
        Endpoint::TOKEN.iter().map(|&at| (at, format!("{prefix}{}", at.path()))).collect();
    if options.demo {
        let demo = [Endpoint::Protected, Endpoint::ProtectedStateless];
        paths.extend(demo.map(|at| (at, format!("/api/{}", at.path()))));
    }
    let mut router = Router::new();
    for (endpoint, path) in paths {
        let without_slash = path.trim_end_matches('/');
        if options.append_slash && !without_slash.is_empty() {
            router = router.route(without_slash, any(redirect_to_slash));
        }
        router = router.route(&path, route(auth.clone(), endpoint, options));
    }
    // A gateway takes a redirect for a failure, and OAuth's clients follow it with a GET.
    for &endpoint in Endpoint::without_redirect(!options.clients.is_empty()) {
        let path = format!("{prefix}{}", endpoint.path());
        let at = route(auth.clone(), endpoint, options);
        router = router.route(path.trim_end_matches('/'), at.clone()).route(&path, at.clone());
        if endpoint == Endpoint::Authenticate {
            // Envoy puts the path of the request that it asks about behind this one.
            router = router.route(&format!("{path}{{*rest}}"), at);
        }
    }
    if auth.settings().allowed_origins.is_empty() {
        return router;
    }
    router.layer(AllowedOriginsLayer::new(auth.settings()))
}

/// One endpoint, to be routed anywhere.
pub fn route<S>(
    auth: Auth,
    endpoint: Endpoint,
    options: &RouterOptions,
) -> MethodRouter<S, Infallible>
where
    S: Clone + Send + Sync + 'static,
{
    let auth = match &options.error {
        Some(shape) => auth.with_errors(shape.clone()),
        None => auth,
    };
    let limit = options.body_limit;
    let options = Arc::new(EndpointOptions {
        authentication: options.authentication,
        username_field: options.username_field.clone(),
        prefix: options.normal_prefix(),
        gateway: options.gateway.clone(),
        clients: options.clients.clone(),
    });
    any(move |request: Request| {
        let (auth, options) = (auth.clone(), Arc::clone(&options));
        async move {
            let (mut parts, body) = request.into_parts();
            // The path as the client sees it, wherever the router is nested.
            if let Some(OriginalUri(uri)) = parts.extensions.get() {
                parts.uri = uri.clone();
            }
            let read = || read(body, limit);
            endpoint::respond(&auth, endpoint, &options, &parts, read).await.map(Body::from)
        }
    })
}

async fn read(body: Body, limit: usize) -> Result<Vec<u8>, ReadError> {
    use http_body_util::{BodyExt as _, LengthLimitError, Limited};

    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(ReadError::TooLarge),
        Err(_) => Err(ReadError::Incomplete),
    }
}

/// Answers what no route takes: 404 in JSON, as Django REST framework has it.
pub async fn not_found() -> impl IntoResponse {
    request::not_found().map(Body::from)
}

/// Answers what no route takes: 404 in JSON, in the shape of these flows' errors.
///
/// ```
/// use axum::Router;
/// use simplejwt::Auth;
/// use simplejwt::web::axum::{not_found_with, router};
///
/// fn app(auth: Auth) -> Router {
///     Router::new().merge(router(auth.clone())).fallback(not_found_with(auth))
/// }
/// ```
pub fn not_found_with<S>(auth: Auth) -> MethodRouter<S, Infallible>
where
    S: Clone + Send + Sync + 'static,
{
    any(move || std::future::ready(request::not_found_with(&auth).map(Body::from)))
}

async fn redirect_to_slash(OriginalUri(uri): OriginalUri) -> impl IntoResponse {
    request::redirect_to_slash(&uri).map(Body::from)
}
