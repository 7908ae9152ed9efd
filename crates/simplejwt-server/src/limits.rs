//! What a client is told whose request isn't taken.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use simplejwt::web::SECURITY_HEADERS;

/// Why a body wasn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TooLarge,
    TooSlow,
    Broken,
    /// The bodies of all clients take as much memory as they may.
    NoMemory,
}

impl Refused {
    /// What the client is told in place of what the route made of a body that it couldn't read; with
    /// that answer's headers, which say what the route takes and from where. The connection ends,
    /// because the rest of the body is on it.
    pub(crate) fn in_place_of(self, answered: Response<Body>) -> Response<Body> {
        let (status, detail) = match self {
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, r#"{"detail":"Request body came too slowly."}"#)
            }
            Self::NoMemory => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"detail":"Too many requests at once. Try again.","code":"busy"}"#,
            ),
            // The route knows as much, and says it in its own way.
            Self::TooLarge | Self::Broken => return answered,
        };
        let mut response = json(status, detail);
        if self == Self::NoMemory {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let own = response.headers().clone();
        for (name, value) in answered.headers() {
            if !own.contains_key(name) && name != header::CONTENT_LENGTH {
                response.headers_mut().append(name, value.clone());
            }
        }
        response
    }
}

/// A JSON answer that no route gave.
pub(crate) fn json(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(SECURITY_HEADERS);
    response
}
