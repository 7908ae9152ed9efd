//! Rules for the purge of sessions, and for leases.

use super::session_rules::one;
use super::{NOW, after, done, good, open, refresh};
use crate::settings::Rows;
use crate::store::leases::Leases;
use crate::store::session::{NextToken, RefreshOutcome, SessionStore};

pub(super) async fn what_has_expired_is_flushed(store: &impl SessionStore) {
    if store.rows() == Rows::Sessions {
        return;
    }
    let _ = done(store.open(&open("a")).await);
    assert_eq!(done(store.refresh(&refresh("a", "b")).await), RefreshOutcome::Refreshed);
    let mut long = open("long");
    long.expires_at = after(600);
    let _ = done(store.open(&long).await);
    let _ = done(store.open(&open("ended")).await);
    assert_eq!(done(store.end_sessions(&one("ended")).await), 1);
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
    assert_eq!(good(store.session_of("long", None).await).map(|s| s.id).as_deref(), Some("long"));
}

pub(super) async fn sessions_that_go_on_are_not_in_the_way_of_the_flush(store: &impl SessionStore) {
    if store.rows() == Rows::Sessions {
        return;
    }
    for number in 0..5 {
        let id = format!("on{number}");
        let _ = done(store.open(&open(&id)).await);
        let mut refresh = refresh(&id, &format!("{id}-next"));
        if let NextToken::Rotated { token, .. } = &mut refresh.next {
            token.expires_at = after(600);
        }
        assert_eq!(done(store.refresh(&refresh).await), RefreshOutcome::Refreshed);
    }
    let _ = done(store.open(&open("over")).await);
    let mut batches = 0;
    while good(store.flush_sessions(after(100), 2).await) > 0 {
        batches += 1;
        assert!(batches < 20, "there is no end to it");
    }
    assert_eq!(good(store.session("over").await), None);
    for number in 0..5 {
        let id = format!("on{number}");
        assert!(good(store.session(&id).await).is_some());
        let next = good(store.session_of(&format!("{id}-next"), None).await).map(|s| s.id);
        assert_eq!(next, Some(id));
    }
    while good(store.flush_sessions(after(600), 2).await) > 0 {}
    assert_eq!(good(store.session("on0").await), None);
}

pub(super) async fn a_lease_has_one_holder(store: &impl Leases) {
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
