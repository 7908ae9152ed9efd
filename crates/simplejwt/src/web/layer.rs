//! A tower layer that lets only requests with a valid token through. It needs only `http` and
//! tower's traits, so it works with axum, hyper and anything else that uses tower with bodies that
//! can be made of bytes; with tonic through its axum router.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::permission::{self, Permission};
use super::refuse;
use super::request;
use super::transport::{AccessTokens, access_tokens};
use crate::error::Error;
use crate::service::Auth;
use crate::token::{Access, Token};

/// Refuses requests without a valid token, with upstream's answer, and puts the [`Token<Access>`]
/// of the others into their extensions.
///
/// Only the token is checked: no user's row is loaded.
///
/// ```
/// use simplejwt::{Auth, Settings, Tokens};
/// use simplejwt::web::layer::RequireAuthLayer;
///
/// # let settings = Settings {
/// #     signing_key: Some("a secret of at least thirty-two bytes".into()),
/// #     ..Settings::default()
/// # };
/// let auth = Auth::new(Tokens::new(settings)?);
/// let layer = RequireAuthLayer::new(auth);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequireAuthLayer {
    auth: Auth,
    optional: bool,
    permissions: Vec<Arc<dyn Permission>>,
}

impl RequireAuthLayer {
    /// Creates a layer that requires a token.
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
    ///
    /// ```
    /// use simplejwt::web::layer::RequireAuthLayer;
    /// use simplejwt::web::permission::HasClaim;
    /// # use simplejwt::{Auth, Settings, Tokens};
    /// # let settings = Settings {
    /// #     signing_key: Some("a secret of at least thirty-two bytes".into()),
    /// #     ..Settings::default()
    /// # };
    /// # let auth = Auth::new(Tokens::new(settings)?);
    ///
    /// let editors = RequireAuthLayer::new(auth).permission(HasClaim::new("role", "editor"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn permission(mut self, permission: impl Permission) -> Self {
        self.permissions.push(Arc::new(permission));
        self
    }
}

impl<S> Layer<S> for RequireAuthLayer {
    type Service = RequireAuth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireAuth { inner, layer: self.clone() }
    }
}

/// The service that [`RequireAuthLayer`] creates.
#[derive(Clone, Debug)]
pub struct RequireAuth<S> {
    inner: S,
    layer: RequireAuthLayer,
}

impl<S, B, R> Service<Request<B>> for RequireAuth<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<Vec<u8>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The service that was polled ready is the one to call; its clone waits for the next
        // request.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        let layer = self.layer.clone();
        let settings = layer.auth.settings();
        let sent = access_tokens(request.method(), request.uri(), request.headers(), settings);
        let method = request.method().clone();
        Box::pin(async move {
            match layer.authenticate(sent, &method).await {
                Ok(Some(token)) => {
                    request.extensions_mut().insert(token);
                }
                Ok(None) => {
                    // One that a layer with other `Tokens` has verified isn't for what is behind
                    // this one.
                    let extensions = request.extensions_mut();
                    let found = extensions.get::<Token<Access>>();
                    if found.is_some_and(|token| !layer.auth.tokens().vouch_for(token)) {
                        extensions.remove::<Token<Access>>();
                    }
                }
                Err(error) => {
                    return Ok(refuse(&error, &layer.auth).map(R::from));
                }
            }
            ready.call(request).await
        })
    }
}

impl RequireAuthLayer {
    /// Returns the token of a request that may continue; `None` if it may do so without.
    async fn authenticate(
        &self,
        sent: Result<AccessTokens, Error>,
        method: &Method,
    ) -> Result<Option<Token<Access>>, Error> {
        let auth = &self.auth;
        let found = match sent {
            Ok(sent) => request::verify(auth, &sent).await,
            Err(error) => Err(error),
        };
        let found = found.and_then(|token| auth.stateless_user_of(&token).map(|_| token));
        if self.permissions.is_empty() && !self.optional {
            return found.map(Some);
        }
        permission::check_all(&self.permissions, auth, method, found).await
    }
}
