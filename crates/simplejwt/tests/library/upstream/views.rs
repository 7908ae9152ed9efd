//! Upstream's `test_views.py` and `test_integration.py`, and the header's half of
//! `test_authentication.py`: the same requests to the router.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use simplejwt::settings::TokenClass;
use simplejwt::web::axum::{RouterOptions, router_with};
use simplejwt::{Access, Refresh, Sliding};
use tower::ServiceExt as _;

use crate::world::{DAY, NOW, PASSWORD, World, int, put};

async fn send(world: &World, request: Request<Body>) -> (StatusCode, Value) {
    let options = RouterOptions { demo: true, ..RouterOptions::default() };
    let app: Router = router_with(world.auth.clone(), &options);
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn post(world: &World, path: &str, body: Value) -> (u16, Value) {
    let request = Request::post(format!("/api/token/{path}"))
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let (status, body) = send(world, request).await;
    (status.as_u16(), body)
}

async fn protected(world: &World, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = Request::get("/api/protected/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (status, body) = send(world, request.body(Body::empty()).unwrap()).await;
    (status.as_u16(), body)
}

fn login() -> Value {
    json!({ "username": "test_user", "password": PASSWORD })
}

/// `TestTokenObtainPairView::test_fields_missing`, `TestTokenObtainSlidingView::…`, and those of
/// the refresh, verify and blacklist views.
#[tokio::test]
async fn fields_missing() {
    let world = World::upstream();
    for path in ["", "sliding/"] {
        let (status, body) = post(&world, path, json!({})).await;
        assert_eq!((status, body.as_object().unwrap().len()), (400, 2), "{body}");
        assert!(body.get("username").is_some() && body.get("password").is_some());
        let (status, body) = post(&world, path, json!({ "username": "test_user" })).await;
        assert_eq!((status, &body), (400, &json!({ "password": ["This field is required."] })));
        let (status, body) = post(&world, path, json!({ "password": PASSWORD })).await;
        assert_eq!((status, &body), (400, &json!({ "username": ["This field is required."] })));
    }
    for (path, field) in [
        ("refresh/", "refresh"),
        ("sliding/refresh/", "token"),
        ("verify/", "token"),
        ("blacklist/", "refresh"),
    ] {
        let (status, body) = post(&world, path, json!({})).await;
        assert_eq!((status, &body), (400, &json!({ field: ["This field is required."] })));
    }
}

/// `test_credentials_wrong`, `test_user_inactive`, `test_success` of both obtaining views.
#[tokio::test]
async fn obtaining() {
    let world = World::upstream();
    for (path, fields) in [("", &["refresh", "access"][..]), ("sliding/", &["token"])] {
        let wrong = json!({ "username": "test_user", "password": "test_user" });
        let (status, body) = post(&world, path, wrong).await;
        assert_eq!(status, 401);
        assert_eq!(body["detail"], "No active account found with the given credentials");

        world.users.change("1", |user| user.is_active = false);
        assert_eq!(post(&world, path, login()).await.0, 401);
        world.users.change("1", |user| user.is_active = true);

        let (status, body) = post(&world, path, login()).await;
        assert_eq!((status, body.as_object().unwrap().len()), (200, fields.len()));
        assert!(fields.iter().all(|field| body[field].is_string()), "{body}");
    }
}

/// `test_update_last_login`, `test_update_last_login_updated` of both obtaining views.
#[tokio::test]
async fn update_last_login() {
    for (on, path) in [(false, ""), (true, ""), (false, "sliding/"), (true, "sliding/")] {
        let world = World::new(|settings| settings.update_last_login = on);
        assert_eq!(post(&world, path, login()).await.0, 200);
        assert_eq!(world.users.last_login("1").is_some(), on, "{path}");
    }
}

/// `test_it_should_return_401_if_token_invalid` of every view that takes a token.
#[tokio::test]
async fn tokens_without_or_past_their_expiry() {
    let world = World::upstream();
    for (path, field) in [
        ("refresh/", "refresh"),
        ("blacklist/", "refresh"),
        ("sliding/refresh/", "token"),
        ("verify/", "token"),
    ] {
        for expired in [false, true] {
            let change = |claims: &mut simplejwt::Claims| {
                if expired {
                    put(claims, "exp", NOW - 1);
                } else {
                    claims.remove("exp");
                }
            };
            let token = if field == "refresh" {
                world.made::<Refresh>(change)
            } else {
                world.made::<Sliding>(change)
            };
            let (status, body) = post(&world, path, json!({ field: token })).await;
            assert_eq!((status, &body["code"]), (401, &json!("token_not_valid")), "{path}");
            let detail = if expired { "Token is expired" } else { "Token has no 'exp' claim" };
            assert_eq!(body["detail"], detail, "{path}");
        }
    }
}

/// `TestTokenRefreshView::test_it_should_return_access_token_if_everything_ok`
#[tokio::test]
async fn refreshing() {
    let world = World::upstream();
    let refresh = world.made::<Refresh>(|claims| put(claims, "test_claim", "arst"));
    world.advance(60);
    let (status, body) = post(&world, "refresh/", json!({ "refresh": refresh })).await;
    assert_eq!(status, 200);
    let access = world.tokens.decode::<Access>(body["access"].as_str().unwrap()).unwrap();
    assert_eq!(access.claims().str("test_claim").unwrap(), "arst");
    assert_eq!(int(&access, "exp"), Some(NOW + 60 + 300));
}

/// `TestTokenRefreshSlidingView::test_it_should_return_401_if_token_has_no_refresh_exp_claim`,
/// `…_has_refresh_period_expired`, `test_it_should_update_token_exp_claim_if_everything_ok`
#[tokio::test]
async fn sliding() {
    let world = World::upstream();
    let without = world.made::<Sliding>(|claims| assert!(claims.remove("refresh_exp")));
    let (status, body) = post(&world, "sliding/refresh/", json!({ "token": without })).await;
    assert_eq!((status, &body["code"]), (401, &json!("token_not_valid")));
    assert_eq!(body["detail"], "Token has no 'refresh_exp' claim");
    let past = world.made::<Sliding>(|claims| put(claims, "refresh_exp", NOW - 1));
    let (status, body) = post(&world, "sliding/refresh/", json!({ "token": past })).await;
    assert_eq!((status, &body["code"]), (401, &json!("token_not_valid")));
    assert_eq!(body["detail"], "Token 'refresh_exp' claim has expired");

    let token = world.sliding();
    world.advance(1);
    let (status, body) = post(&world, "sliding/refresh/", json!({ "token": token })).await;
    assert_eq!(status, 200);
    let slid = world.tokens.decode::<Sliding>(body["token"].as_str().unwrap()).unwrap();
    assert_eq!(int(&slid, "exp"), Some(NOW + 1 + 300));
}

/// `TestTokenVerifyView::test_it_should_return_200_if_everything_okay`,
/// `test_it_should_ignore_token_type`
#[tokio::test]
async fn verifying() {
    let world = World::upstream();
    for token in
        [world.refresh(), world.made::<Refresh>(|claims| put(claims, "token_type", "fake_type"))]
    {
        assert_eq!(post(&world, "verify/", json!({ "token": token })).await, (200, json!({})));
    }
}

/// `TestTokenBlacklistView::test_it_should_return_if_everything_ok`,
/// `test_it_should_return_401_if_token_is_blacklisted`
#[tokio::test]
async fn blacklisting() {
    let world = World::upstream();
    let body = json!({ "refresh": world.refresh() });
    assert_eq!(post(&world, "blacklist/", body.clone()).await, (200, json!({})));
    let (status, answer) = post(&world, "refresh/", body).await;
    assert_eq!((status, &answer["detail"]), (401, &json!("Token is blacklisted")));
}

/// DIFFERENCE: without the blacklist upstream answers 200 and does nothing; here it is a 501.
#[tokio::test]
async fn blacklisting_without_a_blacklist() {
    let world = World::new(|_| ());
    let (status, body) = post(&world, "blacklist/", json!({ "refresh": world.refresh() })).await;
    assert_eq!((status, &body["code"]), (501, &json!("blacklist_disabled")));
}

/// `test_integration.py::test_no_authorization`, `test_wrong_auth_type`, `test_expired_token`
#[tokio::test]
async fn a_protected_view_refuses() {
    let world = World::new(|_| ());
    let (status, body) = protected(&world, &[]).await;
    assert_eq!(status, 401);
    assert_eq!(body, json!({ "detail": "Authentication credentials were not provided." }));

    let access = world.access();
    let (status, body) = protected(&world, &[("authorization", &format!("Wrong {access}"))]).await;
    assert_eq!(status, 401);
    assert_eq!(body, json!({ "detail": "Authentication credentials were not provided." }));

    world.advance(DAY);
    let (status, body) = protected(&world, &[("authorization", &format!("Bearer {access}"))]).await;
    assert_eq!((status, &body["code"]), (401, &json!("token_not_valid")));
    assert_eq!(body["messages"][0]["message"], "Token is expired");
}

/// `test_integration.py::test_user_can_get_sliding_token_and_use_it`
#[tokio::test]
async fn a_sliding_token_opens_where_it_is_taken() {
    let world = World::new(|settings| settings.auth_token_classes = vec![TokenClass::Sliding]);
    let (_, body) = post(&world, "sliding/", login()).await;
    let bearer = format!("Bearer {}", body["token"].as_str().unwrap());
    let (status, body) = protected(&world, &[("authorization", &bearer)]).await;
    assert_eq!((status, body), (200, json!({ "message": "Welcome, test_user!" })));
}

/// `test_integration.py::test_user_can_get_access_and_refresh_tokens_and_use_them`
#[tokio::test]
async fn a_pair_opens_and_refreshes() {
    let world = World::new(|_| ());
    let (_, pair) = post(&world, "", login()).await;
    let bearer = format!("Bearer {}", pair["access"].as_str().unwrap());
    assert_eq!(protected(&world, &[("authorization", &bearer)]).await.0, 200);
    let (status, body) = post(&world, "refresh/", json!({ "refresh": pair["refresh"] })).await;
    assert_eq!(status, 200);
    let bearer = format!("Bearer {}", body["access"].as_str().unwrap());
    let (status, body) = protected(&world, &[("authorization", &bearer)]).await;
    assert_eq!((status, body), (200, json!({ "message": "Welcome, test_user!" })));
    let bearer = format!("Bearer {}", pair["refresh"].as_str().unwrap());
    assert_eq!(protected(&world, &[("authorization", &bearer)]).await.0, 401);
}

/// `test_authentication.py::test_get_header`, `test_get_header_x_access_token`,
/// `test_get_raw_token…`
#[tokio::test]
async fn the_header_and_its_schemes() {
    let world = World::new(|settings| {
        settings.auth_header_name = "HTTP_X_ACCESS_TOKEN".into();
        settings.auth_header_types = vec!["JWT".into(), "Bearer".into()];
    });
    let access = world.access();
    let (jwt, bearer) = (format!("JWT {access}"), format!("Bearer {access}"));
    assert_eq!(protected(&world, &[("authorization", &bearer)]).await.0, 401);
    assert_eq!(protected(&world, &[("x-access-token", &bearer)]).await.0, 200);
    assert_eq!(protected(&world, &[("x-access-token", &jwt)]).await.0, 200);
    for bad in ["Bearer", "Bearer one two"] {
        let (status, body) = protected(&world, &[("x-access-token", bad)]).await;
        assert_eq!((status, &body["code"]), (401, &json!("bad_authorization_header")), "{bad}");
    }
}

/// DIFFERENCE: a broken store is a 503 that says when to come back, and nothing is lost; upstream
/// answers 500.
#[tokio::test]
async fn a_store_that_fails_is_a_503() {
    let world = World::rotating();
    let body = json!({ "refresh": world.refresh() });
    world.store.set_broken(true);
    let (status, answer) = post(&world, "refresh/", body.clone()).await;
    assert_eq!((status, &answer["code"]), (503, &json!("unavailable")));
    world.store.set_broken(false);
    assert_eq!(post(&world, "refresh/", body).await.0, 200);
}
