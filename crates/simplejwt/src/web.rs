//! HTTP without a framework: reading bodies, headers, and the one place that maps errors to
//! statuses.
//!
//! The wire format is upstream's to the byte, with the differences listed in
//! docs/django-compatibility.md.

#[cfg(feature = "web")]
mod accept;
#[cfg(any(feature = "tower", feature = "web"))]
mod at_once;
pub mod authorization;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "web")]
mod body;
mod challenge;
#[cfg(feature = "web")]
mod charset;
pub mod client;
#[cfg(any(feature = "tower", feature = "web"))]
pub mod cookies;
#[cfg(feature = "web")]
pub mod cors;
#[cfg(any(feature = "tower", feature = "web"))]
mod csrf;
#[cfg(feature = "web")]
pub mod endpoint;
mod error_shape;
#[cfg(feature = "web")]
mod form;
#[cfg(feature = "web")]
mod json;
#[cfg(feature = "web")]
mod kept;
#[cfg(feature = "tower")]
pub mod layer;
#[cfg(feature = "web")]
mod multipart;
mod object;
#[cfg(feature = "web")]
mod parameters;
#[cfg(any(feature = "tower", feature = "web"))]
pub mod permission;
#[cfg(any(feature = "tower", feature = "web"))]
pub mod request;
#[cfg(feature = "web")]
pub mod request_id;
mod singleton;
mod throttle;
#[cfg(any(feature = "tower", feature = "web"))]
pub mod transport;
#[cfg(feature = "web")]
mod validate;

use std::sync::LazyLock;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::error::Error;
use crate::logging::with_causes;
use crate::service::Auth;
use crate::settings::Settings;
pub use challenge::challenge;
pub use error_shape::{ErrorCode, ErrorShape, Refusal};
pub use object::Json;
use object::{object, texts};

/// The headers that Django's middleware (`SecurityMiddleware`, `XFrameOptionsMiddleware`) adds to
/// every answer, for answers made by the application itself. This library's own answers have them
/// already.
pub const SECURITY_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Returns the status that an error is answered with.
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::VerifiedBlacklisted => StatusCode::BAD_REQUEST,
        Error::Token(_)
        | Error::NoActiveAccount
        | Error::NoActiveAccountForToken
        | Error::NotAuthenticated
        | Error::BadAuthorizationHeader
        | Error::TokenNotValid(_)
        | Error::CookieExpired(_)
        | Error::AmbiguousCookies
        | Error::NoUserClaim
        | Error::UserNotFound
        | Error::UserInactive
        | Error::PasswordChanged
        | Error::InsufficientUserAuthentication { .. } => StatusCode::UNAUTHORIZED,
        Error::SessionUnknown | Error::RepeatedHeader(_) => StatusCode::BAD_REQUEST,
        Error::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
        Error::TooManySessions | Error::PermissionDenied | Error::CrossOrigin => {
            StatusCode::FORBIDDEN
        }
        Error::NoSuchSession | Error::NoSuchUser => StatusCode::NOT_FOUND,
        Error::BlacklistDisabled
        | Error::SessionsDisabled
        | Error::NoUserStore
        | Error::CannotSign => StatusCode::NOT_IMPLEMENTED,
        Error::Store(_) | Error::FeedLost | Error::KeysUnavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Error::Signing(_)
        | Error::Hook(_)
        | Error::CookieTooLong(_)
        | Error::TokenTooLong { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns the JSON body that an error is answered with: upstream's sentence, and its code if
/// upstream sends one.
pub fn body(error: &Error) -> Json {
    let detail = |text: &'static str| object([("detail", text.into())]);
    let with_code =
        |text: &'static str| object([("detail", text.into()), ("code", error.code().into())]);
    match error {
        Error::Token(reason) => {
            object([("detail", reason.to_string().into()), ("code", error.code().into())])
        }
        Error::VerifiedBlacklisted => {
            object([("non_field_errors", texts(["Token is blacklisted"]))])
        }
        Error::NoActiveAccount => detail("No active account found with the given credentials"),
        Error::NoActiveAccountForToken => detail("No active account found for the given token."),
        Error::NotAuthenticated => detail("Authentication credentials were not provided."),
        Error::BadAuthorizationHeader => {
            with_code("Authorization header must contain two space-delimited values")
        }
        Error::RepeatedHeader(name) => object([
            ("detail", format!("The header field \"{name}\" was sent more than once.").into()),
            ("code", error.code().into()),
        ]),
        Error::AmbiguousCookies => {
            with_code("The request carries cookies of two users: log in again.")
        }
        Error::TokenNotValid(messages) | Error::CookieExpired(messages) => {
            let messages = messages.iter().map(|message| {
                object([
                    ("token_class", message.token_class.into()),
                    ("token_type", message.token_type.into()),
                    ("message", message.error.to_string().into()),
                ])
            });
            object([
                ("detail", "Given token not valid for any token type".into()),
                ("code", error.code().into()),
                ("messages", Json::List(messages.collect())),
            ])
        }
        Error::NoUserClaim => with_code("Token contained no recognizable user identification"),
        Error::UserNotFound => with_code("User not found"),
        Error::UserInactive => with_code("User is inactive"),
        Error::PasswordChanged => with_code("The user's password has been changed."),
        Error::BlacklistDisabled => with_code("The token blacklist is not enabled."),
        Error::SessionsDisabled => with_code("Sessions are not enabled."),
        Error::Throttled(throttled) => object([
            ("detail", throttle::sentence(throttled).into()),
            ("code", error.code().into()),
        ]),
        Error::TooManySessions => with_code("Too many sessions."),
        Error::SessionUnknown => with_code(
            "The token doesn't identify its session: send the refresh token in \"refresh\".",
        ),
        Error::NoSuchSession => detail("Not found."),
        Error::NoSuchUser => with_code("User not found"),
        Error::InsufficientUserAuthentication { .. } => with_code(challenge::LOG_IN_AGAIN),
        Error::PermissionDenied => detail("You do not have permission to perform this action."),
        Error::CrossOrigin => with_code("CSRF Failed: the request came from another origin."),
        Error::NoUserStore => with_code("Logging in is not enabled."),
        Error::CannotSign => with_code("This server verifies tokens, but doesn't issue any."),
        Error::Store(_) | Error::FeedLost | Error::KeysUnavailable => {
            with_code("The service is temporarily unavailable.")
        }
        Error::Signing(_) | Error::Hook(_) | Error::CookieTooLong(_) => {
            with_code("Internal server error.")
        }
        Error::TokenTooLong { .. } => with_code("The token would be too long."),
    }
}

/// As [`body`], but with a code even where upstream has none if cookies are read: upstream doesn't
/// read cookies, but a page must be able to distinguish a missing cookie from an expired one.
pub(crate) fn body_under(error: &Error, settings: &Settings) -> Json {
    match (error, body(error)) {
        (Error::NotAuthenticated, Json::Object(mut members))
            if settings.transport.has_cookies() =>
        {
            members.push(("code".into(), error.code().into()));
            Json::Object(members)
        }
        (_, body) => body,
    }
}

/// Returns the complete answer for an error in the application's [shape](ErrorShape), and logs it
/// if the fault is on the server's side. Adapters refuse requests with it.
pub fn refuse(error: &Error, auth: &Auth) -> Response<Vec<u8>> {
    error_shape::apply(auth, error_response(error, auth.settings()))
}

/// Returns the complete answer for an error in upstream's shape, and logs it if the fault is on the
/// server's side.
pub fn error_response(error: &Error, settings: &Settings) -> Response<Vec<u8>> {
    if error.is_internal() {
        log_internal(error);
    }
    let mut response = json_response(status(error), &body_under(error, settings), None);
    response.extensions_mut().insert(ErrorCode(error.code()));
    let headers = response.headers_mut();
    if let Some(challenge) = challenge::for_error(error, settings) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Error::Throttled(throttled) = error {
        headers.extend(throttle::headers(throttled));
    }
    if status(error) == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Renders JSON as Django REST framework does: compact, or indented by `indent` spaces.
pub(crate) fn json_response(
    status: StatusCode,
    body: &impl serde::Serialize,
    indent: Option<usize>,
) -> Response<Vec<u8>> {
    let json = match indent {
        None => serde_json::to_vec(body),
        Some(width) => {
            let spaces = " ".repeat(width);
            let mut out = Vec::new();
            let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
            body.serialize(&mut serializer).map(|()| out)
        }
    };
    // Bodies consist of strings, which can always be written.
    let json = with_escaped_separators(json.unwrap_or_default());
    let mut response = Response::new(json);
    *response.status_mut() = status;
    *response.headers_mut() = JSON_HEADERS.clone();
    response
}

/// The headers of every answer in JSON.
static JSON_HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    // With room for those that an endpoint and a server add, so that no clone has to grow.
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // RFC 6749 section 5.1; harmless if the answer contains no token.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(SECURITY_HEADERS);
    headers
});

/// Escapes U+2028 and U+2029, which end a line in older JavaScript.
fn with_escaped_separators(json: Vec<u8>) -> Vec<u8> {
    // The first byte of both, which most answers don't contain.
    if !json.contains(&0xe2) {
        return json;
    }
    let json = String::from_utf8_lossy(&json);
    json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029").into_bytes()
}

fn log_internal(error: &Error) {
    let (code, error) = (error.code(), with_causes(error));
    tracing::error!(event = "request_failed", code, error, "request failed");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{StoreError, TokenError, TokenMessage};

    #[test]
    fn refusals_have_upstreams_status_and_body() {
        let cases: [(Error, u16, &str); 5] = [
            (
                TokenError::Expired.into(),
                401,
                r#"{"detail":"Token is expired","code":"token_not_valid"}"#,
            ),
            (
                Error::NoActiveAccount,
                401,
                r#"{"detail":"No active account found with the given credentials"}"#,
            ),
            (Error::VerifiedBlacklisted, 400, r#"{"non_field_errors":["Token is blacklisted"]}"#),
            (
                Error::TokenNotValid(vec![TokenMessage {
                    token_class: "AccessToken",
                    token_type: "access",
                    error: TokenError::WrongType,
                }]),
                401,
                concat!(
                    r#"{"detail":"Given token not valid for any token type","#,
                    r#""code":"token_not_valid","messages":[{"token_class":"AccessToken","#,
                    r#""token_type":"access","message":"Token has wrong type"}]}"#,
                ),
            ),
            (
                StoreError::unavailable("rotate", "secret path /var/db").into(),
                503,
                concat!(
                    r#"{"detail":"The service is temporarily unavailable.","#,
                    r#""code":"unavailable"}"#,
                ),
            ),
        ];
        for (error, status, body) in cases {
            let response = error_response(&error, &Settings::default());
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(std::str::from_utf8(response.body()).unwrap(), body);
            assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
            assert_eq!(response.headers().contains_key("retry-after"), status == 503);
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }

    #[test]
    fn line_separators_are_escaped_and_other_characters_are_not() {
        let response = json_response(StatusCode::OK, &"é\u{2028}\u{2029}", None);
        assert_eq!(response.body(), "\"é\\u2028\\u2029\"".as_bytes());
    }
}
