//! Keys in a database that several servers share.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{good, is_good, is_good_at, kid, list, log_in, log_in_at, refused, states, until};
use crate::support::databases::{ALL, DatabaseKind};
use crate::support::site::{Site, wait};

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
const OTHER: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA";
const RING: [(&str, &str); 5] = [
    ("SIMPLEJWT_KEYS_PUBLICATION_DELAY", "1s"),
    ("SIMPLEJWT_KEYS_STORE", "database"),
    ("SIMPLEJWT_KEYS_ENCRYPTION_KEY", KEY),
    ("SIMPLEJWT_KEYS_ALGORITHM", "ES256"),
    ("SIMPLEJWT_KID", "true"),
];
/// A secret that is taken into the ring, to be looked for where it must not be.
const SECRET: &str = "n0body-may-ever-read-this-in-the-database-file";

/// The lifetimes of access tokens in seconds.
const LIFETIME: u64 = 6;

#[test]
fn servers_of_one_database_have_the_same_keys_at_any_time() {
    for &kind in ALL {
        let times = [
            ("SIMPLEJWT_KEYS_ROTATE_EVERY", "2s"),
            ("SIMPLE_JWT", r#"{"ACCESS_TOKEN_LIFETIME": 6, "REFRESH_TOKEN_LIFETIME": 7}"#),
        ];
        let mut site = Site::new(kind, 0, 0, &[&RING[..], &times].concat());
        let file = site.directory().join("secret");
        fs::write(&file, SECRET).unwrap();
        let import = ["key", "import", "--algorithm", "HS256", "--file", file.to_str().unwrap()];
        good(&site.try_command(&import, ""));
        let told = refused(&site.try_command(&import, ""));
        assert!(told.contains("already"), "{told}");
        for _ in 0..2 {
            let server = site.start();
            site.servers.push(server);
        }
        load(&site, Duration::from_secs(11));
        let keys = site.database.rows("SELECT number FROM simplejwt_signing_key ORDER BY number");
        let numbers: Vec<i64> = keys.iter().map(|row| row[0].parse().unwrap()).collect();
        assert!(numbers.len() >= 5, "{kind:?}: {numbers:?}");
        assert!(numbers.iter().copied().eq(1..=numbers.len() as i64), "{kind:?}: {numbers:?}");
        assert_eq!(states(&site).iter().filter(|state| *state == "active").count(), 1);
        for server in &site.servers {
            assert_eq!(server.told("keys_not_read"), 0, "{kind:?}");
        }
        if kind == DatabaseKind::Sqlite {
            nothing_is_plain(&site);
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the servers have the real clock")]
fn now() -> Instant {
    Instant::now()
}

/// Logs in at each server, and checks each token at both for as long as it is valid.
fn load(site: &Site, time: Duration) {
    let is_over = AtomicBool::new(false);
    let servers = site.addresses();
    std::thread::scope(|scope| {
        for &server in &servers {
            let (is_over, servers) = (&is_over, &servers);
            scope.spawn(move || {
                let mut tokens = std::collections::VecDeque::new();
                let mut kids = std::collections::BTreeSet::new();
                while !is_over.load(Ordering::Relaxed) {
                    let token = log_in_at(server);
                    kids.extend(kid(&token));
                    tokens.push_back((now(), token));
                    // Those that expire in the next two seconds are left out.
                    let limit = Duration::from_secs(LIFETIME - 2);
                    tokens.retain(|(made, _)| made.elapsed() < limit);
                    for (made, token) in [tokens.front(), tokens.back()].into_iter().flatten() {
                        for &other in servers {
                            let age = made.elapsed();
                            let is_good = is_good_at(other, token);
                            assert!(is_good, "{other} refuses one of {server}, {age:?} old");
                        }
                    }
                    wait(Duration::from_millis(20));
                }
                assert!(kids.len() >= 4, "they signed with several keys: {kids:?}");
            });
        }
        wait(time);
        is_over.store(true, Ordering::Relaxed);
    });
}

/// Searches the bytes of the database for what must be encrypted.
fn nothing_is_plain(site: &Site) {
    let mut read = 0;
    for entry in fs::read_dir(site.directory()).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with("db.sqlite3") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        read += bytes.len();
        for plain in ["PRIVATE KEY", SECRET, KEY] {
            let is_there = bytes.windows(plain.len()).any(|part| part == plain.as_bytes());
            assert!(!is_there, "{plain} in {}", path.display());
        }
    }
    assert!(read > 0);
}

#[test]
fn keys_are_only_used_with_the_key_that_encrypts_them() {
    for &kind in ALL {
        let mut site = Site::new(kind, 0, 0, &RING);
        // Nothing but `serve` and `key rotate` makes a key.
        good(&site.try_command(&["config", "check"], ""));
        assert_eq!(site.database.number("SELECT count(*) FROM simplejwt_signing_key"), 0);
        good(&site.try_command(&["key", "rotate", "--at-once"], ""));
        let server = site.start();
        site.servers.push(server);
        until("it signs", || states(&site).last().is_some_and(|state| state == "active"));
        let token = log_in(&site, 0);
        let first = list(&site).remove(1).kid;
        until("the server signs with it", || kid(&log_in(&site, 0)).as_ref() == Some(&first));
        let commands = [&["serve"][..], &["key", "rotate"], &["key", "list"], &["config", "check"]];
        site.set("SIMPLEJWT_KEYS_ENCRYPTION_KEY", OTHER);
        for args in commands {
            let told = refused(&site.try_command(args, ""));
            assert!(told.contains("encrypted with another key"), "{kind:?} {args:?}: {told}");
            assert!(told.contains(&first) && !told.contains(OTHER), "{told}");
        }
        site.set("SIMPLEJWT_KEYS_ENCRYPTION_KEY", "");
        for args in commands {
            let told = refused(&site.try_command(args, ""));
            assert!(told.contains("encryption_key"), "{kind:?} {args:?}: {told}");
        }
        site.set("SIMPLEJWT_KEYS_ENCRYPTION_KEY", KEY);
        // A row that was changed is told, and the keys stay as they were.
        site.database.rows("UPDATE simplejwt_signing_key SET algorithm = 'ES384'");
        let line = site.servers[0].expect_stderr("event=keys_not_read");
        assert!(line.contains(&first), "{line}");
        assert!(is_good(&site, 0, &token) && kid(&log_in(&site, 0)) == Some(first));
    }
}
