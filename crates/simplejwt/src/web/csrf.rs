//! Protection against requests that pages of other origins make a browser send with its cookies.
//! The rules are those of tower-http's layer: by `Sec-Fetch-Site`, or else by `Origin`. The other
//! origins that are trusted are the same as for CORS.

#[cfg(feature = "web")]
use http::header::REFERER;
use http::header::{HOST, ORIGIN, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use tower_http::csrf::CsrfLayer;

use super::at_once::at_once;
#[cfg(feature = "web")]
use super::singleton::is_repeated;
use crate::error::Error;
use crate::settings::Settings;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
#[cfg(feature = "web")]
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The headers that the rules use.
const LOOKED_AT: [HeaderName; 3] = [SEC_FETCH_SITE, ORIGIN, HOST];

/// A WebSocket handshake has this header, and proxies that remove `Upgrade` keep it.
const SEC_WEBSOCKET_KEY: HeaderName = HeaderName::from_static("sec-websocket-key");

/// Refuses an unsafe request or a WebSocket handshake that a browser sent for a page of an origin
/// other than this one and the allowed ones. A request that wasn't sent by a browser has neither
/// header, and passes.
///
/// # Errors
/// [`Error::CrossOrigin`] if the request is refused.
pub(super) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    settings: &Settings,
) -> Result<(), Error> {
    // A handshake is a GET that opens a channel for messages of any kind, which CORS doesn't
    // protect.
    let method = if is_handshake(headers) { &Method::POST } else { method };
    let origin = headers.get(ORIGIN);
    by_layer(method, uri, headers, origin, settings)
}

/// As [`check`], but also refuses resources that a page of another origin loads with a safe method:
/// scripts, images, `fetch`. A navigation, by a link or in a frame, may come from anywhere.
///
/// For a gateway, which doesn't know what a `GET` does behind it. A page of an allowed origin is
/// recognized by `Origin` or, where browsers don't send it (for images), by `Referer`, which a page
/// can withhold but not forge.
///
/// # Errors
/// [`Error::CrossOrigin`] if the request is refused.
#[cfg(feature = "web")]
pub(super) fn check_loaded(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    settings: &Settings,
) -> Result<(), Error> {
    check(method, uri, headers, settings)?;
    if is_navigation(headers) {
        return Ok(());
    }
    let referrer = || match is_repeated(headers, &REFERER) {
        true => None,
        false => headers.get(REFERER).and_then(origin_of),
    };
    let origin = match headers.get(ORIGIN) {
        None if headers.contains_key(SEC_FETCH_SITE) => referrer(),
        origin => origin.cloned(),
    };
    by_layer(&Method::POST, uri, headers, origin.as_ref(), settings)
}

fn by_layer(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    origin: Option<&HeaderValue>,
    settings: &Settings,
) -> Result<(), Error> {
    if origin.and_then(|o| o.to_str().ok()).is_some_and(|o| settings.allows_origin(o)) {
        return Ok(());
    }
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri.clone();
    for name in LOOKED_AT.iter().filter(|name| **name != ORIGIN) {
        request.headers_mut().extend(headers.get(name).map(|value| (name.clone(), value.clone())));
    }
    request.headers_mut().extend(origin.map(|origin| (ORIGIN, origin.clone())));
    match at_once(&CsrfLayer::new(), request) {
        Some(answer) if answer.status() == StatusCode::OK => Ok(()),
        _ => Err(Error::CrossOrigin),
    }
}

fn is_handshake(headers: &HeaderMap) -> bool {
    let upgrade = headers.get_all(UPGRADE).iter().filter_map(|value| value.to_str().ok());
    let mut protocols = upgrade.flat_map(|value| value.split(',')).map(str::trim);
    headers.contains_key(SEC_WEBSOCKET_KEY)
        || headers.get(SEC_FETCH_MODE).is_some_and(|mode| mode == "websocket")
        || protocols.any(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

/// `true` if the browser displays the answer, as a page of its own or in a frame.
#[cfg(feature = "web")]
fn is_navigation(headers: &HeaderMap) -> bool {
    let is = |name: &HeaderName, value: &str| headers.get(name).is_some_and(|sent| sent == value);
    is(&SEC_FETCH_MODE, "navigate")
        && !is(&SEC_FETCH_DEST, "object")
        && !is(&SEC_FETCH_DEST, "embed")
}

#[cfg(feature = "web")]
fn origin_of(url: &HeaderValue) -> Option<HeaderValue> {
    let url: Uri = url.to_str().ok()?.parse().ok()?;
    HeaderValue::try_from(format!("{}://{}", url.scheme_str()?, url.authority()?)).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    type Rule = fn(&Method, &Uri, &HeaderMap, &Settings) -> Result<(), Error>;

    fn passes(method: Method, sent: &[(&'static str, &'static str)]) -> bool {
        passes_by(check, method, sent)
    }

    fn passes_by(rule: Rule, method: Method, sent: &[(&'static str, &'static str)]) -> bool {
        let settings = Settings {
            allowed_origins: vec!["https://app.example.com".into()],
            ..Settings::default()
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("api.example.com"));
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        rule(&method, &Uri::from_static("/api/token/refresh/"), &headers, &settings).is_ok()
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

    const EVIL: (&str, &str) = ("origin", "https://evil.example.com");
    const APP: (&str, &str) = ("origin", "https://app.example.com");
    const OWN: (&str, &str) = ("origin", "https://api.example.com");
    const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");
    const SAME_SITE: (&str, &str) = ("sec-fetch-site", "same-site");
    const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");

    #[test]
    fn a_websockets_handshake_is_no_harmless_get() {
        for handshake in [
            ("upgrade", "WebSocket"),
            ("upgrade", "h2c, websocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-fetch-mode", "websocket"),
        ] {
            for (passed, sent) in [
                (true, &[handshake][..]),
                (true, &[handshake, OWN]),
                (true, &[handshake, APP]),
                (true, &[handshake, EVIL, SAME]),
                (false, &[handshake, EVIL]),
                (false, &[handshake, EVIL, CROSS]),
                (false, &[handshake, EVIL, SAME_SITE]),
                (false, &[handshake, ("origin", "null")]),
            ] {
                assert_eq!(passes(Method::GET, sent), passed, "{sent:?}");
            }
        }
        assert!(passes(Method::GET, &[("upgrade", "h2c"), EVIL]));
    }

    #[cfg(feature = "web")]
    #[test]
    fn what_a_foreign_page_loads_is_refused_and_where_it_leads_is_not() {
        let [navigate, cors, no_cors] =
            ["navigate", "cors", "no-cors"].map(|mode| ("sec-fetch-mode", mode));
        let (app, evil) =
            (("referer", "https://app.example.com/a?b"), ("referer", "https://evil.example.com/"));
        for (passed, sent) in [
            (true, &[][..]),
            (true, &[("accept", "image/png"), evil]),
            (true, &[SAME, no_cors]),
            (true, &[("sec-fetch-site", "none"), navigate]),
            (true, &[CROSS, navigate, evil]),
            (true, &[CROSS, navigate, ("sec-fetch-dest", "iframe")]),
            (true, &[SAME_SITE, cors, APP]),
            (true, &[APP]),
            (true, &[OWN]),
            (true, &[SAME_SITE, no_cors, app]),
            (false, &[SAME_SITE, no_cors, app, app]),
            (false, &[SAME_SITE, no_cors, evil]),
            (false, &[SAME_SITE, no_cors]),
            (false, &[CROSS, no_cors, ("referer", "about:blank")]),
            (false, &[CROSS, cors, EVIL, app]),
            (false, &[CROSS]),
            (false, &[EVIL]),
            (false, &[("origin", "null")]),
            (false, &[CROSS, navigate, ("sec-fetch-dest", "object")]),
            (false, &[CROSS, navigate, ("sec-fetch-dest", "embed")]),
            (false, &[CROSS, navigate, ("sec-websocket-key", "x")]),
        ] {
            assert_eq!(passes_by(check_loaded, Method::GET, sent), passed, "{sent:?}");
        }
        assert!(!passes_by(check_loaded, Method::POST, &[CROSS, navigate, EVIL]));
    }

    /// An origin that may read answers may also send requests with cookies, and no other may.
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
