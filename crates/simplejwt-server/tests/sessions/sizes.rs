//! Values that are too long or can't be stored, with the real server on each database.

use serde_json::json;
use simplejwt::{Access, Refresh, Settings, TokenType, Tokens};

use crate::support::databases::ALL;
use crate::support::site::{PASSWORD, Site, post};

const GROUPS: &str = r#"{"groups":{"groups":true}}"#;

/// Returns a token signed with this server's key.
fn signed<T: TokenType>(claims: &[(&str, serde_json::Value)]) -> String {
    let tokens = Tokens::new(Settings {
        signing_key: Some("a-secret-key-that-is-long-enough-for-hs256".into()),
        ..Settings::default()
    })
    .unwrap();
    let token = tokens.issue_with::<T>("1", |all| {
        for (name, value) in claims {
            all.set(name, value).unwrap();
        }
    });
    tokens.encode(&token).unwrap()
}

/// A login that would issue a token that this server refuses fails with a message, and leaves no
/// session.
#[test]
fn a_token_that_would_be_refused_is_not_issued() {
    for &kind in ALL {
        let site = Site::new(kind, 1, 0, &[("SIMPLEJWT_CLAIMS", GROUPS)]);
        let join = |groups: std::ops::Range<usize>| {
            let names: Vec<_> =
                groups.clone().map(|n| format!("({n}, 'department-{n:04}-team')")).collect();
            let members: Vec<_> = groups.map(|n| format!("(1, {n})")).collect();
            site.database
                .rows(&format!("INSERT INTO auth_group (id, name) VALUES {}", names.join(", ")));
            site.database.rows(&format!(
                "INSERT INTO auth_user_groups (user_id, group_id) VALUES {}",
                members.join(", ")
            ));
        };
        let server = &site.servers[0];
        join(1..200);
        let first = site.log_in();
        assert_eq!(server.told("a token is long"), 0, "{kind:?}");
        join(200..400);
        let second = site.log_in();
        assert!(second.access.len() > 8 * 1024 && second.access.len() <= 16 * 1024, "{kind:?}");
        let line = server.expect_stderr("a token is long");
        assert!(line.contains("groups") && line.contains("limit=16384"), "{line}");
        site.log_in();
        site.refresh(0, &second.refresh).pair();
        assert_eq!(server.told("a token is long"), 0, "{kind:?}: once an hour is enough");
        join(400..700);
        let sessions = site.database.number("SELECT count(*) FROM simplejwt_session");
        assert_eq!(sessions, 3, "{kind:?}");
        let body = json!({"username": "alice", "password": PASSWORD});
        for _ in 0..2 {
            let answer = site.post(0, "/api/token/", &body);
            assert_eq!(
                (answer.status, answer.json()["code"].as_str()),
                (500, Some("token_too_long"))
            );
            assert!(!answer.body.contains("groups"), "{answer:?}");
        }
        let line = server.expect_stderr(r#"no token for the user \"1\""#);
        assert!(line.contains(r#"the largest claim is \"groups\""#), "{line}");
        let after = site.database.number("SELECT count(*) FROM simplejwt_session");
        assert_eq!(after, sessions, "{kind:?}: a session without tokens");
        let tokens = "SELECT count(*) FROM token_blacklist_outstandingtoken";
        assert_eq!(site.database.number(tokens), sessions + 1, "{kind:?}");
        // Claims stay as they were at login.
        site.refresh(0, &first.refresh).pair();
    }
}

/// Ids that no table can store make a token invalid, on every database alike.
#[test]
fn ids_that_cant_be_kept_make_a_token_invalid() {
    for &kind in ALL {
        let settings = [
            ("SIMPLEJWT_SESSION_CLAIM", "true"),
            ("SIMPLEJWT_REVOCATION", "strict"),
            ("SIMPLEJWT_AUTHENTICATION", "user"),
        ];
        let site = Site::new(kind, 1, 0, &settings);
        let longest = "é".repeat(255);
        for good in [longest.as_str(), "x", " ", "'; --", "😀"] {
            let token = signed::<Refresh>(&[("jti", json!(good)), ("sid", json!(good))]);
            let answer = site.refresh(0, &token);
            assert_eq!(answer.status, 200, "{kind:?} {good:?}: {answer:?}");
        }
        let bad = [
            json!("x".repeat(256)),
            json!("é".repeat(256)),
            json!("x".repeat(9000)),
            json!(""),
            json!("\0"),
            json!("a\0b"),
            json!(7),
            json!(null),
            json!(true),
            json!(["x"]),
            json!({}),
        ];
        for value in &bad {
            for claim in ["jti", "sid"] {
                let refresh = signed::<Refresh>(&[(claim, value.clone())]);
                for (path, field) in [
                    ("refresh/", "refresh"),
                    ("blacklist/", "refresh"),
                    ("verify/", "token"),
                    ("logout/", "refresh"),
                ] {
                    let answer =
                        site.post(0, &format!("/api/token/{path}"), &json!({field: refresh}));
                    let what = format!("{kind:?} {path} {claim} {value}");
                    assert_eq!(answer.status, 401, "{what}: {answer:?}");
                    assert_eq!(answer.json()["detail"], "Token is invalid", "{what}");
                }
                let access = signed::<Access>(&[(claim, value.clone())]);
                let authorization = format!("Bearer {access}");
                let answer = post(
                    site.servers[0].address,
                    "/api/token/logout/",
                    &json!({}),
                    &[("Authorization", &authorization)],
                );
                assert_eq!(answer.unwrap().status, 401, "{kind:?} {claim} {value}");
            }
        }
        // A user whom no table can contain doesn't exist.
        for user in ["x".repeat(300), "1\0".to_owned(), "😀".to_owned(), String::new()] {
            let token = signed::<Refresh>(&[("user_id", json!(user))]);
            let answer = site.refresh(0, &token);
            assert_eq!(answer.status, 401, "{kind:?} {user:?}: {answer:?}");
            let body = json!({"username": user, "password": PASSWORD});
            let status = site.post(0, "/api/token/", &body).status;
            assert!(matches!(status, 400 | 401), "{kind:?} {user:?}: {status}");
        }
        // Ids from staff and in URLs.
        let body = json!({"username": "bob", "password": PASSWORD});
        let staff = site.post(0, "/api/token/", &body).pair();
        let authorization = format!("Bearer {}", staff.access);
        for user in ["x".repeat(300), "1\0".to_owned(), "😀".to_owned()] {
            let body = json!({"scope": "all", "user": user});
            let answer = post(
                site.servers[0].address,
                "/api/token/logout/",
                &body,
                &[("Authorization", &authorization)],
            )
            .unwrap();
            assert!(answer.status < 500, "{kind:?} {user:?}: {answer:?}");
        }
        for line in ["unavailable", "Unstorable"] {
            assert_eq!(site.servers[0].told(line), 0, "{kind:?}: {line}");
        }
    }
}
