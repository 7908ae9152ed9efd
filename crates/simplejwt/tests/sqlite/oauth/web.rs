//! Requests to the router.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use simplejwt::web::axum::{RouterOptions, router_with};
use simplejwt::web::endpoint::{OAuthClient, OAuthClients};
use simplejwt::{Auth, Credentials, StoreError, Timestamp, User, UserId, UserStore};
use tower::ServiceExt as _;

pub(crate) const SECRET: &str = "the+secret of%41 the client, long enough";

/// Users in a database that can't be reached.
#[derive(Debug)]
pub(crate) struct Unreachable;

fn unreachable<T>() -> Result<T, StoreError> {
    Err(StoreError::unavailable("find", "connection refused"))
}

#[async_trait::async_trait]
impl UserStore for Unreachable {
    async fn authenticate(&self, _: &Credentials) -> Result<Option<User>, StoreError> {
        unreachable()
    }

    async fn find(&self, _: &UserId) -> Result<Option<User>, StoreError> {
        unreachable()
    }

    async fn update_last_login(&self, _: &UserId, _: Timestamp) -> Result<(), StoreError> {
        unreachable()
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// With the client `billing`, which may know of refresh tokens.
pub(crate) fn options() -> RouterOptions {
    options_for(|client| client.with_refresh_tokens())
}

/// With the client `billing`, changed as the test wants it.
pub(crate) fn options_for(change: impl FnOnce(OAuthClient) -> OAuthClient) -> RouterOptions {
    let client = change(OAuthClient::new("billing", SECRET).unwrap());
    RouterOptions { clients: OAuthClients::new([client]).unwrap(), ..RouterOptions::default() }
}

pub(crate) async fn send(
    auth: &Auth,
    options: &RouterOptions,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let router: Router = router_with(auth.clone(), options);
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.into()).unwrap(),
    }
}

pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A request by the client `billing`.
pub(crate) async fn ask(auth: &Auth, path: &str, token: &str) -> Answer {
    ask_with(auth, &options(), path, token).await
}

/// The same, of a router with these options.
pub(crate) async fn ask_with(
    auth: &Auth,
    options: &RouterOptions,
    path: &str,
    token: &str,
) -> Answer {
    let basic = basic(&format!("billing:{SECRET}"));
    let form = format!("token={token}");
    send(auth, options, ("POST", path), &[FORM, ("authorization", &basic)], &form).await
}

pub(crate) fn basic(credentials: &str) -> String {
    format!("Basic {}", base64_simd::STANDARD.encode_to_string(credentials))
}
