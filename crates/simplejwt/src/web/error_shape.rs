//! Errors in the same shape as the application's other errors.

use std::fmt;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue, InvalidHeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::service::Auth;

/// The shape of refusals, to replace upstream's `{"detail": …, "code": …}` in the endpoints, the
/// extractors, the layers and `not_found_with`, in every adapter. Status and headers are unchanged:
/// `WWW-Authenticate`, `Retry-After`, `Allow`, cookies.
///
/// `revoke/` and `introspect/` keep the shape that OAuth's clients expect (RFC 6749 section 5.2).
///
/// ```
/// use serde_json::json;
/// use simplejwt::web::ErrorShape;
/// use simplejwt::{Auth, Settings, Tokens};
///
/// // RFC 9457
/// let problem = ErrorShape::json(|refusal| {
///     json!({
///         "type": format!("https://example.com/problems/{}", refusal.code()),
///         "title": refusal.detail(),
///         "status": refusal.status().as_u16(),
///     })
/// })
/// .with_media_type("application/problem+json")?;
///
/// # let settings = Settings {
/// #     signing_key: Some("a secret of at least thirty-two bytes".into()),
/// #     ..Settings::default()
/// # };
/// let auth = Auth::new(Tokens::new(settings)?).with_errors(problem);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ErrorShape {
    media_type: HeaderValue,
    body: Arc<Body>,
}

type Body = dyn Fn(&Refusal<'_>) -> serde_json::Result<Vec<u8>> + Send + Sync;

/// A refused request: the input of an [`ErrorShape`].
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    status: StatusCode,
    code: &'a str,
    body: &'a Value,
}

impl Refusal<'_> {
    /// Returns the answer's status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns a stable code: that of [`Error::code`](crate::Error::code) or, for requests refused
    /// before a flow ran, that of Django REST framework's exception: `invalid`, `parse_error`,
    /// `method_not_allowed`, `not_acceptable`, `unsupported_media_type`, `not_found`,
    /// `request_too_large`.
    pub fn code(&self) -> &str {
        self.code
    }

    /// Returns the sentence that upstream sends; for missing or wrong fields (`invalid`), that of
    /// the first one.
    pub fn detail(&self) -> &str {
        first_text(self.body.get("detail").unwrap_or(self.body))
            .or(self.status.canonical_reason())
            .unwrap_or_default()
    }

    /// Returns upstream's whole body. For missing or wrong fields (`invalid`), its members are the
    /// fields, each with a list of sentences.
    pub fn body(&self) -> &Value {
        self.body
    }
}

fn first_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(values) => values.iter().find_map(first_text),
        Value::Object(members) => members.values().find_map(first_text),
        _ => None,
    }
}

impl ErrorShape {
    /// Creates a shape that renders any value as JSON. If the value can't be written as JSON (a map
    /// whose keys aren't strings), upstream's body is sent.
    pub fn json<B: Serialize>(shape: impl Fn(&Refusal<'_>) -> B + Send + Sync + 'static) -> Self {
        Self {
            media_type: HeaderValue::from_static("application/json"),
            body: Arc::new(move |refusal| serde_json::to_vec(&shape(refusal))),
        }
    }

    /// Sets the `Content-Type`, instead of `application/json`.
    ///
    /// # Errors
    /// The text can't be a header's value.
    pub fn with_media_type(mut self, media_type: &str) -> Result<Self, InvalidHeaderValue> {
        self.media_type = HeaderValue::from_str(media_type)?;
        Ok(self)
    }
}

/// Two shapes are equal if one is the other's clone.
impl PartialEq for ErrorShape {
    fn eq(&self, other: &Self) -> bool {
        self.media_type == other.media_type && Arc::ptr_eq(&self.body, &other.body)
    }
}

impl Eq for ErrorShape {}

impl fmt::Debug for ErrorShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorShape").field("media_type", &self.media_type).finish_non_exhaustive()
    }
}

impl Auth {
    /// Sets the shape of errors on the wire, wherever these flows are used.
    #[must_use]
    pub fn with_errors(self, shape: ErrorShape) -> Self {
        self.with_edge(shape)
    }
}

/// The code of the error behind an answer, available in the answer's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub &'static str);

/// Gives a refusal the application's shape, if it has one.
pub(crate) fn apply(auth: &Auth, response: Response<Vec<u8>>) -> Response<Vec<u8>> {
    let Some(shape) = auth.edge::<ErrorShape>() else { return response };
    reshaped(shape, response)
}

pub(crate) fn reshaped(shape: &ErrorShape, mut response: Response<Vec<u8>>) -> Response<Vec<u8>> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let Ok(body) = serde_json::from_slice::<Value>(response.body()) else { return response };
    let code = match response.extensions().get::<ErrorCode>() {
        Some(ErrorCode(code)) => code,
        None => code_of(status, &body),
    };
    if let Ok(body) = (shape.body)(&Refusal { status, code, body: &body }) {
        *response.body_mut() = body;
        response.headers_mut().insert(CONTENT_TYPE, shape.media_type.clone());
    }
    response
}

/// Returns the code of Django REST framework's exception, for requests refused before a flow ran.
fn code_of(status: StatusCode, body: &Value) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST if body.get("detail").is_none() => "invalid",
        StatusCode::BAD_REQUEST => "parse_error",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::NOT_ACCEPTABLE => "not_acceptable",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        _ => "error",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Error;
    use crate::settings::Settings;
    use crate::web::{error_response, json_response};

    fn shape() -> ErrorShape {
        ErrorShape::json(|refusal| {
            json!([refusal.status().as_u16(), refusal.code(), refusal.detail()])
        })
        .with_media_type("application/problem+json")
        .unwrap()
    }

    fn body(response: &Response<Vec<u8>>) -> Value {
        serde_json::from_slice(response.body()).unwrap()
    }

    #[test]
    fn a_refusal_keeps_status_and_headers_and_has_a_code_though_upstream_sends_none() {
        let response = error_response(&Error::NotAuthenticated, &Settings::default());
        let response = reshaped(&shape(), response);
        let detail = "Authentication credentials were not provided.";
        assert_eq!(body(&response), json!([401, "not_authenticated", detail]));
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"api\"");
        let unavailable = error_response(&Error::FeedLost, &Settings::default());
        assert_eq!(reshaped(&shape(), unavailable).headers()["retry-after"], "1");
    }

    #[test]
    fn what_no_flow_refused_has_the_frameworks_code() {
        let refused = |status: u16, sent: Value| {
            let status = StatusCode::from_u16(status).unwrap();
            body(&reshaped(&shape(), json_response(status, &sent, None)))
        };
        let field = json!({"username": ["This field is required."]});
        assert_eq!(refused(400, field), json!([400, "invalid", "This field is required."]));
        let syntax = json!({"detail": "JSON parse error - x"});
        assert_eq!(refused(400, syntax), json!([400, "parse_error", "JSON parse error - x"]));
        for (status, code) in [
            (404, "not_found"),
            (405, "method_not_allowed"),
            (406, "not_acceptable"),
            (413, "request_too_large"),
            (415, "unsupported_media_type"),
        ] {
            assert_eq!(refused(status, json!({"detail": "x"})), json!([status, code, "x"]));
        }
    }

    #[test]
    fn what_is_no_refusal_or_cant_be_written_stays_as_it_is() {
        let fine = json_response(StatusCode::OK, &json!({"access": "x"}), None);
        assert_eq!(body(&reshaped(&shape(), fine)), json!({"access": "x"}));
        let unwritable = ErrorShape::json(|_| std::collections::BTreeMap::from([((1, 2), 3)]));
        let response = error_response(&Error::PermissionDenied, &Settings::default());
        let before = response.body().clone();
        let response = reshaped(&unwritable, response);
        assert_eq!(*response.body(), before);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert!(shape().with_media_type("a\nb").is_err());
    }
}
