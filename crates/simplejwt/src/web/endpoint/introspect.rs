//! `introspect/`, which has no upstream view: returns the state of a token (RFC 7662).

use http::StatusCode;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::call::{Answer, Call};
use super::oauth::OAuthClient;
use super::revoke::{CLIENT_ID, CLIENT_SECRET, HINT, TOKEN};
use super::spec::{
    Base, Body, Cookies, Credentials, Field, Operation, Outcome, Protocol, Spec, Value, Verb,
};
use crate::claims::Claims;
use crate::clock::Timestamp;
use crate::service::Introspected;
use crate::settings::{SESSION_CLAIM, Settings};
use crate::web::object::object;

pub(super) const SPEC: Spec = Spec {
    path: "introspect/",
    base: Base::Prefix,
    name: "Introspect",
    description: "",
    protocol: Protocol::OAuth,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Post,
        summary: "Returns the state of a token, for OAuth's clients",
        credentials: Credentials::Client,
        fields: &[TOKEN, HINT, CLIENT_ID, CLIENT_SECRET],
        cookies: Cookies::Untouched,
        outcomes: &[Outcome::success(
            StatusCode::OK,
            "`active` says whether the token is valid; the other members are present only if it is",
            Body::Object(MEMBERS),
        )],
    }],
};

const MEMBERS: &[Field] = &[
    Field::required(
        "active",
        Value::Boolean,
        "true if the token is valid, and the client may know it",
    ),
    Field::optional("sub", Value::Text, "the value of `USER_ID_CLAIM`"),
    Field::optional("username", Value::Text, "the user's login name"),
    Field::optional("token_type", Value::Text, "`Bearer`, if protected routes accept the token"),
    Field::optional("scope", Value::Text, "the claim; the items of a list are separated by spaces"),
    Field::optional("exp", Value::NumericDate, "the claim, or earlier: the time to ask again"),
    Field::optional("iat", Value::NumericDate, "the claim"),
    Field::optional("nbf", Value::NumericDate, "the claim"),
    Field::optional("aud", Value::TextOrList, "the claim"),
    Field::optional("iss", Value::Text, "the claim"),
    Field::optional("jti", Value::Text, "the value of `JTI_CLAIM`"),
    Field::optional("client_id", Value::Text, "the claim"),
    Field::optional(SESSION_CLAIM, Value::Text, "the claim: the token's session"),
    Field::optional("simplejwt_token_type", Value::Text, "the value of `TOKEN_TYPE_CLAIM`"),
];

pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let sees_refresh_tokens = call.client.is_some_and(OAuthClient::sees_refresh_tokens);
    let found = call.auth.introspect(call.as_sent(&TOKEN)).await?;
    let found = found.filter(|found| sees_refresh_tokens || !found.is_refresh);
    let active = found.is_some();
    let client_id = call.client.map(OAuthClient::id);
    tracing::debug!(event = "introspection", client_id, active, "introspected");
    let max_age = call.client.and_then(OAuthClient::introspection_max_age);
    let latest = max_age.map(|max_age| call.auth.tokens().now() + max_age);
    Ok(match &found {
        None => call.json(&object([("active", false.into())])),
        Some(found) => call.json(&Active { found, settings: call.auth.settings(), latest }),
    })
}

/// The answer for a valid token (RFC 7662 section 2.2).
struct Active<'a> {
    found: &'a Introspected,
    settings: &'a Settings,
    /// The latest `exp` that the client may be told.
    latest: Option<Timestamp>,
}

/// Claims that are copied unchanged. Their form was checked when the token was verified.
const REGISTERED: [&str; 4] = ["iat", "nbf", "aud", "iss"];
/// Texts that are copied under the same name.
const TEXTS: [&str; 2] = ["client_id", SESSION_CLAIM];

impl Serialize for Active<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Introspected { token, user_id, username, opens_routes, .. } = self.found;
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
        match self.latest.map(Timestamp::as_secs) {
            Some(latest) if claims.numeric_date("exp").is_ok_and(|exp| exp > Some(latest)) => {
                map.serialize_entry("exp", &latest)?;
            }
            _ => copy(claims, "exp", &mut map)?,
        }
        for name in REGISTERED {
            copy(claims, name, &mut map)?;
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

/// Copies a claim unchanged, if the token has it.
fn copy<M: SerializeMap>(claims: &Claims, name: &str, map: &mut M) -> Result<(), M::Error> {
    match claims.raw(name).map(serde_json::from_str::<&RawValue>) {
        Some(Ok(value)) => map.serialize_entry(name, value),
        _ => Ok(()),
    }
}

/// Returns `scope` as OAuth defines it, separated by spaces; a list is joined.
fn scope(claims: &Claims) -> Option<String> {
    match claims.str("scope") {
        Some(scope) => Some(scope.into_owned()),
        None => Some(claims.get::<Vec<String>>("scope").ok()??.join(" ")),
    }
}
