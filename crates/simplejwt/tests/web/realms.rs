//! Several issuers in one program: what each of them accepts, and what the others make of it.

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::{Value, json};
use simplejwt::settings::{Audience, CookieSettings, RevocationMode, Transport};
use simplejwt::store::memory::MemoryStore;
use simplejwt::web::axum::{CurrentUser, Lenient, Permitted, RouterOptions, router_with};
use simplejwt::web::endpoint::{OAuthClient, OAuthClients};
use simplejwt::web::layer::RequireAuthLayer;
use simplejwt::web::permission::IsAuthenticated;
use simplejwt::{Access, Auth, Refresh, Settings, Sliding, Token, Tokens, User};
use tower::ServiceExt as _;

use crate::world::{PASSWORD, Users, made};

const KEY: &str = "the key that both realms have, of all things";
const CLIENT: &str = "c2VjcmV0IG9mIHRoZSBjbGllbnQgb2YgYm90aA";

struct Realm {
    tokens: Tokens,
    auth: Auth,
    options: RouterOptions,
}

impl Realm {
    /// A realm with the user 1, whose name is the same everywhere.
    fn new(name: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            signing_key: Some(KEY.into()),
            issuer: Some(format!("https://auth.example/{name}")),
            token_blacklist: true,
            rotate_refresh_tokens: true,
            blacklist_after_rotation: true,
            transport: Transport::Both,
            cookies: CookieSettings {
                access_name: Some(format!("__Host-access-{name}")),
                ..CookieSettings::default()
            },
            ..Settings::default()
        };
        settings.sessions.session_claim = true;
        settings.sessions.revocation = RevocationMode::Strict;
        change(&mut settings);
        let tokens = Tokens::new(settings).unwrap();
        let users = Users::default();
        users.add(User::new("1", "alice"));
        let auth = Auth::new(tokens.clone()).with_users(users);
        let auth = auth.with_sessions(MemoryStore::default());
        let clients = OAuthClients::new([OAuthClient::new("billing", CLIENT).unwrap()]).unwrap();
        let root_path = format!("/{name}");
        let options = RouterOptions { root_path, clients, demo: true, ..RouterOptions::default() };
        Self { tokens, auth, options }
    }

    fn router(&self) -> Router {
        router_with(self.auth.clone(), &self.options).merge(self.own_routes())
    }

    /// Each extractor, with this realm as the state.
    fn own_routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let at = |path: &str| format!("{}/own/{path}", self.options.root_path);
        Router::new()
            .route(&at("token"), get(|token: Token<Access>| async move { name(Some(&token)) }))
            .route(
                &at("token/optional"),
                get(|token: Option<Token<Access>>| async move { name(token.as_ref()) }),
            )
            .route(&at("user"), get(|CurrentUser(user): CurrentUser| async { user.username }))
            .route(&at("permitted"), get(async |_: Permitted<IsAuthenticated>| "permitted"))
            .route(
                &at("lenient"),
                get(|Lenient(user): Lenient<CurrentUser>| async {
                    user.map_or("nobody".to_owned(), |CurrentUser(user)| user.username)
                }),
            )
            .with_state(self.auth.clone())
    }

    /// An access, a refresh and a sliding token of this realm's alice, as its logins return them.
    async fn log_in(&self, app: &Router) -> [String; 3] {
        let path = |rest: &str| format!("{}/api/token/{rest}", self.options.root_path);
        let body = json!({ "username": "alice", "password": PASSWORD });
        let pair = post(app, &path(""), &[], &body).await;
        let sliding = post(app, &path("sliding/"), &[], &body).await;
        let text = |answer: &Answer, name: &str| answer.json()[name].as_str().unwrap().to_owned();
        [text(&pair, "access"), text(&pair, "refresh"), text(&sliding, "token")]
    }
}

fn name(token: Option<&Token<Access>>) -> String {
    let name = token.and_then(|token| token.claims().str("user_id").map(|id| id.into_owned()));
    name.unwrap_or("nobody".to_owned())
}

#[derive(Debug)]
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

async fn send(
    app: &Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "auth.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body)).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    Answer { status, body: String::from_utf8(body.into()).unwrap() }
}

async fn post(app: &Router, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let headers = [headers, &[("content-type", "application/json")]].concat();
    send(app, Method::POST, path, &headers, body.to_string()).await
}

/// Sends a token to every endpoint and extractor below `root`, in every way, and returns the answers
/// by what was asked.
async fn everywhere(app: &Router, root: &str, name: &str, token: &str) -> Vec<(String, Answer)> {
    let bearer = format!("Bearer {token}");
    let cookie = format!("__Host-access-{name}={token}");
    let refresh_cookie = format!("__Secure-refresh={token}");
    let mut answers = Vec::new();
    for path in [
        "api/token/sessions/",
        "api/token/authenticate/",
        "api/protected/",
        "api/protected-stateless/",
        "own/token",
        "own/token/optional",
        "own/user",
        "own/permitted",
        "own/lenient",
    ] {
        for header in [("authorization", bearer.as_str()), ("cookie", &cookie)] {
            let path = format!("{root}/{path}");
            let answer = send(app, Method::GET, &path, &[header], String::new()).await;
            answers.push((format!("GET {path} {}", header.0), answer));
        }
    }
    for (path, member) in [
        ("verify/", "token"),
        ("refresh/", "refresh"),
        ("blacklist/", "refresh"),
        ("sliding/refresh/", "token"),
        ("logout/", "refresh"),
    ] {
        let path = format!("{root}/api/token/{path}");
        let answer = post(app, &path, &[], &json!({ member: token })).await;
        answers.push((format!("POST {path}"), answer));
    }
    for path in ["refresh/", "blacklist/", "logout/", "sliding/refresh/"] {
        let path = format!("{root}/api/token/{path}");
        let cookies = format!("{cookie}; {refresh_cookie}");
        let answer = post(app, &path, &[("cookie", &cookies)], &json!({})).await;
        answers.push((format!("POST {path} cookie"), answer));
    }
    answers
}

async fn by_client(app: &Router, path: &str, token: &str) -> Answer {
    let body = format!("client_id=billing&client_secret={CLIENT}&token={token}");
    let form = ("content-type", "application/x-www-form-urlencoded");
    send(app, Method::POST, path, &[form], body).await
}

#[tokio::test]
async fn a_token_of_one_is_refused_by_all_of_the_other() {
    let (a, b) = (Realm::new("a", |_| ()), Realm::new("b", |_| ()));
    let app = a.router().merge(b.router());
    for (own, other) in [(&a, "b"), (&b, "a")] {
        let root = format!("/{other}");
        for token in own.log_in(&app).await {
            for (asked, answer) in everywhere(&app, &root, other, &token).await {
                match asked.contains("/own/lenient") {
                    true => assert_eq!((answer.status, &*answer.body), (200, "nobody"), "{asked}"),
                    false => {
                        assert_eq!(answer.status, 401, "{asked}: {}", answer.body);
                        assert!(answer.body.contains("token_not_valid"), "{asked}: {answer:?}");
                    }
                }
            }
            let path = format!("{root}/api/token/introspect/");
            assert_eq!(by_client(&app, &path, &token).await.json(), json!({ "active": false }));
            // As to a token that nobody knows (RFC 7009 section 2.2), and it stays valid.
            let revoked = by_client(&app, &format!("{root}/api/token/revoke/"), &token).await;
            assert_eq!((revoked.status, &*revoked.body), (200, ""));
            let verify = format!("{}/api/token/verify/", own.options.root_path);
            let verified = post(&app, &verify, &[], &json!({ "token": token })).await;
            assert_eq!(verified.status, 200, "{verified:?}");
        }
    }
}

/// Otherwise the test above would hold for any token.
#[tokio::test]
async fn a_token_is_accepted_by_its_own() {
    let (a, b) = (Realm::new("a", |_| ()), Realm::new("b", |_| ()));
    let app = a.router().merge(b.router());
    let [access, refresh, _] = a.log_in(&app).await;
    let bearer = format!("Bearer {access}");
    for path in ["own/token", "own/user", "own/permitted", "own/lenient", "api/protected/"] {
        let path = format!("/a/{path}");
        let headers = [("authorization", bearer.as_str())];
        let answer = send(&app, Method::GET, &path, &headers, String::new()).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_ne!(answer.body, "nobody", "{path}");
    }
    let refreshed = post(&app, "/a/api/token/refresh/", &[], &json!({ "refresh": refresh })).await;
    assert_eq!(refreshed.status, 200);
}

/// By the audience alone, too; and without either, nothing keeps them apart: that is for the program
/// to see to, and for the server to refuse.
#[tokio::test]
async fn either_issuer_or_audience_is_enough() {
    let with = |name: &str, audience: Option<&str>| {
        Realm::new(name, |settings| {
            settings.issuer = None;
            settings.audience = audience.map(|name| Audience::One(name.into()));
        })
    };
    for (audiences, status) in [([Some("a"), Some("b")], 401), ([None, None], 200)] {
        let [a, b] = audiences;
        let (a, b) = (with("a", a), with("b", b));
        for token in [
            made::<Access>(&a.tokens, |_| ()),
            made::<Refresh>(&a.tokens, |_| ()),
            made::<Sliding>(&a.tokens, |_| ()),
        ] {
            let path = "/b/api/token/verify/";
            let answer = post(&b.router(), path, &[], &json!({ "token": token })).await;
            assert_eq!(answer.status, status, "{audiences:?}: {answer:?}");
        }
    }
}

/// The layer puts a token into the request's extensions, where extractors look first.
#[tokio::test]
async fn the_layer_of_one_satisfies_no_extractor_of_the_other() {
    let (a, b) = (Realm::new("a", |_| ()), Realm::new("b", |_| ()));
    let app = Router::new().merge(b.own_routes()).layer(RequireAuthLayer::new(a.auth.clone()));
    let [of_a, ..] = a.log_in(&a.router()).await;
    let [of_b, ..] = b.log_in(&b.router()).await;
    let (by_header, by_cookie) = (format!("Bearer {of_a}"), format!("__Host-access-a={of_a}"));
    for path in ["token", "token/optional", "user", "permitted", "lenient"] {
        let path = format!("/b/own/{path}");
        // The token of one, which the layer accepts.
        let headers = [("authorization", by_header.as_str())];
        let answer = send(&app, Method::GET, &path, &headers, String::new()).await;
        let lenient = path.ends_with("lenient");
        assert_eq!(answer.status, if lenient { 200 } else { 401 }, "{path}: {answer:?}");
        assert!(!lenient || answer.body == "nobody", "{path}");
        // In a cookie that the other doesn't read.
        let headers = [("cookie", by_cookie.as_str())];
        let answer = send(&app, Method::GET, &path, &headers, String::new()).await;
        let optional = lenient || path.ends_with("optional");
        assert_eq!(answer.status, if optional { 200 } else { 401 }, "{path}: {answer:?}");
        assert!(!optional || answer.body == "nobody", "{path}");
        // Each of them finds its own.
        let bearer = format!("Bearer {of_b}");
        let headers = [("authorization", bearer.as_str()), ("cookie", &by_cookie)];
        let answer = send(&app, Method::GET, &path, &headers, String::new()).await;
        assert_eq!(answer.status, 401, "the layer reads the header: {path}");
    }
}

#[tokio::test]
async fn an_optional_layer_hides_the_token_of_another_realm() {
    let (a, b) = (Realm::new("a", |_| ()), Realm::new("b", |_| ()));
    let found = |token: Option<Extension<Token<Access>>>| async move {
        name(token.as_ref().map(|Extension(token)| token))
    };
    let app = Router::new()
        .route("/", get(found))
        .layer(RequireAuthLayer::new(b.auth.clone()).optional())
        .layer(RequireAuthLayer::new(a.auth.clone()));
    let [of_a, ..] = a.log_in(&a.router()).await;
    let cookie = format!("__Host-access-a={of_a}");
    let answer = send(&app, Method::GET, "/", &[("cookie", &cookie)], String::new()).await;
    assert_eq!((answer.status, &*answer.body), (200, "nobody"));
}

#[tokio::test]
async fn ending_the_sessions_of_one_leaves_those_of_the_other() {
    let (a, b) = (Realm::new("a", |_| ()), Realm::new("b", |_| ()));
    let app = a.router().merge(b.router());
    let [of_a, refresh_of_a, _] = a.log_in(&app).await;
    let [of_b, refresh_of_b, _] = b.log_in(&app).await;
    let bearer = format!("Bearer {of_a}");
    let headers = [("authorization", bearer.as_str())];
    let answer = post(&app, "/a/api/token/logout/", &headers, &json!({ "scope": "all" })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (root, access, refresh, status) in
        [("/a", of_a, refresh_of_a, 401), ("/b", of_b, refresh_of_b, 200)]
    {
        let bearer = format!("Bearer {access}");
        let headers = [("authorization", bearer.as_str())];
        let path = format!("{root}/own/token");
        assert_eq!(send(&app, Method::GET, &path, &headers, String::new()).await.status, status);
        let path = format!("{root}/api/token/refresh/");
        let answer = post(&app, &path, &[], &json!({ "refresh": refresh })).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[tokio::test]
async fn documents_are_those_of_each() {
    let (a, b) = (Realm::new("a", |_| ()), Realm::new("b", |_| ()));
    let app = a.router().merge(b.router());
    for name in ["a", "b"] {
        for path in [
            format!("/.well-known/oauth-authorization-server/{name}"),
            format!("/{name}/.well-known/oauth-authorization-server"),
        ] {
            let metadata = send(&app, Method::GET, &path, &[], String::new()).await.json();
            let at = |rest: &str| json!(format!("https://auth.example/{name}{rest}"));
            assert_eq!(metadata["issuer"], at(""), "{path}");
            assert_eq!(metadata["jwks_uri"], at("/.well-known/jwks.json"), "{path}");
            assert_eq!(metadata["revocation_endpoint"], at("/api/token/revoke/"), "{path}");
            let jwks = format!("/{name}/.well-known/jwks.json");
            assert_eq!(send(&app, Method::GET, &jwks, &[], String::new()).await.status, 200);
        }
    }
    for path in ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server"] {
        assert_eq!(send(&app, Method::GET, path, &[], String::new()).await.status, 404, "{path}");
    }
}
