//! A row for each session, by several processes, on each database; and moving there and back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use crate::support::databases::{ALL, DatabaseKind};
use crate::support::process::{run, stderr, stdout};
use crate::support::site::{Site, race};

const SERVERS: usize = 2;
const CLAIM: (&str, &str) = ("SIMPLEJWT_SESSION_CLAIM", "true");
const ROWS: (&str, &str) = ("SIMPLEJWT_SESSION_ROWS", "sessions");

fn site(kind: DatabaseKind, grace: u32, settings: &[(&str, &str)]) -> Site {
    Site::new(kind, SERVERS, grace, &[&[CLAIM, ROWS], settings].concat())
}

/// One row for each session, so often changed, and nothing in any other table.
fn assert_rows(site: &Site, sessions: i64, changes: i64, kind: DatabaseKind) {
    let number = |sql: &str| site.database.number(sql);
    assert_eq!(number("SELECT count(*) FROM simplejwt_refresh_session"), sessions, "{kind:?}");
    // A sum of MySQL's is a decimal.
    let sum = match kind {
        DatabaseKind::Mysql => "SELECT CAST(sum(generation) AS SIGNED)",
        _ => "SELECT CAST(sum(generation) AS bigint)",
    };
    assert_eq!(number(&format!("{sum} FROM simplejwt_refresh_session")), changes, "{kind:?}");
    for table in [
        "token_blacklist_outstandingtoken",
        "token_blacklist_blacklistedtoken",
        "simplejwt_session",
        "simplejwt_session_token",
    ] {
        assert_eq!(number(&format!("SELECT count(*) FROM {table}")), 0, "{kind:?} {table}");
    }
}

#[test]
fn one_of_many_wins() {
    for &kind in ALL {
        let site = site(kind, 0, &[]);
        let servers = site.addresses();
        let mut token = site.log_in().refresh;
        let mut made = 0;
        for (count, rounds) in [(2, 30), (16, 10)] {
            for round in 0..rounds {
                let answers = race(&servers, count, &token);
                let (won, lost): (Vec<_>, Vec<_>) =
                    answers.iter().partition(|answer| answer.status == 200);
                assert_eq!(won.len(), 1, "{kind:?} {count} {round}: {answers:?}");
                for answer in lost {
                    answer.assert_blacklisted("a loser");
                }
                token = won[0].pair().refresh;
                made += 1;
            }
        }
        assert_rows(&site, 1, made, kind);
    }
}

#[test]
fn within_grace_all_get_the_one_successor() {
    for &kind in ALL {
        let site = site(kind, 10, &[]);
        let servers = site.addresses();
        let mut token = site.log_in().refresh;
        for round in 0..20 {
            let answers = race(&servers, 8, &token);
            for answer in &answers {
                assert_eq!(answer.status, 200, "{kind:?} {round}: {answer:?}");
                assert_eq!(answer.body, answers[0].body, "{kind:?} {round}");
            }
            token = answers[0].pair().refresh;
        }
        assert_rows(&site, 1, 20, kind);
    }
}

#[test]
fn without_tolerance_one_wins_and_the_session_is_over() {
    for &kind in ALL {
        let site = site(kind, 0, &[("SIMPLEJWT_REUSE_TOLERANCE", "0")]);
        let servers = site.addresses();
        for round in 0..10 {
            let token = site.log_in().refresh;
            let answers = race(&servers, 8, &token);
            let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
            assert_eq!(won.len(), 1, "{kind:?} {round}: {answers:?}");
            for server in 0..SERVERS {
                site.refresh(server, &won[0].pair().refresh).assert_blacklisted("it is over");
            }
        }
        assert_rows(&site, 10, 20, kind);
        let ended = "SELECT count(*) FROM simplejwt_refresh_session WHERE end_reason = 'reuse'";
        assert_eq!(site.database.number(ended), 10, "{kind:?}");
    }
}

#[test]
fn sessions_are_moved_while_the_servers_are_stopped() {
    for &kind in ALL {
        let mut site = Site::new(kind, 1, 0, &[CLAIM, ("SIMPLEJWT_REUSE_TOLERANCE", "0")]);
        let tokens = |site: &Site| {
            let first = site.log_in().refresh;
            (first.clone(), site.refresh(0, &first).pair().refresh)
        };
        let (spent, live) = tokens(&site);
        let (stolen, of_victim) = tokens(&site);
        site.servers.clear();
        let with = |site: &Site, args: &[&str], rows: &str| {
            let mut environment = site.environment();
            environment.push((ROWS.0, rows));
            run(args, &environment)
        };
        // The setting alone would forget them.
        let refused = with(&site, &["config", "check"], "sessions");
        assert_eq!(refused.status.code(), Some(4), "{kind:?}");
        assert!(stderr(&refused).contains("session move --to sessions"), "{}", stderr(&refused));
        let planned = with(&site, &["session", "move", "--to", "sessions", "--dry-run"], "tokens");
        assert_eq!(stdout(&planned), "would move 2 live sessions\n", "{}", stderr(&planned));
        for moved in [2, 0] {
            let done = with(&site, &["session", "move", "--to", "sessions"], "tokens");
            let told = stdout(&done);
            assert!(told.starts_with(&format!("moved {moved} sessions\n")), "{}", stderr(&done));
            assert!(told.contains("rows = \"sessions\""), "{told}");
        }
        let refused = with(&site, &["config", "check"], "tokens");
        assert!(stderr(&refused).contains("session move --to tokens"), "{}", stderr(&refused));

        site.set(ROWS.0, "sessions");
        site.servers.push(site.start());
        let next = site.refresh(0, &live).pair().refresh;
        site.refresh(0, &stolen).assert_blacklisted("it was spent before");
        site.refresh(0, &of_victim).assert_blacklisted("its session is over");
        let (here, newest) = tokens(&site);
        site.servers.clear();

        let done = with(&site, &["session", "move", "--to", "tokens"], "sessions");
        assert!(stdout(&done).starts_with("moved 2 sessions\n"), "{}", stderr(&done));
        site.set(ROWS.0, "tokens");
        site.servers.push(site.start());
        let last = site.refresh(0, &next).pair().refresh;
        site.refresh(0, &newest).pair();
        site.refresh(0, &here).assert_blacklisted("it was spent in the row");
        site.refresh(0, &spent).assert_blacklisted("it was spent before both moves");
        site.refresh(0, &last).assert_blacklisted("its session is over");
    }
}

/// Contradictions, and what can't be moved.
#[test]
fn settings_that_cant_hold_are_refused() {
    let site = Site::new(DatabaseKind::Sqlite, 0, 0, &[]);
    let check = |settings: &[(&str, &str)], args: &[&str]| {
        let mut environment = site.environment();
        environment.extend(settings);
        let outcome = run(args, &environment);
        assert_eq!(outcome.status.code(), Some(3), "{settings:?}");
        stderr(&outcome)
    };
    let added = ("SIMPLE_JWT", r#"{"ROTATE_REFRESH_TOKENS":true}"#);
    let untyped = ("SIMPLE_JWT", r#"{"TOKEN_TYPE_CLAIM":null}"#);
    for (settings, part) in [
        (&[ROWS][..], "session_claim = true"),
        (&[ROWS, CLAIM, added], "BLACKLIST_AFTER_ROTATION"),
        (&[ROWS, CLAIM, untyped], "TOKEN_TYPE_CLAIM"),
        (&[ROWS, ("SIMPLEJWT_SESSIONS", "false")], "rows is set"),
        (&[ROWS, ("SIMPLEJWT_TOKEN_BLACKLIST", "false")], "rows is set"),
    ] {
        let told = check(settings, &["config", "check"]);
        assert!(told.contains(part), "{settings:?}: {told}");
    }
    let told = check(&[], &["session", "move", "--to", "sessions"]);
    assert!(told.contains("session_claim = true"), "{told}");
}
