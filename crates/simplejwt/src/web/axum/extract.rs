//! Extractors for authentication and permissions.

use std::marker::PhantomData;
use std::sync::Arc;

use ::axum::body::Body;
use ::axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use ::axum::response::IntoResponse;
use http::request::Parts;
use http::{Response, StatusCode};

use crate::error::Error;
use crate::service::Auth;
use crate::token::{Access, Token};
use crate::users::User;
use crate::web::permission::{self, Permission};
use crate::web::request::{self, unless_anonymous};
use crate::web::{refuse, status};

/// An application's state that contains an [`Auth`]: the `Auth` itself, or a type that implements
/// axum's `FromRef` for it. Required by the extractors; never implemented by hand.
///
/// ```
/// use axum::Router;
/// use axum::extract::FromRef;
/// use axum::routing::get;
/// use simplejwt::Auth;
/// use simplejwt::web::axum::{CurrentUser, router};
///
/// #[derive(Clone)]
/// struct App {
///     auth: Auth,
///     greeting: String,
/// }
///
/// /// Or by `#[derive(FromRef)]`, with axum's feature `macros`.
/// impl FromRef<App> for Auth {
///     fn from_ref(app: &App) -> Self {
///         app.auth.clone()
///     }
/// }
///
/// async fn me(CurrentUser(user): CurrentUser) -> String {
///     user.username
/// }
///
/// fn app(app: App) -> Router {
///     Router::new().merge(router(app.auth.clone())).route("/me", get(me)).with_state(app)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the state `{Self}` has no `simplejwt::Auth`, which this extractor needs",
    label = "no `Auth` in this state",
    note = "make the `Auth` the state (`.with_state(auth)`), or give `{Self}` a field of that type and `#[derive(FromRef)]` (axum's feature `macros`)",
    note = "a handler's state is that of its router: without `.with_state(…)` it is `()`"
)]
pub trait HasAuth: Send + Sync {
    /// Returns the flows that requests are checked with.
    fn auth(&self) -> Auth;
}

#[diagnostic::do_not_recommend]
impl<S: Send + Sync> HasAuth for S
where
    Auth: FromRef<S>,
{
    fn auth(&self) -> Auth {
        Auth::from_ref(self)
    }
}

/// A permission that its type fully describes, through `Default`. Required by [`Permitted`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be used in `Permitted<…>`: it isn't a `Permission` with a `Default`",
    label = "not a permission that its type fully describes",
    note = "use permissions with values, such as `HasClaim`, `HasScope` and `HasPermission`, in `RequireAuthLayer::permission`, or wrap them in a type of your own that implements `Permission` and `Default`"
)]
pub trait NamedPermission: Permission + Default {}

#[diagnostic::do_not_recommend]
impl<P: Permission + Default> NamedPermission for P {}

/// The user of the request's token, loaded from the user store: upstream's `request.user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentUser(pub User);

/// The answer to a request that an extractor refuses: upstream's status, body and
/// `WWW-Authenticate`.
#[derive(Debug)]
pub struct Rejection {
    /// The reason.
    pub error: Error,
    response: Box<Response<Vec<u8>>>,
}

impl Rejection {
    fn new(error: Error, auth: &Auth) -> Self {
        Self { response: Box::new(refuse(&error, auth)), error }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> ::axum::response::Response {
        self.response.map(Body::from)
    }
}

/// Returns the verified token of the request: the one that
/// [`RequireAuthLayer`](crate::web::layer::RequireAuthLayer) has verified with the same `Tokens`, or
/// else verifies it now.
async fn token_of(parts: &mut Parts, auth: &Auth) -> Result<Token<Access>, Error> {
    if let Some(token) = parts.extensions.get::<Token<Access>>()
        && auth.tokens().vouch_for(token)
    {
        return Ok(token.clone());
    }
    let token = request::authenticate(auth, &parts.method, &parts.uri, &parts.headers).await?;
    parts.extensions.insert(token.clone());
    Ok(token)
}

/// Refuses requests without a valid access token. Only the token is checked, as in upstream's
/// `JWTStatelessUserAuthentication`.
impl<S> FromRequestParts<S> for Token<Access>
where
    S: HasAuth,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let auth = state.auth();
        token_of(parts, &auth).await.map_err(|error| Rejection::new(error, &auth))
    }
}

/// `None` only if no credentials were sent, or a cookie with an expired token; an invalid token is
/// refused.
impl<S> OptionalFromRequestParts<S> for Token<Access>
where
    S: HasAuth,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Rejection> {
        let auth = state.auth();
        let found = unless_anonymous(token_of(parts, &auth).await);
        found.map_err(|error| Rejection::new(error, &auth))
    }
}

async fn user_of(parts: &mut Parts, auth: &Auth) -> Result<CurrentUser, Error> {
    let token = token_of(parts, auth).await?;
    auth.user_of(&token).await.map(CurrentUser)
}

/// Refuses requests without a valid access token, and those whose user is inactive or doesn't
/// exist, as upstream's `JWTAuthentication` does.
impl<S> FromRequestParts<S> for CurrentUser
where
    S: HasAuth,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let auth = state.auth();
        user_of(parts, &auth).await.map_err(|error| Rejection::new(error, &auth))
    }
}

/// `None` only if no credentials were sent, or a cookie with an expired token; an invalid token is
/// refused.
impl<S> OptionalFromRequestParts<S> for CurrentUser
where
    S: HasAuth,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Rejection> {
        let auth = state.auth();
        let found = unless_anonymous(user_of(parts, &auth).await);
        found.map_err(|error| Rejection::new(error, &auth))
    }
}

/// The same, but an invalid token counts as none: for pages that greet known users and serve
/// everyone. Faults on the server's side still refuse the request (503).
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use simplejwt::Auth;
/// use simplejwt::web::axum::{CurrentUser, Lenient};
///
/// async fn front_page(Lenient(user): Lenient<CurrentUser>) -> String {
///     match user {
///         Some(CurrentUser(user)) => format!("Hello, {}!", user.username),
///         None => "Hello!".into(),
///     }
/// }
///
/// fn app(auth: Auth) -> Router {
///     Router::new().route("/", get(front_page)).with_state(auth)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lenient<T>(pub Option<T>);

impl<S, T> FromRequestParts<S> for Lenient<T>
where
    S: Send + Sync,
    T: FromRequestParts<S, Rejection = Rejection>,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        match T::from_request_parts(parts, state).await {
            Ok(found) => Ok(Self(Some(found))),
            Err(rejection) if status(&rejection.error) == StatusCode::UNAUTHORIZED => {
                Ok(Self(None))
            }
            Err(rejection) => Err(rejection),
        }
    }
}

/// Refuses requests that a permission doesn't allow: 401 without credentials, 403 with them.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use simplejwt::Auth;
/// use simplejwt::web::axum::{CurrentUser, Permitted};
/// use simplejwt::web::permission::IsAdminUser;
///
/// async fn figures(_: Permitted<IsAdminUser>, CurrentUser(user): CurrentUser) -> String {
///     format!("For {}'s eyes only", user.username)
/// }
///
/// fn app(auth: Auth) -> Router {
///     Router::new().route("/figures", get(figures)).with_state(auth)
/// }
/// ```
///
/// For permissions with values, such as [`HasClaim`](crate::web::permission::HasClaim), use
/// [`RequireAuthLayer::permission`](crate::web::layer::RequireAuthLayer::permission), or wrap them
/// in a type:
///
/// ```
/// use http::Method;
/// use simplejwt::web::axum::Permitted;
/// use simplejwt::web::permission::{HasClaim, Permission};
/// use simplejwt::{Access, Auth, HookError, Token};
///
/// #[derive(Default)]
/// struct IsEditor;
///
/// #[simplejwt::async_trait]
/// impl Permission for IsEditor {
///     async fn has_permission(
///         &self,
///         auth: &Auth,
///         method: &Method,
///         token: Option<&Token<Access>>,
///     ) -> Result<bool, HookError> {
///         HasClaim::new("role", "editor").has_permission(auth, method, token).await
///     }
/// }
///
/// async fn edit(_: Permitted<IsEditor>) {}
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permitted<P: NamedPermission>(PhantomData<fn() -> P>);

impl<S, P> FromRequestParts<S> for Permitted<P>
where
    S: HasAuth,
    P: NamedPermission,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let auth = state.auth();
        let found = token_of(parts, &auth).await;
        let permissions: [Arc<dyn Permission>; 1] = [Arc::new(P::default())];
        match permission::check_all(&permissions, &auth, &parts.method, found).await {
            Ok(_) => Ok(Self(PhantomData)),
            Err(error) => Err(Rejection::new(error, &auth)),
        }
    }
}
