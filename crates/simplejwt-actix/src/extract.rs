//! Extractors: a handler's arguments state the requirements on its requests.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use simplejwt::web::request::{self, unless_anonymous};
use simplejwt::{Access, Auth, Error, Token, User};

use crate::convert;
use crate::rejection::Rejection;

/// The verified access token of the request. Without a valid one the handler isn't called.
///
/// Only the token is checked, as in upstream's `JWTStatelessUserAuthentication`. An `Option` of it
/// treats an invalid token as none, as actix-web's `Option` does with every error; use
/// [`OptionalToken`] to refuse invalid ones.
#[derive(Clone, Debug)]
pub struct AccessToken(pub Token<Access>);

/// The user of the request's token, loaded from the user store: upstream's `request.user`. Without
/// a valid token, or if the user is inactive or doesn't exist, the handler isn't called.
///
/// An `Option` of it treats all of that as no user, even an unreachable database; use
/// [`OptionalUser`] to refuse such requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentUser(pub User);

/// The access token of the request; `None` only if no credentials were sent, or a cookie with an
/// expired token. An invalid one is refused.
#[derive(Clone, Debug)]
pub struct OptionalToken(pub Option<Token<Access>>);

/// The user of the request's token; `None` only if no credentials were sent, or a cookie with an
/// expired token. An invalid token is refused, and so is one whose user is inactive or doesn't
/// exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionalUser(pub Option<User>);

impl Deref for AccessToken {
    type Target = Token<Access>;

    fn deref(&self) -> &Token<Access> {
        &self.0
    }
}

impl Deref for CurrentUser {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0
    }
}

/// The future of an extractor.
type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Rejection>>>>;

impl FromRequest for AccessToken {
    type Error = Rejection;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, async |request, auth| token_of(request, auth).await.map(Self))
    }
}

impl FromRequest for CurrentUser {
    type Error = Rejection;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, async |request, auth| user_of(request, auth).await.map(Self))
    }
}

impl FromRequest for OptionalToken {
    type Error = Rejection;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, async |request, auth| {
            unless_anonymous(token_of(request, auth).await).map(Self)
        })
    }
}

impl FromRequest for OptionalUser {
    type Error = Rejection;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, async |request, auth| {
            unless_anonymous(user_of(request, auth).await).map(Self)
        })
    }
}

fn extract<T: 'static>(
    request: &HttpRequest,
    ask: impl AsyncFnOnce(&HttpRequest, &Auth) -> Result<T, Error> + 'static,
) -> Extracting<T> {
    let request = request.clone();
    Box::pin(async move {
        let auth = auth_of(&request).ok_or_else(Rejection::not_configured)?;
        ask(&request, &auth).await.map_err(|error| Rejection::new(error, &auth))
    })
}

/// Returns the `Auth` set with `app_data(auth)` or `app_data(web::Data::new(auth))`, in the nearest
/// scope.
pub(crate) fn auth_of(request: &HttpRequest) -> Option<Auth> {
    let plain = || request.app_data::<Auth>();
    let shared = || request.app_data::<web::Data<Auth>>().map(|auth| auth.get_ref());
    plain().or_else(shared).cloned()
}

/// Returns the token that [`RequireAuth`](crate::RequireAuth) or another extractor has verified with
/// the same `Tokens`, or else verifies it now.
pub(crate) async fn token_of(request: &HttpRequest, auth: &Auth) -> Result<Token<Access>, Error> {
    let known = request.extensions().get::<Token<Access>>().cloned();
    if let Some(token) = known.filter(|token| auth.tokens().vouch_for(token)) {
        return Ok(token);
    }
    let parts = convert::parts(request);
    let token = request::authenticate(auth, &parts.method, &parts.uri, &parts.headers).await?;
    request.extensions_mut().insert(token.clone());
    Ok(token)
}

async fn user_of(request: &HttpRequest, auth: &Auth) -> Result<User, Error> {
    let token = token_of(request, auth).await?;
    auth.user_of(&token).await
}
