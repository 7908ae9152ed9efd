//! What a client is told whose request isn't taken.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};

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
    /// What the client is told. The connection ends, because the rest of the body is on it.
    pub(crate) fn response(self) -> Response<Body> {
        let (status, detail) = match self {
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, r#"{"detail":"Request body is too large."}"#)
            }
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, r#"{"detail":"Request body came too slowly."}"#)
            }
            Self::Broken => {
                (StatusCode::BAD_REQUEST, r#"{"detail":"Request body is incomplete."}"#)
            }
            Self::NoMemory => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"detail":"Too many requests at once. Try again.","code":"busy"}"#,
            ),
        };
        let mut response = json(status, detail);
        if self == Self::NoMemory {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
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
    response
}
