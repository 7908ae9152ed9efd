//! CORS (the Fetch standard), for single-page applications that are served from another origin.

use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::TryFutureExt as _;
use futures_util::future::{Either, MapOk, Ready, ready};
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, DATE, HeaderValue, ORIGIN,
    RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Method, Request, Response};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use tower_layer::Layer;
use tower_service::Service;

use super::at_once::at_once;
use super::request_id::RequestId;
use super::singleton::is_repeated;
use crate::settings::{Settings, is_allowed};

/// Lets pages of [`allowed_origins`](Settings::allowed_origins) read answers, refusals included,
/// and send credentials. The router of the token endpoints already has this layer; for an
/// application's own routes, and for requests that match no route, add it with `Router::layer` at
/// the end. Adding it twice has no further effect.
///
/// ```
/// use axum::Router;
/// use simplejwt::Settings;
/// use simplejwt::web::cors::AllowedOriginsLayer;
///
/// let settings = Settings {
///     allowed_origins: vec!["https://app.example.com".into()],
///     ..Settings::default()
/// };
/// let app: Router = Router::new().layer(AllowedOriginsLayer::new(&settings));
/// ```
#[derive(Clone, Debug)]
pub struct AllowedOriginsLayer(CorsLayer);

impl AllowedOriginsLayer {
    /// Creates a layer for the origins that these settings allow.
    pub fn new(settings: &Settings) -> Self {
        let allowed = settings.allowed_origins.clone();
        let is_allowed = move |origin: &HeaderValue, _: &_| {
            origin.to_str().is_ok_and(|origin| is_allowed(&allowed, origin))
        };
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(is_allowed))
            .allow_credentials(true)
            .allow_methods(AllowMethods::mirror_request())
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER, DATE, ALLOW, RequestId::HEADER])
            .max_age(Duration::from_secs(600));
        Self(cors)
    }

    /// Returns the answer to a CORS preflight, which asks whether another request may be sent;
    /// `None` for any other request. For adapters to frameworks without tower.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response<Vec<u8>>> {
        if !is_preflight(method, headers) {
            return None;
        }
        Some(self.said(method, headers)?.map(|()| Vec::new()))
    }

    /// Adds the headers that let a page of an allowed origin read an answer, depending on the
    /// headers of its request. An answer that already has them is left as it is.
    ///
    /// ```
    /// use http::HeaderMap;
    /// use simplejwt::Settings;
    /// use simplejwt::web::cors::AllowedOriginsLayer;
    ///
    /// let settings = Settings {
    ///     allowed_origins: vec!["https://app.example.com".into()],
    ///     ..Settings::default()
    /// };
    /// let (mut request, mut answer) = (HeaderMap::new(), HeaderMap::new());
    /// request.insert("origin", "https://app.example.com".parse()?);
    /// AllowedOriginsLayer::new(&settings).permit(&request, &mut answer);
    /// assert_eq!(answer["access-control-allow-origin"], "https://app.example.com");
    /// # Ok::<_, http::header::InvalidHeaderValue>(())
    /// ```
    pub fn permit(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        if answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        // For a request that isn't a preflight, the method doesn't matter.
        let Some(mut said) = self.said(&Method::GET, request) else { return };
        if let Some(vary) = said.headers_mut().remove(VARY) {
            answer.append(VARY, vary);
        }
        answer.extend(std::mem::take(said.headers_mut()));
    }

    fn said(&self, method: &Method, headers: &HeaderMap) -> Option<Response<()>> {
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        *request.headers_mut() = headers.clone();
        // If there are two origins, neither is trusted.
        if is_repeated(headers, &ORIGIN) {
            request.headers_mut().remove(ORIGIN);
        }
        let mut said = at_once(&self.0, request)?;
        if !said.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            // Nothing is allowed; the only thing left to say is that the answer depends on the
            // origin.
            let vary = said.headers_mut().remove(VARY);
            said.headers_mut().clear();
            said.headers_mut().extend(vary.map(|vary| (VARY, vary)));
        }
        Some(said)
    }
}

/// `true` for a preflight. An `OPTIONS` request without a requested method isn't one: the endpoints
/// answer it.
fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Marks an answer as handled by an outer layer.
#[derive(Clone, Copy, Debug)]
struct Handled;

impl<S> Layer<S> for AllowedOriginsLayer {
    type Service = AllowedOrigins<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AllowedOrigins { cors: self.clone(), inner }
    }
}

/// The service that [`AllowedOriginsLayer`] creates.
#[derive(Clone, Debug)]
pub struct AllowedOrigins<S> {
    cors: AllowedOriginsLayer,
    inner: S,
}

type Permitting<R> = Box<dyn FnOnce(Response<R>) -> Response<R> + Send>;

impl<S, B, R> Service<Request<B>> for AllowedOrigins<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<R>, S::Error>>, MapOk<S::Future, Permitting<R>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(answer) = self.cors.preflight(request.method(), request.headers()) {
            return Either::Left(ready(Ok(answer.map(|_| R::default()))));
        }
        let is_seen_to = request.extensions_mut().insert(Handled).is_some();
        let (cors, headers) = (self.cors.clone(), request.headers().clone());
        Either::Right(self.inner.call(request).map_ok(Box::new(move |mut answer| {
            if !is_seen_to {
                cors.permit(&headers, answer.headers_mut());
            }
            answer
        })))
    }
}
