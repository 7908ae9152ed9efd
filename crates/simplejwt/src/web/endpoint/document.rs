//! A request for a public document: anybody may read and keep it.
//!
//! Credentials, cookies and the body are ignored, and so is the page's origin: the answer is the
//! same for everybody, and any page may read it.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_NONE_MATCH, RETRY_AFTER,
};
use http::request::Parts;
use http::{Response, StatusCode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::call::{Answer, Call, Refusal, empty};
use super::spec::{Field, Place, Value};
use super::{Endpoint, RouterOptions};
use crate::error::Error;
use crate::service::Auth;
use crate::web::object::object;
use crate::web::{ErrorCode, body, error_response, json_response};

/// The header with the `ETag` of the document that a client already has.
pub(super) const KNOWN: Field =
    Field::optional("If-None-Match", Value::Text, "the `ETag` of the document that is known")
        .in_the(Place::Header);

/// Answers a request. Its body is never read.
pub(super) async fn respond(
    auth: &Auth,
    endpoint: Endpoint,
    options: &RouterOptions,
    parts: &Parts,
) -> Response<Vec<u8>> {
    let call = Call::new(auth, endpoint, options, parts);
    let answer = match call.operation {
        Some(_) => endpoint.answer(&call).await,
        None => Err(not_allowed(parts)),
    };
    let mut response = match answer {
        Ok(response) => response,
        Err(Refusal::Flow(error) | Refusal::RemovingCookies(error, _)) => {
            error_response(&error, auth.settings())
        }
        Err(Refusal::Other(status, body)) => json_response(status, &body, None),
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Some(allow) = endpoint.allow() {
        headers.insert(ALLOW, allow);
    }
    response
}

fn not_allowed(parts: &Parts) -> Refusal {
    let detail = format!("Method \"{}\" not allowed.", parts.method);
    Refusal::Other(StatusCode::METHOD_NOT_ALLOWED, object([("detail", detail.into())]))
}

/// Makes the refusal of a document that doesn't exist.
pub(super) fn not_found() -> Refusal {
    Refusal::Other(StatusCode::NOT_FOUND, object([("detail", "Not found.".into())]))
}

/// Makes the answer for a document that can't be given for the moment. The log already has the
/// reason.
pub(super) fn unavailable() -> Response<Vec<u8>> {
    let error = Error::KeysUnavailable;
    let mut response = json_response(StatusCode::SERVICE_UNAVAILABLE, &body(&error), None);
    response.extensions_mut().insert(ErrorCode(error.code()));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Answers with a document, or with 304 if the client already has it (RFC 9110 section 13.1.2).
pub(super) fn document(
    call: &Call<'_>,
    content: &impl Serialize,
    media_type: &'static str,
    max_age: Duration,
) -> Answer {
    let mut response = json_response(StatusCode::OK, content, None);
    let etag = etag(response.body());
    if is_known(&call.parts.headers, &etag) {
        response = empty(StatusCode::NOT_MODIFIED);
    } else {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    let headers = response.headers_mut();
    let max_age = format!("public, max-age={}", max_age.as_secs());
    for (name, value) in [(CACHE_CONTROL, max_age), (ETAG, etag)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// Returns the strong entity tag of a body.
fn etag(body: &[u8]) -> String {
    format!("\"{}\"", base64_simd::URL_SAFE_NO_PAD.encode_to_string(Sha256::digest(body)))
}

/// Returns `true` if `If-None-Match` has this tag, also as a weak one, or is `*`.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    // A comma in another tag may split it, and none of its pieces is this one.
    headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|tag| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || tag == etag
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_any_list_and_weak() {
        let tag = etag(b"{}");
        assert_eq!(tag.len(), 45);
        for (sent, expected) in [
            (tag.clone(), true),
            (format!("W/{tag}"), true),
            (format!("\"a\", {tag}"), true),
            (format!("\"a,b\",W/{tag} ,\"c\""), true),
            ("*".to_owned(), true),
            (String::new(), false),
            ("\"a\"".to_owned(), false),
            (tag.trim_matches('"').to_owned(), false),
            (format!("w/{tag}"), false),
            (etag(b"{ }"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(IF_NONE_MATCH, HeaderValue::from_static("\"first\""));
            headers.append(IF_NONE_MATCH, sent.parse().unwrap());
            assert_eq!(is_known(&headers, &tag), expected, "{sent}");
        }
        assert!(!is_known(&HeaderMap::new(), &tag));
    }
}
