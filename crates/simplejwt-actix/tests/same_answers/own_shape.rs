//! Errors in the application's own shape, wherever they come from.

use serde_json::{Value, json};
use simplejwt::web::ErrorShape;

use super::servers::{BODY_LIMIT, PASSWORD, request, settings};
use super::{Both, JSON};

/// Every refusal is in the application's shape, with upstream's status and headers: of endpoints,
/// extractors, layers, permissions and of paths that nobody has.
#[test]
fn every_refusal_is_in_the_applications_own_shape() {
    let shape = ErrorShape::json(
        |refusal| json!({"error": {"code": refusal.code(), "why": refusal.detail(), "was": refusal.body()}}),
    );
    let shape = shape.with_media_type("application/problem+json").unwrap();
    let shaped = Both::of(settings(), |auth| auth.with_errors(shape.clone()));
    let plain = Both::start();
    let login = format!(r#"{{"username":"alice","password":"{PASSWORD}"}}"#);
    let too_long = format!("{login}{}", " ".repeat(BODY_LIMIT));
    let access = shaped.issue::<simplejwt::Access>();
    let bearer = format!("Bearer {access}");
    let (bad, good) = (("authorization", "Bearer x"), ("authorization", bearer.as_str()));
    #[allow(clippy::type_complexity, reason = "a table")]
    let cases: [(&str, &str, &[(&str, &str)], &str, u16, &str); 20] = [
        (
            "POST",
            "/api/token/",
            &[JSON],
            r#"{"username":"a","password":"b"}"#,
            401,
            "no_active_account",
        ),
        ("POST", "/api/token/", &[JSON], "{}", 400, "invalid"),
        ("POST", "/api/token/", &[JSON], "{", 400, "parse_error"),
        ("POST", "/api/token/", &[JSON], &too_long, 413, "request_too_large"),
        ("POST", "/api/token/", &[], &login, 415, "unsupported_media_type"),
        ("POST", "/api/token/", &[JSON, ("accept", "image/png")], &login, 406, "not_acceptable"),
        ("GET", "/api/token/", &[], "", 405, "method_not_allowed"),
        ("POST", "/api/token/refresh/", &[JSON], r#"{"refresh":"x"}"#, 401, "token_not_valid"),
        ("POST", "/api/token/verify/", &[JSON], r#"{"token":"x"}"#, 401, "token_not_valid"),
        ("GET", "/api/token/sessions/", &[], "", 401, "not_authenticated"),
        ("DELETE", "/api/token/sessions/1/", &[good], "", 404, "not_found"),
        ("GET", "/api/token/authenticate/", &[bad], "", 401, "token_not_valid"),
        ("GET", "/api/protected/", &[], "", 401, "not_authenticated"),
        ("GET", "/token", &[], "", 401, "not_authenticated"),
        ("GET", "/user", &[("authorization", "Bearer a b")], "", 401, "bad_authorization_header"),
        ("GET", "/optional/user", &[bad], "", 401, "token_not_valid"),
        ("GET", "/required/token", &[], "", 401, "not_authenticated"),
        ("GET", "/lenient/token", &[bad], "", 401, "token_not_valid"),
        ("GET", "/staff/", &[good], "", 403, "permission_denied"),
        ("GET", "/nowhere", &[], "", 404, "not_found"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let bytes = request(method, path, headers, body);
        let mut answer = shaped.same(&bytes);
        let was = plain.same(&bytes);
        let sent: Value = serde_json::from_str(&answer.body).unwrap();
        let upstream: Value = serde_json::from_str(&was.body).unwrap();
        assert_eq!((answer.status, &sent["error"]["code"]), (status, &json!(code)), "{path}");
        assert_eq!(sent["error"]["was"], upstream, "{path}");
        assert_ne!(sent["error"]["why"], "", "{path}");
        assert_eq!(answer.headers["content-type"], ["application/problem+json"], "{path}");
        // All other headers are as they were.
        for header in ["content-type", "content-length"] {
            answer.headers.insert(header.to_owned(), was.headers[header].clone());
        }
        assert_eq!(answer.headers, was.headers, "{method} {path}");
    }
    let fine = shaped.same(&request("POST", "/api/token/", &[JSON], &login));
    assert!(fine.status == 200 && fine.body.contains("refresh"), "{}", fine.body);
}
