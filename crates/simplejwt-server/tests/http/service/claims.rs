//! The claims that the configuration adds to tokens.

use super::{Site, log_in};
use crate::support::process::{run, stderr};

fn payload(token: &serde_json::Value) -> serde_json::Value {
    use base64::Engine as _;

    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&engine.decode(part).unwrap()).unwrap()
}

#[test]
fn claims_are_those_of_the_configuration() {
    let site = Site::new();
    let path = site.directory.path().join("db.sqlite3");
    let raw = rusqlite::Connection::open(path).unwrap();
    raw.execute_batch(
        "UPDATE auth_user SET email = 'a@example.com';\
         INSERT INTO auth_group VALUES (1, 'writers'), (2, 'readers');\
         INSERT INTO auth_user_groups SELECT 1, id, 1 FROM auth_user;",
    )
    .unwrap();
    let claims = r#"{"mail":"email","roles":{"groups":true},"perms":{"permissions":true},
                     "tenant":{"value":{"name":"acme","plan":3}}}"#;
    for (on_refresh, renewed) in [("copy", "a@example.com"), ("recompute", "b@example.com")] {
        raw.execute_batch("UPDATE auth_user SET email = 'a@example.com'").unwrap();
        let server = site.serve(&[
            ("SIMPLEJWT_CLAIMS", claims),
            ("SIMPLEJWT_CLAIMS_ON_REFRESH", on_refresh),
            ("SIMPLE_JWT", r#"{"ROTATE_REFRESH_TOKENS": true}"#),
        ]);
        let pair = log_in(&server).json();
        raw.execute_batch("UPDATE auth_user SET email = 'b@example.com'").unwrap();
        let body = format!(r#"{{"refresh":{}}}"#, pair["refresh"]);
        let next = server.post("/api/token/refresh/", &body).json();
        for (pair, mail) in [(&pair, "a@example.com"), (&next, renewed)] {
            for token in [&pair["access"], &pair["refresh"]] {
                let said = payload(token);
                assert_eq!(said["mail"], mail, "{on_refresh}");
                assert_eq!(said["roles"], serde_json::json!(["writers"]));
                assert_eq!(said["perms"], serde_json::json!([]));
                assert_eq!(said["tenant"], serde_json::json!({"name": "acme", "plan": 3}));
            }
        }
        // A claim that can't be read doesn't affect the others.
        raw.execute_batch("ALTER TABLE auth_group RENAME TO gone").unwrap();
        let body = r#"{"username":"alice","password":"wonderland"}"#;
        let refused = server.post("/api/token/", body);
        assert!(refused.status >= 500, "{refused:?}");
        assert!(!format!("{refused:?}").contains("auth_group"), "{refused:?}");
        raw.execute_batch("ALTER TABLE gone RENAME TO auth_group").unwrap();
    }
}

#[test]
fn claims_that_cant_be_had_refuse_to_start() {
    let site = Site::new();
    let raw = rusqlite::Connection::open(site.directory.path().join("db.sqlite3")).unwrap();
    raw.execute_batch("DROP TABLE auth_user_groups").unwrap();
    for (claims, code, told) in [
        ("mail=emall", 4, "no column \"emall\""),
        (r#"{"roles":{"groups":true}}"#, 4, "no table \"auth_user_groups\""),
        (r#"{"perms":{"permissions":true}}"#, 4, "no table \"auth_user_groups\""),
        ("jti=email", 3, "jti has its own meaning"),
        ("pw=password", 3, "holds a secret"),
    ] {
        let output = run(&["serve"], &site.environment(&[("SIMPLEJWT_CLAIMS", claims)]));
        assert_eq!(output.status.code(), Some(code), "{claims}: {}", stderr(&output));
        assert!(stderr(&output).contains(told), "{claims}: {}", stderr(&output));
    }
}
