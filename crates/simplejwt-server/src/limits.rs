//! Answers to clients whose request was refused because of a limit.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use simplejwt::web::SECURITY_HEADERS;

/// The reason why a body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyRefusal {
    TooLarge,
    TooSlow,
    Broken,
    /// The bodies of all clients together take the maximum memory.
    NoMemory,
}

impl BodyRefusal {
    /// Returns the answer to send instead of the route's own answer about a body that it couldn't
    /// read. It keeps that answer's headers, which say what the route accepts and from where, and
    /// closes the connection, because the rest of the body is still on it.
    pub(crate) fn in_place_of(self, answered: Response<Body>) -> Response<Body> {
        let (status, detail) = match self {
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, r#"{"detail":"Request body came too slowly."}"#)
            }
            Self::NoMemory => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"detail":"Too many requests at once. Try again.","code":"busy"}"#,
            ),
            // The route reports this itself, in its own way.
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

/// Returns a JSON answer that doesn't come from a route.
pub(crate) fn json(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(SECURITY_HEADERS);
    response
}
