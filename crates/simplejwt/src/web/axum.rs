//! Support for axum: the router with the token endpoints, and extractors for an application's own
//! routes.

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
use super::endpoint::{self, Endpoint, ReadError, Target};
use super::request;
use crate::service::Auth;

#[doc(inline)]
pub use super::endpoint::RouterOptions;
pub use extract::{CurrentUser, HasAuth, Lenient, NamedPermission, Permitted, Rejection};
pub use paths::{PlainPaths, PlainPathsLayer};

/// Returns a router with the token endpoints under `/api/token/`, to be merged into or nested in
/// any other.
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

/// Returns a router with the token endpoints, configured by the options.
pub fn router_with<S>(auth: Auth, options: &RouterOptions) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let mut router = Router::new();
    for at in options.routes(auth.settings()) {
        let answers = match at.target {
            Target::Endpoint(endpoint) => route(auth.clone(), endpoint, options),
            Target::RedirectToSlash => any(redirect_to_slash),
        };
        if at.with_subpaths {
            router = router.route(&format!("{}{{*rest}}", at.path), answers.clone());
        }
        router = router.route(&at.path, answers);
    }
    if auth.settings().allowed_origins.is_empty() {
        return router;
    }
    router.layer(AllowedOriginsLayer::new(auth.settings()))
}

/// Returns the route of a single endpoint, to be mounted anywhere.
pub fn route<S>(
    auth: Auth,
    endpoint: Endpoint,
    options: &RouterOptions,
) -> MethodRouter<S, Infallible>
where
    S: Clone + Send + Sync + 'static,
{
    let options = Arc::new(options.clone());
    any(move |request: Request| {
        let (auth, options) = (auth.clone(), Arc::clone(&options));
        async move {
            let (mut parts, body) = request.into_parts();
            // The path as the client sees it, even if the router is nested.
            if let Some(OriginalUri(uri)) = parts.extensions.get() {
                parts.uri = uri.clone();
            }
            let read = || read(body, options.body_limit);
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

/// Handles requests that match no route: 404 in JSON, as Django REST framework.
pub async fn not_found() -> impl IntoResponse {
    request::not_found().map(Body::from)
}

/// Handles requests that match no route: 404 in JSON, in the shape of these flows' errors.
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
