//! What holds of sessions when nobody else is there.

use std::time::Duration;

use super::{NOW, after, deleted, good, horizon, open, refresh, refresh_at, token, token_of};
use crate::clock::Timestamp;
use crate::store::session::{
    AccessClaims, Client, EndReason, EndSessions, NextToken, OpenSession, Opening, Refreshing,
    Revocation, SessionHead, SessionLimit, SessionRefresh, SessionStore, Subject, Successor, Which,
};
use crate::store::{Blacklisting, Rotation};

const OPENED: Opening = Opening::Opened { evicted: 0 };

async fn is_blacklisted(store: &impl SessionStore, jti: &str) -> bool {
    good(store.is_blacklisted(jti).await)
}

async fn has_ended(store: &impl SessionStore, id: &str) -> bool {
    good(store.session(id).await).is_some_and(|session| session.ended_at.is_some())
}

async fn revoked(store: &impl SessionStore) -> Vec<Subject> {
    let found = good(store.revocations(0, 1000, NOW).await);
    assert!(found.complete);
    found.entries.into_iter().map(|entry| entry.subject).collect()
}

fn end(which: Which) -> EndSessions {
    EndSessions { which, reason: EndReason::Logout, at: NOW, horizon: horizon() }
}

fn one(id: &str) -> EndSessions {
    end(Which::One { id: id.to_owned(), user_id: None })
}

pub(super) async fn a_login_opens_a_session(store: &impl SessionStore) {
    assert_eq!(good(store.open(&open("a")).await), OPENED);
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
    assert_eq!(good(store.session_of("a").await), Some(head));
    assert_eq!(good(store.session("b").await), None);
    assert_eq!(good(store.session_of("b").await), None);
    assert!(!is_blacklisted(store, "a").await);
    // Registered as any token.
    assert_eq!(
        good(store.blacklist(&token("a"), NOW).await),
        Blacklisting::Blacklisted,
        "it wasn't blacklisted"
    );
    assert_eq!(deleted(store, after(60), 10).await, 1, "the token is registered once");
}

pub(super) async fn a_rotation_stays_in_the_session(store: &impl SessionStore) {
    let _ = good(store.open(&open("a")).await);
    let mut first = refresh_at("a", "b", 5, 0);
    first.session.client = Client::new(Some("192.0.2.2"), Some("other"));
    assert_eq!(good(store.refresh(&first).await), Refreshing::Refreshed);
    assert!(is_blacklisted(store, "a").await && !is_blacklisted(store, "b").await);
    assert_eq!(good(store.refresh(&refresh_at("b", "c", 6, 0)).await), Refreshing::Refreshed);
    let found = good(store.session_of("c").await).expect("it is in the session");
    assert_eq!(found.id, "a");
    assert_eq!((found.created_at, found.user_id.as_str()), (NOW, "1"));
    let refreshed = good(store.session("a").await).map(|session| session.refreshed_at);
    assert_eq!(refreshed, Some(after(6)));
    for jti in ["a", "b"] {
        assert_eq!(good(store.session_of(jti).await).map(|s| s.id).as_deref(), Some("a"));
    }
    assert_eq!(good(store.session("b").await), None, "a rotation opened a session");
    assert_eq!(deleted(store, after(60), 10).await, 3);
}

pub(super) async fn an_unknown_token_joins_a_session(store: &impl SessionStore) {
    // Registered by somebody else, or not at all.
    good(store.record(&token("a")).await);
    for (spent, next) in [("a", "a2"), ("b", "b2")] {
        assert_eq!(good(store.refresh(&refresh(spent, next)).await), Refreshing::Refreshed);
        let found = good(store.session_of(next).await).expect("it has a session");
        assert_eq!((found.id.as_str(), found.user_id.as_str()), (spent, "1"));
        assert!(is_blacklisted(store, spent).await);
    }
    // Of another token that names a session which is there.
    let mut named = refresh("c", "c2");
    named.session.id = "a".into();
    assert_eq!(good(store.refresh(&named).await), Refreshing::Refreshed);
    assert_eq!(good(store.session_of("c2").await).map(|s| s.id).as_deref(), Some("a"));
    // Blacklisted before it was seen.
    let _ = good(store.blacklist(&token("d"), NOW).await);
    assert_eq!(good(store.refresh(&refresh("d", "d2")).await), Refreshing::Blacklisted);
    assert_eq!(good(store.session_of("d2").await), None);
    // Of a session that has ended.
    assert_eq!(good(store.end_sessions(&one("a")).await), 1);
    let ended = good(store.session_of("c2").await).expect("it is still known");
    assert_eq!((ended.created_at, ended.ended_at), (NOW, Some(NOW)));
    let mut late = refresh("e", "e2");
    late.session.id = "a".into();
    assert_eq!(good(store.refresh(&late).await), Refreshing::Ended);
    assert_eq!(good(store.session_of("e2").await), None);
    assert!(is_blacklisted(store, "e").await, "it is good elsewhere");
}

pub(super) async fn a_token_is_added_or_kept(store: &impl SessionStore) {
    let _ = good(store.open(&open("a")).await);
    let kept = SessionRefresh { next: NextToken::None, at: after(30), ..refresh("a", "") };
    assert_eq!(good(store.refresh(&kept).await), Refreshing::Refreshed);
    let used = good(store.session("a").await).map(|session| session.refreshed_at);
    assert_eq!(used, Some(NOW), "noted once a minute");
    let late = SessionRefresh { at: after(61), ..kept.clone() };
    assert_eq!(good(store.refresh(&late).await), Refreshing::Refreshed);
    let used = good(store.session("a").await).map(|session| session.refreshed_at);
    assert_eq!(used, Some(after(61)));

    let added = SessionRefresh { next: NextToken::Added(token("b")), ..kept.clone() };
    assert_eq!(good(store.refresh(&added).await), Refreshing::Refreshed);
    assert!(!is_blacklisted(store, "a").await, "only rotation blacklists");
    assert_eq!(good(store.session_of("b").await).map(|s| s.id).as_deref(), Some("a"));
    assert_eq!(good(store.end_sessions(&one("a")).await), 1);
    assert!(is_blacklisted(store, "a").await && is_blacklisted(store, "b").await);
    for next in [NextToken::None, NextToken::Added(token("c"))] {
        let late = SessionRefresh { next, ..kept.clone() };
        assert_eq!(good(store.refresh(&late).await), Refreshing::Ended);
    }
    assert_eq!(good(store.session_of("c").await), None);
}

pub(super) async fn the_immediate_parent_is_answered_within_the_grace(store: &impl SessionStore) {
    let _ = good(store.open(&open("a")).await);
    assert_eq!(good(store.refresh(&refresh_at("a", "b", 0, 10)).await), Refreshing::Refreshed);
    // Asking doesn't prolong it.
    for second in [0, 3, 6, 9] {
        let mut again = refresh_at("a", &format!("b{second}"), second, 10);
        again.session.client.address = (second != 3).then(|| "192.0.2.1".to_owned());
        let Refreshing::Repeated(successor) = good(store.refresh(&again).await) else {
            super::broken("the parent wasn't answered within the grace");
        };
        let expected = Successor {
            jti: "b".into(),
            access_jti: "access of b".into(),
            created_at: NOW,
            same_address: second != 3,
        };
        assert_eq!(successor, expected);
        assert_eq!(good(store.session_of(&format!("b{second}")).await), None);
    }
    assert_eq!(good(store.refresh(&refresh_at("a", "x", 10, 10)).await), Refreshing::Reused);
    assert!(is_blacklisted(store, "b").await);
    assert_eq!(deleted(store, after(60), 10).await, 2, "a replay made a row");
}

pub(super) async fn a_lost_answer_of_the_database_is_found_again(store: &impl SessionStore) {
    let _ = good(store.open(&open("a")).await);
    for _ in 0..2 {
        assert_eq!(good(store.refresh(&refresh("a", "b")).await), Refreshing::Refreshed);
    }
    assert!(!has_ended(store, "a").await);
}

pub(super) async fn reuse_ends_the_session(store: &impl SessionStore) {
    let _ = good(store.open(&open("a")).await);
    let _ = good(store.open(&open("other")).await);
    for (spent, next) in [("a", "b"), ("b", "c"), ("c", "d")] {
        assert_eq!(good(store.refresh(&refresh(spent, next)).await), Refreshing::Refreshed);
    }
    assert_eq!(good(store.refresh(&refresh_at("b", "x", 1, 0)).await), Refreshing::Reused);
    assert!(has_ended(store, "a").await && is_blacklisted(store, "d").await);
    for (spent, next) in [("a", "y"), ("b", "y"), ("c", "y"), ("d", "y")] {
        let outcome = good(store.refresh(&refresh_at(spent, next, 1, 60)).await);
        assert_eq!(outcome, Refreshing::Ended, "{spent} is alive");
    }
    assert_eq!(revoked(store).await, [Subject::Session("a".into())], "revoked once");
    assert!(!has_ended(store, "other").await && !is_blacklisted(store, "other").await);
}

pub(super) async fn without_grace_clocks_may_differ(store: &impl SessionStore) {
    let _ = good(store.open(&open("a")).await);
    assert_eq!(good(store.refresh(&refresh_at("a", "b", 5, 0)).await), Refreshing::Refreshed);
    // By somebody who looked at the clock before, or whose clock is behind.
    assert_eq!(good(store.refresh(&refresh_at("a", "c", 0, 0)).await), Refreshing::Reused);
    assert_eq!(good(store.refresh(&refresh_at("b", "d", 6, 0)).await), Refreshing::Ended);
}

pub(super) async fn the_grace_never_outlives_the_session(store: &impl SessionStore) {
    let _ = good(store.open(&open("a")).await);
    assert_eq!(good(store.refresh(&refresh_at("a", "b", 0, 60)).await), Refreshing::Refreshed);
    assert_eq!(good(store.end_sessions(&one("a")).await), 1);
    for spent in ["a", "b"] {
        let outcome = good(store.refresh(&refresh_at(spent, "x", 1, 60)).await);
        assert_eq!(outcome, Refreshing::Ended);
    }
}

pub(super) async fn what_others_blacklisted_ends_the_session(store: &impl SessionStore) {
    let _ = good(store.open(&open("a")).await);
    let _ = good(store.blacklist(&token("a"), NOW).await);
    assert_eq!(good(store.refresh(&refresh("a", "b")).await), Refreshing::Blacklisted);
    assert!(has_ended(store, "a").await);
    assert_eq!(good(store.session_of("b").await), None);
    assert_eq!(good(store.refresh(&refresh("a", "b")).await), Refreshing::Ended);
    assert_eq!(revoked(store).await, [Subject::Session("a".into())]);

    // Rotated without us: no lineage.
    let _ = good(store.open(&open("c")).await);
    assert_eq!(good(store.rotate(&token("c"), &token("d"), NOW).await), Rotation::Rotated);
    assert_eq!(good(store.refresh(&refresh("c", "x")).await), Refreshing::Blacklisted);
}

/// What the session knows counts also where the blacklist has forgotten it.
pub(super) async fn spent_tokens_are_known(store: &impl SessionStore) {
    for id in ["a", "ended", "listed"] {
        let _ = good(store.open(&open(id)).await);
    }
    good(store.record(&token("alone")).await);
    assert_eq!(good(store.refresh(&refresh("a", "b")).await), Refreshing::Refreshed);
    assert_eq!(good(store.end_sessions(&one("ended")).await), 1);
    let _ = good(store.blacklist(&token("listed"), NOW).await);
    let cases =
        [("a", true), ("b", false), ("ended", true), ("alone", false), ("unheard of", false)];
    for (jti, spent) in cases.into_iter().chain([("listed", true)]) {
        assert_eq!(good(store.is_spent(jti).await), spent, "{jti}");
    }
    // As another program's purge does, which doesn't know of leeway.
    while deleted(store, after(60), 10).await > 0 {}
    for (jti, spent) in cases {
        assert!(!is_blacklisted(store, jti).await, "{jti}");
        assert_eq!(good(store.is_spent(jti).await), spent, "{jti}, purged around it");
    }
}

pub(super) async fn sessions_expire(store: &impl SessionStore) {
    let limits = |refresh: SessionRefresh, idle: u64, lifetime: u64| SessionRefresh {
        idle: Some(Duration::from_secs(idle)),
        lifetime: Some(Duration::from_secs(lifetime)),
        ..refresh
    };
    let _ = good(store.open(&open("a")).await);
    for (spent, next, at) in [("a", "b", 9), ("b", "c", 18), ("c", "d", 27)] {
        let refresh = limits(refresh_at(spent, next, at, 0), 10, 30);
        assert_eq!(good(store.refresh(&refresh).await), Refreshing::Refreshed);
    }
    let late = limits(refresh_at("d", "x", 30, 0), 10, 30);
    assert_eq!(good(store.refresh(&late).await), Refreshing::Expired, "it has lasted too long");
    assert!(is_blacklisted(store, "d").await && has_ended(store, "a").await);

    let _ = good(store.open(&open("p")).await);
    let late = limits(refresh_at("p", "q", 10, 0), 10, 30);
    assert_eq!(good(store.refresh(&late).await), Refreshing::Expired, "it was idle too long");
    assert!(is_blacklisted(store, "p").await && has_ended(store, "p").await);
    assert_eq!(good(store.refresh(&late).await), Refreshing::Ended);
}

pub(super) async fn another_password_changes_nothing(store: &impl SessionStore) {
    let with = |password: Option<&str>, refresh: SessionRefresh| {
        let mut refresh = refresh;
        refresh.session.password = password.map(str::to_owned);
        refresh
    };
    let _ = good(store.open(&open("a")).await);
    let other = with(Some("another"), refresh("a", "b"));
    for next in [other.next.clone(), NextToken::None, NextToken::Added(token("c"))] {
        let refresh = SessionRefresh { next, ..other.clone() };
        assert_eq!(good(store.refresh(&refresh).await), Refreshing::PasswordChanged);
    }
    assert!(!is_blacklisted(store, "a").await && !has_ended(store, "a").await);
    good(store.password_rehashed(&"2".into(), "fingerprint", "another").await);
    assert_eq!(good(store.refresh(&other).await), Refreshing::PasswordChanged, "of user 2");
    good(store.password_rehashed(&"1".into(), "fingerprint", "another").await);
    assert_eq!(good(store.refresh(&other).await), Refreshing::Refreshed);
    let unknown = with(None, refresh("b", "c"));
    assert_eq!(good(store.refresh(&unknown).await), Refreshing::Refreshed);

    let mut free = open("free");
    free.session.password = None;
    let _ = good(store.open(&free).await);
    let any = with(Some("any"), refresh("free", "free2"));
    assert_eq!(good(store.refresh(&any).await), Refreshing::Refreshed);
}

async fn listed(store: &impl SessionStore, user: &str, at: Timestamp) -> Vec<String> {
    good(store.sessions(&user.into(), at).await).into_iter().map(|session| session.id).collect()
}

pub(super) async fn sessions_are_listed(store: &impl SessionStore) {
    for (id, at) in [("a", 0), ("b", 1), ("c", 2)] {
        let opening = OpenSession { at: after(at), ..open(id) };
        let _ = good(store.open(&opening).await);
    }
    let mut of_two = open("two");
    of_two.session.user_id = "2".into();
    of_two.token.user_id = Some("2".into());
    let _ = good(store.open(&of_two).await);
    assert_eq!(listed(store, "1", NOW).await, ["c", "b", "a"]);
    assert_eq!(listed(store, "2", NOW).await, ["two"]);
    assert_eq!(listed(store, "3", NOW).await, [""; 0]);

    let mut moved = refresh_at("a", "a2", 5, 0);
    moved.session.client = Client::new(Some("192.0.2.77"), Some("ignored"));
    let _ = good(store.refresh(&moved).await);
    assert_eq!(listed(store, "1", NOW).await, ["a", "c", "b"]);
    let sessions = good(store.sessions(&"1".into(), NOW).await);
    let first = sessions.first().expect("there are three");
    assert_eq!(first.client, Client::new(Some("192.0.2.77"), Some("suite")));
    assert_eq!((first.created_at, first.refreshed_at), (NOW, after(5)));

    let _ = good(store.blacklist(&token("b"), NOW).await);
    assert_eq!(listed(store, "1", NOW).await, ["a", "c"], "its token is blacklisted");
    assert_eq!(good(store.end_sessions(&one("c")).await), 1);
    assert_eq!(listed(store, "1", NOW).await, ["a"]);
    assert_eq!(listed(store, "1", after(60)).await, [""; 0], "expired");
}

pub(super) async fn sessions_are_ended(store: &impl SessionStore) {
    for id in ["a", "b"] {
        let _ = good(store.open(&open(id)).await);
    }
    let of = |user: &str| end(Which::One { id: "a".to_owned(), user_id: Some(user.into()) });
    assert_eq!(good(store.end_sessions(&of("2")).await), 0, "another user's");
    assert_eq!(good(store.end_sessions(&one("nowhere")).await), 0);
    assert!(!is_blacklisted(store, "a").await);
    assert_eq!(good(store.end_sessions(&of("1")).await), 1);
    assert_eq!(good(store.end_sessions(&of("1")).await), 0, "it has ended already");
    assert!(is_blacklisted(store, "a").await && !is_blacklisted(store, "b").await);
    let found = good(store.session("a").await).expect("it is remembered");
    assert_eq!(found.ended_at, Some(NOW));
    assert_eq!(revoked(store).await, [Subject::Session("a".into())]);
}

pub(super) async fn all_but_one_are_ended(store: &impl SessionStore) {
    for id in ["a", "b", "c"] {
        let _ = good(store.open(&open(id)).await);
    }
    let mut of_two = open("two");
    of_two.session.user_id = "2".into();
    of_two.token.user_id = Some("2".into());
    let _ = good(store.open(&of_two).await);
    assert_eq!(good(store.refresh(&refresh("b", "b2")).await), Refreshing::Refreshed);
    // Tokens that are in no session.
    good(store.record(&token("loose")).await);
    good(store.record(&token_of("2", "loose of two")).await);

    let others = end(Which::All { user_id: "1".into(), except: Some("b".into()) });
    assert_eq!(good(store.end_sessions(&others).await), 2);
    for (jti, blacklisted) in [
        ("a", true),
        ("b2", false),
        ("c", true),
        ("loose", true),
        ("loose of two", false),
        ("two", false),
    ] {
        assert_eq!(is_blacklisted(store, jti).await, blacklisted, "{jti}");
    }
    assert_eq!(listed(store, "1", NOW).await, ["b"]);
    let subjects = revoked(store).await;
    assert_eq!(subjects.len(), 3, "{subjects:?}");
    for subject in
        [Subject::Session("a".into()), Subject::Session("c".into()), Subject::User("1".into())]
    {
        assert!(subjects.contains(&subject), "{subject:?} wasn't revoked");
    }

    // What isn't ours may live as long as a refresh token.
    let late = good(store.revocations(0, 100, after(50)).await);
    let late: Vec<_> = late.entries.into_iter().map(|entry| entry.subject).collect();
    assert_eq!(late, [Subject::User("1".into())]);

    let all = end(Which::All { user_id: "1".into(), except: None });
    assert_eq!(good(store.end_sessions(&all).await), 1);
    assert!(is_blacklisted(store, "b2").await);
    assert_eq!(good(store.end_sessions(&all).await), 0);
    assert_eq!(listed(store, "2", NOW).await, ["two"]);
    // A login afterwards is a new beginning.
    let _ = good(store.open(&open("later")).await);
    assert_eq!(listed(store, "1", NOW).await, ["later"]);
}

/// More than one batch.
pub(super) async fn many_sessions_are_ended(store: &impl SessionStore) {
    const MANY: usize = 1100;
    for number in 0..MANY {
        let _ = good(store.open(&open(&format!("s{number}"))).await);
    }
    let all = end(Which::All { user_id: "1".into(), except: Some("s7".into()) });
    assert_eq!(good(store.end_sessions(&all).await), MANY as u64 - 1);
    assert_eq!(listed(store, "1", NOW).await, ["s7"]);
}

pub(super) async fn limits_are_kept(store: &impl SessionStore) {
    let at = |id: &str, seconds: i64, limit: SessionLimit| OpenSession {
        limit: Some(limit),
        at: after(seconds),
        ..open(id)
    };
    let refuse = SessionLimit::Refuse(2);
    assert_eq!(good(store.open(&at("a", 0, refuse)).await), OPENED);
    assert_eq!(good(store.open(&at("b", 1, refuse)).await), OPENED);
    assert_eq!(good(store.open(&at("c", 2, refuse)).await), Opening::TooMany);
    assert_eq!(good(store.session("c").await), None);
    assert!(good(store.session_of("c").await).is_none());
    let mut of_two = at("two", 2, refuse);
    of_two.session.user_id = "2".into();
    of_two.token.user_id = Some("2".into());
    assert_eq!(good(store.open(&of_two).await), OPENED, "each user has their own");

    let evict = SessionLimit::EvictOldest(2);
    assert_eq!(good(store.open(&at("d", 3, evict)).await), Opening::Opened { evicted: 1 });
    assert!(is_blacklisted(store, "a").await && !is_blacklisted(store, "b").await);
    assert_eq!(revoked(store).await, [Subject::Session("a".into())]);
    // What is no longer live doesn't count.
    let _ = good(store.blacklist(&token("b"), NOW).await);
    assert_eq!(good(store.open(&at("e", 4, evict)).await), OPENED);
    assert_eq!(listed(store, "1", NOW).await, ["e", "d"]);
    let fewer = SessionLimit::EvictOldest(1);
    assert_eq!(good(store.open(&at("f", 5, fewer)).await), Opening::Opened { evicted: 2 });
    assert_eq!(listed(store, "1", NOW).await, ["f"]);
    // When all of them have expired, there is room.
    assert_eq!(good(store.open(&at("g", 60, refuse)).await), OPENED);
}

pub(super) async fn revocations_come_in_order(store: &impl SessionStore) {
    let empty = good(store.revocations(0, 10, NOW).await);
    assert!(empty.entries.is_empty() && empty.complete);
    let of = |jti: &str, expires_at: Timestamp| Revocation {
        subject: Subject::Token(jti.to_owned()),
        revoked_at: NOW,
        expires_at,
    };
    for number in 0..5 {
        good(store.revoke(&of(&format!("t{number}"), after(10 + number))).await);
    }
    let first = good(store.revocations(empty.sequence, 3, NOW).await);
    assert_eq!(first.entries, [0, 1, 2].map(|n| of(&format!("t{n}"), after(10 + n))));
    assert!(!first.complete);
    let rest = good(store.revocations(first.sequence, 3, NOW).await);
    assert_eq!(rest.entries, [3, 4].map(|n| of(&format!("t{n}"), after(10 + n))));
    assert!(rest.complete);
    let nothing = good(store.revocations(rest.sequence, 3, NOW).await);
    assert!(nothing.entries.is_empty() && nothing.complete);
    assert_eq!(nothing.sequence, rest.sequence);
    // What has expired is left out, and gone on from nevertheless.
    let late = good(store.revocations(0, 10, after(13)).await);
    assert_eq!(late.entries, [of("t4", after(14))]);
    assert_eq!(late.sequence, rest.sequence);
    let none = good(store.revocations(0, 10, after(14)).await);
    assert!(none.entries.is_empty() && none.complete);
    assert_eq!(none.sequence, rest.sequence);
    // Asked from a place that this store hasn't come to yet.
    let ahead = good(store.revocations(rest.sequence + 100, 10, NOW).await);
    assert!(ahead.entries.is_empty());
    assert_eq!(ahead.sequence, rest.sequence, "it doesn't say that it is behind");
}

pub(super) async fn revoked_tokens_are_known(store: &impl SessionStore) {
    for id in ["a", "b"] {
        let _ = good(store.open(&open(id)).await);
    }
    let access = |session: Option<&str>, jti: &str, user: &str, seconds: i64| AccessClaims {
        session: session.map(str::to_owned),
        jti: Some(jti.to_owned()),
        user_id: Some(user.into()),
        issued_at: Some(after(seconds)),
    };
    let of_a = access(Some("a"), "x", "1", 0);
    assert!(!good(store.is_revoked(&of_a, NOW).await));
    assert!(good(store.is_revoked(&access(Some("nowhere"), "x", "1", 0), NOW).await));
    assert_eq!(good(store.end_sessions(&one("a")).await), 1);
    assert!(good(store.is_revoked(&of_a, NOW).await));
    assert!(!good(store.is_revoked(&access(Some("b"), "x", "1", 0), NOW).await));

    let token = Revocation {
        subject: Subject::Token("single".into()),
        revoked_at: NOW,
        expires_at: after(50),
    };
    good(store.revoke(&token).await);
    assert!(good(store.is_revoked(&access(Some("b"), "single", "1", 0), NOW).await));
    assert!(good(store.is_revoked(&access(None, "single", "1", 0), NOW).await));
    assert!(!good(store.is_revoked(&access(None, "single", "1", 0), after(50)).await));
    assert!(!good(store.is_revoked(&access(None, "SINGLE", "1", 0), NOW).await));

    let user = Revocation { subject: Subject::User("1".into()), ..token };
    good(store.revoke(&user).await);
    for (claims, revoked) in [
        (access(None, "y", "1", -1), true),
        (access(None, "y", "1", 0), true),
        (access(None, "y", "1", 1), false),
        (access(None, "y", "2", 0), false),
        (access(Some("b"), "y", "1", 0), false),
        (AccessClaims { issued_at: None, ..access(None, "y", "1", 0) }, true),
        (AccessClaims::default(), false),
    ] {
        assert_eq!(good(store.is_revoked(&claims, NOW).await), revoked, "{claims:?}");
    }
}

pub(super) async fn what_has_expired_is_flushed(store: &impl SessionStore) {
    let _ = good(store.open(&open("a")).await);
    assert_eq!(good(store.refresh(&refresh("a", "b")).await), Refreshing::Refreshed);
    let mut long = open("long");
    long.expires_at = after(600);
    let _ = good(store.open(&long).await);
    let _ = good(store.open(&open("ended")).await);
    assert_eq!(good(store.end_sessions(&one("ended")).await), 1);
    assert_eq!(good(store.flush_sessions(after(49), 100).await), 0);
    assert_eq!(good(store.flush_sessions(after(50), 100).await), 1, "the revocation");
    let first = good(store.flush_sessions(after(60), 2).await);
    assert!((2..=3).contains(&first), "{first}: two of three tokens, and perhaps their session");
    let mut flushed = first;
    for _ in 0..4 {
        flushed += good(store.flush_sessions(after(60), 2).await);
    }
    assert_eq!(flushed, 4, "three tokens and the session a");
    assert_eq!(good(store.session("a").await), None);
    let ended = good(store.session("ended").await).expect("its end is remembered");
    assert_eq!(ended.ended_at, Some(NOW));
    assert!(good(store.session("long").await).is_some());
    assert_eq!(good(store.flush_sessions(after(100), 100).await), 1);
    assert_eq!(good(store.session("ended").await), None);
    assert_eq!(good(store.session_of("long").await).map(|s| s.id).as_deref(), Some("long"));
}

pub(super) async fn sessions_that_go_on_are_not_in_the_way_of_the_flush(store: &impl SessionStore) {
    for number in 0..5 {
        let id = format!("on{number}");
        let _ = good(store.open(&open(&id)).await);
        let mut refresh = refresh(&id, &format!("{id}-next"));
        if let NextToken::Rotated { token, .. } = &mut refresh.next {
            token.expires_at = after(600);
        }
        assert_eq!(good(store.refresh(&refresh).await), Refreshing::Refreshed);
    }
    let _ = good(store.open(&open("over")).await);
    let mut batches = 0;
    while good(store.flush_sessions(after(100), 2).await) > 0 {
        batches += 1;
        assert!(batches < 20, "there is no end to it");
    }
    assert_eq!(good(store.session("over").await), None);
    for number in 0..5 {
        let id = format!("on{number}");
        assert!(good(store.session(&id).await).is_some());
        let next = good(store.session_of(&format!("{id}-next")).await).map(|s| s.id);
        assert_eq!(next, Some(id));
    }
    while good(store.flush_sessions(after(600), 2).await) > 0 {}
    assert_eq!(good(store.session("on0").await), None);
}

pub(super) async fn a_lease_has_one_holder(store: &impl SessionStore) {
    for (holder, at, until, has) in [
        ("a", 0, 10, true),
        ("b", 5, 15, false),
        ("a", 8, 18, true),
        ("b", 12, 22, false),
        ("b", 18, 28, true),
        ("a", 20, 30, false),
    ] {
        let leased = good(store.lease("purge", holder, after(at), after(until)).await);
        assert_eq!(leased, has, "{holder} at {at}");
    }
    assert!(good(store.lease("other", "a", after(20), after(30)).await));
}

pub(super) async fn ids_are_compared_exactly(store: &impl SessionStore) {
    for id in ["a", "A", "á", "a "] {
        assert_eq!(good(store.open(&open(id)).await), OPENED);
    }
    assert_eq!(good(store.refresh(&refresh("A", "b")).await), Refreshing::Refreshed);
    assert_eq!(good(store.refresh(&refresh("b", "B")).await), Refreshing::Refreshed);
    assert_eq!(good(store.session_of("B").await).map(|s| s.id).as_deref(), Some("A"));
    for (jti, blacklisted) in [("a", false), ("A", true), ("á", false), ("a ", false), ("B", false)]
    {
        assert_eq!(is_blacklisted(store, jti).await, blacklisted, "{jti:?}");
    }
    assert_eq!(good(store.end_sessions(&one("a")).await), 1);
    for id in ["A", "á", "a "] {
        assert!(!has_ended(store, id).await, "{id:?}");
    }
}
