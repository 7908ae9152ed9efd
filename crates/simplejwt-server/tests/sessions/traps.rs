//! Known errors of other implementations of rotation, each tested with the real server on each
//! database. The seventh is in `races.rs`; values that are too long are in `sizes.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::time::Duration;

use crate::support::databases::{ALL, DatabaseKind};
use crate::support::site::{Counts, Site, post, race, wait};
use serde_json::json;
use simplejwt::{Clock as _, SystemClock, Timestamp};

const SERVERS: usize = 2;

/// Runs a test on each database, with this grace in seconds.
fn on_each(grace: u32, settings: &[(&str, &str)], test: impl Fn(&mut Site)) {
    for &kind in ALL {
        eprintln!("{kind:?}");
        test(&mut Site::new(kind, SERVERS, grace, settings));
    }
}

/// With this, the first reuse of a spent token counts as theft.
const STRICT: &[(&str, &str)] = &[("SIMPLEJWT_REUSE_TOLERANCE", "0")];

fn wait_until(moment: Timestamp) {
    while SystemClock.now() <= moment {
        wait(Duration::from_millis(20));
    }
}

/// Ending a family must not look like a rotation of its live token.
#[test]
fn t1_reuse_does_not_open_a_window_for_the_live_token() {
    on_each(1, STRICT, |site| {
        let first = site.log_in().refresh;
        let second = site.refresh(0, &first).pair().refresh;
        wait_until(SystemClock.now() + Duration::from_secs(1));
        site.refresh(1, &first).assert_blacklisted("reuse");
        // At once, and for the duration of the grace.
        let end = SystemClock.now() + Duration::from_millis(1_100);
        while SystemClock.now() < end {
            for server in 0..SERVERS {
                site.refresh(server, &second).assert_blacklisted("the live token of the family");
            }
        }
        assert_eq!(site.check_rows(), Counts { successors: 1, live: 0, ended: 1 });
    });
}

/// Two tabs, one of which is behind: R1, R2, R1.
#[test]
fn t2_any_ancestor_within_the_grace_gets_the_newest_pair() {
    on_each(60, STRICT, |site| {
        let first = site.log_in().refresh;
        let second = site.refresh(0, &first).pair().refresh;
        let third = site.refresh(1, &second).pair();
        for (server, spent) in [(0, &second), (1, &first), (0, &first)] {
            assert_eq!(site.refresh(server, spent).pair(), third);
        }
        let fourth = site.refresh(0, &third.refresh).pair();
        for answer in race(&site.addresses(), 16, &first) {
            assert_eq!(answer.pair(), fourth);
        }
        assert_eq!(site.check_rows(), Counts { successors: 3, live: 1, ended: 0 });
    });
}

/// A window that restarts with each use would never end.
#[test]
fn t3_the_grace_is_not_extended_by_use() {
    const GRACE: Duration = Duration::from_secs(2);
    on_each(2, STRICT, |site| {
        let first = site.log_in().refresh;
        let before = SystemClock.now();
        let second = site.refresh(0, &first).pair();
        let after = SystemClock.now();
        let mut answered = 0;
        for half in 1..=4 {
            wait_until(after + GRACE / 2 * half);
            let asked = SystemClock.now();
            let answer = site.refresh(half as usize % SERVERS, &first);
            if SystemClock.now() < before + GRACE {
                assert_eq!(answer.pair(), second);
                answered += 1;
            } else if asked > after + GRACE {
                answer.assert_blacklisted("the grace is over");
            }
        }
        assert_eq!(answered, 1, "half of the grace had passed, not all of it");
        site.refresh(0, &second.refresh).assert_blacklisted("ended by reuse");
    });
}

/// A new token for each replay would leave as many tokens as replays.
#[test]
fn t4_replays_within_the_grace_make_no_siblings() {
    on_each(60, &[], |site| {
        let first = site.log_in().refresh;
        let second = site.refresh(0, &first).pair();
        for replay in 0..25 {
            assert_eq!(site.refresh(replay % SERVERS, &first).pair(), second);
        }
        for answer in race(&site.addresses(), 25, &first) {
            assert_eq!(answer.pair(), second);
        }
        assert_eq!(site.check_rows(), Counts { successors: 1, live: 1, ended: 0 });
        site.refresh(1, &second.refresh).pair();
        assert_eq!(site.check_rows(), Counts { successors: 2, live: 1, ended: 0 });
    });
}

/// The thief came first, and the victim comes within the grace: the log shows it.
#[test]
fn t5_a_replay_from_elsewhere_is_said_to_be_suspicious() {
    on_each(60, &[("SIMPLEJWT_NUM_PROXIES", "1")], |site| {
        let first = site.log_in().refresh;
        let from = |address: &str| {
            let body = json!({"refresh": first});
            let headers = [("X-Forwarded-For", address)];
            post(site.servers[0].address, "/api/token/refresh/", &body, &headers).unwrap().pair()
        };
        let thief = from("203.0.113.66");
        assert_eq!(from("203.0.113.66"), thief);
        let line = site.servers[0].expect_stderr("refresh token repeated");
        assert!(line.contains("suspicious=false"), "{line}");
        assert_eq!(from("198.51.100.1"), thief);
        let line = site.servers[0].expect_stderr("refresh token repeated");
        assert!(line.contains("suspicious=true"), "{line}");
    });
}

/// Refused, reused, or after a password change: the log says which token was presented, and from
/// where.
#[test]
fn the_log_says_who_presented_what() {
    for (tolerance, said) in [("10", "refused, its session goes on"), ("0", "was ended")] {
        let settings = [("SIMPLEJWT_REUSE_TOLERANCE", tolerance), ("SIMPLEJWT_NUM_PROXIES", "1")];
        let site = Site::new(DatabaseKind::Sqlite, 1, 0, &settings);
        let from = |address: &str, token: &str| {
            let body = json!({"refresh": token});
            let headers = [("X-Forwarded-For", address)];
            post(site.servers[0].address, "/api/token/refresh/", &body, &headers).unwrap()
        };
        let first = site.log_in().refresh;
        let second = from("198.51.100.1", &first).pair().refresh;
        from("203.0.113.66", &first).assert_blacklisted("spent");
        let line = site.servers[0].expect_stderr("spent refresh token presented again");
        assert!(line.contains(said) && line.contains("203.0.113.66"), "{line}");
        if tolerance == "10" {
            site.command(&["user", "set-password", "alice", "--password-stdin"], "another one\n");
            assert_eq!(from("198.51.100.2", &second).status, 401);
            let line = site.servers[0].expect_stderr("presented");
            assert!(line.contains("198.51.100.2"), "{line}");
        }
    }
}

/// A revoked token was not "rotated recently".
#[test]
fn t6_after_a_logout_nothing_is_answered_again() {
    let settings = [("SIMPLEJWT_SESSION_CLAIM", "true")];
    on_each(60, &settings, |site| {
        for way in ["refresh", "access", "all", "others", "blacklist", "delete", "cli"] {
            let first = site.log_in();
            let second = site.refresh(0, &first.refresh).pair();
            assert_eq!(site.refresh(1, &first.refresh).pair(), second, "{way}");
            let address = site.servers[1].address;
            let bearer = |access: &str| format!("Bearer {access}");
            let as_user = |access: &str, body: &serde_json::Value| {
                let headers = [("Authorization", &*bearer(access))];
                post(address, "/api/token/logout/", body, &headers).unwrap().status
            };
            let status = match way {
                "refresh" => {
                    let body = json!({"refresh": second.refresh});
                    site.post(1, "/api/token/logout/", &body).status
                }
                "access" => as_user(&second.access, &json!({})),
                "all" => as_user(&second.access, &json!({"scope": "all"})),
                "others" => as_user(&site.log_in().access, &json!({"scope": "others"})),
                "blacklist" => {
                    let body = json!({"refresh": second.refresh});
                    site.post(1, "/api/token/blacklist/", &body).status
                }
                "delete" => {
                    let headers = [("Authorization", &*bearer(&second.access))];
                    let list = site.servers[1].request("GET", "/api/token/sessions/", &headers, "");
                    let list = list.json();
                    let mut sessions = list.as_array().unwrap().iter();
                    let current = sessions.find(|session| session["current"] == true).unwrap();
                    let path = format!("/api/token/sessions/{}/", current["id"].as_str().unwrap());
                    let ended = site.servers[1].request("DELETE", &path, &headers, "");
                    assert_eq!(ended.status, 204);
                    200
                }
                _ => {
                    site.command(&["session", "end-all", "alice"], "");
                    200
                }
            };
            assert_eq!(status, 200, "{way}");
            for server in 0..SERVERS {
                for token in [&first.refresh, &second.refresh] {
                    site.refresh(server, token).assert_blacklisted(way);
                }
            }
        }
        site.check_rows();
    });
}

/// The session's end is committed although the answer is an error.
#[test]
fn t8_the_end_of_the_session_outlives_the_refusal() {
    on_each(0, STRICT, |site| {
        for round in 0..4 {
            let first = site.log_in().refresh;
            let second = site.refresh(0, &first).pair().refresh;
            site.refresh(round % SERVERS, &first).assert_blacklisted("reuse");
            for server in 0..SERVERS {
                site.kill_and_restart(server);
            }
            for server in 0..SERVERS {
                site.refresh(server, &second).assert_blacklisted("ended by reuse");
            }
        }
        assert_eq!(site.check_rows(), Counts { successors: 4, live: 0, ended: 4 });
    });
}
