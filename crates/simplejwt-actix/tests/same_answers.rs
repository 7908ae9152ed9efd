//! The same requests to both adapters: status, headers and body are the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

#[path = "../../simplejwt-server/tests/support/page.rs"]
mod page;
#[path = "support/servers.rs"]
mod servers;

use std::net::SocketAddr;

use page::{Names, blocks, fill, matches};
use servers::{Answer, BODY_LIMIT, PASSWORD, request, send};
use simplejwt::{Refresh, Sliding, Tokens, Untyped};

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

struct Both {
    axum: SocketAddr,
    actix: SocketAddr,
    tokens: Tokens,
}

impl Both {
    fn start() -> Self {
        Self { axum: servers::axum(), actix: servers::actix(), tokens: servers::tokens() }
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
        assert_eq!(self.shown(&from_actix), self.shown(&from_axum), "actix, axum to\n{sent}");
        from_axum
    }

    /// An answer with tokens as their claims, and without what is drawn by lot.
    fn shown(&self, answer: &Answer) -> Answer {
        let body: Vec<String> = answer.body.split('"').map(|part| self.shown_part(part)).collect();
        Answer { body: body.join("\""), ..answer.clone() }
    }

    fn shown_part(&self, part: &str) -> String {
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
        assert_eq!(both.shown(&from_actix), both.shown(&from_axum), "{}", asked.first);
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
    // Two headers are no token.
    let twice = [("authorization", bearer.as_str()), ("Authorization", bearer.as_str())];
    assert_eq!(both.same(&request("GET", "/token", &twice, "")).status, 401);
}
