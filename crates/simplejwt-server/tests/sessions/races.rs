//! Many refreshes of one token at the same time, by several processes, on each database.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use crate::support::databases::ALL;
use crate::support::site::{Counts, Site, post, race};

const SERVERS: usize = 2;

/// Returns the numbers of parallel refreshes and of rounds. `SIMPLEJWT_TEST_RACES` multiplies the
/// latter.
fn rounds() -> Vec<(usize, usize)> {
    let times = std::env::var("SIMPLEJWT_TEST_RACES")
        .map_or(1, |times| times.parse().expect("SIMPLEJWT_TEST_RACES is a number"));
    [(2, 50), (16, 12), (64, 4)].map(|(count, rounds)| (count, rounds * times)).into()
}

#[test]
fn within_grace_all_get_the_one_successor() {
    for &kind in ALL {
        let site = Site::new(kind, SERVERS, 10, &[]);
        let servers = site.addresses();
        let mut token = site.log_in().refresh;
        let mut made = 0;
        for (count, rounds) in rounds() {
            for round in 0..rounds {
                let answers = race(&servers, count, &token);
                let first = &answers[0];
                for answer in &answers {
                    assert_eq!(answer.status, 200, "{kind:?} {count} {round}: {answer:?}");
                    assert_eq!(answer.body, first.body, "{kind:?} {count} {round}");
                }
                let next = first.pair().refresh;
                assert_ne!(next, token);
                token = next;
                made += 1;
            }
        }
        assert_eq!(site.check_rows(), Counts { successors: made, live: 1, ended: 0 }, "{kind:?}");
    }
}

/// By default, as upstream: the losers are refused, and the winner continues.
#[test]
fn by_default_one_wins_and_its_session_goes_on() {
    for &kind in ALL {
        let site = Site::new(kind, SERVERS, 0, &[]);
        let servers = site.addresses();
        let mut token = site.log_in().refresh;
        let mut made = 0;
        for (count, rounds) in [(2, 40), (5, 20), (32, 5)] {
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
        assert_eq!(site.check_rows(), Counts { successors: made, live: 1, ended: 0 }, "{kind:?}");
    }
}

/// Trap 7: a transaction that reads and then writes, at the default isolation of the databases.
#[test]
fn t7_without_grace_and_tolerance_one_wins_and_the_session_is_over() {
    for &kind in ALL {
        let site = Site::new(kind, SERVERS, 0, &[("SIMPLEJWT_REUSE_TOLERANCE", "0")]);
        let servers = site.addresses();
        let mut sessions = 0;
        for (count, rounds) in rounds() {
            for round in 0..rounds {
                let token = site.log_in().refresh;
                let answers = race(&servers, count, &token);
                let (won, lost): (Vec<_>, Vec<_>) =
                    answers.iter().partition(|answer| answer.status == 200);
                assert_eq!(won.len(), 1, "{kind:?} {count} {round}: {answers:?}");
                for answer in lost {
                    answer.assert_blacklisted("a loser");
                }
                let next = won[0].pair().refresh;
                for server in 0..SERVERS {
                    site.refresh(server, &next).assert_blacklisted("its session is over");
                }
                sessions += 1;
            }
        }
        let over = Counts { successors: sessions, live: 0, ended: sessions };
        assert_eq!(site.check_rows(), over, "{kind:?}");
        let reuse = "SELECT count(*) FROM simplejwt_session WHERE end_reason = 'reuse'";
        assert_eq!(site.database.number(reuse), sessions, "{kind:?}");
        // Logged once per session, by the process that found it.
        let told: usize = site.servers.iter().map(|server| server.told("was ended")).sum();
        assert_eq!(told, usize::try_from(sessions).unwrap(), "{kind:?}");
    }
}

/// Refreshes and a logout at the same time: an acknowledged logout is final, whichever came first.
#[test]
fn a_logout_beside_refreshes_leaves_nothing_alive() {
    for &kind in ALL {
        let site = Site::new(kind, SERVERS, 10, &[]);
        let servers = site.addresses();
        for round in 0..40 {
            let token = site.log_in().refresh;
            let answers = std::thread::scope(|scope| {
                let refreshes = scope.spawn(|| race(&servers, 8, &token));
                let logout = scope.spawn(|| {
                    let body = serde_json::json!({"refresh": token});
                    post(servers[round % SERVERS], "/api/token/logout/", &body, &[]).unwrap()
                });
                let answers = refreshes.join().unwrap();
                let logout = logout.join().unwrap();
                (answers, logout)
            });
            let (answers, logout) = answers;
            let next: Vec<_> = answers
                .iter()
                .inspect(|answer| assert!(matches!(answer.status, 200 | 401), "{answer:?}"))
                .filter(|answer| answer.status == 200)
                .map(|answer| answer.pair().refresh)
                .collect();
            // Also with a refresh token that was spent in the meantime.
            assert_eq!((logout.status, logout.body.as_str()), (200, r#"{"ended":1}"#));
            for token in next.iter().chain([&token]) {
                site.refresh(round % SERVERS, token).assert_blacklisted("logged out");
            }
        }
        site.check_rows();
    }
}
