//! Finding a request's tokens, in the authorization header or in cookies.

use std::fmt;

use http::header::COOKIE;
use http::{HeaderMap, Method, Uri};

use super::authorization::raw_token;
use super::{csrf, singleton};
use crate::error::Error;
use crate::settings::Settings;

/// The maximum number of cookies of one name that are considered. Another host may set any number.
const MOST: usize = 16;

/// The access tokens that a request presents, not yet verified.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessTokens {
    /// No credentials were sent.
    None,
    /// The token of the authorization header.
    Header(String),
    /// The values of the cookies with the right name, in the order in which the browser sent them:
    /// this server's, and perhaps others set by another host.
    Cookies(Vec<String>),
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the tokens.
        f.write_str(match self {
            Self::None => "None",
            Self::Header(_) => "Header",
            Self::Cookies(_) => "Cookies",
        })
    }
}

/// Returns the access tokens of a request.
///
/// With [`Transport::Both`](crate::settings::Transport::Both) the header takes precedence. For an
/// unsafe request, or the handshake of a WebSocket, a cookie counts only if the request comes from
/// this origin or an allowed one.
///
/// # Errors
/// [`Error::BadAuthorizationHeader`], [`Error::CrossOrigin`], [`Error::RepeatedHeader`]
pub fn access_tokens(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    settings: &Settings,
) -> Result<AccessTokens, Error> {
    singleton::check(headers, settings)?;
    if settings.transport.has_header()
        && let Some(token) = raw_token(headers, settings)?
    {
        return Ok(AccessTokens::Header(token));
    }
    if settings.transport.has_cookies() {
        let sent = cookies(headers, settings.access_cookie());
        if !sent.is_empty() {
            csrf::check(method, uri, headers, settings)?;
            return Ok(AccessTokens::Cookies(sent));
        }
    }
    Ok(AccessTokens::None)
}

/// Returns the values of the cookies with this name, in their order and without duplicates: at most
/// [`MOST`] that look like tokens, or else the first that isn't empty.
pub(super) fn cookies(headers: &HeaderMap, name: &str) -> Vec<String> {
    let sent = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let sent = sent.flat_map(cookie::Cookie::split_parse).filter_map(Result::ok);
    let (mut tokens, mut other) = (Vec::<String>::new(), None);
    for cookie in sent.filter(|cookie| cookie.name() == name) {
        let value = cookie.value_trimmed();
        if value.is_empty() || tokens.iter().any(|token| token == value) {
            continue;
        }
        if value.split('.').count() == 3 {
            tokens.push(value.to_owned());
        } else if other.is_none() {
            other = Some(value.to_owned());
        }
        if tokens.len() == MOST {
            break;
        }
    }
    if tokens.is_empty() { other.into_iter().collect() } else { tokens }
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, ORIGIN};
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;
    use crate::settings::Transport;

    fn token(transport: Transport, method: Method, sent: &[(HeaderName, &str)]) -> Option<String> {
        let settings = Settings { transport, ..Settings::default() };
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        match access_tokens(&method, &Uri::from_static("/api/"), &headers, &settings) {
            Ok(AccessTokens::Header(token)) => Some(token),
            Ok(AccessTokens::Cookies(tokens)) => tokens.into_iter().next(),
            Ok(AccessTokens::None) | Err(_) => None,
        }
    }

    #[test]
    fn each_transport_looks_where_it_says() {
        let header = (AUTHORIZATION, "Bearer from-header");
        let cookie = (COOKIE, "a=b; __Host-access=from-cookie; c");
        let both = [header.clone(), cookie.clone()];
        for (transport, by_header, by_cookie, by_both) in [
            (Transport::Header, Some("from-header"), None, Some("from-header")),
            (Transport::Cookie, None, Some("from-cookie"), Some("from-cookie")),
            (Transport::Both, Some("from-header"), Some("from-cookie"), Some("from-header")),
        ] {
            let get = |sent: &[(HeaderName, &str)]| token(transport, Method::GET, sent);
            assert_eq!(get(std::slice::from_ref(&header)).as_deref(), by_header);
            assert_eq!(get(std::slice::from_ref(&cookie)).as_deref(), by_cookie);
            assert_eq!(get(&both).as_deref(), by_both);
            assert_eq!(get(&[]), None);
        }
    }

    #[test]
    fn a_cookie_counts_for_unsafe_requests_of_this_origin_alone() {
        let cookie = (COOKIE, "__Host-access=x");
        let foreign = (ORIGIN, "https://evil.example");
        let sent = [cookie, foreign.clone()];
        assert_eq!(token(Transport::Both, Method::POST, &sent), None);
        assert_eq!(token(Transport::Both, Method::GET, &sent).as_deref(), Some("x"));
        let sent = [(AUTHORIZATION, "Bearer y"), foreign];
        assert_eq!(token(Transport::Both, Method::POST, &sent).as_deref(), Some("y"));
    }

    #[test]
    fn every_cookie_of_the_name_is_looked_at_within_bounds() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(COOKIE, HeaderValue::from_str(value).unwrap());
            }
            cookies(&headers, "a")
        };
        assert_eq!(read(&["a=x.y.z; b=1; a=junk; a=; a=1.2.3", "a=x.y.z"]), ["x.y.z", "1.2.3"]);
        assert_eq!(read(&["a=; a=junk; a=rubbish"]), ["junk"], "it is refused, not missing");
        let junk = (0..100).map(|n| format!("a=junk{n}; ")).collect::<String>();
        assert_eq!(read(&[&format!("{junk}a=x.y.z")]), ["x.y.z"], "junk crowds nothing out");
        let many = (0..100).map(|n| format!("a=x.y.{n}; ")).collect::<String>();
        assert_eq!(read(&[&many]).len(), MOST);
        assert!(!format!("{:?}", AccessTokens::Cookies(read(&["a=x.y.z"]))).contains("x.y"));
    }

    proptest! {
        #[test]
        fn any_cookie_header_is_read(value: Vec<u8>) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut headers = HeaderMap::new();
                headers.append(COOKIE, value);
                let _ = cookies(&headers, "__Host-access");
            }
        }
    }
}
