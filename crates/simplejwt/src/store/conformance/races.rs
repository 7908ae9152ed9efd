//! Rules for concurrent calls.

use std::sync::Arc;

use super::{NOW, Task, act, after, cause, deleted, done, good, together, token};
use crate::store::{Blacklisting, Rotation, TokenStore};

const ROUNDS: usize = 20;
const TASKS: usize = 16;

pub(super) async fn one_rotation_wins<S: TokenStore>(store: Arc<S>, spawn: &impl Fn(Task)) {
    for round in 0..ROUNDS {
        let spent = token(&format!("spent {round}"));
        // Registered or not: the rule is the same.
        if round % 2 == 0 {
            done(store.record(&spent, &act(NOW)).await);
        }
        let outcomes = together(
            spawn,
            (0..TASKS).map(|task| {
                let (store, spent) = (Arc::clone(&store), spent.clone());
                async move {
                    done(
                        store
                            .rotate(&spent, &token(&format!("next {round} {task}")), &cause(NOW))
                            .await,
                    )
                }
            }),
        )
        .await;
        let won = outcomes.iter().filter(|outcome| **outcome == Rotation::Rotated).count();
        assert_eq!(won, 1, "so many rotations of one token won");
        assert!(good(store.is_blacklisted(&spent.jti).await));
    }
    let registered = deleted(&*store, after(60), u32::MAX).await;
    assert_eq!(registered, 2 * ROUNDS as u64, "a rotation that lost left something behind");
}

pub(super) async fn rotation_and_blacklisting_dont_both_win<S: TokenStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    let mut rotated = 0;
    for round in 0..ROUNDS {
        let spent = token(&format!("spent {round}"));
        let outcomes = together(
            spawn,
            (0..TASKS).map(|task| {
                let (store, spent) = (Arc::clone(&store), spent.clone());
                async move {
                    if (task + round) % 2 == 0 {
                        let next = token(&format!("next {round} {task}"));
                        (
                            done(store.rotate(&spent, &next, &cause(NOW)).await)
                                == Rotation::Rotated,
                            true,
                        )
                    } else {
                        let outcome = done(store.blacklist(&spent, &act(NOW)).await);
                        (outcome == Blacklisting::Blacklisted, false)
                    }
                }
            }),
        )
        .await;
        let won: Vec<_> = outcomes.into_iter().filter(|(won, _)| *won).collect();
        assert_eq!(won.len(), 1, "so many rotations and blacklistings of one token won");
        rotated += won.iter().filter(|(_, rotation)| *rotation).count();
    }
    let registered = deleted(&*store, after(60), u32::MAX).await;
    assert_eq!(registered, (ROUNDS + rotated) as u64, "a call that lost left something behind");
}

pub(super) async fn one_blacklisting_is_the_first<S: TokenStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    for round in 0..ROUNDS {
        let spent = token(&format!("spent {round}"));
        let outcomes = together(
            spawn,
            (0..TASKS).map(|_| {
                let (store, spent) = (Arc::clone(&store), spent.clone());
                async move { done(store.blacklist(&spent, &act(NOW)).await) }
            }),
        )
        .await;
        let first = outcomes.iter().filter(|o| **o == Blacklisting::Blacklisted).count();
        assert_eq!(first, 1, "so many blacklistings of one token were the first");
    }
}

pub(super) async fn tokens_are_registered_once<S: TokenStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    for round in 0..ROUNDS {
        let record = |_| {
            let store = Arc::clone(&store);
            async move { done(store.record(&token(&format!("same {round}")), &act(NOW)).await) }
        };
        together(spawn, (0..TASKS).map(record)).await;
    }
    assert_eq!(deleted(&*store, after(60), u32::MAX).await, ROUNDS as u64);
}

/// A rotation concurrent with `blacklist_all` may come before or after it. Before: the successor is
/// registered when the user's tokens are blacklisted. After: the token is blacklisted and can't be
/// rotated.
pub(super) async fn nothing_slips_past_blacklist_all<S: TokenStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    for round in 0..ROUNDS {
        let spent = token(&format!("spent {round}"));
        let next = token(&format!("next {round}"));
        done(store.record(&spent, &act(NOW)).await);
        together(
            spawn,
            (0..2).map(|task| {
                let (store, spent, next) = (Arc::clone(&store), spent.clone(), next.clone());
                async move {
                    if (task + round) % 2 == 0 {
                        let _ = done(store.rotate(&spent, &next, &cause(NOW)).await);
                    } else {
                        good(store.blacklist_all(&"1".into(), NOW).await);
                    }
                }
            }),
        )
        .await;
        assert!(good(store.is_blacklisted(&spent.jti).await), "a token slipped past");
        let live = good(store.blacklist_all(&"1".into(), NOW).await);
        assert_eq!(live, 0, "the successor of a token slipped past");
        let registered = deleted(&*store, after(60), u32::MAX).await;
        assert!((1..=2).contains(&registered), "{registered} tokens were registered");
    }
}
