//! The endpoints as routes of actix-web.

use std::future::ready;
use std::sync::Arc;

use actix_web::web::{Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route, web};
use simplejwt::Auth;
use simplejwt::web::endpoint::{self, Endpoint, ReadError, RouterOptions, Target};
use simplejwt::web::request;

use crate::convert;
use crate::cors::AllowedOrigins;
use crate::extract::auth_of;

/// Adds the token endpoints to an `App` or a scope, and `auth` to its data for the extractors.
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
        for at in options.routes(auth.settings()) {
            let answers = || match at.target {
                Target::Endpoint(endpoint) => route(auth.clone(), endpoint, &options),
                Target::RedirectToSlash => {
                    let cors = cors.clone();
                    web::to(move |request| ready(redirect_to_slash(request, cors.as_ref())))
                }
            };
            config.route(&at.path, answers());
            if at.with_subpaths {
                config.route(&format!("{}{{rest:.*}}", at.path), answers());
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

/// Returns the route of a single endpoint for every method, to be mounted anywhere.
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
    let options = Arc::new(options.clone());
    let cors = AllowedOrigins::of(auth.settings());
    web::to(move |request: HttpRequest, body: Payload| {
        let (auth, options, cors) = (auth.clone(), Arc::clone(&options), cors.clone());
        async move {
            let parts = convert::parts(&request);
            let cors = AllowedOrigins::unless_handled(cors.as_ref(), &request);
            if let Some(cors) = &cors
                && let Some(answer) = cors.preflight(&parts)
            {
                return convert::response(answer);
            }
            let read = || read(body, options.body_limit);
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

/// Handles requests that match no route: 404 in JSON, in the error shape of the `Auth` in the
/// application's data, if there is one. For `App::default_service`.
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
    if let Some(cors) = AllowedOrigins::unless_handled(cors, &request) {
        if let Some(answer) = cors.preflight(&parts) {
            return convert::response(answer);
        }
        cors.permit(&parts, &mut answer);
    }
    convert::response(answer)
}
