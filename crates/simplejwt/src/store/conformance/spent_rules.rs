//! Rules for spent tokens, and for those whose row is gone or whose session is another user's.

use std::time::Duration;

use super::{
    act, after, broken, cause, done, good, open, refresh, refresh_at, registered, retain_until,
    token, token_of,
};
use crate::clock::Timestamp;
use crate::settings::Rows;
use crate::store::session::{
    AccessClaims, EndEvent, EndReason, EndSessions, NextToken, RefreshOutcome, SessionRefresh,
    SessionSelector, SessionStore, Successor,
};

const MICROSECOND: Duration = Duration::from_micros(1);

fn tolerant(refresh: SessionRefresh, seconds: u64) -> SessionRefresh {
    SessionRefresh { tolerance: Duration::from_secs(seconds), ..refresh }
}

fn at(refresh: SessionRefresh, at: Timestamp) -> SessionRefresh {
    SessionRefresh { cause: cause(at), ..refresh }
}

async fn has_ended(store: &impl SessionStore, id: &str) -> bool {
    good(store.session(id).await).is_some_and(|session| session.ended_at.is_some())
}

/// Rotates one after another, at these seconds.
async fn rotated(store: &impl SessionStore, line: &[(&str, &str, i64)]) {
    for (spent, next, seconds) in line {
        // As long as those that ask again may have: a store may keep what it needs for that alone.
        let refresh = refresh_at(spent, next, *seconds, 300);
        assert_eq!(done(store.refresh(&refresh).await), RefreshOutcome::Refreshed, "{spent}");
    }
}

/// Deletes every registered token and blacklist entry, as somebody else may.
async fn forget_all(store: &impl SessionStore) -> u64 {
    super::deleted(store, after(60), u32::MAX / 2).await
}

async fn answered(store: &impl SessionStore, refresh: &SessionRefresh) -> Successor {
    match done(store.refresh(refresh).await) {
        RefreshOutcome::Repeated(successor) => successor,
        other => broken(&format!("{} within the grace: {other:?}", refresh.token.jti)),
    }
}

pub(super) async fn within_the_tolerance_a_spent_token_ends_nothing(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    rotated(store, &[("a", "b", 0)]).await;
    let again = |seconds| tolerant(refresh_at("a", "x", seconds, 0), 10);
    for seconds in [0, 5, 9] {
        assert_eq!(done(store.refresh(&again(seconds)).await), RefreshOutcome::Replayed);
    }
    let last = at(again(9), after(10) - MICROSECOND);
    assert_eq!(done(store.refresh(&last).await), RefreshOutcome::Replayed, "the last moment");
    assert!(!has_ended(store, "a").await && !good(store.is_blacklisted("b").await));
    assert_eq!(good(store.session_of("x", None).await), None);
    // Repeating it doesn't extend the tolerance.
    assert_eq!(done(store.refresh(&again(10)).await), RefreshOutcome::Reused, "it has passed");
    assert!(has_ended(store, "a").await && good(store.is_blacklisted("b").await));
    assert_eq!(done(store.refresh(&again(10)).await), RefreshOutcome::Ended);
    assert_eq!(forget_all(store).await, registered(store, 2), "a replay made a row");
}

pub(super) async fn what_others_blacklist_is_tolerated_as_long(store: &impl SessionStore) {
    let again = |jti, seconds| tolerant(refresh_at(jti, "x", seconds, 0), 10);
    let _ = done(store.open(&open("known")).await);
    for jti in ["known", "unknown"] {
        let _ = done(store.blacklist(&token(jti), &act(after(1))).await);
        for seconds in [1, 10] {
            let outcome = done(store.refresh(&again(jti, seconds)).await);
            assert_eq!(outcome, RefreshOutcome::Replayed, "{jti} at {seconds}");
        }
        assert!(!has_ended(store, jti).await);
        let late = at(again(jti, 11), after(11) - MICROSECOND);
        assert_eq!(done(store.refresh(&late).await), RefreshOutcome::Replayed, "{jti}");
        let outcome = done(store.refresh(&again(jti, 11)).await);
        assert_eq!(outcome, RefreshOutcome::Blacklisted, "{jti}");
        assert!(has_ended(store, jti).await);
        assert_eq!(done(store.refresh(&again(jti, 12)).await), RefreshOutcome::Ended);
    }
}

/// Django without `USE_TZ` writes its local time.
pub(super) async fn the_time_of_blacklisting_may_be_any_zones(store: &impl SessionStore) {
    const HOUR: i64 = 3600;
    for (jti, shift) in
        [("east", 14 * HOUR), ("india", 19 * HOUR / 2 - HOUR * 4), ("west", -12 * HOUR)]
    {
        let _ = done(store.open(&open(jti)).await);
        let _ = done(store.blacklist(&token(jti), &act(after(1 + shift))).await);
        let again = |seconds| tolerant(refresh_at(jti, "x", seconds, 0), 10);
        for seconds in [1, 10] {
            let outcome = done(store.refresh(&again(seconds)).await);
            assert_eq!(outcome, RefreshOutcome::Replayed, "{jti} at {seconds}");
        }
        assert!(!has_ended(store, jti).await);
        assert_eq!(done(store.refresh(&again(11)).await), RefreshOutcome::Blacklisted, "{jti}");
        assert!(has_ended(store, jti).await);
    }
}

pub(super) async fn any_ancestor_is_answered_with_the_newest(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    rotated(store, &[("a", "b", 0), ("b", "c", 3)]).await;
    let newest = |jti: &str, seconds| Successor {
        jti: jti.to_owned(),
        access_jti: format!("access of {jti}"),
        created_at: after(seconds),
        same_address: true,
    };
    for spent in ["a", "b"] {
        assert_eq!(answered(store, &refresh_at(spent, "x", 3, 10)).await, newest("c", 3));
    }
    rotated(store, &[("c", "d", 6)]).await;
    for spent in ["a", "b", "c", "a"] {
        assert_eq!(answered(store, &refresh_at(spent, "x", 9, 10)).await, newest("d", 6));
    }
    let last = at(refresh_at("a", "x", 9, 10), after(10) - MICROSECOND);
    assert_eq!(answered(store, &last).await, newest("d", 6), "the last moment");
    // The ancestor was spent too long ago, however new the newest is.
    let late = tolerant(refresh_at("a", "x", 10, 10), 11);
    assert_eq!(done(store.refresh(&late).await), RefreshOutcome::Replayed);
    assert_eq!(answered(store, &refresh_at("b", "x", 10, 10)).await, newest("d", 6));
    assert_eq!(done(store.refresh(&refresh_at("a", "x", 10, 10)).await), RefreshOutcome::Reused);
    assert!(has_ended(store, "a").await && good(store.is_blacklisted("d").await));
}

pub(super) async fn the_newest_has_to_be_good(store: &impl SessionStore) {
    for (id, tolerance, outcome) in [
        ("a", 0, RefreshOutcome::Reused),
        ("p", 10, RefreshOutcome::Replayed),
        ("s", 1, RefreshOutcome::Reused),
    ] {
        let (second, third) = (format!("{id}2"), format!("{id}3"));
        let _ = done(store.open(&open(id)).await);
        rotated(store, &[(id, &second, 0), (&second, &third, 0)]).await;
        let _ = done(store.blacklist(&token(&third), &act(after(0))).await);
        let again = tolerant(refresh_at(id, "x", 1, 60), tolerance);
        assert_eq!(done(store.refresh(&again).await), outcome, "{id}: it is blacklisted");
        assert_eq!(has_ended(store, id).await, outcome == RefreshOutcome::Reused, "{id}");
    }
    let _ = done(store.open(&open("old")).await);
    rotated(store, &[("old", "old2", 0)]).await;
    let last = at(refresh_at("old", "x", 59, 100), after(60) - MICROSECOND);
    assert_eq!(answered(store, &last).await.jti, "old2");
    let outcome = done(store.refresh(&refresh_at("old", "x", 60, 100)).await);
    assert_eq!(outcome, RefreshOutcome::Reused, "it has expired");
}

pub(super) async fn the_session_is_looked_at_before_a_pair_is_repeated(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    rotated(store, &[("a", "b", 0), ("b", "c", 5)]).await;
    for spent in ["a", "b"] {
        let mut changed = refresh_at(spent, "x", 6, 10);
        changed.session.password = Some("another".into());
        assert_eq!(done(store.refresh(&changed).await), RefreshOutcome::PasswordChanged);
        assert!(!has_ended(store, "a").await, "that is the caller's");
        changed.session.password = None;
        assert_eq!(answered(store, &changed).await.jti, "c");
    }
    let limited = |idle, lifetime| SessionRefresh {
        idle: Some(Duration::from_secs(idle)),
        lifetime: Some(Duration::from_secs(lifetime)),
        ..refresh_at("a", "x", 7, 10)
    };
    assert_eq!(answered(store, &limited(3, 8)).await.jti, "c");
    assert_eq!(done(store.refresh(&limited(2, 8)).await), RefreshOutcome::Expired, "it was idle");
    assert!(has_ended(store, "a").await && good(store.is_blacklisted("c").await));

    let _ = done(store.open(&open("p")).await);
    rotated(store, &[("p", "q", 5)]).await;
    let over =
        SessionRefresh { lifetime: Some(Duration::from_secs(7)), ..refresh_at("p", "x", 7, 10) };
    assert_eq!(done(store.refresh(&over).await), RefreshOutcome::Expired, "it has lasted too long");
    assert!(has_ended(store, "p").await);
}

pub(super) async fn a_clock_that_is_ahead_lengthens_what_there_is(store: &impl SessionStore) {
    for (id, grace, tolerance) in [("a", 0, 0), ("p", 0, 10), ("s", 10, 0)] {
        let next = format!("{id}2");
        let _ = done(store.open(&open(id)).await);
        rotated(store, &[(id, &next, 30)]).await;
        let again = tolerant(refresh_at(id, "x", 0, grace), tolerance);
        let outcome = done(store.refresh(&again).await);
        match (grace, tolerance) {
            (0, 0) => assert_eq!(outcome, RefreshOutcome::Reused),
            (0, _) => assert_eq!(outcome, RefreshOutcome::Replayed),
            _ => assert!(matches!(outcome, RefreshOutcome::Repeated(_)), "{outcome:?}"),
        }
    }
}

pub(super) async fn a_descent_is_followed_so_far(store: &impl SessionStore) {
    let _ = done(store.open(&open("0")).await);
    for number in 0..101 {
        let (spent, next) = (number.to_string(), (number + 1).to_string());
        rotated(store, &[(&spent, &next, 0)]).await;
    }
    assert_eq!(answered(store, &refresh_at("1", "x", 1, 10)).await.jti, "101");
    let far = refresh_at("0", "x", 1, 10);
    assert_eq!(done(store.refresh(&far).await), RefreshOutcome::Replayed);
    assert!(!has_ended(store, "0").await);
}

pub(super) async fn another_users_session_is_left_alone(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    let mut theirs = refresh("t", "x");
    theirs.token = token_of("2", "t");
    theirs.session.id = "a".into();
    theirs.session.user_id = "2".into();
    for next in [theirs.next.clone(), NextToken::None, NextToken::Added(token("x"))] {
        let theirs = SessionRefresh { next, ..theirs.clone() };
        assert_eq!(done(store.refresh(&theirs).await), RefreshOutcome::Foreign);
    }
    assert!(!has_ended(store, "a").await);
    assert_eq!(good(store.session_of("t", None).await), None);
    assert_eq!(good(store.session_of("x", None).await), None);
    let access = AccessClaims {
        session: Some("a".into()),
        jti: None,
        user_id: Some("1".into()),
        issued_at: Some(after(0)),
    };
    assert!(!good(store.is_revoked(&access, after(0)).await));
    let access = AccessClaims { user_id: Some("2".into()), ..access };
    assert!(good(store.is_revoked(&access, after(0)).await), "it has no such session");
    assert_eq!(forget_all(store).await, registered(store, 1), "it was registered");
    let which = SessionSelector::One { id: "a".into(), user_id: None };
    let end = EndSessions {
        which,
        reason: EndReason::Logout,
        event: EndEvent::SessionsEnded,
        cause: cause(after(0)),
        retain_until: retain_until(),
    };
    assert_eq!(done(store.end_sessions(&end).await), 1);
    assert_eq!(done(store.refresh(&theirs).await), RefreshOutcome::Foreign, "it has ended, too");
}

pub(super) async fn a_row_that_is_gone_is_made_anew(store: &impl SessionStore) {
    if store.rows() == Rows::Sessions {
        return;
    }
    let nexts = |next: &str| {
        let rotated = refresh("a", next).next;
        [("rotated", rotated), ("added", NextToken::Added(token(next))), ("kept", NextToken::None)]
    };
    for (number, _) in nexts("").iter().enumerate() {
        let (id, next) = (format!("a{number}"), format!("next{number}"));
        let _ = done(store.open(&open(&id)).await);
        assert_eq!(forget_all(store).await, 1);
        let [rotated, added, kept] = nexts(&next);
        let (name, next_token) = [rotated, added, kept].into_iter().nth(number).expect("three");
        let asked = SessionRefresh { next: next_token, ..refresh_at(&id, &next, 5, 0) };
        assert_eq!(done(store.refresh(&asked).await), RefreshOutcome::Refreshed, "{name}");
        assert!(!has_ended(store, &id).await, "{name}");
        assert_eq!(good(store.is_blacklisted(&id).await), name == "rotated", "{name}");
        assert_eq!(forget_all(store).await, if name == "kept" { 1 } else { 2 }, "{name}");
    }
}

/// Whatever Django's tables say: a token with a successor is spent.
pub(super) async fn a_spent_token_stays_so_without_its_row(store: &impl SessionStore) {
    let _ = done(store.open(&open("a")).await);
    rotated(store, &[("a", "b", 0)]).await;
    assert_eq!(forget_all(store).await, registered(store, 2));
    assert_eq!(
        good(store.session_of("a", None).await).and_then(|head| head.spent_at),
        Some(after(0))
    );
    assert_eq!(good(store.session_of("b", None).await).and_then(|head| head.spent_at), None);
    for next in [refresh("a", "x").next, NextToken::None, NextToken::Added(token("x"))] {
        let again = SessionRefresh { next, ..tolerant(refresh_at("a", "x", 5, 0), 10) };
        assert_eq!(done(store.refresh(&again).await), RefreshOutcome::Replayed);
    }
    assert_eq!(answered(store, &refresh_at("a", "x", 5, 10)).await.jti, "b");
    // Registered again by somebody, and so not blacklisted.
    done(store.record(&token("a"), &act(after(0))).await);
    let again = tolerant(refresh_at("a", "x", 5, 0), 10);
    assert_eq!(done(store.refresh(&again).await), RefreshOutcome::Replayed);
    rotated(store, &[("b", "c", 6)]).await;
    assert_eq!(done(store.refresh(&refresh_at("a", "x", 20, 0)).await), RefreshOutcome::Reused);
    assert!(has_ended(store, "a").await);
    assert_eq!(done(store.refresh(&refresh_at("c", "x", 20, 0)).await), RefreshOutcome::Ended);
}

/// Accepted after its expiry, thanks to a leeway: a flush may have deleted its revocation.
pub(super) async fn what_nobody_remembers_is_refused(store: &impl SessionStore) {
    for id in ["a", "b"] {
        let _ = done(store.open(&open(id)).await);
    }
    let mut stays = token("b");
    stays.expires_at = after(600);
    assert_eq!(forget_all(store).await, registered(store, 2));
    done(store.record(&stays, &act(after(0))).await);
    for next in [refresh("a", "x").next, NextToken::None, NextToken::Added(token("x"))] {
        let late = |jti| SessionRefresh { next: next.clone(), ..refresh_at(jti, "x", 60, 0) };
        // A session's row is what remembers its token.
        let forgotten = if store.rows() == Rows::Tokens { "a" } else { "never seen" };
        for jti in [forgotten, "never seen"] {
            let outcome = done(store.refresh(&late(jti)).await);
            assert_eq!(outcome, RefreshOutcome::Forgotten, "{jti}");
        }
    }
    assert!(!has_ended(store, "a").await);
    assert_eq!(good(store.session_of("never seen", None).await), None);
    assert_eq!(good(store.session("never seen").await), None);
    let registered = refresh_at("b", "b2", 60, 0);
    assert_eq!(
        done(store.refresh(&registered).await),
        RefreshOutcome::Refreshed,
        "it is registered"
    );
}
