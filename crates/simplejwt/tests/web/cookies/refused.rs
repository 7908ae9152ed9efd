//! What a page is told of cookies that are missing, expired or dead, and which are taken away.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::json;
use simplejwt::Settings;
use simplejwt::settings::Transport;
use simplejwt::web::axum::{RouterOptions, router_with};

use super::{Browser, LOGIN, LOGOUT, REFRESH, settings};

const ACCESS: &str = "__Host-access";
const SECURE: &str = "__Secure-refresh";

fn with_demo(settings: Settings) -> Browser {
    let options = RouterOptions { demo: true, ..RouterOptions::default() };
    Browser::with(settings, |auth| router_with(auth, &options))
}

/// DIFFERENCE: upstream, which reads no cookies, sends no code where credentials are missing.
#[tokio::test]
async fn a_missing_cookie_is_a_401_with_a_code() {
    let paths = [REFRESH, "verify/", "blacklist/", "sliding/refresh/", LOGOUT]
        .map(|path| if path.starts_with('/') { path.to_owned() } else { format!("{LOGIN}{path}") });
    for path in &paths {
        let mut browser = Browser::of(settings(Transport::Cookie));
        let answer = browser.post(path, json!({})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(
            answer.json(),
            json!({
                "detail": "Authentication credentials were not provided.",
                "code": "not_authenticated",
            })
        );
        assert!(answer.headers.contains_key("www-authenticate"));
    }
    for path in &paths[..4] {
        // With both, a program is told of the field, as upstream does.
        let mut browser = Browser::of(settings(Transport::Both));
        assert_eq!(browser.post(path, json!({})).await.status, StatusCode::UNAUTHORIZED);
        browser.page.clear();
        assert_eq!(browser.post(path, json!({})).await.status, StatusCode::BAD_REQUEST);
    }
    // A field that is there and isn't good is none that is missing.
    let mut browser = Browser::of(settings(Transport::Cookie));
    let blank = browser.post(REFRESH, json!({"refresh": ""})).await;
    assert_eq!(blank.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_expired_access_cookie_is_told_from_none() {
    let mut browser = with_demo(settings(Transport::Cookie));
    let paths = [
        (Method::GET, "/me"),
        (Method::POST, "/write"),
        (Method::GET, "/staff"),
        (Method::POST, "/read"),
        (Method::GET, "/api/protected/"),
        (Method::GET, "/api/protected-stateless/"),
        (Method::GET, "/api/token/authenticate/"),
        (Method::GET, "/api/token/sessions/"),
    ];
    for (method, path) in &paths {
        let none = browser.send(method.clone(), path, json!(null)).await;
        assert_eq!(none.status, StatusCode::UNAUTHORIZED);
        assert_eq!(none.json()["code"], "not_authenticated", "{path}");
    }
    browser.log_in("alice").await;
    browser.clock.advance(Duration::from_secs(301));
    for (method, path) in &paths {
        let expired = browser.send(method.clone(), path, json!(null)).await;
        assert_eq!(expired.status, StatusCode::UNAUTHORIZED);
        let body = expired.json();
        assert_eq!(body["code"], "token_not_valid", "{path}");
        assert_eq!(body["messages"][0]["message"], "Token is expired");
        assert!(expired.set().is_empty(), "a refresh can go on");
    }
    // What can do without credentials isn't stopped by a cookie that the browser sends by itself.
    for (path, text) in [("/optional", "nobody"), ("/greet", "nobody"), ("/read", "read")] {
        assert_eq!(browser.get(path).await.text, text, "{path}");
    }
    // Another's is no expired one.
    browser.sending(&[(ACCESS, "e30.e30.e30")]);
    assert_eq!(browser.get("/optional").await.status, StatusCode::UNAUTHORIZED);
}

/// Both cookies go together: without rotation too.
#[tokio::test]
async fn the_access_cookie_lives_as_long_as_the_refresh_cookie() {
    let mut still = settings(Transport::Cookie);
    still.rotate_refresh_tokens = false;
    still.blacklist_after_rotation = false;
    let mut browser = Browser::of(still);
    browser.log_in("alice").await;
    browser.clock.advance(Duration::from_secs(400));
    let refreshed = browser.post(REFRESH, json!({})).await;
    let [access] = &refreshed.set()[..] else { panic!("{:?}", refreshed.headers) };
    assert_eq!(access.max_age().unwrap().whole_seconds(), 86_400 - 400);

    let mut browser = Browser::of(settings(Transport::Cookie));
    let body = json!({"username": "alice", "password": "wonderland"});
    let login = browser.post("/api/token/sliding/", body).await;
    assert_eq!(login.set()[0].max_age().unwrap().whole_seconds(), 86_400, "as refresh_exp");
}

#[tokio::test]
async fn dead_cookies_are_removed_where_no_newer_ones_can_be_meant() {
    let removed = |answer: &super::Answer| {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
        match answer.set().len() {
            0 => false,
            2 => answer.set().iter().all(|cookie| cookie.max_age().unwrap().is_zero()),
            _ => panic!("{:?}", answer.headers),
        }
    };
    // What is no token was never one.
    let mut browser = Browser::of(settings(Transport::Cookie));
    browser.sending(&[(SECURE, "junk")]);
    assert!(removed(&browser.post(REFRESH, json!({})).await));
    // A token of a key that isn't known here may be good elsewhere.
    browser.sending(&[(SECURE, "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl")]);
    assert!(!removed(&browser.post(REFRESH, json!({})).await));

    // Its session has ended.
    for path in [REFRESH, "/api/token/blacklist/"] {
        let mut browser = Browser::of(settings(Transport::Cookie));
        browser.log_in("alice").await;
        let refresh = browser.cookie(SECURE).to_owned();
        let mut other = browser.another();
        other.sending(&[(SECURE, &refresh)]).post(LOGOUT, json!({})).await;
        assert!(removed(&browser.post(path, json!({})).await), "{path}");
        assert!(browser.jar.is_empty());
    }

    // It expired, and nothing came after it.
    let mut browser = Browser::of(settings(Transport::Cookie));
    browser.log_in("alice").await;
    browser.clock.advance(Duration::from_secs(86_401));
    assert!(removed(&browser.post(REFRESH, json!({})).await));

    // It expired, and another tab has newer ones.
    let mut browser = Browser::of(settings(Transport::Cookie));
    browser.log_in("alice").await;
    let old = browser.cookie(SECURE).to_owned();
    browser.clock.advance(Duration::from_secs(86_000));
    assert_eq!(browser.post(REFRESH, json!({})).await.status, StatusCode::OK);
    browser.clock.advance(Duration::from_secs(500));
    assert!(!removed(&browser.another().sending(&[(SECURE, &old)]).post(REFRESH, json!({})).await));
    assert_eq!(browser.post(REFRESH, json!({})).await.status, StatusCode::OK);
}

/// Without sessions nobody knows what came after a token that expired just now.
#[tokio::test]
async fn without_sessions_an_expired_cookie_is_removed_a_minute_later() {
    let mut plain = settings(Transport::Cookie);
    plain.sessions.enabled = false;
    let mut browser = Browser::of(plain.clone());
    browser.log_in("alice").await;
    browser.clock.advance(Duration::from_secs(86_401));
    assert!(browser.post(REFRESH, json!({})).await.set().is_empty());
    browser.clock.advance(Duration::from_secs(60));
    assert_eq!(browser.post(REFRESH, json!({})).await.set().len(), 2);

    plain.rotate_refresh_tokens = false;
    plain.blacklist_after_rotation = false;
    let mut browser = Browser::of(plain);
    browser.log_in("alice").await;
    browser.clock.advance(Duration::from_secs(86_401));
    assert_eq!(browser.post(REFRESH, json!({})).await.set().len(), 2, "none comes after it");
}
