//! Tokens in cookies: over the router, with a client that keeps cookies as browsers do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail loudly")]

mod foreign;
mod origins;
mod refused;
mod transports;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::routing::{get, post};
use cookie::Cookie;
use serde_json::{Value, json};
use simplejwt::settings::{CookieSettings, SameSite, Transport};
use simplejwt::store::memory::MemoryStore;
use simplejwt::web::axum::{CurrentUser, Lenient, Permitted, RouterOptions, router, router_with};
use simplejwt::web::permission::{IsAdminUser, IsAuthenticatedOrReadOnly};
use simplejwt::{
    Access, Auth, Credentials, ManualClock, Settings, StoreError, Timestamp, Token, Tokens, User,
    UserId, UserStore,
};
use tower::ServiceExt as _;

const ORIGIN: &str = "https://example.com";
const LOGIN: &str = "/api/token/";
const REFRESH: &str = "/api/token/refresh/";
const LOGOUT: &str = "/api/token/logout/";

#[derive(Debug)]
struct Users;

fn user(name: &str) -> User {
    let mut user = User::new(if name == "root" { "2" } else { "1" }, name);
    user.is_staff = name == "root";
    user
}

#[async_trait]
impl UserStore for Users {
    async fn authenticate(&self, sent: &Credentials) -> Result<Option<User>, StoreError> {
        let known = ["alice", "root"].contains(&sent.username.as_str());
        let known = known && sent.password.as_str() == "wonderland";
        Ok(known.then(|| user(&sent.username)))
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(Some(user(if id.as_str() == "2" { "root" } else { "alice" })))
    }

    async fn update_last_login(&self, _: &UserId, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

fn settings(transport: Transport) -> Settings {
    Settings {
        signing_key: Some("a secret that only these tests know, long enough".into()),
        token_blacklist: true,
        rotate_refresh_tokens: true,
        blacklist_after_rotation: true,
        transport,
        ..Settings::default()
    }
}

/// A site, and a browser that has its pages open.
struct Browser {
    clock: Arc<ManualClock>,
    app: Router,
    jar: BTreeMap<String, Cookie<'static>>,
    /// What the browser says of the page that sends a request.
    page: Vec<(&'static str, &'static str)>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn set(&self) -> Vec<Cookie<'static>> {
        let values = self.headers.get_all("set-cookie").iter();
        values.map(|value| Cookie::parse(value.to_str().unwrap().to_owned()).unwrap()).collect()
    }
}

impl Browser {
    fn of(settings: Settings) -> Self {
        Self::with(settings, router)
    }

    fn with(settings: Settings, endpoints: impl FnOnce(Auth) -> Router<Auth>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_767_323_045)));
        let keys = settings.key_set().unwrap();
        let tokens = Tokens::with(settings, keys, clock.clone()).unwrap();
        let auth = Auth::new(tokens).with_users(Users).with_sessions(MemoryStore::default());
        let app = Router::new()
            .route("/me", get(|CurrentUser(user): CurrentUser| async move { user.username }))
            .route("/write", post(|_: Token<Access>| async { "written" }))
            .route(
                "/optional",
                get(|user: Option<CurrentUser>| async move {
                    user.map_or_else(|| "nobody".to_owned(), |CurrentUser(user)| user.username)
                }),
            )
            .route("/read", get(|_: Permitted<IsAuthenticatedOrReadOnly>| async { "read" }))
            .route("/read", post(|_: Permitted<IsAuthenticatedOrReadOnly>| async { "written" }))
            .route("/staff", get(|_: Permitted<IsAdminUser>| async { "staff" }))
            .route(
                "/greet",
                get(|Lenient(user): Lenient<CurrentUser>| async move {
                    user.map_or_else(|| "nobody".to_owned(), |CurrentUser(user)| user.username)
                }),
            )
            .merge(endpoints(auth.clone()))
            .with_state(auth);
        let page = vec![("origin", ORIGIN), ("sec-fetch-site", "same-origin")];
        Self { clock, app, jar: BTreeMap::new(), page }
    }

    /// What a page of another origin makes the browser send: it has the cookies on it.
    fn foreign(&mut self, origin: &'static str, site: &'static str) {
        self.page = vec![("origin", origin), ("sec-fetch-site", site)];
    }

    async fn send(&mut self, method: Method, path: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "example.com");
        for (name, value) in &self.page {
            request = request.header(*name, *value);
        }
        let sent = self.jar.values().filter(|cookie| path.starts_with(cookie.path().unwrap()));
        let sent: Vec<_> =
            sent.map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
        if !sent.is_empty() {
            request = request.header("cookie", sent.join("; "));
        }
        let request = request.header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(body.into()).unwrap();
        let answer = Answer { status: parts.status, headers: parts.headers, text };
        for cookie in answer.set() {
            if cookie.max_age().is_some_and(|age| age.is_zero()) {
                let removed = self.jar.remove(cookie.name());
                assert!(removed.is_none_or(|removed| removed.path() == cookie.path()));
            } else {
                self.jar.insert(cookie.name().to_owned(), cookie);
            }
        }
        answer
    }

    /// Another browser at the same site.
    fn another(&self) -> Self {
        let page = vec![("origin", ORIGIN), ("sec-fetch-site", "same-origin")];
        let (clock, app) = (Arc::clone(&self.clock), self.app.clone());
        Self { clock, app, jar: BTreeMap::new(), page }
    }

    /// Sends these cookies with the next requests, whatever it keeps.
    fn sending(&mut self, cookies: &[(&str, &str)]) -> &mut Self {
        self.jar.clear();
        self.page = vec![("origin", ORIGIN), ("sec-fetch-site", "same-origin")];
        let sent: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !sent.is_empty() {
            self.page.push(("cookie", sent.join("; ").leak()));
        }
        self
    }

    async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, json!(null)).await
    }

    async fn log_in(&mut self, name: &str) -> Answer {
        let answer = self.post(LOGIN, json!({"username": name, "password": "wonderland"})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer
    }

    fn cookie(&self, name: &str) -> &str {
        self.jar[name].value()
    }
}

#[tokio::test]
async fn a_browser_logs_in_calls_refreshes_and_logs_out() {
    let mut browser = Browser::of(settings(Transport::Cookie));
    assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED);

    let login = browser.log_in("alice").await;
    assert_eq!(login.json(), json!({}), "no script may read a token");
    let [refresh, access] = &login.set()[..] else { panic!("{:?}", login.headers) };
    for cookie in [refresh, access] {
        assert_eq!(cookie.http_only(), Some(true));
        assert_eq!(cookie.secure(), Some(true));
        assert_eq!(cookie.same_site(), Some(cookie::SameSite::Lax));
        assert_eq!(cookie.domain(), None);
    }
    assert_eq!((access.name(), access.path()), ("__Host-access", Some("/")));
    assert_eq!((refresh.name(), refresh.path()), ("__Secure-refresh", Some("/api/token/")));
    // The token is good for five minutes; its cookie tells afterwards that it has expired.
    assert_eq!(access.max_age().unwrap().whole_seconds(), 86400);
    assert_eq!(refresh.max_age().unwrap().whole_seconds(), 86400);

    assert_eq!(browser.get("/me").await.text, "alice");
    assert_eq!(browser.post("/write", json!({})).await.text, "written");
    assert_eq!(browser.post("/api/token/verify/", json!({})).await.status, StatusCode::OK);

    let before = browser.cookie("__Secure-refresh").to_owned();
    browser.clock.advance(Duration::from_secs(301));
    assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED);
    let refreshed = browser.post(REFRESH, json!({})).await;
    assert_eq!(refreshed.json(), json!({}));
    assert_ne!(browser.cookie("__Secure-refresh"), before);
    assert_eq!(browser.get("/me").await.text, "alice");

    let last = browser.cookie("__Secure-refresh").to_owned();
    let out = browser.post(LOGOUT, json!({})).await;
    assert_eq!(out.json(), json!({"ended": 1}));
    assert!(browser.jar.is_empty());
    assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED);
    let dead = browser.post(REFRESH, json!({"refresh": last})).await;
    assert_eq!(dead.status, StatusCode::UNAUTHORIZED);
    let nothing = browser.post(LOGOUT, json!({})).await;
    assert_eq!(nothing.status, StatusCode::UNAUTHORIZED);
    assert_eq!(nothing.json()["code"], "not_authenticated");
}

#[tokio::test]
async fn a_refused_refresh_leaves_the_cookies_that_another_tab_got() {
    let mut browser = Browser::of(settings(Transport::Cookie));
    browser.log_in("alice").await;
    let answer = browser.post(REFRESH, json!({"refresh": "no token"})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.set().is_empty());
}

#[tokio::test]
async fn the_refresh_cookie_goes_to_the_endpoints_wherever_they_are() {
    let nested = |auth: Auth| Router::new().nest("/v1", router(auth));
    let mut browser = Browser::with(settings(Transport::Cookie), nested);
    let body = json!({"username": "alice", "password": "wonderland"});
    browser.post("/v1/api/token/", body.clone()).await;
    assert_eq!(browser.jar["__Secure-refresh"].path(), Some("/v1/api/token/"));
    assert_eq!(browser.post("/v1/api/token/refresh/", json!({})).await.status, StatusCode::OK);
    browser.post("/v1/api/token/logout/", json!({})).await;
    assert!(browser.jar.is_empty());

    let elsewhere = |auth: Auth| {
        let options = RouterOptions { prefix: "auth".into(), ..RouterOptions::default() };
        router_with(auth, &options)
    };
    let mut browser = Browser::with(settings(Transport::Cookie), elsewhere);
    browser.post("/auth/", body.clone()).await;
    assert_eq!(browser.jar["__Secure-refresh"].path(), Some("/auth/"));

    let mut named = settings(Transport::Cookie);
    named.cookies = CookieSettings {
        refresh_path: Some("/behind/a/proxy/".into()),
        same_site: SameSite::Strict,
        ..CookieSettings::default()
    };
    let mut browser = Browser::of(named);
    browser.log_in("alice").await;
    assert_eq!(browser.jar["__Secure-refresh"].path(), Some("/behind/a/proxy/"));
}

#[tokio::test]
async fn sliding_tokens_and_the_blacklist() {
    let mut browser = Browser::of(Settings {
        auth_token_classes: vec![simplejwt::settings::TokenClass::Sliding],
        ..settings(Transport::Cookie)
    });
    let body = json!({"username": "alice", "password": "wonderland"});
    let login = browser.post("/api/token/sliding/", body).await;
    assert_eq!(login.json(), json!({}));
    browser.clock.advance(Duration::from_secs(200));
    let slid = browser.post("/api/token/sliding/refresh/", json!({})).await;
    assert_eq!(slid.status, StatusCode::OK, "{}", slid.text);
    browser.clock.advance(Duration::from_secs(200));
    assert_eq!(browser.get("/me").await.text, "alice");

    let mut browser = Browser::of(settings(Transport::Cookie));
    browser.log_in("alice").await;
    assert_eq!(browser.post("/api/token/blacklist/", json!({})).await.json(), json!({}));
    assert!(browser.jar.is_empty());
}

/// Without sessions there is the blacklist; without that, the cookies go at least.
#[tokio::test]
async fn logging_out_without_sessions() {
    let mut plain = settings(Transport::Cookie);
    plain.sessions.enabled = false;
    let mut browser = Browser::of(plain.clone());
    browser.log_in("alice").await;
    let last = browser.cookie("__Secure-refresh").to_owned();
    assert_eq!(browser.post(LOGOUT, json!({})).await.json(), json!({"ended": 1}));
    assert!(browser.jar.is_empty());
    let dead = browser.post(REFRESH, json!({"refresh": last})).await;
    assert_eq!(dead.status, StatusCode::UNAUTHORIZED);

    plain.token_blacklist = false;
    plain.blacklist_after_rotation = false;
    let mut browser = Browser::of(plain);
    browser.log_in("alice").await;
    assert_eq!(browser.post(LOGOUT, json!({})).await.json(), json!({"ended": 0}));
    assert!(browser.jar.is_empty());
}

/// Browsers drop a cookie that is too long, and say nothing.
#[tokio::test]
async fn a_token_that_no_cookie_can_hold_is_our_fault() {
    let mut settings = settings(Transport::Cookie);
    settings.issuer = Some("x".repeat(4000));
    let mut browser = Browser::of(settings);
    let body = json!({"username": "alice", "password": "wonderland"});
    let answer = browser.post(LOGIN, body).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.set().is_empty() && !answer.text.contains("xxx"), "{}", answer.text);
}

/// The access token has run out, and the refresh token still says whose session it is.
#[tokio::test]
async fn logging_out_late() {
    let mut browser = Browser::of(settings(Transport::Cookie));
    browser.log_in("alice").await;
    browser.clock.advance(Duration::from_secs(600));
    assert_eq!(browser.post(LOGOUT, json!({"scope": "all"})).await.json(), json!({"ended": 1}));
    assert!(browser.jar.is_empty());
}
