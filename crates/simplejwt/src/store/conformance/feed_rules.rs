//! Rules for the feed of revocations, and for what a page says about its history.

use super::session_rules::one;
use super::{NOW, act, after, done, good, open};
use crate::clock::Timestamp;
use crate::store::session::{AccessClaims, Mark, Revocation, RevocationSubject, SessionStore};

async fn revoke(store: &impl SessionStore, name: &str, seconds: i64) {
    let subject = RevocationSubject::Session(name.to_owned());
    let revocation = Revocation { subject, revoked_at: NOW, expires_at: after(seconds) };
    done(store.revoke(&revocation, &act(NOW)).await);
}

/// Two databases that were one until the first revocation: a standby took over without the rest.
/// The second is made when the first is no longer used: it may be the same, emptied.
pub(super) async fn another_history_is_noticed<S, Made>(make: &impl Fn() -> Made)
where
    S: SessionStore,
    Made: Future<Output = S>,
{
    let lost = &make().await;
    for name in ["shared", "lost"] {
        revoke(lost, name, 50).await;
    }
    let heard = good(lost.revocations(0, 10, NOW).await);
    assert_eq!(heard.before, None, "nothing stands at 0");
    assert_eq!(heard.last, Some(Mark::new("session", "lost", NOW)));
    // Nothing new: the mark is the same, even if the row has expired.
    for at in [NOW, after(50), after(1000)] {
        let same = good(lost.revocations(heard.sequence, 10, at).await);
        assert_eq!((&same.before, &same.last), (&heard.last, &heard.last));
    }
    let promoted = &make().await;
    revoke(promoted, "shared", 50).await;
    let behind = good(promoted.revocations(heard.sequence, 10, NOW).await);
    assert!(behind.sequence < heard.sequence, "the number says it");
    for name in ["missed", "other"] {
        revoke(promoted, name, 50).await;
    }
    let beyond = good(promoted.revocations(heard.sequence, 10, NOW).await);
    assert!(beyond.sequence > heard.sequence && beyond.complete);
    assert_eq!(beyond.before, Some(Mark::new("session", "missed", NOW)));
    assert_ne!(beyond.before, heard.last);
    // A full page ends with its last entry, not with the newest.
    let page = good(promoted.revocations(0, 2, NOW).await);
    assert!(!page.complete);
    assert_eq!(page.last, Some(Mark::new("session", "missed", NOW)));
    let next = good(promoted.revocations(page.sequence, 2, NOW).await);
    assert_eq!((&next.before, next.entries.len()), (&page.last, 1));
}

pub(super) async fn revocations_come_in_order(store: &impl SessionStore) {
    let empty = good(store.revocations(0, 10, NOW).await);
    assert!(empty.entries.is_empty() && empty.complete);
    let of = |jti: &str, expires_at: Timestamp| Revocation {
        subject: RevocationSubject::Token(jti.to_owned()),
        revoked_at: NOW,
        expires_at,
    };
    for number in 0..5 {
        done(store.revoke(&of(&format!("t{number}"), after(10 + number)), &act(NOW)).await);
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
    // Expired entries are left out, but the sequence goes past them.
    let late = good(store.revocations(0, 10, after(13)).await);
    assert_eq!(late.entries, [of("t4", after(14))]);
    assert_eq!(late.sequence, rest.sequence);
    let none = good(store.revocations(0, 10, after(14)).await);
    assert!(none.entries.is_empty() && none.complete);
    assert_eq!(none.sequence, rest.sequence);
    // Requested from a number that this store hasn't reached yet.
    let ahead = good(store.revocations(rest.sequence + 100, 10, NOW).await);
    assert!(ahead.entries.is_empty());
    assert_eq!(ahead.sequence, rest.sequence, "it doesn't say that it is behind");
}

pub(super) async fn revoked_tokens_are_known(store: &impl SessionStore) {
    for id in ["a", "b"] {
        let _ = done(store.open(&open(id)).await);
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
    assert_eq!(done(store.end_sessions(&one("a")).await), 1);
    assert!(good(store.is_revoked(&of_a, NOW).await));
    assert!(!good(store.is_revoked(&access(Some("b"), "x", "1", 0), NOW).await));

    let token = Revocation {
        subject: RevocationSubject::Token("single".into()),
        revoked_at: NOW,
        expires_at: after(50),
    };
    done(store.revoke(&token, &act(NOW)).await);
    assert!(good(store.is_revoked(&access(Some("b"), "single", "1", 0), NOW).await));
    assert!(good(store.is_revoked(&access(None, "single", "1", 0), NOW).await));
    assert!(!good(store.is_revoked(&access(None, "single", "1", 0), after(50)).await));
    assert!(!good(store.is_revoked(&access(None, "SINGLE", "1", 0), NOW).await));

    let user = Revocation { subject: RevocationSubject::User("1".into()), ..token };
    done(store.revoke(&user, &act(NOW)).await);
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
