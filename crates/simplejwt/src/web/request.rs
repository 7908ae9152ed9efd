//! What an adapter for a framework asks of a request: whose it is, and where it should have gone.
//!
//! Together with [`endpoint`](super::endpoint) (feature `web`) and
//! [`refuse`](super::refuse) this is all that an adapter needs.

use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, Method, Response, StatusCode, Uri};

use super::transport::{AccessTokens, access_tokens};
use super::{SECURITY_HEADERS, json_response};
use crate::error::{Error, TokenError};
use crate::service::Auth;
use crate::token::{Access, Token};
use crate::users::User;

/// The access token of a request, from header or cookie as the settings say, verified. The token
/// alone decides, as with upstream's `JWTStatelessUserAuthentication`.
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
/// [`Error::NotAuthenticated`] if no credentials were sent, [`Error::CookieExpired`] and
/// [`Error::AmbiguousCookies`] of cookies; else why they are refused, or that the
/// store can't be asked.
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

/// The one token that counts of those that a request presents, verified. Of several cookies that
/// is the good one; what another host has set beside it changes nothing.
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

/// For what can do without credentials: `None` if none were sent, or if a cookie has expired that
/// the browser sends by itself. What else is no good is refused.
///
/// # Errors
/// The others that it is given.
pub fn unless_anonymous<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotAuthenticated | Error::CookieExpired(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The user's row for a request: upstream's `JWTAuthentication`.
///
/// # Errors
/// Those of [`authenticate`], and that the user is gone or inactive, or that the users can't be
/// asked.
pub async fn user(
    auth: &Auth,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<User, Error> {
    let token = authenticate(auth, method, uri, headers).await?;
    auth.user_of(&token).await
}

/// Answers what no route takes: 404 in JSON, in the application's
/// [shape](super::ErrorShape).
pub fn not_found_with(auth: &Auth) -> Response<Vec<u8>> {
    super::error_shape::apply(auth, not_found())
}

/// Answers what no route takes: 404 in JSON, as Django REST framework has it.
pub fn not_found() -> Response<Vec<u8>> {
    let body = super::object([("detail", "Not found.".into())]);
    json_response(StatusCode::NOT_FOUND, &body, None)
}

/// Sends the client to the path with a slash behind it and the same query (301), as Django's
/// `APPEND_SLASH` does.
pub fn redirect_to_slash(uri: &Uri) -> Response<Vec<u8>> {
    // Two slashes in front would name another host.
    let mut location = format!("/{}/", uri.path().trim_start_matches('/'));
    if let Some(query) = uri.query() {
        location.push('?');
        location.push_str(query);
    }
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let headers = response.headers_mut();
    // Django redirects before it comes to X-Frame-Options, the first of them.
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
