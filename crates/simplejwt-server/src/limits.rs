//! What a client may ask of the server before any of its request is looked at.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

/// How much of a body that is too large is read and thrown away, so that the client gets to see
/// the answer: one that is cut off while it writes may never read.
const DISCARDED: usize = 8 * 1024 * 1024;

/// Why a body wasn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TooLarge,
    TooSlow,
    Broken,
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
        };
        let mut response = json(status, detail);
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
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

/// Reads a body of at most `limit` bytes within `time`.
pub(crate) async fn read(body: Incoming, limit: usize, time: Duration) -> Result<Bytes, Refused> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    tokio::time::timeout(time, collect(body, limit)).await.unwrap_or(Err(Refused::TooSlow))
}

async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, Refused> {
    let declared = body.size_hint().lower();
    if declared > DISCARDED as u64 {
        return Err(Refused::TooLarge);
    }
    let mut taken = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refused::Broken)?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length > DISCARDED {
            return Err(Refused::TooLarge);
        }
        if length <= limit {
            taken.extend_from_slice(&data);
        } else {
            taken = Vec::new();
        }
    }
    if length > limit { Err(Refused::TooLarge) } else { Ok(taken.into()) }
}
