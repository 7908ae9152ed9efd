//! The same requests to both adapters: status, headers and body are the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod cookies;
mod credentials;
mod own_shape;
#[path = "../../../simplejwt-server/tests/support/page.rs"]
mod page;
mod realms;
mod requests;
mod servers;

use std::net::SocketAddr;

use page::{Names, blocks, fill, matches};
use servers::{Answer, request, send};
use simplejwt::{Auth, Settings, Tokens, Untyped};

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

const STRICT: [&str; 4] = ["/token", "/user", "/required/token", "/api/protected/"];

struct Both {
    axum: SocketAddr,
    actix: SocketAddr,
    tokens: Tokens,
}

impl Both {
    fn start() -> Self {
        Self::with(servers::settings())
    }

    fn with(settings: Settings) -> Self {
        Self::of(settings, |auth| auth)
    }

    fn of(settings: Settings, change: impl Fn(Auth) -> Auth) -> Self {
        let tokens = servers::tokens_of(settings);
        let auth = || change(servers::auth(tokens.clone()));
        let (axum, actix) = (servers::axum(auth()), servers::actix(auth()));
        Self { axum, actix, tokens }
    }

    /// Sends both the same bytes; the answer, which is the same.
    fn same(&self, bytes: &[u8]) -> Answer {
        self.same_until(bytes, false)
    }

    fn same_until(&self, bytes: &[u8], end: bool) -> Answer {
        let from_axum = send(self.axum, bytes, end);
        let from_actix = send(self.actix, bytes, end);
        let sent = String::from_utf8_lossy(bytes);
        assert_ne!(from_axum.status, 0, "no answer to\n{sent}");
        assert_eq!(
            self.comparable(&from_actix),
            self.comparable(&from_axum),
            "actix, axum to\n{sent}"
        );
        from_axum
    }

    /// An answer with tokens as their claims, and without what is drawn by lot.
    fn comparable(&self, answer: &Answer) -> Answer {
        let body: Vec<String> =
            answer.body.split('"').map(|part| self.comparable_part(part)).collect();
        Answer { body: body.join("\""), ..answer.clone() }
    }

    fn comparable_part(&self, part: &str) -> String {
        let is_id = part.len() == 32 && part.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id {
            return "an id".to_owned();
        }
        match self.tokens.decode::<Untyped>(part) {
            Ok(token) => {
                let mut claims = token.claims().clone();
                for name in ["jti", "sid"] {
                    claims.remove(name);
                }
                claims.to_json()
            }
            Err(_) => part.to_owned(),
        }
    }

    fn issue<T: simplejwt::TokenType>(&self) -> String {
        self.tokens.encode(&self.tokens.issue::<T>("1")).unwrap()
    }
}

/// Both are asked what the page asks, each with its own tokens.
#[test]
fn the_examples_of_the_page() {
    let both = Both::start();
    let blocks = blocks();
    let (pairs, []) = blocks.as_chunks::<2>() else { panic!("a request without an answer") };
    let (mut of_axum, mut of_actix) = (Names::new(), Names::new());
    let mut as_documented = 0;
    for [asked, documented] in pairs {
        let (method, path) = asked.first.split_once(' ').unwrap();
        let ask = |address, names: &mut Names| {
            let headers: Vec<_> =
                asked.headers.iter().map(|(name, value)| (name, fill(value, names))).collect();
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let bytes = request(method, &fill(path, names), &headers, &fill(&asked.body, names));
            let answer = send(address, &bytes, false);
            let documented = answer.status.to_string() == documented.first
                && matches(&documented.body, &answer.body, names);
            (answer, documented)
        };
        let (from_axum, known_by_axum) = ask(both.axum, &mut of_axum);
        let (from_actix, known_by_actix) = ask(both.actix, &mut of_actix);
        assert_eq!(both.comparable(&from_actix), both.comparable(&from_axum), "{}", asked.first);
        assert_eq!(known_by_actix, known_by_axum, "{}", asked.first);
        as_documented += usize::from(known_by_actix);
    }
    assert!(as_documented >= 15, "only {as_documented} answers are the page's");
}
