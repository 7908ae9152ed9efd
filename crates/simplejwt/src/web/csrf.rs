//! Protection against requests that pages of other origins make a browser send with its cookies.
//! The rules are those of tower-http's layer: by `Sec-Fetch-Site`, or else by `Origin`; which other
//! origins are trusted is what CORS goes by, too.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, Method, Request, StatusCode, Uri};
use tower_http::csrf::CsrfLayer;

use super::at_once::at_once;
use crate::error::Error;
use crate::settings::Settings;

/// What the rules look at.
const LOOKED_AT: [HeaderName; 3] = [HeaderName::from_static("sec-fetch-site"), ORIGIN, HOST];

/// Refuses an unsafe request that a browser sent for a page of another origin than this one and
/// the allowed ones. A request that no browser sent has neither header, and passes.
///
/// # Errors
/// [`Error::CrossOrigin`]
pub(super) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    settings: &Settings,
) -> Result<(), Error> {
    let mut origins = headers.get_all(ORIGIN).iter();
    if let (Some(origin), None) = (origins.next(), origins.next())
        && origin.to_str().is_ok_and(|origin| settings.allows_origin(origin))
    {
        return Ok(());
    }
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri.clone();
    for name in LOOKED_AT {
        for value in headers.get_all(&name) {
            request.headers_mut().append(name.clone(), value.clone());
        }
    }
    match at_once(&CsrfLayer::new(), request) {
        Some(answer) if answer.status() == StatusCode::OK => Ok(()),
        _ => Err(Error::CrossOrigin),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn passes(method: Method, sent: &[(&'static str, &'static str)]) -> bool {
        let settings = Settings {
            allowed_origins: vec!["https://app.example.com".into()],
            ..Settings::default()
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("api.example.com"));
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        check(&method, &Uri::from_static("/api/token/refresh/"), &headers, &settings).is_ok()
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let site = "sec-fetch-site";
        assert!(passes(Method::POST, &[]));
        assert!(passes(Method::POST, &[(site, "same-origin")]));
        assert!(passes(Method::POST, &[(site, "none")]));
        assert!(passes(Method::POST, &[("origin", "https://api.example.com")]));
        let app = ("origin", "https://app.example.com");
        assert!(passes(Method::POST, &[app]));
        assert!(passes(Method::POST, &[(site, "same-site"), app]));
        assert!(passes(Method::GET, &[(site, "cross-site")]));
        for refused in [
            [(site, "cross-site"), ("origin", "https://evil.example.com")],
            [(site, "same-site"), ("origin", "https://evil.example.com")],
            [(site, "cross-site"), ("origin", "null")],
            [("origin", "null"), ("x", "y")],
            [("origin", "https://api.example.com.evil.example"), ("x", "y")],
            [("origin", "https://evil.example.com"), ("x-forwarded-host", "evil.example.com")],
        ] {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                assert!(!passes(method, &refused), "{refused:?}");
            }
        }
    }

    /// Who may read answers may send requests with cookies, and nobody else.
    #[cfg(feature = "web")]
    #[test]
    fn cors_takes_the_same_origins() {
        let settings = Settings {
            allowed_origins: vec![
                "https://app.example.org".into(),
                "https://*.example.com".into(),
                "capacitor://localhost".into(),
            ],
            ..Settings::default()
        };
        assert!(settings.validate().is_ok());
        let cors = crate::web::cors::AllowedOriginsLayer::new(&settings);
        for (origin, expected) in [
            ("https://app.example.org", true),
            ("https://a.b.example.com", true),
            ("capacitor://localhost", true),
            ("https://example.com", false),
            ("https://*.example.com", false),
            ("http://a.example.com", false),
            ("https://a.example.com.evil.example", false),
            ("ionic://localhost", false),
            ("null", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("api.example.net"));
            headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
            let mut answer = HeaderMap::new();
            cors.permit(&headers, &mut answer);
            let may_read = answer.get("access-control-allow-origin").is_some_and(|o| o == origin);
            let uri = Uri::from_static("/api/token/refresh/");
            let may_send = check(&Method::POST, &uri, &headers, &settings).is_ok();
            assert_eq!((may_read, may_send), (expected, expected), "{origin}");
        }
    }
}
