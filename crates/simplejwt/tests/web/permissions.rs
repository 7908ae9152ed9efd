//! Permissions, in front of routes and as extractors.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail loudly")]

use std::time::Duration;

use crate::world::{World, put};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::routing::any;
use serde_json::json;
use simplejwt::web::axum::Permitted;
use simplejwt::web::layer::RequireAuthLayer;
use simplejwt::web::permission::{
    HasClaim, HasPermission, HasScope, IsAdminUser, IsAuthenticated, IsAuthenticatedOrReadOnly,
    MaxAge, Permission,
};
use simplejwt::{Access, Claims};
use tower::ServiceExt as _;

/// The status of a request behind these permissions.
async fn status(
    world: &World,
    layer: impl FnOnce(RequireAuthLayer) -> RequireAuthLayer,
    method: Method,
    token: Option<&str>,
) -> u16 {
    let app: Router = Router::new()
        .route("/", any(|| async { "in" }))
        .layer(layer(RequireAuthLayer::new(world.auth.clone())));
    let mut request = Request::builder().method(method).uri("/");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
}

async fn asked(world: &World, permission: impl Permission, token: Option<&str>) -> u16 {
    status(world, |layer| layer.permission(permission), Method::GET, token).await
}

fn with(world: &World, change: impl FnOnce(&mut Claims)) -> String {
    world.made::<Access>(change)
}

#[tokio::test]
async fn claims_and_scopes() {
    let world = World::new(|_| ());
    let token = with(&world, |claims| {
        put(claims, "role", "editor");
        put(claims, "roles", json!(["author", "editor"]));
        put(claims, "level", 7);
        put(claims, "scope", "read write");
    });
    let token = Some(token.as_str());
    for (claim, value, expected) in [
        ("role", json!("editor"), 200),
        ("role", json!("edit"), 403),
        ("role", json!(["editor"]), 403),
        ("roles", json!("editor"), 200),
        ("roles", json!("admin"), 403),
        ("roles", json!(["author", "editor"]), 200),
        ("level", json!(7), 200),
        ("level", json!("7"), 403),
        ("missing", json!(null), 403),
    ] {
        let permission = HasClaim::new(claim, value.clone());
        assert_eq!(asked(&world, permission, token).await, expected, "{claim} {value}");
    }
    for (scope, expected) in [("read", 200), ("write", 200), ("rea", 403), ("", 403)] {
        assert_eq!(asked(&world, HasScope::new(scope), token).await, expected, "{scope}");
    }
    for refused in [None, Some("no token")] {
        assert_eq!(asked(&world, HasClaim::new("role", "editor"), refused).await, 401);
        assert_eq!(asked(&world, HasScope::new("read"), refused).await, 401);
    }
}

#[tokio::test]
async fn a_login_that_is_too_long_ago() {
    let world = World::new(|settings| settings.leeway = Duration::from_secs(2));
    let now = world.tokens.now().as_secs();
    let recently = || MaxAge::new(Duration::from_millis(300_900));
    for (auth_time, expected) in [
        (json!(now), 200),
        (json!(now - 300), 200),
        (json!(now as f64 - 301.5), 200),
        (json!(now - 303), 401),
        (json!(now + 2), 200),
        (json!(now + 3), 401),
        (json!(-1e300), 401),
        (json!(now.to_string()), 401),
        (json!(null), 401),
        (json!([now]), 401),
    ] {
        let token = with(&world, |claims| put(claims, "auth_time", auth_time.clone()));
        assert_eq!(asked(&world, recently(), Some(&token)).await, expected, "{auth_time}");
    }
    let app: Router = Router::new()
        .route("/", any(|| async { "in" }))
        .layer(RequireAuthLayer::new(world.auth.clone()).permission(recently()));
    let challenge = async |token: Option<&str>| {
        let mut request = Request::builder().uri("/");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        response.headers()["www-authenticate"].to_str().unwrap().to_owned()
    };
    assert_eq!(
        challenge(Some(&world.access())).await,
        "Bearer realm=\"api\", error=\"insufficient_user_authentication\", \
         error_description=\"More recent authentication is required\", max_age=\"300\""
    );
    for token in [None, Some("no token")] {
        assert_eq!(challenge(token).await, "Bearer realm=\"api\"");
    }
}

#[tokio::test]
async fn everybody_reads_and_users_write() {
    let world = World::new(|_| ());
    let token = world.access();
    for (method, token, expected) in [
        (Method::GET, None, 200),
        (Method::HEAD, None, 200),
        (Method::POST, None, 401),
        (Method::DELETE, None, 401),
        (Method::POST, Some(token.as_str()), 200),
        (Method::GET, Some("no token"), 401),
    ] {
        let read_only = |layer: RequireAuthLayer| layer.permission(IsAuthenticatedOrReadOnly);
        assert_eq!(status(&world, read_only, method, token).await, expected);
    }
    assert_eq!(asked(&world, IsAuthenticated, None).await, 401);
    assert_eq!(asked(&world, IsAuthenticated, Some(&token)).await, 200);
}

#[tokio::test]
async fn staff_superusers_and_all_of_several() {
    let world = World::new(|_| ());
    let token = world.access();
    let token = Some(token.as_str());
    assert_eq!(asked(&world, IsAdminUser, token).await, 403);
    assert_eq!(asked(&world, HasPermission::new("polls.add_choice"), token).await, 403);
    world.users.change("1", |user| user.is_superuser = true);
    assert_eq!(asked(&world, HasPermission::new("polls.add_choice"), token).await, 200);
    let both = |layer: RequireAuthLayer| {
        layer.permission(HasPermission::new("polls.add_choice")).permission(IsAdminUser)
    };
    assert_eq!(status(&world, both, Method::GET, token).await, 403);
    world.users.change("1", |user| user.is_staff = true);
    assert_eq!(status(&world, both, Method::GET, token).await, 200);
    world.users.change("1", |user| user.is_active = false);
    assert_eq!(status(&world, both, Method::GET, token).await, 401);
}

#[tokio::test]
async fn as_an_extractor() {
    let world = World::new(|_| ());
    let app: Router = Router::new()
        .route("/", any(|_: Permitted<IsAdminUser>| async { "in" }))
        .with_state(world.auth.clone());
    let token = world.access();
    let status = async |token: Option<&str>| {
        let mut request = Request::builder().uri("/");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(status(None).await, 401);
    assert_eq!(status(Some("no token")).await, 401);
    assert_eq!(status(Some(&token)).await, 403);
    world.users.change("1", |user| user.is_staff = true);
    assert_eq!(status(Some(&token)).await, 200);
}
