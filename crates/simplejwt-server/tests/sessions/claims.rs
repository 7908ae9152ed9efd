//! Claims of `[claims]` through a session of several processes, on each database.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::databases::{ALL, DatabaseKind};
use crate::support::site::Site;

const CLAIMS: &str = r#"{
    "jid": {"template": "{username}@example.org"},
    "ref": {"template": "{id}/{is_staff}/{{{email}}}"},
    "seen": {"template": "seen {last_login}"},
    "fresh": {"fresh": true},
    "auth_time": {"auth_time": true},
    "scope": {"groups": {"staff": "rabbitmq.read:*/* rabbitmq.write:*/*", "ops": "admin rabbitmq.read:*/*"}}
}"#;

fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn site(kind: DatabaseKind, settings: &[(&str, &str)]) -> Site {
    let site = Site::new(kind, 2, 60, &[&[("SIMPLEJWT_CLAIMS", CLAIMS)], settings].concat());
    site.database.rows("UPDATE auth_user SET email = 'Zo\u{eb}' WHERE username = 'alice'");
    for (id, group) in [(1, "staff"), (2, "ops"), (3, "others")] {
        site.database.rows(&format!("INSERT INTO auth_group (id, name) VALUES ({id}, '{group}')"));
    }
    site
}

fn join(site: &Site, groups: &[u32]) {
    site.database.rows("DELETE FROM auth_user_groups");
    for group in groups {
        site.database.rows(&format!(
            "INSERT INTO auth_user_groups (user_id, group_id) SELECT id, {group} FROM auth_user \
             WHERE username = 'alice'"
        ));
    }
}

#[test]
fn claims_of_a_login_and_of_its_refreshes() {
    for &kind in ALL {
        for (on_refresh, scope) in [
            ("copy", "admin rabbitmq.read:*/* rabbitmq.write:*/*"),
            ("recompute", "admin rabbitmq.read:*/*"),
        ] {
            let site = site(kind, &[("SIMPLEJWT_CLAIMS_ON_REFRESH", on_refresh)]);
            join(&site, &[1, 2, 3]);
            let first = site.log_in();
            for token in [&first.access, &first.refresh] {
                let claims = payload(token);
                assert_eq!(claims["jid"], "alice@example.org", "{kind:?}");
                assert_eq!(claims["ref"], "1/false/{Zo\u{eb}}", "{kind:?}");
                assert_eq!(claims["seen"], Value::Null, "{kind:?}: last_login is null");
                assert_eq!(claims["fresh"], true, "{kind:?}");
                assert_eq!(claims["auth_time"], claims["iat"], "{kind:?}");
                assert_eq!(
                    claims["scope"], "admin rabbitmq.read:*/* rabbitmq.write:*/*",
                    "{kind:?}"
                );
            }
            let login = payload(&first.refresh)["iat"].clone();
            // `auth_time` must not be the time of the refresh.
            crate::support::site::wait(std::time::Duration::from_millis(1_100));
            join(&site, &[2]);
            let next = site.refresh(1, &first.refresh).pair();
            assert_eq!(site.refresh(0, &first.refresh).pair(), next, "{kind:?}: repeated");
            let third = site.refresh(0, &next.refresh).pair();
            for token in [&next.access, &next.refresh, &third.access, &third.refresh] {
                let claims = payload(token);
                assert_eq!(claims["fresh"], false, "{kind:?} {on_refresh}");
                assert_eq!(claims["auth_time"], login, "{kind:?} {on_refresh}");
                assert!(claims["iat"].as_i64() > login.as_i64());
                assert_eq!(claims["jid"], "alice@example.org", "{kind:?} {on_refresh}");
                assert_eq!(claims["scope"], scope, "{kind:?} {on_refresh}");
            }
        }
    }
}

#[test]
fn a_user_without_scopes_and_tokens_from_before() {
    for &kind in ALL {
        let mut site = site(kind, &[("SIMPLEJWT_CLAIMS", "{}")]);
        let before = site.log_in();
        assert_eq!(payload(&before.access).get("fresh"), None);
        site.set("SIMPLEJWT_CLAIMS", CLAIMS);
        site.set("SIMPLEJWT_CLAIMS_ON_REFRESH", "recompute");
        site.kill_and_restart(0);
        join(&site, &[3]);
        let claims = payload(&site.log_in().access);
        assert_eq!((claims.get("scope"), &claims["fresh"]), (None, &json!(true)), "{kind:?}");
        join(&site, &[1]);
        let next = site.refresh(0, &before.refresh).pair();
        let claims = payload(&next.access);
        assert_eq!(claims["scope"], "rabbitmq.read:*/* rabbitmq.write:*/*", "{kind:?}");
        // The time of that login isn't known.
        assert_eq!((claims.get("auth_time"), &claims["fresh"]), (None, &json!(false)), "{kind:?}");
        join(&site, &[]);
        let last = site.refresh(0, &next.refresh).pair();
        assert_eq!(payload(&last.access).get("scope"), None, "{kind:?}: no group gives one");
    }
}

#[test]
fn characters_outside_ascii_are_escaped_unless_told_otherwise() {
    for &kind in ALL {
        let site = site(kind, &[("SIMPLEJWT_ENSURE_ASCII", "false")]);
        let pair = site.log_in();
        let next = site.refresh(1, &pair.refresh).pair();
        for token in [&pair.access, &pair.refresh, &next.access, &next.refresh] {
            let part = token.split('.').nth(1).unwrap();
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
            assert!(text.contains("{Zo\u{eb}}") && !text.contains("\\u"), "{kind:?}: {text}");
        }
        assert_eq!(site.refresh(0, &pair.refresh).pair(), next, "{kind:?}: repeated");
    }
}
