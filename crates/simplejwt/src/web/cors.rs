//! Single-page applications that are served from another origin (the Fetch standard's CORS).

use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Request, Response};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, Cors, CorsLayer};
use tower_layer::Layer;
use tower_service::Service;

use crate::settings::Settings;

/// Lets pages of [`allowed_origins`](Settings::allowed_origins) read answers and send
/// credentials. The router of the token endpoints has it already; for an application's own routes
/// it is added with `Router::layer`.
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
    /// For the origins that these settings allow.
    pub fn new(settings: &Settings) -> Self {
        let origins = settings.allowed_origins.iter().filter(|origin| *origin != "*");
        let origins = origins.filter_map(|origin| HeaderValue::from_str(origin).ok());
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_credentials(true)
            .allow_methods(AllowMethods::mirror_request())
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER])
            .max_age(Duration::from_secs(600));
        Self(cors)
    }
}

impl<S: Clone> Layer<S> for AllowedOriginsLayer {
    type Service = AllowedOrigins<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AllowedOrigins { cors: self.0.layer(inner.clone()), inner }
    }
}

/// The service that [`AllowedOriginsLayer`] makes.
#[derive(Clone, Debug)]
pub struct AllowedOrigins<S> {
    cors: Cors<S>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for AllowedOrigins<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = futures_util::future::Either<<Cors<S> as Service<Request<B>>>::Future, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self.inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => self.cors.poll_ready(cx),
            other => other,
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        use futures_util::future::Either;

        // An OPTIONS request that asks for no method is no preflight: the endpoints answer it.
        let asks = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if request.method() == Method::OPTIONS && !asks {
            Either::Right(self.inner.call(request))
        } else {
            Either::Left(self.cors.call(request))
        }
    }
}
