//! A request by an OAuth client, which sends its credentials each time (RFC 6749 section 2.3.1).

mod client;

use std::borrow::Cow;
use std::collections::HashSet;
use std::future::Future;

use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Response, StatusCode};

use super::call::{self, Call};
use super::spec::{Operation, Presence};
use super::{Endpoint, ReadError, RouterOptions};
use crate::error::{Error, ThrottleScope};
use crate::logging::cut;
use crate::service::Auth;
use crate::web::body::Data;
use crate::web::client::{client, flows_for};
use crate::web::form::{has_too_many_fields, raw_pairs, unquote};
use crate::web::json::{Text, Value};
use crate::web::object::{Json, object};
use crate::web::{error_response, json_response, singleton};
pub use client::{OAuthClient, OAuthClients};

/// A refused request (RFC 6749 section 5.2).
enum Refusal {
    InvalidRequest(StatusCode, Cow<'static, str>),
    InvalidClient,
    /// The credentials are wrong, and so were too many before.
    Throttled(Error),
    /// A refusal by the endpoint itself.
    Endpoint(call::Refusal),
}

fn invalid(why: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::InvalidRequest(StatusCode::BAD_REQUEST, why.into())
}

/// Returns the body of a refusal.
pub(super) fn error(code: &'static str, description: impl Into<Json>) -> Json {
    object([("error", code.into()), ("error_description", description.into())])
}

/// Answers a request. The body is read only if there are clients, and if the credentials in the
/// header aren't wrong.
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
    if options.clients.is_empty() {
        return json_response(
            StatusCode::NOT_FOUND,
            &object([("detail", "Not found.".into())]),
            None,
        );
    }
    let auth = &flows_for(auth, parts);
    let mut response = match answer(auth, endpoint, options, parts, read_body).await {
        Ok(response) => response,
        Err(refusal) => refuse(refusal, auth),
    };
    if let Some(Ok(allow)) = endpoint.spec().allow().map(HeaderValue::try_from) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

async fn answer<F>(
    auth: &Auth,
    endpoint: Endpoint,
    options: &RouterOptions,
    parts: &Parts,
    read_body: impl FnOnce() -> F,
) -> Result<Response<Vec<u8>>, Refusal>
where
    F: Future<Output = Result<Vec<u8>, ReadError>>,
{
    let mut call = Call::new(auth, endpoint, options, parts);
    let Some(operation) = call.operation else {
        let why = match endpoint.spec().allow() {
            Some(allow) => format!("only {allow} is allowed"),
            None => "the method is not allowed".to_owned(),
        };
        return Err(Refusal::InvalidRequest(StatusCode::METHOD_NOT_ALLOWED, why.into()));
    };
    singleton::check(&parts.headers, auth.settings())
        .map_err(|_| invalid("a header field that may occur only once was sent more than once"))?;
    // If the header already decides, the body isn't read.
    let by_header = by_header(auth, parts, options)?;
    Form::check_type(parts)?;
    let body = read_body().await.map_err(|error| match error {
        ReadError::TooLarge => {
            Refusal::InvalidRequest(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large".into())
        }
        ReadError::Incomplete => invalid("the body is incomplete"),
    })?;
    let form = Form::parse(&body, operation, options)?;
    call.client = Some(authenticate(auth, parts, by_header, &form, options)?);
    for field in operation.body_fields().filter(|field| field.presence == Presence::Required) {
        let name = field.name(options);
        if form.get(name).is_none() {
            return Err(invalid(format!("the parameter {name} is missing")));
        }
    }
    call.data = form.into_data();
    endpoint.answer(&call).await.map_err(Refusal::Endpoint)
}

fn refuse(refusal: Refusal, auth: &Auth) -> Response<Vec<u8>> {
    match refusal {
        Refusal::InvalidRequest(status, why) => {
            json_response(status, &error("invalid_request", why.into_owned()), None)
        }
        Refusal::InvalidClient => {
            let body = error("invalid_client", "client authentication failed");
            let mut response = json_response(StatusCode::UNAUTHORIZED, &body, None);
            let challenge = HeaderValue::from_static("Basic realm=\"api\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        }
        Refusal::Endpoint(call::Refusal::Other(status, body)) => json_response(status, &body, None),
        Refusal::Throttled(error)
        | Refusal::Endpoint(
            call::Refusal::Flow(error) | call::Refusal::RemovingCookies(error, _),
        ) => {
            // With its log line, and with Retry-After if the fault may be temporary.
            let mut response = error_response(&error, auth.settings());
            let code = match response.status() {
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                    "temporarily_unavailable"
                }
                _ => "server_error",
            };
            let body = json_response(response.status(), &object([("error", code.into())]), None);
            *response.body_mut() = body.into_body();
            response
        }
    }
}

/// The parameters of a request, each at most once. One without a value counts as missing (RFC 6749
/// section 3.2).
struct Form(Vec<(String, String)>);

impl Form {
    fn check_type(parts: &Parts) -> Result<(), Refusal> {
        let media_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.and_then(|text| text.split(';').next()).unwrap_or_default();
        if media_type.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Ok(())
        } else {
            Err(invalid("the body is not application/x-www-form-urlencoded"))
        }
    }

    /// Parses the parameters, keeping those that the operation reads.
    fn parse(body: &[u8], operation: &Operation, options: &RouterOptions) -> Result<Self, Refusal> {
        let is_read = |name: &str| operation.body_fields().any(|field| field.name(options) == name);
        if has_too_many_fields(body) {
            return Err(invalid("there are too many parameters"));
        }
        let mut form = Self(Vec::new());
        let mut seen = HashSet::new();
        for (name, value) in raw_pairs(body) {
            let name = unquote(name);
            if is_read(&name) {
                form.0.push((name.clone(), unquote(value)));
            }
            if !seen.insert(name) {
                return Err(invalid("a parameter was sent more than once"));
            }
        }
        Ok(form)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(other, _)| other == name)?;
        (!value.is_empty()).then_some(value)
    }

    fn into_data(self) -> Data {
        let text = |value| Value::Text(Text { value, surrogate: None });
        Data::Form(self.0.into_iter().map(|(name, value)| (name, text(value))).collect())
    }
}

/// Returns the client of the header's credentials; `None` without such a header.
fn by_header<'a>(
    auth: &Auth,
    parts: &Parts,
    options: &'a RouterOptions,
) -> Result<Option<&'a OAuthClient>, Refusal> {
    match parts.headers.get(AUTHORIZATION) {
        None => Ok(None),
        Some(header) => basic(header, options).map(Some).ok_or_else(|| refused(auth, parts, None)),
    }
}

/// Returns the client, by its credentials in either the header or the body.
fn authenticate<'a>(
    auth: &Auth,
    parts: &Parts,
    by_header: Option<&'a OAuthClient>,
    form: &Form,
    options: &'a RouterOptions,
) -> Result<&'a OAuthClient, Refusal> {
    Ok(match (by_header, form.get("client_id"), form.get("client_secret")) {
        (Some(_), _, Some(_)) => {
            return Err(invalid("client credentials were sent more than once"));
        }
        (Some(client), Some(named), None) if named != client.id() => {
            return Err(invalid("client_id differs from the one in the Authorization header"));
        }
        (Some(client), _, None) => client,
        (None, Some(id), Some(secret)) => {
            options.clients.find(id, secret).ok_or_else(|| refused(auth, parts, Some(id)))?
        }
        (None, named, _) => return Err(refused(auth, parts, named)),
    })
}

fn refused(auth: &Auth, parts: &Parts, named: Option<&str>) -> Refusal {
    if let Err(error) = auth.count_failure(ThrottleScope::Introspect) {
        return Refusal::Throttled(error);
    }
    let from = client(parts);
    let named = named.map(cut);
    tracing::warn!(
        event = "client_refused",
        client_address = from.address,
        user_agent = from.user_agent,
        client_id = named.as_deref(),
        "client refused"
    );
    Refusal::InvalidClient
}

/// Reads `Basic` credentials. RFC 6749 requires id and secret to be form-encoded, but many clients
/// send them as they are, so both are accepted.
fn basic<'a>(header: &HeaderValue, options: &'a RouterOptions) -> Option<&'a OAuthClient> {
    let (scheme, credentials) = header.to_str().ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let bytes = base64_simd::STANDARD.decode_to_vec(credentials.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = (unquote(id.as_bytes()), unquote(secret.as_bytes()));
    let clients = &options.clients;
    clients.find(&decoded.0, &decoded.1).or_else(|| clients.find(id, secret))
}
