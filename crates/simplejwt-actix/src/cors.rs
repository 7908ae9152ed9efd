//! CORS (the Fetch standard), for single-page applications that are served from another origin.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use actix_web::{HttpMessage as _, HttpRequest};
use http::request::Parts;
use http::{HeaderMap, Response};
use simplejwt::Settings;
use simplejwt::web::cors::AllowedOriginsLayer;

use crate::convert;

/// Lets pages of [`allowed_origins`](Settings::allowed_origins) read answers, refusals included,
/// and send credentials. The token endpoints already have this middleware; add it for an
/// application's own routes, and for requests that match no route.
///
/// ```
/// use actix_web::{App, web};
/// use simplejwt::Settings;
/// use simplejwt_actix::{AllowedOrigins, not_found};
///
/// let settings = Settings {
///     allowed_origins: vec!["https://app.example.com".into()],
///     ..Settings::default()
/// };
/// let app = App::new().default_service(web::to(not_found)).wrap(AllowedOrigins::new(&settings));
/// ```
#[derive(Clone, Debug)]
pub struct AllowedOrigins(Arc<AllowedOriginsLayer>);

impl AllowedOrigins {
    /// Creates a middleware for the origins that these settings allow.
    pub fn new(settings: &Settings) -> Self {
        Self(Arc::new(AllowedOriginsLayer::new(settings)))
    }

    /// As [`new`](Self::new); `None` if no origins are allowed.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        (!settings.allowed_origins.is_empty()).then(|| Self::new(settings))
    }

    /// Returns the middleware, unless an outer one handles the answer to this request.
    pub(crate) fn unless_handled(cors: Option<&Self>, request: &HttpRequest) -> Option<Self> {
        cors.filter(|_| !request.extensions().contains::<Handled>()).cloned()
    }

    pub(crate) fn preflight(&self, request: &Parts) -> Option<Response<Vec<u8>>> {
        self.0.preflight(&request.method, &request.headers)
    }

    pub(crate) fn permit(&self, request: &Parts, answer: &mut Response<Vec<u8>>) {
        self.0.permit(&request.headers, answer.headers_mut());
    }
}

/// Marks an answer as handled by an outer middleware.
struct Handled;

impl<S, B> Transform<S, ServiceRequest> for AllowedOrigins
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type InitError = ();
    type Transform = AllowedOriginsService<S>;
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(AllowedOriginsService { inner: Rc::new(service), cors: self.clone() }))
    }
}

/// The service that [`AllowedOrigins`] creates.
#[derive(Debug)]
pub struct AllowedOriginsService<S> {
    inner: Rc<S>,
    cors: AllowedOrigins,
}

impl<S, B> Service<ServiceRequest> for AllowedOriginsService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (inner, cors) = (Rc::clone(&self.inner), self.cors.clone());
        Box::pin(async move {
            let parts = convert::parts(request.request());
            if let Some(answer) = cors.preflight(&parts) {
                let answer = convert::response(answer);
                return Ok(request.into_response(answer).map_into_right_body());
            }
            let is_seen_to = request.extensions_mut().insert(Handled).is_some();
            let mut answer = inner.call(request).await?;
            let has_own = answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN);
            if !is_seen_to && !has_own {
                let mut headers = HeaderMap::new();
                cors.0.permit(&parts.headers, &mut headers);
                convert::append(&headers, answer.headers_mut());
            }
            Ok(answer.map_into_left_body())
        })
    }
}
