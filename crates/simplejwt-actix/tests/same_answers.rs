//! The same requests to both adapters: status, headers and body are the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

#[path = "support/own_shape.rs"]
mod own_shape;
#[path = "../../simplejwt-server/tests/support/page.rs"]
mod page;
#[path = "support/servers.rs"]
mod servers;

use std::net::SocketAddr;

use page::{Names, blocks, fill, matches};
use servers::{Answer, BODY_LIMIT, PASSWORD, request, send};
use simplejwt::settings::Transport;
use simplejwt::{Access, Auth, Refresh, Settings, Sliding, Tokens, Untyped};

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

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

/// A status, headers and a body.
type Case<'a> = (u16, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn bodies_good_and_bad() {
    let both = Both::start();
    let login = format!(r#"{{"username":"alice","password":"{PASSWORD}"}}"#);
    let form = format!("username=alice&password={PASSWORD}");
    let fitting = format!("{}{}", login, " ".repeat(BODY_LIMIT - login.len()));
    let too_long = format!("{fitting} ");
    let multipart = format!(
        "--x\r\ncontent-disposition: form-data; name=\"username\"\r\n\r\nalice\r\n--x\r\n\
         content-disposition: form-data; name=\"password\"\r\n\r\n{PASSWORD}\r\n--x--\r\n"
    );
    let chunked = ("transfer-encoding", "chunked");
    let cases: [Case<'_>; 17] = [
        (200, &[JSON], &login),
        (200, &[JSON, chunked], &login),
        (200, &[FORM], &form),
        (200, &[("content-type", "multipart/form-data; boundary=x")], &multipart),
        (200, &[JSON], &fitting),
        (413, &[JSON], &too_long),
        (413, &[JSON, chunked], &too_long),
        (400, &[JSON], ""),
        (400, &[JSON], "{"),
        (400, &[JSON], "[]"),
        (400, &[JSON], r#"{"username":null}"#),
        (400, &[JSON], "\u{feff}{}"),
        (401, &[JSON], r#"{"username":"alice","password":"looking-glass"}"#),
        (415, &[("content-type", "text/plain")], &login),
        (415, &[], &login),
        (406, &[JSON, ("accept", "image/png")], &login),
        (200, &[JSON, ("accept", "application/json; indent=4")], &login),
    ];
    for (status, headers, body) in cases {
        let answer = both.same(&request("POST", "/api/token/", headers, body));
        assert_eq!(answer.status, status, "{headers:?} {body}");
        assert_eq!(answer.headers["cache-control"], ["no-store"]);
    }
    // Where two values were sent, both count.
    let accepts = [JSON, ("accept", "image/png"), ("Accept", "application/json")];
    assert_eq!(both.same(&request("POST", "/api/token/", &accepts, &login)).status, 200);
}

#[test]
fn a_body_that_breaks_off() {
    let both = Both::start();
    let sent = request("POST", "/api/token/", &[JSON, ("content-length", "100")], "{\"username\"");
    let answer = both.same_until(&sent, true);
    assert_eq!((answer.status, answer.body.contains("incomplete")), (400, true), "{answer:?}");
}

#[test]
fn methods_and_paths() {
    let both = Both::start();
    let token = both.issue::<simplejwt::Access>();
    let bearer = format!("Bearer {token}");
    let paths = [
        "/api/token/",
        "/api/token",
        "/api/token?next=%2F&x",
        "/api/token/refresh",
        "/api/token/refresh/?format=json",
        "/api/token/refresh/?format=xml",
        "/api/token/verify/",
        "/api/token/sessions",
        "/api/token/sessions/",
        "/api/token/sessions/0",
        "/api/token/sessions/0/",
        "/api/token/sessions/0/1/",
        "/api/protected/",
        "/api/protected",
        "/api/protected-stateless/",
        "/api/token//",
        "//api/token",
        "/api/token/nothing/",
        "/",
    ];
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
        for path in paths {
            for headers in [&[][..], &[("authorization", bearer.as_str())]] {
                both.same(&request(method, path, headers, ""));
            }
        }
    }
    let redirect = both.same(&request("GET", "/api/token?next=%2F&x", &[], ""));
    assert_eq!(
        (redirect.status, &redirect.headers["location"][0][..]),
        (301, "/api/token/?next=%2F&x")
    );
    let options = both.same(&request("OPTIONS", "/api/token/", &[], ""));
    assert_eq!((options.status, options.body.contains("Token Obtain Pair")), (200, true));
    let head = both.same(&request("HEAD", "/api/protected/", &[("authorization", &bearer)], ""));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(both.same(&request("GET", "/nowhere", &[], "")).body, r#"{"detail":"Not found."}"#);
}

const STRICT: [&str; 4] = ["/token", "/user", "/required/token", "/api/protected/"];
const OPTIONAL: [&str; 3] = ["/optional/token", "/optional/user", "/lenient/token"];

#[test]
fn credentials_good_and_bad() {
    let both = Both::start();
    let access = both.issue::<simplejwt::Access>();
    let refresh = both.issue::<Refresh>();
    let sliding = both.issue::<Sliding>();
    let nobodys = both.tokens.encode(&both.tokens.issue::<simplejwt::Access>("999")).unwrap();
    let mut without = None;
    let mut by_row = 0;
    for (expected, value) in [
        (200, format!("Bearer {access}")),
        (200, format!("  bearer \t {access} ")),
        (401, "Bearer".to_owned()),
        (401, "Bearer x.y.z".to_owned()),
        (401, format!("Bearer {access} {access}")),
        (401, format!("Bearer {refresh}")),
        (401, format!("Bearer {sliding}")),
        (401, format!("Bearer {access}x")),
    ] {
        for path in STRICT.iter().chain(&OPTIONAL) {
            let answer = both.same(&request("GET", path, &[("authorization", &value)], ""));
            assert_eq!(answer.status, expected, "{path} {value}");
            assert_eq!(answer.headers.contains_key("www-authenticate"), expected == 401);
        }
    }
    for headers in [&[][..], &[("authorization", "Basic abc")]] {
        for path in STRICT {
            let answer = both.same(&request("GET", path, headers, ""));
            assert_eq!(answer.status, 401);
            assert_eq!(answer.headers["www-authenticate"], ["Bearer realm=\"api\""]);
            without = Some(answer.body);
        }
        for path in OPTIONAL {
            assert_eq!(both.same(&request("GET", path, headers, "")).body, "nobody", "{path}");
        }
    }
    let not_provided = r#"{"detail":"Authentication credentials were not provided."}"#;
    assert_eq!(without.as_deref(), Some(not_provided));
    let bearer = format!("Bearer {nobodys}");
    for path in STRICT.iter().chain(&OPTIONAL) {
        let answer = both.same(&request("GET", path, &[("authorization", &bearer)], ""));
        by_row += u32::from(answer.status == 401);
    }
    assert_eq!(by_row, 3, "/user, /optional/user and /api/protected/ ask for the row");
    // Alice isn't staff.
    let alices = format!("Bearer {access}");
    assert_eq!(both.same(&request("GET", "/staff/", &[], "")).status, 401);
    let answer = both.same(&request("GET", "/staff/", &[("authorization", &alices)], ""));
    assert_eq!(answer.status, 403);
}

/// One program takes the first of two, the next one the last.
#[test]
fn fields_that_stand_once_are_refused_where_they_stand_twice() {
    let both = Both::start();
    let bearer = format!("Bearer {}", both.issue::<Access>());
    let good = ("authorization", bearer.as_str());
    let paths = STRICT.iter().chain(&OPTIONAL).chain(&[
        "/staff/",
        "/api/token/",
        "/api/token/verify/",
        "/api/token/logout/",
        "/api/token/sessions/",
        "/api/token/authenticate/",
    ]);
    for path in paths {
        for (field, values) in [
            ("authorization", [bearer.as_str(), bearer.as_str()]),
            ("authorization", [bearer.as_str(), ""]),
            ("authorization", ["Basic abc", bearer.as_str()]),
            ("origin", ["https://a.example", "https://b.example"]),
            ("content-type", ["application/json", "text/plain"]),
            ("sec-fetch-site", ["same-origin", "cross-site"]),
            ("sec-fetch-mode", ["navigate", "websocket"]),
        ] {
            let mut headers = values.map(|value| (field, value)).to_vec();
            if field != "authorization" {
                headers.push(good);
            }
            let answer = both.same(&request("GET", path, &headers, ""));
            assert_eq!(answer.status, 400, "{path} {field}");
            let code = r#""code":"repeated_header""#;
            assert!(answer.body.contains(code) && answer.body.contains(field), "{answer:?}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
        }
    }
    // Of cookies and lists there may be several.
    let lists =
        [good, ("accept", "image/png"), ("accept", "*/*"), ("cookie", "a=b"), ("cookie", "c=d")];
    assert_eq!(both.same(&request("GET", "/api/protected/", &lists, "")).status, 200);
}

/// A gateway sends the length on and no body, or a body that nobody needs.
#[test]
fn authenticate_answers_from_the_head_alone() {
    let both = Both::start();
    let bearer = format!("Bearer {}", both.issue::<Access>());
    let (long, chunked) = (("content-length", "5000"), ("transfer-encoding", "chunked"));
    let body = "x".repeat(BODY_LIMIT * 20);
    for method in ["GET", "POST", "PUT"] {
        for path in ["/api/token/authenticate/", "/api/token/authenticate/orders/7"] {
            for (status, headers) in [
                (204, &[("authorization", bearer.as_str())][..]),
                (401, &[("authorization", "Bearer x")]),
                (401, &[]),
            ] {
                let with = |more| [headers, &[more]].concat();
                let waiting = both.same(&request(method, path, &with(long), ""));
                assert_eq!(waiting.status, status, "{method} {path}");
                assert_eq!(both.same(&request(method, path, headers, &body)).status, status);
                assert_eq!(both.same(&request(method, path, &with(chunked), &body)).status, status);
            }
        }
    }
    // The routes behind a layer or extractor need no more than the head to refuse, either.
    for path in STRICT {
        assert_eq!(both.same(&request("GET", path, &[long], "")).status, 401, "{path}");
    }
}

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
