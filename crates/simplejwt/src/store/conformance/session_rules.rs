//! Rules for opening and refreshing a session, without concurrency.

use std::time::Duration;

use super::{
    NOW, act, after, cause, deleted, done, good, open, refresh, refresh_at, registered,
    retain_until, token,
};
use crate::settings::Rows;
use crate::store::session::{
    Client, EndEvent, EndReason, EndSessions, NextToken, OpenOutcome, RefreshOutcome,
    RevocationSubject, SessionHead, SessionRefresh, SessionSelector, SessionStore, Successor,
};
use crate::store::{Blacklisting, Rotation};

pub(super) const OPENED: OpenOutcome = OpenOutcome::Opened { evicted: 0 };

pub(super) async fn is_blacklisted(store: &impl SessionStore, jti: &str) -> bool {
    good(store.is_blacklisted(jti).await)
}

pub(super) async fn has_ended(store: &impl SessionStore, id: &str) -> bool {
    good(store.session(id).await).is_some_and(|session| session.ended_at.is_some())
}

pub(super) async fn revoked(store: &impl SessionStore) -> Vec<RevocationSubject> {
    let found = good(store.revocations(0, 1000, NOW).await);
    assert!(found.complete);
    found.entries.into_iter().map(|entry| entry.subject).collect()
}

pub(super) fn end(which: SessionSelector) -> EndSessions {
    EndSessions {
        which,
        reason: EndReason::Logout,
        event: EndEvent::SessionsEnded,
        cause: cause(NOW),
        retain_until: retain_until(),
    }
}

pub(super) fn one(id: &str) -> EndSessions {
    end(SessionSelector::One { id: id.to_owned(), user_id: None })
}

pub(super) async fn a_login_opens_a_session(store: &impl SessionStore) {
    assert_eq!(done(store.open(&open("a")).await), OPENED);
    let found = good(store.session("a").await).expect("the session is there");
    assert_eq!(found.user_id.as_str(), "1");
    assert_eq!((found.created_at, found.refreshed_at), (NOW, NOW));
    assert_eq!((found.expires_at, found.ended_at), (after(60), None));
    assert_eq!(found.client, Client::new(Some("192.0.2.1"), Some("suite")));
    let head = SessionHead {
        id: "a".into(),
        user_id: found.user_id,
        created_at: NOW,
        ended_at: None,
        spent_at: None,
    };
    assert_eq!(good(store.session_of("a", None).await), Some(head));
    assert_eq!(good(store.session("b").await), None);
    assert_eq!(good(store.session_of("b", None).await), None);
    assert!(!is_blacklisted(store, "a").await);
    // Registered like any token.
    assert_eq!(
        done(store.blacklist(&token("a"), &act(NOW)).await),
        Blacklisting::Blacklisted,
        "it wasn't blacklisted"
    );
    let tokens = deleted(store, after(60), 10).await;
    assert_eq!(tokens, registered(store, 1), "the token is registered once");
}

pub(super) async fn a_rotation_stays_in_the_session(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    let mut first = refresh_at("a", "b", 5, 0);
    first.cause.client = Client::new(Some("192.0.2.2"), Some("other"));
    assert_eq!(done(store.refresh(&first).await), RefreshOutcome::Refreshed);
    assert!(is_blacklisted(store, "a").await && !is_blacklisted(store, "b").await);
    assert_eq!(done(store.refresh(&refresh_at("b", "c", 6, 0)).await), RefreshOutcome::Refreshed);
    let found = good(store.session_of("c", None).await).expect("it is in the session");
    assert_eq!(found.id, "a");
    assert_eq!((found.created_at, found.user_id.as_str()), (NOW, "1"));
    let refreshed = good(store.session("a").await).map(|session| session.refreshed_at);
    assert_eq!(refreshed, Some(after(6)));
    for jti in ["a", "b"] {
        assert_eq!(good(store.session_of(jti, None).await).map(|s| s.id).as_deref(), Some("a"));
    }
    assert_eq!(good(store.session("b").await), None, "a rotation opened a session");
    assert_eq!(deleted(store, after(60), 10).await, registered(store, 3));
}

pub(super) async fn an_unknown_token_joins_a_session(store: &impl SessionStore) {
    // Registered by somebody else, or not at all.
    done(store.record(&token("a"), &act(NOW)).await);
    for (spent, next) in [("a", "a2"), ("b", "b2")] {
        assert_eq!(done(store.refresh(&refresh(spent, next)).await), RefreshOutcome::Refreshed);
        let found = good(store.session_of(next, None).await).expect("it has a session");
        assert_eq!((found.id.as_str(), found.user_id.as_str()), (spent, "1"));
        assert!(is_blacklisted(store, spent).await);
    }
    // Another token, which names an existing session.
    if store.rows() == Rows::Tokens {
        let mut named = refresh("c", "c2");
        named.session.id = "a".into();
        assert_eq!(done(store.refresh(&named).await), RefreshOutcome::Refreshed);
        assert_eq!(good(store.session_of("c2", None).await).map(|s| s.id).as_deref(), Some("a"));
    }
    // Blacklisted before it was seen.
    let _ = done(store.blacklist(&token("d"), &act(NOW)).await);
    assert_eq!(done(store.refresh(&refresh("d", "d2")).await), RefreshOutcome::Blacklisted);
    assert_eq!(good(store.session_of("d2", None).await), None);
    // One that names a session that has ended.
    assert_eq!(done(store.end_sessions(&one("a")).await), 1);
    let ended = good(store.session_of("a2", None).await).expect("it is still known");
    assert_eq!((ended.created_at, ended.ended_at), (NOW, Some(NOW)));
    let mut late = refresh("e", "e2");
    late.session.id = "a".into();
    assert_eq!(done(store.refresh(&late).await), RefreshOutcome::Ended);
    assert_eq!(good(store.session_of("e2", None).await), None);
    assert!(good(store.is_spent("e", Some("a")).await), "it is good elsewhere");
    assert!(store.rows() == Rows::Sessions || is_blacklisted(store, "e").await);
}

pub(super) async fn a_token_is_added_or_kept(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    let kept =
        SessionRefresh { next: NextToken::None, cause: cause(after(30)), ..refresh("a", "") };
    assert_eq!(done(store.refresh(&kept).await), RefreshOutcome::Refreshed);
    let used = good(store.session("a").await).map(|session| session.refreshed_at);
    assert_eq!(used, Some(NOW), "noted once a minute");
    let late = SessionRefresh { cause: cause(after(61)), ..kept.clone() };
    assert_eq!(done(store.refresh(&late).await), RefreshOutcome::Refreshed);
    let used = good(store.session("a").await).map(|session| session.refreshed_at);
    assert_eq!(used, Some(after(61)));

    if store.rows() == Rows::Sessions {
        return;
    }
    let added = SessionRefresh { next: NextToken::Added(token("b")), ..kept.clone() };
    assert_eq!(done(store.refresh(&added).await), RefreshOutcome::Refreshed);
    assert!(!is_blacklisted(store, "a").await, "only rotation blacklists");
    assert_eq!(good(store.session_of("b", None).await).map(|s| s.id).as_deref(), Some("a"));
    assert_eq!(done(store.end_sessions(&one("a")).await), 1);
    assert!(is_blacklisted(store, "a").await && is_blacklisted(store, "b").await);
    for next in [NextToken::None, NextToken::Added(token("c"))] {
        let late = SessionRefresh { next, ..kept.clone() };
        assert_eq!(done(store.refresh(&late).await), RefreshOutcome::Ended);
    }
    assert_eq!(good(store.session_of("c", None).await), None);
}

pub(super) async fn the_immediate_parent_is_answered_within_the_grace(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    assert_eq!(done(store.refresh(&refresh_at("a", "b", 0, 10)).await), RefreshOutcome::Refreshed);
    // Repeating it doesn't extend the grace.
    for second in [0, 3, 6, 9] {
        let mut again = refresh_at("a", &format!("b{second}"), second, 10);
        again.cause.client.address = (second != 3).then(|| "192.0.2.1".to_owned());
        let RefreshOutcome::Repeated(successor) = done(store.refresh(&again).await) else {
            super::broken("the parent wasn't answered within the grace");
        };
        let expected = Successor {
            jti: "b".into(),
            access_jti: "access of b".into(),
            created_at: NOW,
            same_address: second != 3,
        };
        assert_eq!(successor, expected);
        assert_eq!(good(store.session_of(&format!("b{second}"), None).await), None);
    }
    assert_eq!(done(store.refresh(&refresh_at("a", "x", 10, 10)).await), RefreshOutcome::Reused);
    assert!(is_blacklisted(store, "b").await);
    let tokens = deleted(store, after(60), 10).await;
    assert_eq!(tokens, registered(store, 2), "a replay made a row");
}

pub(super) async fn a_lost_answer_of_the_database_is_found_again(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    for _ in 0..2 {
        assert_eq!(done(store.refresh(&refresh("a", "b")).await), RefreshOutcome::Refreshed);
    }
    assert!(!has_ended(store, "a").await);
}

pub(super) async fn reuse_ends_the_session(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    let _ = done(store.open(&open("other")).await);
    for (spent, next) in [("a", "b"), ("b", "c"), ("c", "d")] {
        assert_eq!(done(store.refresh(&refresh(spent, next)).await), RefreshOutcome::Refreshed);
    }
    assert_eq!(done(store.refresh(&refresh_at("b", "x", 1, 0)).await), RefreshOutcome::Reused);
    assert!(has_ended(store, "a").await && is_blacklisted(store, "d").await);
    for (spent, next) in [("a", "y"), ("b", "y"), ("c", "y"), ("d", "y")] {
        let outcome = done(store.refresh(&refresh_at(spent, next, 1, 60)).await);
        assert_eq!(outcome, RefreshOutcome::Ended, "{spent} is alive");
    }
    assert_eq!(revoked(store).await, [RevocationSubject::Session("a".into())], "revoked once");
    assert!(!has_ended(store, "other").await && !is_blacklisted(store, "other").await);
}

pub(super) async fn without_grace_clocks_may_differ(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    assert_eq!(done(store.refresh(&refresh_at("a", "b", 5, 0)).await), RefreshOutcome::Refreshed);
    // By a process that read the clock earlier, or whose clock is behind.
    assert_eq!(done(store.refresh(&refresh_at("a", "c", 0, 0)).await), RefreshOutcome::Reused);
    assert_eq!(done(store.refresh(&refresh_at("b", "d", 6, 0)).await), RefreshOutcome::Ended);
}

pub(super) async fn the_grace_never_outlives_the_session(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    assert_eq!(done(store.refresh(&refresh_at("a", "b", 0, 60)).await), RefreshOutcome::Refreshed);
    assert_eq!(done(store.end_sessions(&one("a")).await), 1);
    for spent in ["a", "b"] {
        let outcome = done(store.refresh(&refresh_at(spent, "x", 1, 60)).await);
        assert_eq!(outcome, RefreshOutcome::Ended);
    }
}

pub(super) async fn what_others_blacklisted_ends_the_session(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    let _ = done(store.blacklist(&token("a"), &act(NOW)).await);
    assert_eq!(done(store.refresh(&refresh("a", "b")).await), RefreshOutcome::Blacklisted);
    assert!(has_ended(store, "a").await);
    assert_eq!(good(store.session_of("b", None).await), None);
    assert_eq!(done(store.refresh(&refresh("a", "b")).await), RefreshOutcome::Ended);
    assert_eq!(revoked(store).await, [RevocationSubject::Session("a".into())]);

    // Rotated without us: no lineage.
    let _ = done(store.open(&open("c")).await);
    assert_eq!(done(store.rotate(&token("c"), &token("d"), &cause(NOW)).await), Rotation::Rotated);
    assert_eq!(done(store.refresh(&refresh("c", "x")).await), RefreshOutcome::Blacklisted);
}

/// The session's state counts even if the blacklist has lost the entry.
pub(super) async fn spent_tokens_are_known(store: &impl SessionStore) {
    for id in ["a", "ended", "listed"] {
        let _ = done(store.open(&open(id)).await);
    }
    done(store.record(&token("alone"), &act(NOW)).await);
    assert_eq!(done(store.refresh(&refresh("a", "b")).await), RefreshOutcome::Refreshed);
    assert_eq!(done(store.end_sessions(&one("ended")).await), 1);
    let _ = done(store.blacklist(&token("listed"), &act(NOW)).await);
    let cases =
        [("a", true), ("b", false), ("ended", true), ("alone", false), ("unheard of", false)];
    for (jti, spent) in cases.into_iter().chain([("listed", true)]) {
        assert_eq!(good(store.is_spent(jti, None).await), spent, "{jti}");
    }
    // Like the purge of another program, which ignores the leeway.
    while deleted(store, after(60), 10).await > 0 {}
    for (jti, spent) in cases {
        if store.rows() == Rows::Tokens {
            assert!(!is_blacklisted(store, jti).await, "{jti}");
        }
        assert_eq!(good(store.is_spent(jti, None).await), spent, "{jti}, purged around it");
    }
}

pub(super) async fn sessions_expire(store: &impl SessionStore) {
    let limits = |refresh: SessionRefresh, idle: u64, lifetime: u64| SessionRefresh {
        idle: Some(Duration::from_secs(idle)),
        lifetime: Some(Duration::from_secs(lifetime)),
        ..refresh
    };
    let _ = done(store.open(&open("a")).await);
    for (spent, next, at) in [("a", "b", 9), ("b", "c", 18), ("c", "d", 27)] {
        let refresh = limits(refresh_at(spent, next, at, 0), 10, 30);
        assert_eq!(done(store.refresh(&refresh).await), RefreshOutcome::Refreshed);
    }
    let late = limits(refresh_at("d", "x", 30, 0), 10, 30);
    assert_eq!(done(store.refresh(&late).await), RefreshOutcome::Expired, "it has lasted too long");
    assert!(is_blacklisted(store, "d").await && has_ended(store, "a").await);

    let _ = done(store.open(&open("p")).await);
    let late = limits(refresh_at("p", "q", 10, 0), 10, 30);
    assert_eq!(done(store.refresh(&late).await), RefreshOutcome::Expired, "it was idle too long");
    assert!(is_blacklisted(store, "p").await && has_ended(store, "p").await);
    assert_eq!(done(store.refresh(&late).await), RefreshOutcome::Ended);
}

pub(super) async fn another_password_changes_nothing(store: &impl SessionStore) {
    let with = |password: Option<&str>, refresh: SessionRefresh| {
        let mut refresh = refresh;
        refresh.session.password = password.map(str::to_owned);
        refresh
    };
    let _ = done(store.open(&open("a")).await);
    let other = with(Some("another"), refresh("a", "b"));
    for next in super::nexts(store, "b") {
        let refresh = SessionRefresh { next, ..other.clone() };
        assert_eq!(done(store.refresh(&refresh).await), RefreshOutcome::PasswordChanged);
    }
    assert!(!is_blacklisted(store, "a").await && !has_ended(store, "a").await);
    good(store.password_rehashed(&"2".into(), "fingerprint", "another").await);
    assert_eq!(done(store.refresh(&other).await), RefreshOutcome::PasswordChanged, "of user 2");
    good(store.password_rehashed(&"1".into(), "fingerprint", "another").await);
    assert_eq!(done(store.refresh(&other).await), RefreshOutcome::Refreshed);
    let unknown = with(None, refresh("b", "c"));
    assert_eq!(done(store.refresh(&unknown).await), RefreshOutcome::Refreshed);

    let mut free = open("free");
    free.session.password = None;
    let _ = done(store.open(&free).await);
    let any = with(Some("any"), refresh("free", "free2"));
    assert_eq!(done(store.refresh(&any).await), RefreshOutcome::Refreshed);
}

pub(super) async fn ids_are_compared_exactly(store: &impl SessionStore) {
    for id in ["a", "A", "á", "a "] {
        assert_eq!(done(store.open(&open(id)).await), OPENED);
    }
    assert_eq!(done(store.refresh(&refresh("A", "b")).await), RefreshOutcome::Refreshed);
    assert_eq!(done(store.refresh(&refresh("b", "B")).await), RefreshOutcome::Refreshed);
    assert_eq!(good(store.session_of("B", None).await).map(|s| s.id).as_deref(), Some("A"));
    for (jti, blacklisted) in [("a", false), ("A", true), ("á", false), ("a ", false), ("B", false)]
    {
        assert_eq!(is_blacklisted(store, jti).await, blacklisted, "{jti:?}");
    }
    assert_eq!(done(store.end_sessions(&one("a")).await), 1);
    for id in ["A", "á", "a "] {
        assert!(!has_ended(store, id).await, "{id:?}");
    }
}
