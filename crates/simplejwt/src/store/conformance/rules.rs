//! Rules without concurrency.

use std::time::Duration;

use super::{NOW, act, after, cause, deleted, done, encoded, flush, good, token, token_of};
use crate::clock::Timestamp;
use crate::settings::Settings;
use crate::store::retention::{MARGIN, Retention};
use crate::store::{Blacklisting, FlushExpired, OutstandingToken, Rotation, TokenStore};

pub(super) async fn record_leaves_what_is_there(store: &impl TokenStore) {
    let first = token("a");
    done(store.record(&first, &act(NOW)).await);
    done(store.record(&first, &act(NOW)).await);
    // Another token under the same id: its expiry must not replace that of the first.
    done(store.record(&OutstandingToken { expires_at: after(-60), ..token("a") }, &act(NOW)).await);
    let flushed = deleted(store, NOW, 10).await;
    assert_eq!(flushed, 0, "record replaced a registered token");
    let flushed = deleted(store, after(60), 10).await;
    assert_eq!(flushed, 1, "record registered a token more than once, or not at all");

    let spent = token("b");
    assert_eq!(done(store.blacklist(&spent, &act(NOW)).await), Blacklisting::Blacklisted);
    done(store.record(&spent, &act(NOW)).await);
    assert!(good(store.is_blacklisted("b").await), "record took a token off the blacklist");
}

pub(super) async fn blacklist_says_whether_it_was_first(store: &impl TokenStore) {
    let token = token("a");
    done(store.record(&token, &act(NOW)).await);
    assert!(!good(store.is_blacklisted("a").await), "a registered token counts as blacklisted");
    assert_eq!(done(store.blacklist(&token, &act(NOW)).await), Blacklisting::Blacklisted);
    assert!(good(store.is_blacklisted("a").await), "a blacklisted token isn't");
    assert_eq!(done(store.blacklist(&token, &act(NOW)).await), Blacklisting::AlreadyBlacklisted);
    assert!(!good(store.is_blacklisted("b").await), "a token that nobody has seen is blacklisted");
}

pub(super) async fn an_unregistered_token_is_registered_when_blacklisted(store: &impl TokenStore) {
    assert_eq!(done(store.blacklist(&token("a"), &act(NOW)).await), Blacklisting::Blacklisted);
    let rotation = done(store.rotate(&token("b"), &token("c"), &cause(NOW)).await);
    assert_eq!(rotation, Rotation::Rotated, "an unregistered token can't be rotated");
    assert!(good(store.is_blacklisted("a").await), "blacklist lost an unregistered token");
    assert!(good(store.is_blacklisted("b").await), "rotate lost an unregistered token");
    let flushed = deleted(store, after(60), 10).await;
    assert_eq!(flushed, 3, "a spent token or its successor wasn't registered");
}

pub(super) async fn rotate_spends_once(store: &impl TokenStore) {
    let (first, second, third) = (token("a"), token("b"), token("c"));
    done(store.record(&first, &act(NOW)).await);
    assert_eq!(done(store.rotate(&first, &second, &cause(NOW)).await), Rotation::Rotated);
    assert!(good(store.is_blacklisted("a").await), "a spent token isn't blacklisted");
    assert!(!good(store.is_blacklisted("b").await), "the successor is blacklisted");
    assert_eq!(done(store.rotate(&second, &third, &cause(NOW)).await), Rotation::Rotated);
    assert_eq!(done(store.rotate(&first, &token("d"), &cause(NOW)).await), Rotation::Replayed);
    assert_eq!(done(store.blacklist(&first, &act(NOW)).await), Blacklisting::AlreadyBlacklisted);
    assert_eq!(done(store.blacklist(&third, &act(NOW)).await), Blacklisting::Blacklisted);
    let rotation = done(store.rotate(&third, &token("e"), &cause(NOW)).await);
    assert_eq!(rotation, Rotation::Replayed, "a blacklisted token was rotated");
}

pub(super) async fn a_replay_changes_nothing(store: &impl TokenStore) {
    let spent = token("a");
    assert_eq!(done(store.blacklist(&spent, &act(NOW)).await), Blacklisting::Blacklisted);
    assert_eq!(done(store.rotate(&spent, &token("b"), &cause(NOW)).await), Rotation::Replayed);
    assert!(!good(store.is_blacklisted("b").await));
    let flushed = deleted(store, after(60), 10).await;
    assert_eq!(flushed, 1, "a replay registered a successor");
}

pub(super) async fn ids_are_compared_exactly(store: &impl TokenStore) {
    let long = "x".repeat(255);
    let blacklisted = ["A", "ключ-🔑", "o'; DROP TABLE x; --", "%", "\u{e9}", " s", &long];
    for jti in blacklisted {
        assert_eq!(done(store.blacklist(&token(jti), &act(NOW)).await), Blacklisting::Blacklisted);
    }
    for jti in blacklisted {
        assert!(good(store.is_blacklisted(jti).await), "{jti:?} isn't blacklisted");
    }
    let shorter = &long[..254];
    let others = ["a", "КЛЮЧ-🔑", "ключ-", "_", "e\u{301}", "s", " s ", "", shorter];
    for (number, jti) in others.into_iter().enumerate() {
        assert!(!good(store.is_blacklisted(jti).await), "{jti:?} is taken for another id");
        let next = token(&format!("next {number}"));
        let rotation = done(store.rotate(&token(jti), &next, &cause(NOW)).await);
        assert_eq!(rotation, Rotation::Rotated, "{jti:?} is taken for another id");
    }
}

pub(super) async fn unknown_users_are_no_obstacle(store: &impl TokenStore) {
    let users = [Some("999999"), Some("nobody"), Some(""), Some("99999999999999999999"), None];
    for (number, user) in users.into_iter().enumerate() {
        let of_user =
            |jti: String| OutstandingToken { user_id: user.map(Into::into), ..token(&jti) };
        let (spent, next) = (of_user(format!("spent {number}")), of_user(format!("next {number}")));
        done(store.record(&spent, &act(NOW)).await);
        assert_eq!(
            done(store.rotate(&spent, &next, &cause(NOW)).await),
            Rotation::Rotated,
            "{user:?}"
        );
        assert!(good(store.is_blacklisted(&spent.jti).await), "{user:?}");
    }
    done(store.record(&token_of("1", "known"), &act(NOW)).await);
    good(store.blacklist_all(&"999999".into(), NOW).await);
    good(store.blacklist_all(&"nobody".into(), NOW).await);
    assert!(!good(store.is_blacklisted("known").await), "blacklist_all took another user's token");
    let of_nobody = good(store.blacklist_all(&"1".into(), NOW).await);
    assert_eq!(of_nobody, 1, "a token of an unknown user counts as another user's");
}

pub(super) async fn blacklist_all_takes_the_users_tokens(store: &impl TokenStore) {
    for jti in ["a", "b", "c"] {
        done(store.record(&token_of("1", jti), &act(NOW)).await);
    }
    // It may still be valid: it was renewed, or there is leeway.
    let past = OutstandingToken { expires_at: after(-60), ..token("past") };
    done(store.record(&past, &act(NOW)).await);
    done(store.record(&token_of("2", "other"), &act(NOW)).await);
    assert_eq!(done(store.blacklist(&token("c"), &act(NOW)).await), Blacklisting::Blacklisted);

    assert_eq!(good(store.blacklist_all(&"1".into(), NOW).await), 3, "a, b and past");
    for (jti, expected) in [("a", true), ("b", true), ("c", true), ("past", true), ("other", false)]
    {
        assert_eq!(good(store.is_blacklisted(jti).await), expected, "{jti}");
    }
    assert_eq!(good(store.blacklist_all(&"1".into(), NOW).await), 0, "a second time");
    assert_eq!(done(store.rotate(&token("a"), &token("d"), &cause(NOW)).await), Rotation::Replayed);
}

pub(super) async fn flush_takes_what_has_expired(store: &impl TokenStore) {
    let expiring = |jti: &str, micros: i64| OutstandingToken {
        expires_at: Timestamp::from_micros(NOW.as_micros() + micros),
        ..token(jti)
    };
    // Whole seconds too, which some databases write differently than fractions.
    let whole = Timestamp::from_secs(NOW.as_secs());
    let second = OutstandingToken { expires_at: whole, ..token("second") };
    let cases = [expiring("before", -1), expiring("at", 0), expiring("after", 1)];
    for token in cases.iter().chain([&second]) {
        assert_eq!(done(store.blacklist(token, &act(NOW)).await), Blacklisting::Blacklisted);
    }
    let just_before = Timestamp::from_micros(whole.as_micros() - 1);
    assert_eq!(deleted(store, just_before, 10).await, 0, "too early");
    assert_eq!(deleted(store, whole, 10).await, 1, "the one at the whole second");
    assert_eq!(deleted(store, NOW, 10).await, 2, "before and at");
    assert!(!good(store.is_blacklisted("at").await), "a flushed token is still blacklisted");
    assert!(good(store.is_blacklisted("after").await), "flush took a token that hasn't expired");
    assert_eq!(deleted(store, NOW, 10).await, 0, "a second time");

    done(store.record(&expiring("never blacklisted", -1), &act(NOW)).await);
    assert_eq!(deleted(store, NOW, 10).await, 1, "one that isn't blacklisted");
    let again = done(store.blacklist(&expiring("at", 0), &act(NOW)).await);
    assert_eq!(again, Blacklisting::Blacklisted, "flush left a blacklist entry behind");
}

pub(super) async fn flush_keeps_to_its_batch(store: &impl TokenStore) {
    for number in 0..5 {
        let token = OutstandingToken { expires_at: after(-1), ..token(&number.to_string()) };
        assert_eq!(done(store.blacklist(&token, &act(NOW)).await), Blacklisting::Blacklisted);
    }
    assert_eq!(deleted(store, NOW, 0).await, 0);
    for (flushed, left) in [(2, 3), (2, 1), (1, 0), (0, 0)] {
        assert_eq!(deleted(store, NOW, 2).await, flushed);
        let mut blacklisted = 0;
        for number in 0..5 {
            blacklisted += u32::from(good(store.is_blacklisted(&number.to_string()).await));
        }
        assert_eq!(blacklisted, left, "flush took other blacklist entries than tokens");
    }
}

/// Runs all steps of the purge. Returns the number of tokens that it deletes.
async fn flush_all(store: &impl TokenStore, first: FlushExpired) -> u64 {
    let mut flush = first;
    let mut deleted = 0;
    for _ in 0..100 {
        let flushed = good(store.flush_expired(&flush).await);
        assert!(flushed.referenced.is_empty(), "nothing refers to tokens");
        deleted += flushed.deleted;
        if flushed.next.is_none() {
            return deleted;
        }
        flush.after = flushed.next;
    }
    super::broken("the purge comes to no end")
}

pub(super) async fn flush_goes_by_what_tokens_say(store: &impl TokenStore) {
    const HOUR: i64 = 3600;
    let exp = NOW.as_secs();
    // The hours between the column and the token's `exp`: Django without USE_TZ in zones east and
    // west of UTC.
    for hours in [-14, -8, 0, 5, 12] {
        let at = Timestamp::from_secs(exp + hours * HOUR);
        let payload = format!(r#"{{"exp": {exp}.0, "iat": {}}}"#, exp - 60);
        let shifted = OutstandingToken {
            token: encoded(&payload),
            expires_at: at,
            ..token(&format!("shifted by {hours}"))
        };
        assert_eq!(done(store.blacklist(&shifted, &act(NOW)).await), Blacklisting::Blacklisted);
    }
    // For one that can't be read, only the column counts.
    let unreadable = OutstandingToken { expires_at: after(-HOUR), ..token("unreadable") };
    assert_eq!(done(store.blacklist(&unreadable, &act(NOW)).await), Blacklisting::Blacklisted);
    let leeway = Duration::from_secs(600);
    let retention = Retention::of(&Settings { leeway, ..Settings::default() });
    for (seconds, gone) in [
        (0, 0),
        (86_400 + 600 - HOUR, 0),
        // An hour less than the day and the leeway: the one that can't be read.
        (86_400 + 600 - HOUR + 1, 1),
        (86_400 + 600 - 1, 0),
        // A later column puts the deletion off; an earlier one doesn't advance it.
        (86_400 + 600, 3),
        (86_400 + 600 + 5 * HOUR - 1, 0),
        (86_400 + 600 + 5 * HOUR, 1),
        (86_400 + 600 + 12 * HOUR, 1),
    ] {
        let at = Timestamp::from_secs(exp + seconds);
        let flush = FlushExpired::new(retention.clone(), at, 100);
        assert_eq!(flush_all(store, flush).await, gone, "{seconds} s after exp");
    }
}

pub(super) async fn flush_keeps_what_slides(store: &impl TokenStore) {
    let exp = NOW.as_secs();
    let payload = |lifetime: i64| {
        let (iat, refresh_exp) = (exp - lifetime, exp + 5000);
        format!(r#"{{"exp": {exp}, "iat": {iat}, "jti": "x", "refresh_exp": {refresh_exp}}}"#)
    };
    // The longer lifetime counts: the settings' 300 seconds, or the token's own.
    for (jti, lifetime) in [("short", 10), ("long", 1000)] {
        let sliding = OutstandingToken {
            token: encoded(&payload(lifetime)),
            expires_at: Timestamp::from_secs(exp),
            ..token(jti)
        };
        assert_eq!(done(store.blacklist(&sliding, &act(NOW)).await), Blacklisting::Blacklisted);
    }
    let leeway = Duration::from_secs(10);
    let retention = Retention::of(&Settings { leeway, ..Settings::default() });
    let at = |seconds: i64, gone: u64| {
        let at = Timestamp::from_secs(exp + seconds) + leeway + MARGIN;
        let flush = FlushExpired::new(retention.clone(), at, 1);
        async move { assert_eq!(flush_all(store, flush).await, gone, "{seconds} s after exp") }
    };
    at(0, 0).await;
    at(5000 + 10 + 299, 0).await;
    at(5000 + 10 + 300, 1).await;
    assert!(good(store.is_blacklisted("long").await));
    at(5000 + 10 + 999, 0).await;
    at(5000 + 10 + 1000, 1).await;
    assert!(!good(store.is_blacklisted("long").await));
}

/// Each step looks at rows that the one before hasn't.
pub(super) async fn flush_goes_on_past_what_stays(store: &impl TokenStore) {
    for number in 0..7 {
        let late = encoded(&format!(r#"{{"exp": {}}}"#, NOW.as_secs() + 1_000_000));
        let stays =
            OutstandingToken { token: late, expires_at: NOW, ..token(&format!("{number}")) };
        done(store.record(&stays, &act(NOW)).await);
    }
    for number in 0..3 {
        let goes = OutstandingToken { expires_at: after(1), ..token(&format!("goes {number}")) };
        done(store.record(&goes, &act(NOW)).await);
    }
    assert_eq!(flush_all(store, flush(after(1), 2)).await, 3);
    // They were put off: there is nothing left to look at.
    let again = good(store.flush_expired(&flush(after(1), 1)).await);
    assert_eq!((again.deleted, again.next), (0, None), "what stays is come upon again");
    assert_eq!(flush_all(store, flush(after(1_000_001), 2)).await, 7);
}

pub(super) async fn the_newest_tokens_are_told(store: &impl TokenStore) {
    assert!(good(store.newest(3).await).is_empty());
    for number in 0..5 {
        let token = OutstandingToken { created_at: after(number), ..token(&number.to_string()) };
        done(store.record(&token, &act(NOW)).await);
    }
    let found = good(store.newest(3).await);
    let ids: Vec<_> = found.iter().map(|token| token.jti.as_str()).collect();
    assert_eq!(ids, ["4", "3", "2"]);
    let newest = found.first().map(|token| (&*token.token, token.created_at, token.expires_at));
    assert_eq!(newest, Some(("header.4.signature", after(4), after(60))));
}

pub(super) async fn it_answers(store: &impl TokenStore) {
    good(store.ping().await);
    assert_eq!(deleted(store, NOW, u32::MAX).await, 0);
    let far = OutstandingToken { expires_at: Timestamp::from_secs(i64::MAX), ..token("far") };
    done(store.record(&far, &act(NOW)).await);
    assert_eq!(deleted(store, NOW, 10).await, 0, "a token of the far future expired");
    assert_eq!(good(store.blacklist_all(&"1".into(), NOW).await), 1);
}
