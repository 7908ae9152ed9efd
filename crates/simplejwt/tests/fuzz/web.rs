//! Bodies and cookies, at every endpoint: an answer of the caller's fault or a good one, never one of the
//! server's.

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderValue, Method};
use simplejwt::web::endpoint::Endpoint;

use crate::engine::{corpus, run};
use crate::requests::{ENDPOINTS, ask, auth, head, options};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// The first line is the body's type, the rest the body.
#[test]
fn body() {
    let (runtime, auth, options) = (runtime(), auth(), options());
    run("body", &corpus("body"), |input| {
        let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
        let (content_type, body) = input.split_at(end);
        let body = body.get(1..).unwrap_or_default();
        let mut parts = head();
        if let Ok(content_type) = HeaderValue::from_bytes(content_type) {
            parts.headers.insert(CONTENT_TYPE, content_type);
        }
        for endpoint in ENDPOINTS {
            // Without users a login can't be answered; what is read before that is enough.
            let status = ask(&runtime, (&auth, &options), endpoint, &parts, body.to_vec());
            let has_users =
                !matches!(endpoint, Endpoint::TokenObtainPair | Endpoint::TokenObtainSliding);
            assert!(status < 500 || !has_users, "{endpoint:?}: {status}");
        }
    });
}

/// The value of a Cookie field, and of Authorization.
#[test]
fn cookie() {
    let (runtime, auth, options) = (runtime(), auth(), options());
    run("cookie", &corpus("cookie"), |input| {
        let Ok(value) = HeaderValue::from_bytes(input) else { return };
        for (name, method) in
            [(COOKIE, Method::POST), (AUTHORIZATION, Method::POST), (COOKIE, Method::GET)]
        {
            let mut parts = head();
            parts.method = method;
            parts.headers.insert(name, value.clone());
            for endpoint in [Endpoint::TokenRefresh, Endpoint::Logout, Endpoint::Authenticate] {
                let status = ask(&runtime, (&auth, &options), endpoint, &parts, b"{}".to_vec());
                assert!((400..500).contains(&status), "{endpoint:?}: {status}");
            }
        }
    });
}
