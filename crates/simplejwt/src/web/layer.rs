//! A tower layer that lets requests through only with a good token. Needs nothing but `http` and
//! tower's traits, so it serves axum, tonic, hyper and whatever else speaks tower.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::authorization::raw_token;
use super::error_response;
use crate::error::Error;
use crate::service::Auth;
use crate::token::{Access, Token};

/// Refuses requests without a good token, with upstream's answer; puts the [`Token<Access>`] of
/// the others into their extensions.
///
/// The token alone decides: no user's row is loaded.
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
}

impl RequireAuthLayer {
    /// Demands a token.
    pub fn new(auth: Auth) -> Self {
        Self { auth, optional: false }
    }

    /// Lets requests through that send no credentials. A bad token is refused all the same.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

impl<S> Layer<S> for RequireAuthLayer {
    type Service = RequireAuth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireAuth { inner, layer: self.clone() }
    }
}

/// The service that [`RequireAuthLayer`] makes.
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
        // The service that was polled ready is the one to call; its clone waits for the next.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        let RequireAuthLayer { auth, optional } = self.layer.clone();
        let sent = raw_token(request.headers(), auth.settings());
        Box::pin(async move {
            match authenticate(&auth, sent).await {
                Ok(token) => {
                    request.extensions_mut().insert(token);
                }
                Err(Error::NotAuthenticated) if optional => {}
                Err(error) => {
                    return Ok(error_response(&error, auth.settings()).map(R::from));
                }
            }
            ready.call(request).await
        })
    }
}

async fn authenticate(
    auth: &Auth,
    sent: Result<Option<String>, Error>,
) -> Result<Token<Access>, Error> {
    let token = sent?.ok_or(Error::NotAuthenticated)?;
    let token = auth.authenticate(&token).await?;
    auth.stateless_user_of(&token)?;
    Ok(token)
}
