//! The endpoints as routes of actix-web.

use std::future::ready;

use actix_web::web::{Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route, web};
use simplejwt::Auth;
use simplejwt::web::endpoint::{self, Endpoint, EndpointOptions, ReadError};
use simplejwt::web::{ErrorShape, request};

use crate::convert;
use crate::cors::AllowedOrigins;
use crate::extract::auth_of;

/// Where the endpoints stand and how they behave.
///
/// ```
/// use simplejwt_actix::RouterOptions;
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
    /// The longest body that is read, in bytes; a longer one is a 413. Default: 64 KiB.
    pub body_limit: usize,
    /// What an endpoint has to know beside the flows: the login field's name and more. Its
    /// `prefix` is this one.
    pub endpoint: EndpointOptions,
    /// The shape of errors: with [`configure`] also the extractors' and [`not_found`]'s. Default:
    /// that of the `Auth` ([`Auth::with_errors`]).
    pub error: Option<ErrorShape>,
}

impl Default for RouterOptions {
    fn default() -> Self {
        Self {
            prefix: "/api/token/".into(),
            append_slash: true,
            demo: false,
            body_limit: 64 * 1024,
            endpoint: EndpointOptions::default(),
            error: None,
        }
    }
}

/// Puts the token endpoints into an `App` or a scope, and `auth` where the extractors find it.
///
/// ```
/// use actix_web::App;
/// use simplejwt::{Auth, Settings, Tokens};
/// use simplejwt_actix::{RouterOptions, configure};
///
/// # let settings = Settings {
/// #     signing_key: Some("a secret of at least thirty-two bytes".into()),
/// #     ..Settings::default()
/// # };
/// let auth = Auth::new(Tokens::new(settings)?);
/// // In a scope the prefix is that within it: here /v2/token/.
/// let options = RouterOptions { prefix: "/token/".into(), ..RouterOptions::default() };
/// let app = App::new()
///     .service(actix_web::web::scope("/v2").configure(configure(auth.clone(), &options)))
///     .app_data(auth);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn configure(auth: Auth, options: &RouterOptions) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let options = options.clone();
    let auth = shaped(auth, &options);
    move |config| {
        let cors = AllowedOrigins::of(auth.settings());
        for (endpoint, path) in paths(&options) {
            let without_slash = path.trim_end_matches('/');
            if options.append_slash && !without_slash.is_empty() {
                let cors = cors.clone();
                let redirect = move |request| ready(redirect_to_slash(request, cors.as_ref()));
                config.route(without_slash, web::to(redirect));
            }
            config.route(&path, route(auth.clone(), endpoint, &options));
        }
        for &endpoint in Endpoint::without_redirect(!options.endpoint.clients.is_empty()) {
            let path = format!("{}{}", prefix(&options), endpoint.path());
            let at = || route(auth.clone(), endpoint, &options);
            config.route(path.trim_end_matches('/'), at()).route(&path, at());
            if endpoint == Endpoint::Authenticate {
                // Envoy puts the path of the request that it asks about behind this one.
                config.route(&format!("{path}{{rest:.*}}"), at());
            }
        }
        config.app_data(auth);
    }
}

fn shaped(auth: Auth, options: &RouterOptions) -> Auth {
    match &options.error {
        Some(shape) => auth.with_errors(shape.clone()),
        None => auth,
    }
}

/// With a slash at either end.
fn prefix(options: &RouterOptions) -> String {
    match options.prefix.trim_matches('/') {
        "" => "/".to_owned(),
        prefix => format!("/{prefix}/"),
    }
}

fn paths(options: &RouterOptions) -> Vec<(Endpoint, String)> {
    let prefix = prefix(options);
    let mut paths: Vec<_> =
        Endpoint::TOKEN.iter().map(|&at| (at, format!("{prefix}{}", at.path()))).collect();
    if options.demo {
        let demo = [Endpoint::Protected, Endpoint::ProtectedStateless];
        paths.extend(demo.map(|at| (at, format!("/api/{}", at.path()))));
    }
    paths
}

/// One endpoint for every method, to be routed anywhere.
///
/// ```
/// use actix_web::App;
/// use simplejwt::web::endpoint::Endpoint;
/// use simplejwt::{Auth, Settings, Tokens};
/// use simplejwt_actix::{RouterOptions, route};
///
/// # let settings = Settings {
/// #     signing_key: Some("a secret of at least thirty-two bytes".into()),
/// #     ..Settings::default()
/// # };
/// let auth = Auth::new(Tokens::new(settings)?);
/// let options = RouterOptions::default();
/// let app = App::new().route("/login", route(auth, Endpoint::TokenObtainPair, &options));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn route(auth: Auth, endpoint: Endpoint, options: &RouterOptions) -> Route {
    let auth = shaped(auth, options);
    let limit = options.body_limit;
    let options = EndpointOptions { prefix: prefix(options), ..options.endpoint.clone() };
    let cors = AllowedOrigins::of(auth.settings());
    web::to(move |request: HttpRequest, body: Payload| {
        let (auth, options, cors) = (auth.clone(), options.clone(), cors.clone());
        async move {
            let parts = convert::parts(&request);
            let cors = AllowedOrigins::unless_seen_to(cors.as_ref(), &request);
            if let Some(cors) = &cors
                && let Some(answer) = cors.preflight(&parts)
            {
                return convert::response(answer);
            }
            let read = || read(body, limit);
            let mut answer = endpoint::respond(&auth, endpoint, &options, &parts, read).await;
            if let Some(cors) = &cors {
                cors.permit(&parts, &mut answer);
            }
            convert::response(answer)
        }
    })
}

async fn read(body: Payload, limit: usize) -> Result<Vec<u8>, ReadError> {
    match body.to_bytes_limited(limit).await {
        Ok(Ok(body)) => Ok(body.into()),
        Ok(Err(_)) => Err(ReadError::Incomplete),
        Err(_) => Err(ReadError::TooLarge),
    }
}

/// Answers what no route takes: 404 in JSON. For `App::default_service`. In the shape of the errors
/// of the application's `Auth`, where it has one in its data.
///
/// ```
/// use actix_web::{App, web};
///
/// let app = App::new().default_service(web::to(simplejwt_actix::not_found));
/// ```
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    convert::response(match auth_of(&request) {
        Some(auth) => request::not_found_with(&auth),
        None => request::not_found(),
    })
}

fn redirect_to_slash(request: HttpRequest, cors: Option<&AllowedOrigins>) -> HttpResponse {
    let parts = convert::parts(&request);
    let mut answer = request::redirect_to_slash(&parts.uri);
    if let Some(cors) = AllowedOrigins::unless_seen_to(cors, &request) {
        if let Some(answer) = cors.preflight(&parts) {
            return convert::response(answer);
        }
        cors.permit(&parts, &mut answer);
    }
    convert::response(answer)
}
