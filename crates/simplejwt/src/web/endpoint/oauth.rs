//! Token revocation (RFC 7009) and introspection (RFC 7662), for clients with credentials.

mod client;

use std::collections::HashSet;
use std::future::Future;

use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::{Endpoint, EndpointOptions, ReadError, no_content};
use crate::claims::Claims;
use crate::error::Error;
use crate::logging::cut;
use crate::service::{Auth, Introspected, Revoking};
use crate::settings::{SESSION_CLAIM, Settings};
use crate::web::client::client;
use crate::web::form::{has_too_many_fields, raw_pairs, unquote};
use crate::web::object::object;
use crate::web::{error_response, json_response, singleton};
pub use client::{OAuthClient, OAuthClients};

/// A refusal (RFC 6749 section 5.2).
enum Refusal {
    InvalidRequest(StatusCode, &'static str),
    InvalidClient,
    UnsupportedTokenType,
    Flow(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Flow(error)
    }
}

const fn invalid(why: &'static str) -> Refusal {
    Refusal::InvalidRequest(StatusCode::BAD_REQUEST, why)
}

/// Answers a request to either endpoint. The body is read only if there are clients, and if the
/// credentials in the header aren't wrong.
pub(super) async fn respond<F>(
    auth: &Auth,
    endpoint: Endpoint,
    options: &EndpointOptions,
    parts: &Parts,
    read_body: impl FnOnce() -> F,
) -> Response<Vec<u8>>
where
    F: Future<Output = Result<Vec<u8>, ReadError>>,
{
    if options.clients.is_empty() {
        let body = object([("detail", "Not found.".into())]);
        return json_response(StatusCode::NOT_FOUND, &body, None);
    }
    let auth = &auth.from_client(client(parts));
    let mut response = match answer(auth, endpoint, options, parts, read_body).await {
        Ok(response) => response,
        Err(refusal) => refuse(refusal, auth),
    };
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(endpoint.allow()));
    response
}

async fn answer<F>(
    auth: &Auth,
    endpoint: Endpoint,
    options: &EndpointOptions,
    parts: &Parts,
    read_body: impl FnOnce() -> F,
) -> Result<Response<Vec<u8>>, Refusal>
where
    F: Future<Output = Result<Vec<u8>, ReadError>>,
{
    if parts.method != Method::POST {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(Refusal::InvalidRequest(status, "only POST is allowed"));
    }
    singleton::check(&parts.headers, auth.settings())
        .map_err(|_| invalid("a header field that may be there once is there twice"))?;
    // Whoever is known by the head, or isn't, costs no look at the body.
    let by_header = by_header(parts, options)?;
    Form::check_type(parts)?;
    let body = read_body().await.map_err(|error| match error {
        ReadError::TooLarge => {
            Refusal::InvalidRequest(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
        }
        ReadError::Incomplete => invalid("the body is incomplete"),
    })?;
    let form = Form::parse(&body)?;
    let client = authenticate(parts, by_header, &form, options)?;
    let token = form.get("token").ok_or_else(|| invalid("the parameter token is missing"))?;
    if endpoint == Endpoint::Revoke {
        let revoking = auth.revoke(token).await?;
        let outcome = match revoking {
            Revoking::Revoked => "revoked",
            Revoking::NotGood => "not_good",
            Revoking::Unsupported => "unsupported",
        };
        tracing::info!(
            event = "revocation_asked",
            client_id = client,
            outcome,
            "revocation asked for"
        );
        return match revoking {
            Revoking::Unsupported => Err(Refusal::UnsupportedTokenType),
            Revoking::Revoked | Revoking::NotGood => {
                let mut response = no_content();
                *response.status_mut() = StatusCode::OK;
                Ok(response)
            }
        };
    }
    let found = auth.introspect(token).await?;
    let active = found.is_some();
    tracing::debug!(event = "introspection", client_id = client, active, "introspected");
    Ok(match found {
        None => json_response(StatusCode::OK, &object([("active", false.into())]), None),
        Some(found) => {
            let active = Active { found: &found, settings: auth.settings() };
            json_response(StatusCode::OK, &active, None)
        }
    })
}

fn refuse(refusal: Refusal, auth: &Auth) -> Response<Vec<u8>> {
    let (status, error, description) = match refusal {
        Refusal::InvalidRequest(status, why) => (status, "invalid_request", why),
        Refusal::InvalidClient => {
            (StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed")
        }
        Refusal::UnsupportedTokenType => (
            StatusCode::BAD_REQUEST,
            "unsupported_token_type",
            "tokens of this kind can't be revoked here",
        ),
        Refusal::Flow(error) => {
            // With its log line, and Retry-After where the fault may pass.
            let mut response = error_response(&error, auth.settings());
            let code = match response.status() {
                StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
                _ => "server_error",
            };
            let body = json_response(response.status(), &object([("error", code.into())]), None);
            *response.body_mut() = body.into_body();
            return response;
        }
    };
    let body = object([("error", error.into()), ("error_description", description.into())]);
    let mut response = json_response(status, &body, None);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"api\", charset=\"UTF-8\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The parameters of a request that are looked at.
const PARAMETERS: [&str; 3] = ["token", "client_id", "client_secret"];

/// The parameters of a request, each there once at most. One without a value counts as missing
/// (RFC 6749 section 3.2).
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

    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if has_too_many_fields(body) {
            return Err(invalid("there are too many parameters"));
        }
        let mut form = Self(Vec::new());
        let mut seen = HashSet::new();
        for (name, value) in raw_pairs(body) {
            let name = unquote(name);
            if PARAMETERS.contains(&name.as_str()) {
                form.0.push((name.clone(), unquote(value)));
            }
            if !seen.insert(name) {
                return Err(invalid("a parameter is there twice"));
            }
        }
        Ok(form)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(other, _)| other == name)?;
        (!value.is_empty()).then_some(value)
    }
}

/// The client of the header's credentials; `None` if there is no such header.
fn by_header<'a>(
    parts: &Parts,
    options: &'a EndpointOptions,
) -> Result<Option<&'a OAuthClient>, Refusal> {
    match parts.headers.get(AUTHORIZATION) {
        None => Ok(None),
        Some(header) => basic(header, options).map(Some).ok_or_else(|| refused(parts, None)),
    }
}

/// The id of the client that asks, by its credentials in the header or in the body, not in both.
fn authenticate<'a>(
    parts: &Parts,
    by_header: Option<&'a OAuthClient>,
    form: &Form,
    options: &'a EndpointOptions,
) -> Result<&'a str, Refusal> {
    let client = match (by_header, form.get("client_id"), form.get("client_secret")) {
        (Some(_), _, Some(_)) => return Err(invalid("client credentials are there twice")),
        (Some(client), Some(named), None) if named != client.id() => {
            return Err(invalid("client_id is another than in the Authorization header"));
        }
        (Some(client), _, None) => client,
        (None, Some(id), Some(secret)) => {
            options.clients.find(id, secret).ok_or_else(|| refused(parts, Some(id)))?
        }
        (None, named, _) => return Err(refused(parts, named)),
    };
    Ok(client.id())
}

fn refused(parts: &Parts, named: Option<&str>) -> Refusal {
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

/// `Basic` credentials. RFC 6749 has id and secret form-encoded; many clients send them as they
/// are, so either is taken.
fn basic<'a>(header: &HeaderValue, options: &'a EndpointOptions) -> Option<&'a OAuthClient> {
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

/// The answer for a token that is good (RFC 7662 section 2.2).
struct Active<'a> {
    found: &'a Introspected,
    settings: &'a Settings,
}

/// Claims that carry over as they are. Their form was seen to when the token was verified.
const REGISTERED: [&str; 5] = ["exp", "iat", "nbf", "aud", "iss"];
/// Texts that carry over under their own name.
const TEXTS: [&str; 2] = ["client_id", SESSION_CLAIM];

impl Serialize for Active<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Introspected { token, user_id, username, opens_routes } = self.found;
        let claims = token.claims();
        let text = |name: Option<&String>| name.and_then(|name| claims.str(name));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("active", &true)?;
        map.serialize_entry("sub", user_id.as_str())?;
        if let Some(username) = username.as_deref().or(claims.str("username").as_deref()) {
            map.serialize_entry("username", username)?;
        }
        if *opens_routes {
            map.serialize_entry("token_type", "Bearer")?;
        }
        if let Some(scope) = scope(claims) {
            map.serialize_entry("scope", &scope)?;
        }
        for name in REGISTERED {
            let value = claims.raw(name).map(serde_json::from_str::<&RawValue>);
            if let Some(Ok(value)) = value {
                map.serialize_entry(name, value)?;
            }
        }
        if let Some(jti) = text(self.settings.jti_claim.as_ref()) {
            map.serialize_entry("jti", &jti)?;
        }
        for name in TEXTS {
            if let Some(value) = claims.str(name) {
                map.serialize_entry(name, &value)?;
            }
        }
        if let Some(kind) = text(self.settings.token_type_claim.as_ref()) {
            map.serialize_entry("simplejwt_token_type", &kind)?;
        }
        map.end()
    }
}

/// `scope` as OAuth has it, with spaces between; a list is joined.
fn scope(claims: &Claims) -> Option<String> {
    match claims.str("scope") {
        Some(scope) => Some(scope.into_owned()),
        None => Some(claims.get::<Vec<String>>("scope").ok()??.join(" ")),
    }
}
