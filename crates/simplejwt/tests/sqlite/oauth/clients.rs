//! Who may ask, and how (RFC 6749 sections 2.3.1 and 5.2).

use simplejwt::web::axum::RouterOptions;

use super::web::{FORM, SECRET, basic, options, send};
use crate::world::{World, worlds_of_tokens};

const ENDPOINTS: [&str; 2] = ["/api/token/revoke/", "/api/token/introspect/"];

async fn world() -> World {
    let [world, _] = worlds_of_tokens(|_| ()).await;
    world
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn without_clients_there_are_no_such_endpoints() {
    let world = world().await;
    let credentials = basic(&format!("billing:{SECRET}"));
    for path in ENDPOINTS {
        let options = RouterOptions::default();
        let headers = [FORM, ("authorization", credentials.as_str())];
        let routed = send(&world.auth, &options, ("POST", path), &headers, "token=x").await;
        assert_eq!(routed.status, 404);
    }
    let route = simplejwt::web::axum::route::<()>(
        world.auth.clone(),
        simplejwt::web::endpoint::Endpoint::Introspect,
        &RouterOptions::default(),
    );
    let router = axum::Router::new().route("/alone", route);
    let request = axum::http::Request::post("/alone").body(axum::body::Body::empty()).unwrap();
    let alone = tower::ServiceExt::oneshot(router, request).await.unwrap();
    assert_eq!(alone.status(), 404);
}

#[tokio::test]
async fn credentials_in_either_place() {
    let world = world().await;
    let in_body = format!("&client_id=billing&client_secret={}", encoded(SECRET));
    let (raw, form) = (
        basic(&format!("billing:{SECRET}")),
        basic(&format!("{}:{}", encoded("billing"), encoded(SECRET))),
    );
    let lower = raw.replace("Basic", "bAsIc");
    let good: [(Option<&str>, &str); 5] = [
        (None, &in_body),
        (Some(&raw), ""),
        (Some(&form), ""),
        (Some(&lower), "&client_id=billing"),
        (Some(&raw), "&client_secret="),
    ];
    for path in ENDPOINTS {
        for (header, body) in good {
            for path in [path, path.trim_end_matches('/')] {
                let mut headers = vec![FORM];
                headers.extend(header.map(|header| ("authorization", header)));
                let body = format!("token=x{body}");
                let answer = send(&world.auth, &options(), ("POST", path), &headers, &body).await;
                assert_eq!(answer.status, 200, "{path} {header:?} {body}: {}", answer.body);
                assert_eq!(answer.header("cache-control"), Some("no-store"));
            }
        }
    }
}

#[tokio::test]
async fn anybody_else_is_refused_and_told_how_to_ask() {
    let world = world().await;
    let wrong = basic("billing:another secret that is long enough too");
    let unknown = basic(&format!("shipping:{SECRET}"));
    let colonless = basic("billing");
    let bad: [(Option<&str>, &str); 12] = [
        (None, ""),
        (None, "&client_id=billing"),
        (None, "&client_secret=x"),
        (None, "&client_id=billing&client_secret=x"),
        (Some("Basic"), ""),
        (Some("Basic !!!"), ""),
        (Some("Basic /////w=="), ""),
        (Some("Bearer abc"), ""),
        (Some(&wrong), ""),
        (Some(&wrong), "&client_id=billing"),
        (Some(&unknown), ""),
        (Some(&colonless), ""),
    ];
    for path in ENDPOINTS {
        for (header, body) in bad {
            let mut headers = vec![FORM];
            headers.extend(header.map(|header| ("authorization", header)));
            let body = format!("token=x{body}");
            let answer = send(&world.auth, &options(), ("POST", path), &headers, &body).await;
            assert_eq!(answer.status, 401, "{path} {header:?} {body}");
            assert_eq!(answer.json()["error"], "invalid_client");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Basic realm="), "{challenge}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
}

#[tokio::test]
async fn requests_of_another_form_are_invalid() {
    let world = world().await;
    let credentials = basic(&format!("billing:{SECRET}"));
    let who = ("authorization", credentials.as_str());
    let long = format!("token={}", "x".repeat(70_000));
    let in_body = format!("token=x&client_id=billing&client_secret={}", encoded(SECRET));
    /// A name, headers, a body and the status.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, u16);
    let cases: [Case<'_>; 12] = [
        ("POST", &[FORM, who], "", 400),
        ("POST", &[FORM, who], "token=", 400),
        ("POST", &[FORM, who], "token=x&token=y", 400),
        ("POST", &[FORM, who], "token=x&a=1&a=2", 400),
        ("POST", &[FORM, who], "token=x&client_id=shipping", 400),
        ("POST", &[FORM, who], &in_body, 400),
        ("POST", &[FORM, who, who], "token=x", 400),
        ("POST", &[who], "token=x", 400),
        ("POST", &[who, ("content-type", "application/json")], "{\"token\":\"x\"}", 400),
        ("POST", &[FORM, who], &long, 413),
        ("GET", &[FORM, who], "token=x", 405),
        ("OPTIONS", &[FORM, who], "", 405),
    ];
    for path in ENDPOINTS {
        for (method, headers, body, status) in cases {
            let answer = send(&world.auth, &options(), (method, path), headers, body).await;
            let sent = body.get(..40).unwrap_or(body);
            assert_eq!(answer.status, status, "{method} {path} {sent}: {}", answer.body);
            assert_eq!(answer.json()["error"], "invalid_request");
            assert_eq!(answer.header("allow"), Some("POST"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        let charset = ("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8");
        let headers = [charset, who];
        let answer = send(&world.auth, &options(), ("POST", path), &headers, "&token=x&").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}
