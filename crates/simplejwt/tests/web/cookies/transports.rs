//! Cookies beside headers, as `transport` has it.

use std::time::Duration;

use axum::http::StatusCode;
use cookie::Cookie;
use serde_json::json;
use simplejwt::settings::Transport;

use super::{Browser, REFRESH, settings};

#[tokio::test]
async fn with_both_each_client_is_answered_in_its_own_way() {
    let mut browser = Browser::of(settings(Transport::Both));
    let login = browser.log_in("alice").await;
    assert_eq!(login.json(), json!({}), "a browser's script could read it");
    assert_eq!(browser.post(REFRESH, json!({})).await.json(), json!({}));
    assert_eq!(browser.get("/me").await.text, "alice");

    let mut program = Browser::of(settings(Transport::Both));
    program.page.clear();
    let login = program.log_in("alice").await;
    assert_eq!(login.set().len(), 2);
    let refresh = login.json()["refresh"].clone();
    program.jar.clear();
    let refreshed = program.post(REFRESH, json!({"refresh": refresh})).await;
    assert!(refreshed.set().is_empty());
    let tokens = refreshed.json();
    let header = format!("Bearer {}", tokens["access"].as_str().unwrap());
    program.page = vec![("authorization", header.leak()), ("origin", "https://evil.example")];
    // With a header, no cookie is believed, so there is nothing to forge.
    assert_eq!(program.post("/write", json!({})).await.text, "written");
}

#[tokio::test]
async fn a_cookie_opens_nothing_where_headers_are_asked_for() {
    let mut browser = Browser::of(settings(Transport::Header));
    let login = browser.log_in("alice").await;
    assert!(login.set().is_empty());
    for (name, token) in [("__Host-access", "access"), ("__Secure-refresh", "refresh")] {
        let token = login.json()[token].as_str().unwrap().to_owned();
        browser.jar.insert(name.into(), Cookie::build((name, token)).path("/").build());
    }
    assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.post(REFRESH, json!({})).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_header_opens_nothing_where_cookies_are_asked_for() {
    let mut browser = Browser::of(settings(Transport::Cookie));
    browser.log_in("alice").await;
    let header = format!("Bearer {}", browser.cookie("__Host-access"));
    browser.jar.clear();
    browser.page.push(("authorization", header.leak()));
    assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn permissions_and_lenience() {
    let mut browser = Browser::of(settings(Transport::Cookie));
    assert_eq!(browser.get("/staff").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/greet").await.text, "nobody");
    browser.log_in("alice").await;
    assert_eq!(browser.get("/staff").await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get("/greet").await.text, "alice");
    browser.clock.advance(Duration::from_secs(301));
    assert_eq!(browser.get("/greet").await.text, "nobody");
    assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED);
    browser.log_in("root").await;
    assert_eq!(browser.get("/staff").await.text, "staff");
}
