//! Credentials in headers, where they are required and where they are optional.

use super::servers::{BODY_LIMIT, request};
use simplejwt::{Access, Refresh, Sliding};

use super::{Both, STRICT};

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
