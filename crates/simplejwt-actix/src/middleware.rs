//! A middleware that lets only requests with a valid token through.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{HttpMessage as _, HttpRequest};
use simplejwt::web::permission::{self, Permission};
use simplejwt::web::refuse;
use simplejwt::web::request::unless_anonymous;
use simplejwt::{Access, Auth, Error, Token};

use crate::convert;
use crate::extract::token_of;

/// Refuses requests without a valid token, with upstream's answer. The handlers behind it get the
/// token with [`AccessToken`](crate::AccessToken), without verifying it again.
///
/// Only the token is checked: no user's row is loaded. A refusal is an answer rather than an error,
/// so outer middleware (CORS, logs) sees it like any other answer.
///
/// ```
/// use actix_web::{App, web};
/// use simplejwt::{Auth, Settings, Tokens};
/// use simplejwt_actix::{AccessToken, RequireAuth};
///
/// async fn claims(token: AccessToken) -> String {
///     token.claims().to_json()
/// }
///
/// # let settings = Settings {
/// #     signing_key: Some("a secret of at least thirty-two bytes".into()),
/// #     ..Settings::default()
/// # };
/// let auth = Auth::new(Tokens::new(settings)?);
/// let private = web::scope("/private")
///     .wrap(RequireAuth::new(auth.clone()))
///     .route("/claims", web::get().to(claims));
/// let app = App::new().app_data(auth).service(private);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequireAuth {
    auth: Auth,
    optional: bool,
    permissions: Vec<Arc<dyn Permission>>,
}

impl RequireAuth {
    /// Creates a middleware that requires a token.
    pub fn new(auth: Auth) -> Self {
        Self { auth, optional: false, permissions: Vec::new() }
    }

    /// Lets requests without credentials through. An invalid token is still refused.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Requires a permission, in addition to those set before: a refusal is 401 without
    /// credentials, 403 with them. The permissions also decide whether credentials are needed.
    #[must_use]
    pub fn permission(mut self, permission: impl Permission) -> Self {
        self.permissions.push(Arc::new(permission));
        self
    }

    async fn check(&self, request: &HttpRequest) -> Result<(), Error> {
        let found = token_of(request, &self.auth).await;
        if found.is_err() {
            // One that a middleware with other `Tokens` has verified isn't for what is behind this
            // one.
            request.extensions_mut().remove::<Token<Access>>();
        }
        if self.permissions.is_empty() {
            return if self.optional { unless_anonymous(found).map(drop) } else { found.map(drop) };
        }
        let method = convert::method(request.method());
        permission::check_all(&self.permissions, &self.auth, &method, found).await.map(drop)
    }
}

impl<S, B> Transform<S, ServiceRequest> for RequireAuth
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type InitError = ();
    type Transform = RequireAuthService<S>;
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RequireAuthService { inner: Rc::new(service), rule: self.clone() }))
    }
}

/// The service that [`RequireAuth`] creates.
#[derive(Debug)]
pub struct RequireAuthService<S> {
    inner: Rc<S>,
    rule: RequireAuth,
}

impl<S, B> Service<ServiceRequest> for RequireAuthService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let inner = Rc::clone(&self.inner);
        let rule = self.rule.clone();
        Box::pin(async move {
            if let Err(error) = rule.check(request.request()).await {
                let refusal = convert::response(refuse(&error, &rule.auth));
                return Ok(request.into_response(refusal).map_into_right_body());
            }
            inner.call(request).await.map(ServiceResponse::map_into_left_body)
        })
    }
}
