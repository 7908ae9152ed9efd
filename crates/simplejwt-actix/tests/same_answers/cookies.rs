//! Cookies, and the pages of other origins.

use super::servers::{self, Answer, BODY_LIMIT, request, send};
use simplejwt::settings::Transport;
use simplejwt::{Access, Settings};

use super::{Both, JSON, STRICT};

const ORIGIN: &str = "https://app.example.com";

fn in_cookies() -> Settings {
    Settings {
        transport: Transport::Cookie,
        allowed_origins: vec![ORIGIN.into()],
        ..servers::settings()
    }
}

/// Whether a page of the allowed origin may read the answer, and what of it.
fn is_permitted(answer: &Answer) -> bool {
    let one = |name: &str| answer.headers.get(name).map(|values| values.join(", "));
    let varies = one("vary").is_some_and(|vary| vary.to_ascii_lowercase().contains("origin"));
    let exposed = one("access-control-expose-headers").unwrap_or_default().to_ascii_lowercase();
    varies
        && one("access-control-allow-origin").as_deref() == Some(ORIGIN)
        && one("access-control-allow-credentials").as_deref() == Some("true")
        && ["date", "retry-after", "www-authenticate"].iter().all(|name| exposed.contains(name))
}

/// They are the same for everybody, whoever else may read other answers.
#[test]
fn any_page_may_read_a_public_document() {
    let both = Both::with(in_cookies());
    for path in ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server/tenant1"] {
        for origin in [ORIGIN, "https://evil.example"] {
            let answer = both.same(&request("GET", path, &[("origin", origin)], ""));
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.headers["access-control-allow-origin"], ["*"], "{path}");
            assert!(!answer.headers.contains_key("vary"), "{path}: {answer:?}");
        }
    }
}

const OWN: [&str; 3] = ["/token", "/required/token", "/staff/"];

/// Every path, each with every kind of refusal: a page has to see why.
#[test]
fn pages_of_an_allowed_origin_may_read_every_answer() {
    let both = Both::with(in_cookies());
    let origin = ("origin", ORIGIN);
    let too_long = " ".repeat(BODY_LIMIT + 1);
    let paths = [
        "/api/token/",
        "/api/token",
        "/api/token/refresh/",
        "/api/token/refresh",
        "/api/token/verify/",
        "/api/token/blacklist/",
        "/api/token/sliding/",
        "/api/token/sliding/refresh/",
        "/api/token/logout/",
        "/api/token/sessions/",
        "/api/token/sessions/0/",
        "/api/token/authenticate/",
        "/api/token/authenticate/anything",
        "/api/token/introspect/",
        "/api/token/nothing/",
        "/api/protected/",
        "/api/protected-stateless/",
        "/token",
        "/required/token",
        "/staff/",
        "/",
        "/nowhere",
    ];
    let mut seen = std::collections::BTreeSet::new();
    for path in paths {
        for (method, headers, body) in [
            ("POST", &[origin, JSON][..], "{}"),
            ("POST", &[origin, JSON], "{"),
            ("POST", &[origin, JSON], &too_long),
            ("POST", &[origin, ("content-type", "text/plain")], "x"),
            ("POST", &[origin, JSON, ("accept", "image/png")], "{}"),
            ("GET", &[origin], ""),
            ("OPTIONS", &[origin], ""),
            ("PATCH", &[origin, JSON], "{}"),
            ("DELETE", &[origin], ""),
        ] {
            // Of an application's own routes, the frameworks have other methods.
            if method != "GET" && OWN.contains(&path) {
                continue;
            }
            let answer = both.same(&request(method, path, headers, body));
            assert!(is_permitted(&answer), "{method} {path}: {answer:?}");
            seen.insert(answer.status);
        }
        let asks = ("access-control-request-method", "POST");
        let names = ("access-control-request-headers", "content-type");
        let bytes = request("OPTIONS", path, &[origin, asks, names], "");
        let preflights = match OWN.contains(&path) {
            // axum adds what its route allows.
            true => vec![send(both.axum, &bytes, false), send(both.actix, &bytes, false)],
            false => vec![both.same(&bytes)],
        };
        for preflight in preflights {
            assert_eq!(preflight.status, 200, "{path}");
            assert_eq!(preflight.headers["access-control-allow-origin"], [ORIGIN]);
            assert_eq!(preflight.headers["access-control-allow-methods"], ["POST"]);
            assert_eq!(preflight.headers["access-control-allow-headers"], ["content-type"]);
        }

        let other = ("origin", "https://evil.example");
        let method = if OWN.contains(&path) { "GET" } else { "POST" };
        let answer = both.same(&request(method, path, &[other, JSON], "{}"));
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}");
        assert!(answer.headers["vary"].join(",").to_ascii_lowercase().contains("origin"));
    }
    for status in [200, 301, 400, 401, 404, 405, 406, 413, 415] {
        assert!(seen.contains(&status), "no {status} among {seen:?}");
    }
}

#[test]
fn cookies_of_others_and_expired_ones() {
    let both = Both::with(in_cookies());
    let access = both.issue::<Access>();
    let expired = both.tokens.issue_with::<Access>("1", |claims| {
        for (name, value) in [("exp", 1_699_999_000), ("iat", 1_699_998_000)] {
            claims.set(name, value).unwrap();
        }
    });
    let expired = both.tokens.encode(&expired).unwrap();
    let foreign = "e30.e30.e30";
    let none: [&str; 0] = [];
    for (tokens, strict, optional) in [
        (&none[..], "not_authenticated", Some("nobody")),
        (&[foreign], "token_not_valid", None),
        (&[&*expired], "token_not_valid", Some("nobody")),
        (&[foreign, &*expired], "token_not_valid", Some("nobody")),
        (&[&*access], "", Some("alice")),
        (&[foreign, &*access], "", Some("alice")),
        (&[&*access, foreign], "", Some("alice")),
        (&[&*expired, &*access, foreign], "", Some("alice")),
    ] {
        let sent: Vec<_> = tokens.iter().map(|token| format!("__Host-access={token}")).collect();
        let sent = sent.join("; ");
        let headers = [("cookie", sent.as_str())];
        for path in STRICT.iter().chain(&["/api/token/authenticate/", "/staff/"]) {
            let answer = both.same(&request("GET", path, &headers, ""));
            match strict {
                "" => assert_ne!(answer.status, 401, "{path} {sent}"),
                code => {
                    assert_eq!(answer.status, 401, "{path} {sent}");
                    assert!(answer.body.contains(&format!(r#""code":"{code}""#)), "{answer:?}");
                }
            }
        }
        let answer = both.same(&request("GET", "/optional/user", &headers, ""));
        match optional {
            Some(name) => assert_eq!(answer.body, name, "{sent}"),
            None => assert_eq!(answer.status, 401, "{sent}"),
        }
    }
}
