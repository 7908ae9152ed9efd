//! Rules for stores that keep a row for each session.

use std::time::Duration;

use super::session_rules::{has_ended, is_blacklisted, one};
use super::{act, after, deleted, done, good, open, refresh, refresh_at, token};
use crate::store::Blacklisting;
use crate::store::session::{NextToken, RefreshOutcome, SessionRefresh, SessionStore};

const DAY: i64 = 24 * 60 * 60;

/// A token that names a session but isn't its token was spent, whoever issued it.
pub(super) async fn a_session_has_one_token(store: &impl SessionStore) {
    let naming = |jti: &str, session: &str, seconds| {
        let mut named = refresh_at(jti, "x", seconds, 0);
        named.session.id = session.to_owned();
        named.tolerance = Duration::from_secs(10);
        named
    };
    let _ = done(store.open(&open("a")).await);
    assert_eq!(done(store.refresh(&naming("b", "a", 9)).await), RefreshOutcome::Replayed);
    assert!(!has_ended(store, "a").await);
    assert!(good(store.is_spent("b", Some("a")).await));
    let head = good(store.session_of("b", Some("a")).await).expect("it names one");
    assert_eq!((head.id.as_str(), head.spent_at), ("a", Some(after(0))));
    assert_eq!(done(store.refresh(&naming("b", "a", 11)).await), RefreshOutcome::Reused);
    assert!(has_ended(store, "a").await);
    assert_eq!(done(store.refresh(&naming("c", "a", 12)).await), RefreshOutcome::Ended);

    // Without blacklisting, the token would stay valid beside its successor.
    let _ = done(store.open(&open("d")).await);
    let added = SessionRefresh { next: NextToken::Added(token("e")), ..refresh("d", "e") };
    assert!(store.refresh(&added).await.is_err(), "a token was added");
    assert!(!has_ended(store, "d").await && !is_blacklisted(store, "d").await);
    assert_eq!(done(store.refresh(&refresh("d", "e")).await), RefreshOutcome::Refreshed);
}

pub(super) async fn no_token_is_registered(store: &impl SessionStore) {
    for id in ["a", "b"] {
        let _ = done(store.open(&open(id)).await);
    }
    let mut spent = "a".to_owned();
    for number in 0..20 {
        let next = format!("a{number}");
        let refreshed = done(store.refresh(&refresh(&spent, &next)).await);
        assert_eq!(refreshed, RefreshOutcome::Refreshed);
        assert!(is_blacklisted(store, &spent).await && !is_blacklisted(store, &next).await);
        spent = next;
    }
    for (jti, outcome) in
        [("a3", Blacklisting::AlreadyBlacklisted), (&*spent, Blacklisting::Blacklisted)]
    {
        assert_eq!(done(store.blacklist(&token(jti), &act(after(0))).await), outcome, "{jti}");
    }
    assert_eq!(done(store.end_sessions(&one("b")).await), 1);
    assert_eq!(good(store.newest(10).await), []);
    assert_eq!(deleted(store, after(1000 * DAY), 100).await, 0);
    assert!(is_blacklisted(store, &spent).await && is_blacklisted(store, "b").await);
}

/// To whole days.
pub(super) async fn rows_are_flushed_when_they_are_due(store: &impl SessionStore) {
    for id in ["a", "b", "ended"] {
        let _ = done(store.open(&open(id)).await);
    }
    let mut long = open("long");
    long.expires_at = after(10 * DAY);
    let _ = done(store.open(&long).await);
    let mut later = refresh("b", "b2");
    if let NextToken::Rotated { token, .. } = &mut later.next {
        token.expires_at = after(3 * DAY);
    }
    assert_eq!(done(store.refresh(&later).await), RefreshOutcome::Refreshed);
    let mut end = one("ended");
    end.retain_until.refresh = after(5 * DAY);
    assert_eq!(done(store.end_sessions(&end).await), 1);
    assert_eq!(good(store.flush_sessions(after(50), 100).await), 1, "the revocation");
    for (day, gone) in [(0, 0), (1, 1), (3, 0), (4, 1), (5, 0), (6, 1), (10, 0), (11, 1)] {
        let flushed = good(store.flush_sessions(after(day * DAY), 100).await);
        assert_eq!(flushed, gone, "day {day}");
        assert_eq!(good(store.session("a").await).is_some(), day < 1, "day {day}");
        let ended = good(store.session("ended").await);
        assert_eq!(ended.and_then(|session| session.ended_at).is_some(), day < 6, "day {day}");
    }
    for id in ["c", "d", "e"] {
        let _ = done(store.open(&open(id)).await);
    }
    for left in [2, 1] {
        assert_eq!(good(store.flush_sessions(after(DAY), left).await), u64::from(left));
    }
}
