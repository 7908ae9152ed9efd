//! Functions for framework adapters: authenticating a request, and redirecting it to the right
//! path.
//!
//! Together with [`endpoint`](super::endpoint) (feature `web`) and [`refuse`](super::refuse) this
//! is all that an adapter needs.

use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, Method, Response, StatusCode, Uri};

use super::transport::{AccessTokens, access_tokens};
use super::{SECURITY_HEADERS, json_response};
use crate::error::{Error, TokenError};
use crate::service::Auth;
use crate::token::{Access, Token};
use crate::users::User;

/// Returns the verified access token of a request, from its header or cookie as the settings say.
/// Only the token is checked, as in upstream's `JWTStatelessUserAuthentication`.
///
/// ```
/// use http::{HeaderMap, Method, Uri};
/// use simplejwt::web::request;
/// use simplejwt::{Access, Auth, Settings, Tokens};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let settings = Settings {
/// #     signing_key: Some("a secret of at least thirty-two bytes".into()),
/// #     ..Settings::default()
/// # };
/// let tokens = Tokens::new(settings)?;
/// let sent = tokens.encode(&tokens.issue::<Access>("1"))?;
/// let auth = Auth::new(tokens);
///
/// let (method, uri) = (Method::GET, Uri::from_static("/"));
/// let mut headers = HeaderMap::new();
/// assert!(request::authenticate(&auth, &method, &uri, &headers).await.is_err());
/// headers.insert("authorization", format!("Bearer {sent}").parse()?);
/// let token = request::authenticate(&auth, &method, &uri, &headers).await?;
/// assert_eq!(auth.tokens().user_id(&token).unwrap().as_str(), "1");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::NotAuthenticated`] without credentials; for cookies, [`Error::CookieExpired`] and
/// [`Error::AmbiguousCookies`]; otherwise the reason why the token is refused, or a failure of the
/// store.
pub async fn authenticate(
    auth: &Auth,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Token<Access>, Error> {
    let sent = access_tokens(method, uri, headers, auth.settings())?;
    let token = verify(auth, &sent).await?;
    auth.stateless_user_of(&token)?;
    Ok(token)
}

/// Verifies the tokens that a request presents, and returns the one that counts. If there are
/// several cookies, it is the valid one, whatever another host has set beside it.
///
/// # Errors
/// Those of [`authenticate`].
pub async fn verify(auth: &Auth, sent: &AccessTokens) -> Result<Token<Access>, Error> {
    match sent {
        AccessTokens::None => Err(Error::NotAuthenticated),
        AccessTokens::Header(token) => auth.authenticate(token).await,
        AccessTokens::Cookies(tokens) => match auth.authenticate_any(tokens).await {
            Err(Error::TokenNotValid(messages))
                if messages.iter().any(|message| message.error == TokenError::Expired) =>
            {
                Err(Error::CookieExpired(messages))
            }
            other => other,
        },
    }
}

/// Makes credentials optional: `None` if none were sent, or if a cookie, which browsers send by
/// themselves, has expired. Other invalid credentials are still refused.
///
/// # Errors
/// All other errors of `found`.
pub fn unless_anonymous<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotAuthenticated | Error::CookieExpired(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the user of a request, from the user store: upstream's `JWTAuthentication`.
///
/// # Errors
/// Those of [`authenticate`], and that the user doesn't exist, is inactive, or that the user store
/// failed.
pub async fn user(
    auth: &Auth,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<User, Error> {
    let token = authenticate(auth, method, uri, headers).await?;
    auth.user_of(&token).await
}

/// Returns the answer for a path that matches no route: 404 in JSON, in the application's
/// [shape](super::ErrorShape).
pub fn not_found_with(auth: &Auth) -> Response<Vec<u8>> {
    super::error_shape::apply(auth, not_found())
}

/// Returns the answer for a path that matches no route: 404 in JSON, as Django REST framework.
pub fn not_found() -> Response<Vec<u8>> {
    let body = super::object([("detail", "Not found.".into())]);
    json_response(StatusCode::NOT_FOUND, &body, None)
}

/// Redirects to the path with a trailing slash and the same query (301), as Django's
/// `APPEND_SLASH`.
pub fn redirect_to_slash(uri: &Uri) -> Response<Vec<u8>> {
    // Two leading slashes would name another host.
    let mut location = format!("/{}/", uri.path().trim_start_matches('/'));
    if let Some(query) = uri.query() {
        location.push('?');
        location.push_str(query);
    }
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let headers = response.headers_mut();
    // Django redirects before it adds X-Frame-Options, the first of them.
    headers.extend(SECURITY_HEADERS.into_iter().skip(1));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_on_its_host_and_keeps_the_query() {
        for (from, to) in [
            ("/api/token", "/api/token/"),
            ("/api/token?a=b&c", "/api/token/?a=b&c"),
            ("//elsewhere.example/x", "/elsewhere.example/x/"),
        ] {
            let uri = Uri::builder().path_and_query(from).build().unwrap();
            let response = redirect_to_slash(&uri);
            assert_eq!(response.status(), 301);
            assert_eq!(response.headers()["location"], to);
        }
    }
}
