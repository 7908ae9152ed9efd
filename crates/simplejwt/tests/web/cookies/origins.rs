//! Requests that pages of other origins make.

use axum::http::{Method, StatusCode};
use serde_json::json;
use simplejwt::settings::Transport;

use super::{Browser, LOGIN, LOGOUT, ORIGIN, REFRESH, settings};

#[tokio::test]
async fn a_page_of_another_origin_can_do_nothing() {
    let mut browser = Browser::of(settings(Transport::Cookie));
    browser.log_in("alice").await;
    for (origin, site) in [
        ("https://evil.example", "cross-site"),
        ("https://evil.example.com", "same-site"),
        ("null", "cross-site"),
    ] {
        browser.foreign(origin, site);
        for path in [REFRESH, LOGOUT, LOGIN, "/api/token/blacklist/", "/write"] {
            let body = json!({"username": "alice", "password": "wonderland"});
            let answer = browser.post(path, body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} from {origin}");
            assert_eq!(answer.json()["code"], "csrf_failed");
            assert!(answer.set().is_empty());
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
        }
        let path = "/api/token/sessions/x/";
        let answer = browser.send(Method::DELETE, path, json!({})).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    // An old browser says where the page is from, and nothing else.
    browser.page = vec![("origin", "https://evil.example")];
    assert_eq!(browser.post(LOGOUT, json!({})).await.status, StatusCode::FORBIDDEN);
    browser.page = vec![("origin", ORIGIN)];
    assert_eq!(browser.post(REFRESH, json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_allowed_origin_may_do_what_ours_may() {
    let mut settings = settings(Transport::Cookie);
    settings.allowed_origins = vec!["https://app.example.com".into()];
    let mut browser = Browser::of(settings);
    browser.foreign("https://app.example.com", "same-site");
    let login = browser.log_in("alice").await;
    assert_eq!(login.headers["access-control-allow-origin"], "https://app.example.com");
    assert_eq!(login.headers["access-control-allow-credentials"], "true");
    assert!(login.headers.get_all("vary").iter().any(|vary| vary == "Accept"));
    assert_eq!(browser.post(REFRESH, json!({})).await.status, StatusCode::OK);

    browser.page.push(("access-control-request-method", "POST"));
    browser.page.push(("access-control-request-headers", "content-type"));
    let preflight = browser.send(Method::OPTIONS, REFRESH, json!(null)).await;
    assert_eq!(preflight.headers["access-control-allow-methods"], "POST");
    assert_eq!(preflight.headers["access-control-allow-headers"], "content-type");

    browser.foreign("https://evil.example", "cross-site");
    let refused = browser.post(REFRESH, json!({})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.headers.contains_key("access-control-allow-origin"));
    // What asks for no method is no preflight.
    let options = browser.send(Method::OPTIONS, REFRESH, json!(null)).await;
    assert_eq!(options.json()["name"], "Token Refresh");
}

/// A gateway asks with a method of its own; that of the request decides.
#[tokio::test]
async fn a_gateway_lets_no_forged_request_through() {
    let mut browser = Browser::of(settings(Transport::Cookie));
    browser.log_in("alice").await;
    const PATH: &str = "/api/token/authenticate/";
    assert_eq!(browser.get(PATH).await.status, StatusCode::NO_CONTENT);
    let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    browser.page = link.to_vec();
    assert_eq!(browser.get(PATH).await.status, StatusCode::NO_CONTENT, "a link leads here");
    for name in ["x-forwarded-method", "x-original-method"] {
        for (method, status) in [
            ("POST", StatusCode::FORBIDDEN),
            ("DELETE", StatusCode::FORBIDDEN),
            ("not a method", StatusCode::FORBIDDEN),
            ("GET", StatusCode::NO_CONTENT),
        ] {
            browser.page = link.to_vec();
            browser.page.push((name, method));
            assert_eq!(browser.get(PATH).await.status, status, "{name}: {method}");
        }
    }
    browser.foreign("https://evil.example", "cross-site");
    assert_eq!(browser.post(PATH, json!({})).await.status, StatusCode::FORBIDDEN);
}

/// A gateway doesn't know what a GET behind it does, and a WebSocket begins with one.
#[tokio::test]
async fn a_gateway_lets_nothing_through_that_a_foreign_page_loads() {
    let mut browser = Browser::of(settings(Transport::Cookie));
    browser.log_in("alice").await;
    const PATH: &str = "/api/token/authenticate/";
    browser.foreign("https://evil.example", "cross-site");
    assert_eq!(browser.get(PATH).await.status, StatusCode::FORBIDDEN, "fetch");
    assert_eq!(browser.get(PATH).await.json()["code"], "csrf_failed");
    browser.page = vec![("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")];
    assert_eq!(browser.get(PATH).await.status, StatusCode::FORBIDDEN, "an image");
    browser.page = vec![("origin", "https://evil.example")];
    assert_eq!(browser.get(PATH).await.status, StatusCode::FORBIDDEN, "an older browser's fetch");
    browser.page = vec![("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "no-cors")];
    assert_eq!(browser.get(PATH).await.status, StatusCode::NO_CONTENT, "an image of its own");
    browser.page.clear();
    assert_eq!(browser.get(PATH).await.status, StatusCode::NO_CONTENT, "no browser");
    // The handshake is an application's affair, too: its routes are refused alike.
    let handshake = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for path in [PATH, "/me", "/optional", "/read"] {
        browser.page = vec![handshake, ("origin", "https://evil.example")];
        assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        browser.page = vec![handshake, ("origin", ORIGIN)];
        assert!(browser.get(path).await.status.is_success(), "{path}");
    }
}
