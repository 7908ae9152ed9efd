//! A request to a view, answered as Django REST framework does.
//!
//! The checks are in Django REST framework's order: content negotiation, authentication (if
//! needed), the method, the form of the body, its fields, and only then the flow.

use std::future::Future;

use http::header::{ALLOW, HeaderValue, VARY};
use http::request::Parts;
use http::{Response, StatusCode};

use super::call::{Answer, Call, Refusal};
use super::{Endpoint, ReadError, RouterOptions};
use crate::error::Error;
use crate::service::Auth;
use crate::web::accept::{self, Rendering, Unacceptable};
use crate::web::body::{self, BodyError};
use crate::web::client::flows_for;
use crate::web::object::{Json, object};
use crate::web::{body_under, csrf, error_response, json_response, singleton};

/// The largest number of fields that an operation has.
const MOST_FIELDS: usize = 8;

const _: () = {
    let mut endpoints = Endpoint::ALL;
    while let [endpoint, rest @ ..] = endpoints {
        let mut operations = endpoint.spec().operations;
        while let [operation, rest @ ..] = operations {
            assert!(operation.fields.len() <= MOST_FIELDS);
            operations = rest;
        }
        endpoints = rest;
    }
};

/// Answers a request. The body is read only when it is needed.
pub(super) async fn respond<F>(
    auth: &Auth,
    endpoint: Endpoint,
    options: &RouterOptions,
    parts: &Parts,
    read_body: impl FnOnce() -> F,
) -> Response<Vec<u8>>
where
    F: Future<Output = Result<Vec<u8>, ReadError>>,
{
    let mut response = match accept::negotiate(parts) {
        Ok(rendering) => {
            let auth = flows_for(auth, parts);
            match answer(&auth, endpoint, options, (parts, rendering), read_body).await {
                Ok(response) => response,
                Err(Refusal::Flow(error)) => refuse(&error, &auth, rendering),
                Err(Refusal::RemovingCookies(error, cookies)) => {
                    let mut response = refuse(&error, &auth, rendering);
                    response.headers_mut().extend(cookies);
                    response
                }
                Err(Refusal::Other(status, body)) => json_response(status, &body, rendering.indent),
            }
        }
        Err(Unacceptable::NoMediaType) => json_response(
            StatusCode::NOT_ACCEPTABLE,
            &detail("Could not satisfy the request Accept header."),
            None,
        ),
        Err(Unacceptable::UnknownFormat) => {
            json_response(StatusCode::NOT_FOUND, &detail("Not found."), None)
        }
    };
    let headers = response.headers_mut();
    if let Some(allow) = endpoint.allow() {
        headers.insert(ALLOW, allow);
    }
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    response
}

async fn answer<F>(
    auth: &Auth,
    endpoint: Endpoint,
    options: &RouterOptions,
    (parts, rendering): (&Parts, Rendering),
    read_body: impl FnOnce() -> F,
) -> Answer
where
    F: Future<Output = Result<Vec<u8>, ReadError>>,
{
    singleton::check(&parts.headers, auth.settings())?;
    if auth.settings().transport.has_cookies() {
        csrf::check(&parts.method, &parts.uri, &parts.headers, auth.settings())?;
    }
    let spec = endpoint.spec();
    let mut call = Call::new(auth, endpoint, options, parts);
    call.indent = rendering.indent;
    match call.operation {
        None if !spec.credentials_first => return call.without_operation(),
        Some(operation) if operation.reads_body() => {
            let body = read_body().await.map_err(unread)?;
            let mut wanted = [""; MOST_FIELDS];
            let names = operation.body_fields().map(|field| field.name(options));
            let count = wanted.iter_mut().zip(names).map(|(place, name)| *place = name).count();
            let wanted = wanted.get(..count).unwrap_or_default();
            call.data = body::parse(parts, body, wanted).map_err(unparsed)?;
        }
        None | Some(_) => {}
    }
    endpoint.answer(&call).await
}

/// Answers an error, with the requested indentation.
fn refuse(error: &Error, auth: &Auth, rendering: Rendering) -> Response<Vec<u8>> {
    let mut response = error_response(error, auth.settings());
    if rendering.indent.is_some() {
        let body = body_under(error, auth.settings());
        let indented = json_response(response.status(), &body, rendering.indent);
        *response.body_mut() = indented.into_body();
    }
    response
}

fn detail(text: impl Into<Json>) -> Json {
    object([("detail", text.into())])
}

fn unread(error: ReadError) -> Refusal {
    match error {
        ReadError::TooLarge => {
            Refusal::Other(StatusCode::PAYLOAD_TOO_LARGE, detail("Request body is too large."))
        }
        ReadError::Incomplete => {
            Refusal::Other(StatusCode::BAD_REQUEST, detail("Request body is incomplete."))
        }
    }
}

fn unparsed(error: BodyError) -> Refusal {
    match error {
        BodyError::Malformed(why) => Refusal::Other(StatusCode::BAD_REQUEST, detail(why)),
        BodyError::UnsupportedMediaType(sent) => Refusal::Other(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            detail(format!("Unsupported media type \"{sent}\" in request.")),
        ),
    }
}
