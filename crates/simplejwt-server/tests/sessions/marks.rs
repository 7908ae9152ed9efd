//! Refresh tokens that other programs don't accept, through a session on each database.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::databases::ALL;
use crate::support::process::{run, stderr};
use crate::support::site::Site;

/// A key that isn't Django's.
const KEY: (&str, &str) =
    ("SIMPLEJWT_SIGNING_KEY", "a-key-of-our-own-that-is-long-enough-for-hs256");
const US: (&str, &str) = ("SIMPLEJWT_REFRESH_AUDIENCE", "https://example.org/refresh");
const BY_KIND: (&str, &str) = ("SIMPLEJWT_TYP", "by_kind");
const API: (&str, &str) = ("SIMPLEJWT_AUDIENCE", "api");

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn marks_that_are_switched_on_while_sessions_live() {
    for &kind in ALL {
        for rows in ["tokens", "sessions"] {
            let claim = ("SIMPLEJWT_SESSION_CLAIM", "true");
            let rows = ("SIMPLEJWT_SESSION_ROWS", rows);
            let mut site = Site::new(kind, 1, 60, &[KEY, API, claim, rows]);
            let old = site.log_in();
            for (name, value) in [US, BY_KIND] {
                site.set(name, value);
            }
            site.kill_and_restart(0);
            let next = site.refresh(0, &old.refresh).pair();
            assert_eq!(site.refresh(0, &old.refresh).pair(), next, "{kind:?} {rows:?}: repeated");
            let third = site.refresh(0, &next.refresh).pair();
            for pair in [&next, &third] {
                assert_eq!(part(&pair.refresh, 0)["typ"], "refresh+jwt");
                assert_eq!(part(&pair.refresh, 1)["aud"], US.1);
                assert_eq!(part(&pair.access, 0)["typ"], "at+jwt");
                assert_eq!(part(&pair.access, 1)["aud"], "api");
            }
            // Each in the other's place.
            assert_eq!(site.refresh(0, &third.access).status, 401);
            let sessions = |token: &str| {
                let bearer = format!("Bearer {token}");
                let headers = [("Authorization", bearer.as_str())];
                site.servers[0].request("GET", "/api/token/sessions/", &headers, "").status
            };
            assert_eq!((sessions(&third.access), sessions(&third.refresh)), (200, 401));
            assert_eq!(sessions(&old.access), 200, "it hasn't expired");
            let out = site.post(0, "/api/token/logout/", &json!({"refresh": third.refresh}));
            assert_eq!(out.status, 200, "{kind:?} {rows:?}: {out:?}");
            site.refresh(0, &third.refresh).assert_blacklisted("logged out");
        }
    }
}

#[test]
fn settings_that_contradict_each_other_refuse_to_start() {
    const KEY_OF_DJANGO: (&str, &str) =
        ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");
    const PROFILE: (&str, &str) = ("SIMPLEJWT_PROFILE", "rfc9068");
    for (settings, told) in [
        (&[KEY_OF_DJANGO, US][..], "signed with Django's SECRET_KEY"),
        (&[KEY, US, ("SIMPLEJWT_AUDIENCE", US.1)], "also in AUDIENCE"),
        (&[KEY, US, ("SIMPLEJWT_TOKEN_TYPE_CLAIM", "")], "refresh_audience needs the kind"),
        (&[KEY, BY_KIND, ("SIMPLEJWT_TOKEN_TYPE_CLAIM", "")], "typ = \"by_kind\" needs the kind"),
        (&[KEY, PROFILE, API], "write ISSUER ="),
        (&[KEY, PROFILE], "write AUDIENCE ="),
        (&[KEY, PROFILE], "write USER_ID_CLAIM = \"sub\""),
        (&[KEY, PROFILE], "write client_id ="),
        (&[KEY, PROFILE], "write typ = \"by_kind\""),
        (&[KEY, ("SIMPLEJWT_TYP", "at+jwt")], "\"JWT\" or \"by_kind\""),
        (&[KEY, ("SIMPLEJWT_PROFILE", "oauth")], "\"simplejwt\" or \"rfc9068\""),
    ] {
        let refused = run(&["config", "check"], settings);
        assert_eq!(refused.status.code(), Some(3), "{settings:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(told), "{settings:?}: {}", stderr(&refused));
    }
}
