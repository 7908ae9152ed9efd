//! Throttles: several servers on one database, addresses behind proxies, and what is stored.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use serde_json::json;

use crate::support::databases::{ALL, DatabaseKind};
use crate::support::process::{run, stderr};
use crate::support::site::{Answer, PASSWORD, Site, pause, post};

const LIMITS: [(&str, &str); 3] = [
    ("SIMPLEJWT_THROTTLE_LOGIN", "4/hour"),
    ("SIMPLEJWT_THROTTLE_LOGIN_ACCOUNT", "1000/hour"),
    ("SIMPLEJWT_THROTTLE_LOGIN_ADDRESS", "12/hour"),
];

fn log_in(site: &Site, server: usize, name: &str, password: &str) -> u16 {
    site.post(server, "/api/token/", &json!({"username": name, "password": password})).status
}

#[test]
fn servers_on_one_database_count_together() {
    for &kind in ALL {
        let site = Site::new(kind, 2, 0, &LIMITS);
        for attempt in 0..4 {
            assert_eq!(log_in(&site, attempt % 2, "alice", "x"), 401, "{kind:?} {attempt}");
        }
        for server in 0..2 {
            assert_eq!(log_in(&site, server, "Alice ", PASSWORD), 429, "{kind:?}");
        }
        let line = site.servers[0].expect_stderr("event=throttled");
        assert!(line.contains("scope=login") && line.contains("username=Alice"), "{line}");
        // Of names that aren't anybody's, too, and then of the address.
        for attempt in 0..4 {
            assert_eq!(log_in(&site, attempt % 2, "nobody", "x"), 401, "{kind:?} {attempt}");
        }
        assert_eq!(log_in(&site, 0, "nobody", "x"), 429, "{kind:?}");
        assert_eq!(log_in(&site, 1, "bob", PASSWORD), 200, "{kind:?}");
        for attempt in 0..4 {
            assert_eq!(log_in(&site, attempt % 2, &format!("name{attempt}"), "x"), 401, "{kind:?}");
        }
        assert_eq!(log_in(&site, 1, "bob", PASSWORD), 429, "{kind:?}");
        // The ids say nothing: six pairs, six accounts and an address.
        let number = |sql: &str| site.database.number(sql);
        assert_eq!(number("SELECT count(*) FROM simplejwt_throttle"), 13, "{kind:?}");
        let hashes = number("SELECT count(*) FROM simplejwt_throttle WHERE length(id) = 32");
        assert_eq!(hashes, 13, "{kind:?}");
        // What is forgotten is deleted.
        site.database.rows("UPDATE simplejwt_throttle SET arrival = 1 WHERE id < '8'");
        let left = number("SELECT count(*) FROM simplejwt_throttle WHERE arrival > 1");
        site.command(&["token", "flush-expired"], "");
        assert_eq!(number("SELECT count(*) FROM simplejwt_throttle"), left, "{kind:?}");
    }
}

#[test]
fn guesses_at_once_are_bounded_by_servers() {
    for &kind in ALL {
        let site = Site::new(kind, 1, 0, &LIMITS);
        let address = site.servers[0].address;
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let guess = |_| {
                scope.spawn(move || {
                    let body = json!({"username": "alice", "password": "x"});
                    post(address, "/api/token/", &body, &[]).unwrap().status
                })
            };
            let guesses: Vec<_> = (0..24).map(guess).collect();
            guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
        });
        let made = statuses.iter().filter(|status| **status == 401).count();
        assert_eq!(made, 4, "{kind:?} {statuses:?}");
        assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    }
}

fn from(site: &Site, forwarded: &str, password: &str) -> Answer {
    let body = json!({"username": "alice", "password": password});
    let headers = [("X-Forwarded-For", forwarded)];
    post(site.servers[0].address, "/api/token/", &body, &headers).unwrap()
}

#[test]
fn the_address_is_the_sockets_or_from_a_counted_proxy() {
    // What a client writes itself changes nothing.
    let site = Site::new(DatabaseKind::Sqlite, 1, 0, &LIMITS);
    for host in 0..4 {
        assert_eq!(from(&site, &format!("192.0.2.{host}"), "x").status, 401);
    }
    assert_eq!(from(&site, "192.0.2.9", PASSWORD).status, 429);
    let line = site.servers[0].expect_stderr("event=proxy_not_counted");
    assert!(line.contains("peer_address=127.0.0.1"), "{line}");
    assert_eq!(from(&site, "192.0.2.9", PASSWORD).status, 429);
    assert_eq!(site.servers[0].told("event=proxy_not_counted"), 0, "it is logged once");

    let proxy = [&LIMITS[..], &[("SIMPLEJWT_NUM_PROXIES", "1")]].concat();
    let site = Site::new(DatabaseKind::Sqlite, 1, 0, &proxy);
    for host in 0..4 {
        assert_eq!(from(&site, &format!("198.51.100.{host}, 192.0.2.1"), "x").status, 401);
    }
    assert_eq!(from(&site, "192.0.2.1", PASSWORD).status, 429);
    assert_eq!(from(&site, "192.0.2.1, 192.0.2.2", PASSWORD).status, 200);
    assert_eq!(site.servers[0].told("event=proxy_not_counted"), 0);
}

#[test]
fn a_store_that_is_not_there_yet_and_one_that_is_asked_for() {
    for &kind in ALL {
        let mut site = Site::new(kind, 1, 0, &LIMITS);
        assert_eq!(log_in(&site, 0, "alice", "x"), 401);
        let number = |site: &Site, sql: &str| site.database.number(sql);
        assert_eq!(number(&site, "SELECT count(*) FROM simplejwt_throttle"), 3, "{kind:?}");
        site.database.rows("DROP TABLE simplejwt_throttle");
        site.servers.clear();
        let server = site.start();
        site.servers.push(server);
        for _ in 0..4 {
            assert_eq!(log_in(&site, 0, "alice", "x"), 401, "{kind:?}");
        }
        assert_eq!(log_in(&site, 0, "alice", PASSWORD), 429, "{kind:?}: in memory");
        site.set("SIMPLEJWT_THROTTLE_STORE", "database");
        let refused = run(&["config", "check"], &site.environment());
        assert!(stderr(&refused).contains("simplejwt_throttle"), "{}", stderr(&refused));
        site.command(&["migrate"], "");
        site.command(&["config", "check"], "");
        site.set("SIMPLEJWT_THROTTLE_STORE", "memory");
        site.servers.clear();
        let server = site.start();
        site.servers.push(server);
        assert_eq!(log_in(&site, 0, "alice", "x"), 401, "{kind:?}");
        assert_eq!(number(&site, "SELECT count(*) FROM simplejwt_throttle"), 0, "{kind:?}");
        site.set("SIMPLEJWT_THROTTLE_ENABLED", "false");
        site.set("SIMPLEJWT_THROTTLE_STORE", "auto");
        site.servers.clear();
        let server = site.start();
        site.servers.push(server);
        for _ in 0..6 {
            assert_eq!(log_in(&site, 0, "alice", "x"), 401, "{kind:?}");
        }
    }
}

#[test]
fn counters_are_deleted_beside_the_requests() {
    let site = Site::new(DatabaseKind::Sqlite, 0, 0, &LIMITS);
    site.database.rows("INSERT INTO simplejwt_throttle (id, arrival) VALUES ('0', 1), ('1', 2)");
    let server = site.start();
    while site.database.number("SELECT count(*) FROM simplejwt_throttle") > 0 {
        pause();
    }
    drop(server);
}
