//! A request in the log: its id and its line.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use http::header::USER_AGENT;
use http::request::Parts;
use http::{Method, Response};
use hyper::body::Body as _;
use simplejwt::web::request_id::RequestId;
use simplejwt::{Clock as _, SystemClock, Timestamp};

use crate::telemetry::Scope;

/// The log of a request, from its head to its answer.
pub(crate) struct RequestLog {
    /// Each line logged for the request has its id and the client's address.
    pub(crate) scope: Scope,
    id: RequestId,
    line: Option<Asked>,
}

/// The request's part of the line.
struct Asked {
    method: Option<Method>,
    path: Option<String>,
    user_agent: Option<String>,
    start: Timestamp,
}

impl RequestLog {
    /// Begins the log of the request with this head, which may have been refused and is then
    /// unknown. `client` is unknown over a Unix socket without a proxy. `has_line` is the setting
    /// `requests`.
    pub(crate) fn begin(
        head: &Parts,
        is_known: bool,
        client: Option<IpAddr>,
        realm: Option<Arc<str>>,
        has_line: bool,
    ) -> Self {
        let id = RequestId::of(&head.headers);
        let scope = Scope { id: Some(id.clone()), client, realm };
        let line = has_line.then(|| Asked {
            method: is_known.then(|| head.method.clone()),
            path: is_known.then(|| head.uri.path().to_owned()),
            user_agent: head
                .headers
                .get(USER_AGENT)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            start: SystemClock.now(),
        });
        Self { scope, id, line }
    }

    /// Returns the request's id.
    pub(crate) fn id(&self) -> &RequestId {
        &self.id
    }

    /// Adds the request's id to the answer, and logs the answer.
    pub(crate) fn answered(self, response: &mut Response<Body>) {
        if let Some(id) = self.id.header_value() {
            response.headers_mut().insert(RequestId::HEADER, id);
        }
        let Some(Asked { method, path, user_agent, start }) = self.line else { return };
        let micros = SystemClock.now().as_micros().saturating_sub(start.as_micros());
        let bytes = match method {
            Some(Method::HEAD) => Some(0),
            _ => response.body().size_hint().exact(),
        };
        self.scope.enter(|| {
            tracing::info!(
                target: "simplejwt::request",
                event = "request",
                method = method.as_ref().map(Method::as_str),
                path,
                status = response.status().as_u16(),
                duration_ms = micros as f64 / 1000.0,
                bytes,
                user_agent,
                "answered"
            );
        });
    }
}
