//! Bodies, methods and paths.

use super::servers::{BODY_LIMIT, PASSWORD, request};

use super::{Both, FORM, JSON};

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
        "/.well-known/jwks.json",
        "/.well-known/jwks.json/",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/tenant1",
        "/.well-known/oauth-authorization-server/tenant1/",
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
    for path in ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server/tenant1"] {
        let answer = both.same(&request("GET", path, &[], ""));
        assert_eq!(
            (answer.status, &answer.headers["cache-control"][0][..]),
            (200, "public, max-age=300")
        );
        let known = [("if-none-match", answer.headers["etag"][0].as_str())];
        assert_eq!(both.same(&request("GET", path, &known, "")).status, 304, "{path}");
        let head = both.same(&request("HEAD", path, &[], ""));
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
}
