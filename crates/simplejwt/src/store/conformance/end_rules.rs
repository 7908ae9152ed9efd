//! Rules for listing and ending sessions, and for their number.

use super::session_rules::{OPENED, end, is_blacklisted, one, revoked};
use super::{NOW, act, after, cause, done, good, open, refresh, refresh_at, token, token_of};
use crate::clock::Timestamp;
use crate::store::session::{
    Client, OpenOutcome, OpenSession, RefreshOutcome, RevocationSubject, SessionLimit,
    SessionSelector, SessionStore,
};

async fn listed(store: &impl SessionStore, user: &str, at: Timestamp) -> Vec<String> {
    good(store.sessions(&user.into(), at).await).into_iter().map(|session| session.id).collect()
}

pub(super) async fn sessions_are_listed(store: &impl SessionStore) {
    for (id, at) in [("a", 0), ("b", 1), ("c", 2)] {
        let opening = OpenSession { cause: cause(after(at)), ..open(id) };
        let _ = done(store.open(&opening).await);
    }
    let mut of_two = open("two");
    of_two.session.user_id = "2".into();
    of_two.token.user_id = Some("2".into());
    let _ = done(store.open(&of_two).await);
    assert_eq!(listed(store, "1", NOW).await, ["c", "b", "a"]);
    assert_eq!(listed(store, "2", NOW).await, ["two"]);
    assert_eq!(listed(store, "3", NOW).await, [""; 0]);

    let mut moved = refresh_at("a", "a2", 5, 0);
    moved.cause.client = Client::new(Some("192.0.2.77"), Some("ignored"));
    let _ = done(store.refresh(&moved).await);
    assert_eq!(listed(store, "1", NOW).await, ["a", "c", "b"]);
    let sessions = good(store.sessions(&"1".into(), NOW).await);
    let first = sessions.first().expect("there are three");
    assert_eq!(first.client, Client::new(Some("192.0.2.77"), Some("suite")));
    assert_eq!((first.created_at, first.refreshed_at), (NOW, after(5)));

    let _ = done(store.blacklist(&token("b"), &act(NOW)).await);
    assert_eq!(listed(store, "1", NOW).await, ["a", "c"], "its token is blacklisted");
    assert_eq!(done(store.end_sessions(&one("c")).await), 1);
    assert_eq!(listed(store, "1", NOW).await, ["a"]);
    assert_eq!(listed(store, "1", after(60)).await, [""; 0], "expired");
}

pub(super) async fn sessions_are_ended(store: &impl SessionStore) {
    for id in ["a", "b"] {
        let _ = done(store.open(&open(id)).await);
    }
    let of =
        |user: &str| end(SessionSelector::One { id: "a".to_owned(), user_id: Some(user.into()) });
    assert_eq!(done(store.end_sessions(&of("2")).await), 0, "another user's");
    assert_eq!(done(store.end_sessions(&one("nowhere")).await), 0);
    assert!(!is_blacklisted(store, "a").await);
    assert_eq!(done(store.end_sessions(&of("1")).await), 1);
    assert_eq!(done(store.end_sessions(&of("1")).await), 0, "it has ended already");
    assert!(is_blacklisted(store, "a").await && !is_blacklisted(store, "b").await);
    let found = good(store.session("a").await).expect("it is remembered");
    assert_eq!(found.ended_at, Some(NOW));
    assert_eq!(revoked(store).await, [RevocationSubject::Session("a".into())]);
}

pub(super) async fn all_but_one_are_ended(store: &impl SessionStore) {
    for id in ["a", "b", "c"] {
        let _ = done(store.open(&open(id)).await);
    }
    let mut of_two = open("two");
    of_two.session.user_id = "2".into();
    of_two.token.user_id = Some("2".into());
    let _ = done(store.open(&of_two).await);
    assert_eq!(done(store.refresh(&refresh("b", "b2")).await), RefreshOutcome::Refreshed);
    // Tokens that are in no session.
    done(store.record(&token("loose"), &act(NOW)).await);
    done(store.record(&token_of("2", "loose of two"), &act(NOW)).await);

    let others = end(SessionSelector::All { user_id: "1".into(), except: Some("b".into()) });
    assert_eq!(done(store.end_sessions(&others).await), 2);
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
    for subject in [
        RevocationSubject::Session("a".into()),
        RevocationSubject::Session("c".into()),
        RevocationSubject::User("1".into()),
    ] {
        assert!(subjects.contains(&subject), "{subject:?} wasn't revoked");
    }

    // Tokens of others may live as long as a refresh token.
    let late = good(store.revocations(0, 100, after(50)).await);
    let late: Vec<_> = late.entries.into_iter().map(|entry| entry.subject).collect();
    assert_eq!(late, [RevocationSubject::User("1".into())]);

    let all = end(SessionSelector::All { user_id: "1".into(), except: None });
    assert_eq!(done(store.end_sessions(&all).await), 1);
    assert!(is_blacklisted(store, "b2").await);
    assert_eq!(done(store.end_sessions(&all).await), 0);
    assert_eq!(listed(store, "2", NOW).await, ["two"]);
    // A login afterwards starts anew.
    let _ = done(store.open(&open("later")).await);
    assert_eq!(listed(store, "1", NOW).await, ["later"]);
}

/// More than one batch.
pub(super) async fn many_sessions_are_ended(store: &impl SessionStore) {
    const MANY: usize = 1100;
    for number in 0..MANY {
        let _ = done(store.open(&open(&format!("s{number}"))).await);
    }
    let all = end(SessionSelector::All { user_id: "1".into(), except: Some("s7".into()) });
    let recorded = good(store.end_sessions(&all).await);
    assert_eq!(recorded, all.recorded(MANY as u64 - 1), "one record, with all of them");
    assert_eq!(listed(store, "1", NOW).await, ["s7"]);
}

pub(super) async fn limits_are_kept(store: &impl SessionStore) {
    let at = |id: &str, seconds: i64, limit: SessionLimit| OpenSession {
        limit: Some(limit),
        cause: cause(after(seconds)),
        ..open(id)
    };
    let refuse = SessionLimit::Refuse(2);
    assert_eq!(done(store.open(&at("a", 0, refuse)).await), OPENED);
    assert_eq!(done(store.open(&at("b", 1, refuse)).await), OPENED);
    assert_eq!(done(store.open(&at("c", 2, refuse)).await), OpenOutcome::TooMany);
    assert_eq!(good(store.session("c").await), None);
    assert!(good(store.session_of("c", None).await).is_none());
    let mut of_two = at("two", 2, refuse);
    of_two.session.user_id = "2".into();
    of_two.token.user_id = Some("2".into());
    assert_eq!(done(store.open(&of_two).await), OPENED, "each user has their own");

    let evict = SessionLimit::EvictOldest(2);
    assert_eq!(done(store.open(&at("d", 3, evict)).await), OpenOutcome::Opened { evicted: 1 });
    assert!(is_blacklisted(store, "a").await && !is_blacklisted(store, "b").await);
    assert_eq!(revoked(store).await, [RevocationSubject::Session("a".into())]);
    // Sessions that are no longer live don't count.
    let _ = done(store.blacklist(&token("b"), &act(NOW)).await);
    assert_eq!(done(store.open(&at("e", 4, evict)).await), OPENED);
    assert_eq!(listed(store, "1", NOW).await, ["e", "d"]);
    let fewer = SessionLimit::EvictOldest(1);
    assert_eq!(done(store.open(&at("f", 5, fewer)).await), OpenOutcome::Opened { evicted: 2 });
    assert_eq!(listed(store, "1", NOW).await, ["f"]);
    // When all of them have expired, there is room.
    assert_eq!(done(store.open(&at("g", 60, refuse)).await), OPENED);
}
