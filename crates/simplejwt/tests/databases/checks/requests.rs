//! The statements of every kind of request, for a role with just the rights that they need.

use std::time::Duration;

use simplejwt::event::{Act, Cause};
use simplejwt::sql::manage::ManageUsers;
use simplejwt::store::retention::Retention;
use simplejwt::store::session::{
    AccessClaims, Client, EndEvent, EndReason, EndSessions, NewSession, NextToken, OpenOutcome,
    OpenSession, RefreshOutcome, RetainUntil, Revocation, RevocationSubject, SessionLimit,
    SessionRefresh, SessionSelector,
};
use simplejwt::store::{FlushExpired, OutstandingToken, Rotation};
use simplejwt::{SessionStore, Settings, Timestamp};

use crate::support::NOW;

fn token(jti: &str) -> OutstandingToken {
    OutstandingToken {
        user_id: Some("1".into()),
        created_at: NOW,
        expires_at: Timestamp::from_secs(NOW.as_secs() + 3600),
        ..expired(jti)
    }
}

/// Does what logins, refreshes, logouts and the purge do.
pub(super) async fn everything(store: &impl SessionStore, users: &impl ManageUsers) {
    let session = |id: &str| NewSession {
        id: id.into(),
        user_id: "1".into(),
        password: Some("print".into()),
    };
    let cause = |at| {
        let client = Client::new(Some("203.0.113.7"), Some("a browser"));
        Cause { client, ..Cause::at(at) }
    };
    let retain_until = RetainUntil { refresh: NOW, access: NOW };
    let open = |id: &str, limit| OpenSession {
        session: session(id),
        token: token(id),
        expires_at: token(id).expires_at,
        limit,
        cause: cause(NOW),
        retain_until,
    };
    let refresh = |id: &str, next, at| SessionRefresh {
        token: token(id),
        next,
        session: session(id),
        grace: Duration::ZERO,
        tolerance: Duration::ZERO,
        idle: None,
        lifetime: None,
        cause: cause(at),
        retain_until,
    };
    let rotated = |jti: &str| NextToken::Rotated { token: token(jti), access_jti: "x".into() };
    let later = NOW + Duration::from_secs(120);

    store.ping().await.unwrap();
    store.ping_sessions(NOW).await.unwrap();
    users.ping(true).await.unwrap();
    users.update_last_login(&"1".into(), NOW).await.unwrap();
    users.set_password("one", "!", &Cause::at(NOW)).await.unwrap();
    for limit in [None, Some(SessionLimit::EvictOldest(1))] {
        let id = if limit.is_none() { "a" } else { "b" };
        let evicted = u64::from(limit.is_some());
        assert_eq!(
            store.open(&open(id, limit)).await.unwrap().outcome,
            OpenOutcome::Opened { evicted }
        );
    }
    for (jti, next, at, expected) in [
        ("b", rotated("b2"), NOW, RefreshOutcome::Refreshed),
        ("b2", NextToken::None, later, RefreshOutcome::Refreshed),
        ("b2", NextToken::Added(token("b3")), later, RefreshOutcome::Refreshed),
        // From before there were sessions.
        ("c", rotated("c2"), NOW, RefreshOutcome::Refreshed),
        ("c", rotated("c3"), later, RefreshOutcome::Reused),
    ] {
        assert_eq!(
            store.refresh(&refresh(jti, next, at)).await.unwrap().outcome,
            expected,
            "{jti}"
        );
    }
    store.password_rehashed(&"1".into(), "print", "other").await.unwrap();
    assert!(store.session("b").await.unwrap().is_some());
    assert!(store.session_of("b", None).await.unwrap().is_some());
    assert!(store.is_spent("b", None).await.unwrap());
    assert_eq!(store.sessions(&"1".into(), NOW).await.unwrap().len(), 1);
    let which = SessionSelector::All { user_id: "1".into(), except: None };
    let ending = EndSessions {
        which,
        reason: EndReason::Logout,
        event: EndEvent::SessionsEnded,
        cause: cause(NOW),
        retain_until,
    };
    assert_eq!(store.end_sessions(&ending).await.unwrap().outcome, 1);
    let revocation = Revocation {
        subject: RevocationSubject::Token("x".into()),
        revoked_at: NOW,
        expires_at: later,
    };
    store.revoke(&revocation, &Act::at(NOW)).await.unwrap();
    assert!(!store.revocations(0, 10, NOW).await.unwrap().entries.is_empty());
    let access = AccessClaims {
        jti: Some("x".into()),
        session: None,
        user_id: Some("1".into()),
        issued_at: Some(NOW),
    };
    assert!(store.is_revoked(&access, NOW).await.unwrap());
    assert!(store.lease("purge", "me", NOW, later).await.unwrap());

    store.record(&token("d"), &Act::at(NOW)).await.unwrap();
    assert_eq!(
        store.rotate(&token("d"), &token("e"), &Cause::at(NOW)).await.unwrap().outcome,
        Rotation::Rotated
    );
    assert_eq!(
        store.rotate(&token("f"), &token("g"), &Cause::at(NOW)).await.unwrap().outcome,
        Rotation::Rotated
    );
    assert_eq!(store.blacklist_all(&"1".into(), NOW).await.unwrap(), 2);
    assert!(store.is_blacklisted("e").await.unwrap());
    assert!(!store.newest(5).await.unwrap().is_empty());
    store.record(&expired("old"), &Act::at(NOW)).await.unwrap();
    let retention = Retention::of(&Settings::default());
    let flushed = store.flush_expired(&FlushExpired::new(retention, NOW, 100)).await.unwrap();
    assert_eq!(flushed.deleted, 1);
    let end = Timestamp::from_secs(NOW.as_secs() + 100_000);
    while store.flush_sessions(end, 100).await.unwrap() > 0 {}
}

/// A token that expired long ago.
pub(super) fn expired(jti: &str) -> OutstandingToken {
    OutstandingToken {
        jti: jti.to_owned(),
        token: format!("header.{jti}.signature"),
        user_id: None,
        created_at: Timestamp::from_secs(1_000),
        expires_at: Timestamp::from_secs(2_000),
    }
}
