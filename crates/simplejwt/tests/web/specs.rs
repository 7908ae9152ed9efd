//! What each endpoint's `SPEC` says, held against what the endpoint does: methods, fields,
//! outcomes, cookies, and the table of docs/http-api.md.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod outcomes;
mod page;
mod throttled;
mod world;

use serde_json::{Map, Value, json};
use simplejwt::web::endpoint::{
    Base, Body, Cookies, Credentials, Endpoint, Field, Operation, Place, Presence, Protocol,
    RouterOptions, TokenCookie,
};
use world::{Ask, PASSWORD, Seen, World};

const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

fn operations() -> impl Iterator<Item = (Endpoint, &'static Operation)> {
    let of = |&at: &Endpoint| at.spec().operations.iter().map(move |operation| (at, operation));
    Endpoint::ALL.iter().flat_map(of)
}

/// A value that is well-formed, and not good for anything.
fn sample(field: &Field, options: &RouterOptions) -> (String, Value) {
    (field.name(options).to_owned(), json!("sample"))
}

#[test]
fn paths_are_each_endpoints_own_and_of_one_form() {
    let mut paths: Vec<_> = Endpoint::ALL.iter().map(|at| at.spec().path).collect();
    for at in Endpoint::ALL.iter().map(|at| at.spec()) {
        let (path, is_document) = (at.path, at.protocol == Protocol::Document);
        assert!(!path.starts_with('/'), "{path}");
        assert_eq!(path.is_empty() || path.ends_with('/'), !is_document, "{path}");
    }
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), Endpoint::ALL.len());
}

#[tokio::test]
async fn methods_are_those_of_the_spec_and_allow_names_them() {
    let world = World::new(|_| ());
    let (_, access) = world.log_in("alice").await;
    for &endpoint in Endpoint::ALL {
        let spec = endpoint.spec();
        for method in METHODS {
            let seen = world.ask(endpoint, Ask::new(endpoint, method).bearer(&access)).await;
            let Some(allow) = spec.allow() else {
                assert_eq!(seen.allow(), None, "{endpoint:?} {method}");
                assert_eq!(seen.status, 204, "{endpoint:?} {method}");
                continue;
            };
            assert_eq!(seen.allow(), Some(allow.as_str()), "{endpoint:?} {method}");
            let is_allowed = allow.split(", ").any(|allowed| allowed == method);
            assert_eq!(seen.status != 405, is_allowed, "{endpoint:?} {method}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn options_describe_what_is_read() {
    let world = World::new(|_| ());
    let (_, access) = world.log_in("alice").await;
    for &endpoint in Endpoint::ALL {
        let spec = endpoint.spec();
        if spec.protocol != Protocol::Rest {
            continue;
        }
        let seen = world.ask(endpoint, Ask::new(endpoint, "OPTIONS").bearer(&access)).await;
        let told = seen.body.unwrap();
        assert_eq!((seen.status, &told["name"]), (200, &json!(spec.name)));
        assert_eq!(told["description"], spec.description, "{endpoint:?}");
        let in_body = |operation: &'static Operation| {
            operation.fields.iter().filter(|field| field.place == Place::Body)
        };
        let fields: Vec<_> = spec.operations.iter().flat_map(in_body).collect();
        assert_eq!(told.get("actions").is_some(), !fields.is_empty(), "{endpoint:?}");
        for field in &fields {
            let of = &told["actions"]["POST"][field.name(&world.options)];
            assert_eq!(of["required"], field.presence == Presence::Required, "{endpoint:?}: {of}");
            assert_eq!(of["read_only"], field.presence == Presence::ReadOnly, "{endpoint:?}: {of}");
        }
        if let Some(Value::Object(told)) = told["actions"].get("POST") {
            assert_eq!(told.len(), fields.len(), "{endpoint:?}");
        }
        // Without credentials the endpoint is as open as it says.
        let bare = world.ask(endpoint, Ask::new(endpoint, "OPTIONS")).await;
        assert_eq!(bare.status == 401, spec.credentials_first, "{endpoint:?}");
    }
}

/// The fields that a request is told are missing.
fn missing(seen: &Seen) -> Vec<String> {
    let Some(body) = &seen.body else { return Vec::new() };
    match &body["body"] {
        Value::Object(fields) if seen.code.as_deref() == Some("invalid") => fields
            .iter()
            .filter(|(_, why)| why[0] == "This field is required.")
            .map(|(name, _)| name.clone())
            .collect(),
        _ => {
            let told = body["error_description"].as_str().unwrap_or_default();
            let name = told.strip_prefix("the parameter ");
            name.and_then(|name| name.strip_suffix(" is missing"))
                .map(str::to_owned)
                .into_iter()
                .collect()
        }
    }
}

#[tokio::test]
async fn each_required_field_is_missed_in_turn_and_no_other() {
    let mut world = World::new(|_| ());
    world.options.username_field = "email_address".into();
    let (mut required, mut optional) = (0, 0);
    for (endpoint, operation) in operations() {
        let send = async |without: Option<&Field>| {
            let of = |field: &&Field| Some(*field) != without;
            let fields = operation.body_fields().filter(of);
            let fields: Map<_, _> = fields.map(|field| sample(field, &world.options)).collect();
            let ask = match endpoint.spec().protocol {
                Protocol::OAuth => {
                    let is_credential = |name: &str| name.starts_with("client_");
                    let fields: Vec<_> =
                        fields.keys().filter(|name| !is_credential(name)).collect();
                    let pairs: Vec<_> = fields.iter().map(|name| (name.as_str(), "x")).collect();
                    Ask::of(endpoint).by_client(&pairs)
                }
                _ => Ask::of(endpoint).json(&Value::Object(fields)),
            };
            world.ask(endpoint, ask).await
        };
        for field in operation.body_fields() {
            let name = field.name(&world.options);
            let seen = send(Some(field)).await;
            match field.presence {
                Presence::Required => {
                    required += 1;
                    assert_eq!(seen.status, 400, "{endpoint:?} without {name}");
                    assert_eq!(missing(&seen), [name], "{endpoint:?} without {name}");
                }
                _ => {
                    optional += 1;
                    assert_eq!(missing(&seen), [""; 0], "{endpoint:?} without {name}");
                }
            }
        }
        if operation.reads_body() {
            let seen = send(None).await;
            assert!(missing(&seen).is_empty(), "{endpoint:?}: {seen:?}");
        }
    }
    assert_eq!((required, optional), (10, 9));
}

/// For a field that has a cookie, the cookie does; without either, the browser is to log in.
#[tokio::test]
async fn a_cookie_stands_for_a_field_where_the_spec_says_so() {
    let mut found = 0;
    for (endpoint, operation) in operations() {
        for field in operation.body_fields() {
            let Some(cookie) = field.cookie else { continue };
            found += 1;
            let world = World::with_cookies(|_| ());
            let is_sliding = endpoint == Endpoint::TokenRefreshSliding;
            let (refresh, mut access) = world.log_in("alice").await;
            if is_sliding {
                access = world.log_in_sliding("alice").await;
            }
            let (right, wrong) = match cookie {
                TokenCookie::Refresh => (("__Secure-refresh", &refresh), "__Host-access"),
                _ => (("__Host-access", &access), "__Secure-refresh"),
            };
            let with = |name: &str, token: &str| Ask::of(endpoint).cookies(&[(name, token)]);
            let seen = world.ask(endpoint, with(wrong, right.1)).await;
            assert_eq!(seen.code.as_deref(), Some("not_authenticated"), "{endpoint:?}");
            let seen = world.ask(endpoint, with(right.0, right.1)).await;
            assert_eq!(seen.status, 200, "{endpoint:?}: {seen:?}");
        }
    }
    assert_eq!(found, 4);
}

#[tokio::test]
async fn cookies_are_set_and_removed_where_the_spec_says_so() {
    for (endpoint, operation) in operations() {
        if endpoint.spec().protocol != Protocol::Rest || endpoint == Endpoint::Session {
            continue;
        }
        let world = World::with_cookies(|_| ());
        let (refresh, mut access) = world.log_in("alice").await;
        if endpoint == Endpoint::TokenRefreshSliding {
            access = world.log_in_sliding("alice").await;
        }
        let mut ask = Ask::of(endpoint)
            .cookies(&[("__Host-access", &access), ("__Secure-refresh", &refresh)]);
        if operation.cookies == Cookies::Login {
            ask = ask.json(&json!({"username": "alice", "password": PASSWORD}));
        }
        let seen = world.ask(endpoint, ask).await;
        assert_eq!(seen.status, 200, "{endpoint:?}: {seen:?}");
        let cookies = seen.set_cookies();
        let removed = cookies.iter().filter(|cookie| cookie.contains("Max-Age=0")).count();
        match operation.cookies {
            Cookies::Untouched => assert!(cookies.is_empty(), "{endpoint:?}: {cookies:?}"),
            Cookies::Removal => assert_eq!((cookies.len(), removed), (2, 2), "{endpoint:?}"),
            _ => {
                assert!(!cookies.is_empty() && removed == 0, "{endpoint:?}: {cookies:?}");
                assert_eq!(seen.body, Some(json!({})), "no script reads a token");
            }
        }
    }
}

/// The credentials that the spec names are needed, and enough to come further.
#[tokio::test]
async fn credentials_are_asked_for_where_the_spec_says_so() {
    let world = World::new(|_| ());
    for (endpoint, operation) in operations() {
        let bare = world.ask(endpoint, Ask::of(endpoint)).await;
        let is_asked = matches!(
            operation.credentials,
            Credentials::AccessToken | Credentials::AccessTokenOrField | Credentials::Client
        );
        let of_client = matches!(operation.credentials, Credentials::Client);
        let bare = match of_client {
            true => world.ask(endpoint, Ask::of(endpoint).form(&[("token", "x")])).await,
            false => bare,
        };
        assert_eq!(bare.status == 401, is_asked, "{endpoint:?}: {bare:?}");
        let (_, access) = world.log_in("alice").await;
        let ask = match of_client {
            true => Ask::of(endpoint).by_client(&[("token", "x")]),
            false => Ask::of(endpoint).bearer(&access),
        };
        let seen = world.ask(endpoint, ask).await;
        assert_ne!(seen.status, 401, "{endpoint:?}: {seen:?}");
    }
}

/// A body is what its outcome says.
fn assert_body(body: Body, seen: &Seen) {
    let assert_members = |fields: &[Field], value: &Value| {
        let mut members = Seen::members(value);
        for field in fields {
            let is_there = members.remove(field.name(&RouterOptions::default()));
            assert!(is_there || field.presence == Presence::Optional, "{field:?}: {seen:?}");
        }
        assert!(members.is_empty(), "{members:?} aren't declared: {seen:?}");
    };
    match (body, &seen.body) {
        (Body::Empty, None) | (Body::Refusal, Some(_)) => {}
        (Body::Object(fields), Some(value)) => assert_members(fields, value),
        (Body::List(fields), Some(Value::Array(values))) => {
            values.iter().for_each(|value| assert_members(fields, value));
        }
        _ => panic!("{body:?}: {seen:?}"),
    }
}

#[test]
fn demo_endpoints_and_documents_are_the_only_ones_outside_the_prefix() {
    let outside = Endpoint::ALL.iter().filter(|at| at.spec().base == Base::Demo);
    assert_eq!(outside.collect::<Vec<_>>(), [&Endpoint::Protected, &Endpoint::ProtectedStateless]);
    let root = Endpoint::ALL.iter().filter(|at| at.spec().base == Base::Root);
    assert_eq!(root.collect::<Vec<_>>(), [&Endpoint::Jwks, &Endpoint::ServerMetadata]);
}
