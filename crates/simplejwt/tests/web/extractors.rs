//! Routes of an application's own, behind extractors and behind the layer.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail loudly")]

use crate::world::World;
use axum::body::Body;
use axum::extract::FromRef;
use axum::http::Request;
use axum::routing::get;
use axum::{Extension, Router};
use simplejwt::web::axum::{CurrentUser, router};
use simplejwt::web::layer::RequireAuthLayer;
use simplejwt::{Access, Auth, Token};
use tower::ServiceExt as _;

#[derive(Clone)]
struct App {
    auth: Auth,
}

impl FromRef<App> for Auth {
    fn from_ref(app: &App) -> Self {
        app.auth.clone()
    }
}

fn app(world: &World) -> Router {
    let layered = Router::new()
        .route("/layered", get(|Extension(token): Extension<Token<Access>>| name(Some(token))))
        .route("/layered/extracted", get(|token: Token<Access>| name(Some(token))))
        .layer(RequireAuthLayer::new(world.auth.clone()));
    let lenient = Router::new()
        .route(
            "/optional/layered",
            get(|token: Option<Extension<Token<Access>>>| {
                name(token.map(|Extension(token)| token))
            }),
        )
        .layer(RequireAuthLayer::new(world.auth.clone()).optional());
    Router::new()
        .route("/token", get(|token: Token<Access>| name(Some(token))))
        .route("/user", get(|CurrentUser(user): CurrentUser| async move { user.username }))
        .route("/optional/token", get(|token: Option<Token<Access>>| name(token)))
        .route(
            "/optional/user",
            get(|user: Option<CurrentUser>| async move {
                user.map_or_else(|| "nobody".to_owned(), |CurrentUser(user)| user.username)
            }),
        )
        .merge(layered)
        .merge(lenient)
        .merge(router(world.auth.clone()))
        .with_state(App { auth: world.auth.clone() })
}

async fn name(token: Option<Token<Access>>) -> String {
    match token {
        Some(token) => token.claims().str("user_id").unwrap_or_default().into_owned(),
        None => "nobody".to_owned(),
    }
}

async fn visit(world: &World, path: &str, authorization: Option<&str>) -> (u16, String, bool) {
    let mut request = Request::get(path);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let response = app(world).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let challenged = response
        .headers()
        .get("www-authenticate")
        .is_some_and(|challenge| challenge == "Bearer realm=\"api\"");
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap(), challenged)
}

const STRICT: [&str; 4] = ["/token", "/user", "/layered", "/layered/extracted"];
const OPTIONAL: [&str; 3] = ["/optional/token", "/optional/user", "/optional/layered"];

#[tokio::test]
async fn a_good_token_opens_every_route() {
    let world = World::new(|_| ());
    let bearer = format!("Bearer {}", world.access());
    for path in STRICT.iter().chain(&OPTIONAL) {
        let (status, body, _) = visit(&world, path, Some(&bearer)).await;
        let expected = if path.ends_with("user") { "test_user" } else { "1" };
        assert_eq!((status, body.as_str()), (200, expected), "{path}");
    }
}

#[tokio::test]
async fn nothing_sent_is_a_401_or_nobody() {
    let world = World::new(|_| ());
    for path in STRICT {
        let (status, body, challenged) = visit(&world, path, None).await;
        assert_eq!((status, challenged), (401, true), "{path}");
        assert_eq!(body, r#"{"detail":"Authentication credentials were not provided."}"#);
    }
    for path in OPTIONAL {
        assert_eq!(visit(&world, path, None).await.1, "nobody", "{path}");
    }
}

#[tokio::test]
async fn a_bad_token_is_a_401_everywhere() {
    let world = World::new(|_| ());
    for bad in ["Bearer x.y.z", "Bearer", &format!("Bearer {}", world.refresh())] {
        for path in STRICT.iter().chain(&OPTIONAL) {
            let (status, body, challenged) = visit(&world, path, Some(bad)).await;
            assert_eq!((status, challenged), (401, true), "{path} {bad}");
            assert!(body.contains("\"code\""), "{body}");
        }
    }
}

#[tokio::test]
async fn the_row_is_loaded_only_where_it_is_asked_for() {
    let world = World::new(|_| ());
    let bearer = format!("Bearer {}", world.access());
    world.users.delete("1");
    assert_eq!(visit(&world, "/token", Some(&bearer)).await.0, 200);
    for path in ["/user", "/optional/user"] {
        let (status, body, _) = visit(&world, path, Some(&bearer)).await;
        assert_eq!(status, 401);
        assert_eq!(body, r#"{"detail":"User not found","code":"user_not_found"}"#);
    }
}
