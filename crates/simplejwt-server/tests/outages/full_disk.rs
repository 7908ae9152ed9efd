//! A full disk under the database: the answers are 503, nothing acknowledged is lost, and it
//! recovers by itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::fs;
use std::time::Duration;

use crate::support::databases::DatabaseKind;
use crate::support::site::{Answer, Site, wait};

/// The number of refused requests to wait for.
const REFUSED: usize = 20;
/// Many more requests than there is room for.
const MANY: usize = 2000;
/// More sessions than can be ended when there is no room for a rotation.
const OTHERS: usize = 8;

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.json()["detail"].is_string() && !answer.body.contains("disk"), "{answer:?}");
}

#[test]
fn a_full_disk_is_503_and_loses_nothing_and_passes() {
    let site = Site::new(DatabaseKind::Sqlite, 1, 0, &[]);
    let server = &site.servers[0];
    let pair = site.log_in();
    let (mut live, mut spent) = (pair.refresh, Vec::new());
    let mut others: Vec<_> = (0..OTHERS).map(|_| site.log_in().refresh).collect();
    let files = fs::read_dir(site.directory()).unwrap();
    let largest = files.map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
    server.limit_files(&(largest + 100_000).to_string());

    let mut refused = 0;
    for _ in 0..MANY {
        let answer = site.refresh(0, &live);
        match answer.status {
            200 => spent.push(std::mem::replace(&mut live, answer.pair().refresh)),
            _ => {
                assert_unavailable(&answer);
                refused += 1;
            }
        }
        if refused == REFUSED {
            break;
        }
    }
    assert_eq!(refused, REFUSED, "of {}", spent.len());
    assert!(!spent.is_empty(), "there was a little room");
    // Nobody can log in or out, and existing logins stay valid. An end of a session takes less room
    // than a rotation, so a few may still succeed.
    let still_live = loop {
        let other = others.pop().expect("no room for so many");
        let body = serde_json::json!({"refresh": other});
        let answer = site.post(0, "/api/token/blacklist/", &body);
        if answer.status != 200 {
            assert_unavailable(&answer);
            break other;
        }
        spent.push(other);
    };
    let body = serde_json::json!({"username": "alice", "password": crate::support::site::PASSWORD});
    assert_unavailable(&site.post(0, "/api/token/", &body));
    let body = serde_json::json!({"token": pair.access});
    assert_eq!(site.post(0, "/api/token/verify/", &body).status, 200);
    let ready = || server.get("/readyz").status;
    let becomes = |status: u16| {
        (0..300).any(|_| {
            ready() == status || {
                wait(Duration::from_millis(100));
                false
            }
        })
    };
    assert!(becomes(503), "not ready: a login wouldn't work");
    server.expect_stderr("SQLite transaction failed");

    server.limit_files("unlimited");
    // At once: the refused token wasn't spent.
    let next = site.refresh(0, &live).pair();
    spent.push(std::mem::replace(&mut live, next.refresh));
    site.log_in();
    assert!(becomes(200));
    for token in &spent {
        site.refresh(0, token).assert_blacklisted("it was acknowledged as spent");
    }
    site.refresh(0, &live).pair();
    site.refresh(0, &still_live).pair();
    site.check_rows();
}
