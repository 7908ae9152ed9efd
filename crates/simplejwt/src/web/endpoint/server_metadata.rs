//! `/.well-known/oauth-authorization-server`, which has no upstream view: the issuer's metadata
//! (RFC 8414).

use http::StatusCode;

use super::Endpoint;
use super::call::{Answer, Call};
use super::document::{KNOWN, document, not_found};
use super::issuer::{Issuer, WELL_KNOWN};
use super::spec::{
    Base, Body, Cookies, Credentials, Field, Operation, Outcome, Protocol, Spec, Value, Verb,
};
use crate::web::object::{Json, texts};

pub(super) const SPEC: Spec = Spec {
    path: WELL_KNOWN,
    base: Base::Root,
    name: "Server Metadata",
    description: "",
    protocol: Protocol::Document,
    credentials_first: false,
    operations: &[Operation {
        verb: Verb::Get,
        summary: "Returns the issuer's metadata",
        credentials: Credentials::None,
        fields: &[KNOWN],
        cookies: Cookies::Untouched,
        outcomes: &[
            Outcome::success(StatusCode::OK, "the metadata", Body::Object(MEMBERS)),
            Outcome::success(StatusCode::NOT_MODIFIED, "the same as before", Body::Empty),
            Outcome::refusal(StatusCode::NOT_FOUND, "not_found", "`ISSUER` isn't such a URL"),
        ],
    }],
};

const MEMBERS: &[Field] = &[
    Field::required("issuer", Value::Text, "the value of `ISSUER`"),
    Field::required("jwks_uri", Value::Text, "the URL of the public keys"),
    Field::required("response_types_supported", Value::TextList, "none"),
    Field::required("grant_types_supported", Value::TextList, "none"),
    Field::optional("introspection_endpoint", Value::Text, "its URL, if there are clients"),
    Field::optional(
        "introspection_endpoint_auth_methods_supported",
        Value::TextList,
        "the ways in which a client may send its secret",
    ),
    Field::optional("revocation_endpoint", Value::Text, "its URL, if there are clients"),
    Field::optional(
        "revocation_endpoint_auth_methods_supported",
        Value::TextList,
        "the ways in which a client may send its secret",
    ),
];

/// The names of the ways in which a client may send its secret (RFC 7591 section 2).
const AUTH_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

#[expect(clippy::unused_async, reason = "as every endpoint's")]
pub(super) async fn answer(call: &Call<'_>) -> Answer {
    let options = call.options;
    let text = call.auth.settings().issuer.as_deref().unwrap_or_default();
    let issuer = Issuer::parse(text).ok_or_else(not_found)?;
    let (path, root) = (call.parts.uri.path(), options.normal_root());
    let below_root = format!("{root}{WELL_KNOWN}");
    // The path of the router, if it is nested in another.
    let outer = match path.strip_suffix(&below_root).filter(|_| root != "/") {
        Some(outer) => outer,
        None => path.strip_suffix(&issuer.metadata_path()).unwrap_or_default(),
    };
    let url = |base: &str, endpoint: Endpoint| {
        Json::from(format!("{}{outer}{base}{}", issuer.origin, endpoint.spec().path))
    };
    // `[]` says that nothing is supported; without a member, OAuth's defaults would hold.
    let mut members = vec![
        ("issuer".into(), text.to_owned().into()),
        ("jwks_uri".into(), url(&root, Endpoint::Jwks)),
        ("response_types_supported".into(), Json::List(Vec::new())),
        ("grant_types_supported".into(), Json::List(Vec::new())),
    ];
    if !options.clients.is_empty() {
        let prefix = options.normal_prefix();
        members.extend([
            ("introspection_endpoint".into(), url(&prefix, Endpoint::Introspect)),
            ("introspection_endpoint_auth_methods_supported".into(), texts(AUTH_METHODS)),
            ("revocation_endpoint".into(), url(&prefix, Endpoint::Revoke)),
            ("revocation_endpoint_auth_methods_supported".into(), texts(AUTH_METHODS)),
        ]);
    }
    document(call, &Json::Object(members), "application/json", options.jwks_max_age)
}
