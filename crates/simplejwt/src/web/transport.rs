//! Where a request's tokens are: the authorization header, or cookies.

use http::header::COOKIE;
use http::{HeaderMap, Method, Uri};

use super::authorization::raw_token;
use super::csrf;
use crate::error::Error;
use crate::settings::Settings;

/// The access token of a request, not verified yet; `None` if no credentials were sent.
///
/// With [`Transport::Both`](crate::settings::Transport::Both) the header comes first. A cookie
/// counts for an unsafe request only if it comes from this origin or an allowed one.
///
/// # Errors
/// [`Error::BadAuthorizationHeader`], [`Error::CrossOrigin`]
pub fn access_token(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    settings: &Settings,
) -> Result<Option<String>, Error> {
    if settings.transport.has_header()
        && let Some(token) = raw_token(headers, settings)?
    {
        return Ok(Some(token));
    }
    if settings.transport.has_cookies()
        && let Some(token) = cookie(headers, settings.access_cookie())
    {
        csrf::check(method, uri, headers, settings)?;
        return Ok(Some(token));
    }
    Ok(None)
}

/// The value of the first cookie of this name that isn't empty (RFC 6265 section 5.4: the one
/// with the longest path comes first).
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let sent = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(cookie::Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == name && !cookie.value_trimmed().is_empty())
        .map(|cookie| cookie.value_trimmed().to_owned())
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
        access_token(&method, &Uri::from_static("/api/"), &headers, &settings).ok().flatten()
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

    proptest! {
        #[test]
        fn any_cookie_header_is_read(value: Vec<u8>) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut headers = HeaderMap::new();
                headers.append(COOKIE, value);
                let _ = cookie(&headers, "__Host-access");
            }
        }
    }
}
