//! Rules for concurrent calls on sessions.

use std::sync::Arc;
use std::time::Duration;

use super::{
    NOW, Task, act, after, cause, deleted, done, good, open, refresh, refresh_at, retain_until,
    together, token,
};
use crate::settings::Rows;
use crate::store::leases::Leases;
use crate::store::session::{
    EndEvent, EndReason, EndSessions, OpenOutcome, OpenSession, RefreshOutcome, Revocation,
    RevocationSubject, SessionLimit, SessionSelector, SessionStore,
};

const ROUNDS: usize = 20;
const TASKS: usize = 16;

async fn registered(store: &impl SessionStore) -> u64 {
    deleted(store, after(60), u32::MAX / 2).await
}

async fn assert_registered(store: &impl SessionStore, tokens: u64, why: &str) {
    assert_eq!(registered(store).await, super::registered(store, tokens), "{why}");
}

/// Without grace and tolerance, all but one find a spent token: the session is over, and there is
/// one successor.
pub(super) async fn one_refresh_wins<S: SessionStore>(store: Arc<S>, spawn: &impl Fn(Task)) {
    for round in 0..ROUNDS {
        let spent = format!("spent {round}");
        let _ = done(store.open(&open(&spent)).await);
        let outcomes = together(
            spawn,
            (0..TASKS).map(|task| {
                let (store, spent) = (Arc::clone(&store), spent.clone());
                async move {
                    done(store.refresh(&refresh(&spent, &format!("next {round} {task}"))).await)
                }
            }),
        )
        .await;
        let count = |wanted: RefreshOutcome| outcomes.iter().filter(|o| **o == wanted).count();
        assert_eq!(count(RefreshOutcome::Refreshed), 1, "so many refreshes won: {outcomes:?}");
        assert_eq!(count(RefreshOutcome::Reused), 1, "so many noticed the reuse: {outcomes:?}");
        assert_eq!(count(RefreshOutcome::Ended), TASKS - 2, "{outcomes:?}");
        assert_eq!(good(store.sessions(&"1".into(), NOW).await), []);
    }
    assert_registered(&*store, 2 * ROUNDS as u64, "a refresh that lost left a row").await;
}

/// Within the tolerance, the losers are refused and the winner continues.
pub(super) async fn those_that_lose_end_nothing<S: SessionStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    for round in 0..ROUNDS {
        let spent = format!("spent {round}");
        let _ = done(store.open(&open(&spent)).await);
        let outcomes = together(
            spawn,
            (0..TASKS).map(|task| {
                let (store, spent) = (Arc::clone(&store), spent.clone());
                async move {
                    let next = format!("next {round} {task}");
                    let mut refresh = refresh(&spent, &next);
                    refresh.tolerance = Duration::from_secs(10);
                    (done(store.refresh(&refresh).await), next)
                }
            }),
        )
        .await;
        let count = |wanted: RefreshOutcome| outcomes.iter().filter(|(o, _)| *o == wanted).count();
        assert_eq!(count(RefreshOutcome::Refreshed), 1, "so many refreshes won: {outcomes:?}");
        assert_eq!(count(RefreshOutcome::Replayed), TASKS - 1, "{outcomes:?}");
        let won = outcomes.iter().find(|(outcome, _)| *outcome == RefreshOutcome::Refreshed);
        let (_, won) = won.expect("one has won");
        let later = refresh(won, &format!("later {round}"));
        assert_eq!(done(store.refresh(&later).await), RefreshOutcome::Refreshed, "the winner's");
    }
    assert_registered(&*store, 3 * ROUNDS as u64, "a refresh that lost left a row").await;
}

/// Tabs that are behind, and one that goes on: within the grace, none is refused.
pub(super) async fn ancestors_beside_the_newest<S: SessionStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    for round in 0..ROUNDS {
        let (first, second) = (format!("first {round}"), format!("second {round}"));
        let _ = done(store.open(&open(&first)).await);
        let _ = done(store.refresh(&refresh_at(&first, &second, 0, 10)).await);
        let outcomes = together(
            spawn,
            (0..TASKS).map(|task| {
                let spent = if task % 2 == 0 { first.clone() } else { second.clone() };
                let store = Arc::clone(&store);
                async move {
                    let next = format!("third {round} {task}");
                    (done(store.refresh(&refresh_at(&spent, &next, 0, 10)).await), next)
                }
            }),
        )
        .await;
        let won: Vec<_> =
            outcomes.iter().filter(|(outcome, _)| *outcome == RefreshOutcome::Refreshed).collect();
        assert_eq!(won.len(), 1, "so many refreshes won: {outcomes:?}");
        for (outcome, next) in &outcomes {
            match outcome {
                RefreshOutcome::Refreshed => {}
                RefreshOutcome::Repeated(successor) => {
                    let newest = won.iter().any(|(_, won)| *won == successor.jti);
                    // Some of those that presented the first came before the third existed.
                    assert!(newest || successor.jti == second, "{next}: {successor:?}");
                }
                other => super::broken(&format!("within the grace: {other:?}")),
            }
        }
    }
}

/// The registered row was deleted: the first call makes it again, and one wins.
pub(super) async fn a_row_that_is_gone_is_made_once<S: SessionStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    for round in 0..ROUNDS {
        let spent = format!("spent {round}");
        let _ = done(store.open(&open(&spent)).await);
        let _ = registered(&*store).await;
        let outcomes = together(
            spawn,
            (0..TASKS).map(|task| {
                let (store, spent) = (Arc::clone(&store), spent.clone());
                async move {
                    let mut refresh = refresh(&spent, &format!("next {round} {task}"));
                    refresh.tolerance = Duration::from_secs(10);
                    done(store.refresh(&refresh).await)
                }
            }),
        )
        .await;
        let count = |wanted: RefreshOutcome| outcomes.iter().filter(|o| **o == wanted).count();
        assert_eq!(count(RefreshOutcome::Refreshed), 1, "so many refreshes won: {outcomes:?}");
        assert_eq!(count(RefreshOutcome::Replayed), TASKS - 1, "{outcomes:?}");
        assert_registered(&*store, 2, "the token and its successor").await;
    }
}

/// Within the grace, everybody gets the same successor.
pub(super) async fn all_get_the_same_successor<S: SessionStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    for round in 0..ROUNDS {
        let spent = format!("spent {round}");
        let _ = done(store.open(&open(&spent)).await);
        let outcomes = together(
            spawn,
            (0..TASKS).map(|task| {
                let (store, spent) = (Arc::clone(&store), spent.clone());
                async move {
                    let next = format!("next {round} {task}");
                    (done(store.refresh(&refresh_at(&spent, &next, 0, 10)).await), next)
                }
            }),
        )
        .await;
        let won: Vec<_> = outcomes
            .iter()
            .filter(|(outcome, _)| *outcome == RefreshOutcome::Refreshed)
            .map(|(_, next)| next)
            .collect();
        assert_eq!(won.len(), 1, "so many refreshes won: {outcomes:?}");
        for (outcome, _) in &outcomes {
            match outcome {
                RefreshOutcome::Refreshed => {}
                RefreshOutcome::Repeated(successor) => {
                    assert_eq!(Some(&&successor.jti), won.first())
                }
                other => super::broken(&format!("within the grace: {other:?}")),
            }
        }
    }
    assert_registered(&*store, 2 * ROUNDS as u64, "a replay left a row").await;
}

pub(super) async fn an_unknown_token_joins_once<S: SessionStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    for round in 0..ROUNDS {
        let spent = format!("spent {round}");
        if round % 2 == 0 {
            done(store.record(&token(&spent), &act(NOW)).await);
        }
        let outcomes = together(
            spawn,
            (0..TASKS).map(|task| {
                let (store, spent) = (Arc::clone(&store), spent.clone());
                async move {
                    let next = format!("next {round} {task}");
                    done(store.refresh(&refresh_at(&spent, &next, 0, 10)).await)
                }
            }),
        )
        .await;
        let won = outcomes.iter().filter(|o| **o == RefreshOutcome::Refreshed).count();
        assert_eq!(won, 1, "so many refreshes won: {outcomes:?}");
    }
    let sessions = good(store.sessions(&"1".into(), NOW).await);
    assert_eq!(sessions.len(), ROUNDS, "a token joined two sessions, or none");
    if store.rows() == Rows::Tokens {
        assert_registered(&*store, 2 * ROUNDS as u64, "a refresh that lost left a row").await;
    }
}

/// A refresh concurrent with the end of the session comes before or after it: nothing survives.
pub(super) async fn nothing_slips_past_the_end<S: SessionStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    for round in 0..2 * ROUNDS {
        let id = format!("session {round}");
        // Known or not when the race begins.
        if round % 4 != 3 {
            let _ = done(store.open(&open(&id)).await);
        } else {
            done(store.record(&token(&id), &act(NOW)).await);
        }
        let which = if round % 2 == 0 {
            SessionSelector::One { id: id.clone(), user_id: None }
        } else {
            SessionSelector::All { user_id: "1".into(), except: None }
        };
        let end = EndSessions {
            which,
            reason: EndReason::Logout,
            event: EndEvent::SessionsEnded,
            cause: cause(NOW),
            retain_until: retain_until(),
        };
        let refreshed = together(
            spawn,
            (0..4).map(|task| {
                let (store, end, id) = (Arc::clone(&store), end.clone(), id.clone());
                async move {
                    if (task + round) % 4 == 0 {
                        done(store.end_sessions(&end).await);
                        return false;
                    }
                    let next = format!("next {round} {task}");
                    let outcome = done(store.refresh(&refresh_at(&id, &next, 0, 10)).await);
                    outcome == RefreshOutcome::Refreshed
                }
            }),
        )
        .await;
        let won = refreshed.iter().filter(|won| **won).count();
        assert!(won <= 1, "{won} refreshes won");
        // An unknown token may have joined its session after all were ended.
        done(store.end_sessions(&end).await);
        assert!(good(store.is_blacklisted(&id).await), "the token slipped past");
        for task in 0..4 {
            let next = format!("next {round} {task}");
            if good(store.session_of(&next, None).await).is_some() {
                assert!(good(store.is_blacklisted(&next).await), "the successor slipped past");
                let outcome = done(store.refresh(&refresh(&next, "x")).await);
                assert_eq!(outcome, RefreshOutcome::Ended);
            }
        }
        assert_eq!(good(store.sessions(&"1".into(), NOW).await), []);
    }
}

/// A thief presents the spent token while its owner refreshes with the successor.
pub(super) async fn reuse_and_the_next_refresh<S: SessionStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    for round in 0..ROUNDS {
        let (first, second) = (format!("first {round}"), format!("second {round}"));
        let _ = done(store.open(&open(&first)).await);
        let _ = done(store.refresh(&refresh(&first, &second)).await);
        let outcomes = together(
            spawn,
            (0..2).map(|task| {
                let (store, spent) =
                    (Arc::clone(&store), if task == 0 { first.clone() } else { second.clone() });
                async move {
                    done(store.refresh(&refresh(&spent, &format!("third {round} {task}"))).await)
                }
            }),
        )
        .await;
        assert_eq!(outcomes.first(), Some(&RefreshOutcome::Reused));
        assert!(
            matches!(outcomes.get(1), Some(RefreshOutcome::Refreshed | RefreshOutcome::Ended)),
            "{outcomes:?}"
        );
        assert_eq!(good(store.sessions(&"1".into(), NOW).await), [], "the thief or the owner");
        let third = format!("third {round} 1");
        if good(store.session_of(&third, None).await).is_some() {
            assert!(good(store.is_blacklisted(&third).await));
        }
    }
}

pub(super) async fn no_login_too_many<S: SessionStore>(store: Arc<S>, spawn: &impl Fn(Task)) {
    for limit in [SessionLimit::Refuse(3), SessionLimit::EvictOldest(2)] {
        let outcomes = together(
            spawn,
            (0..TASKS).map(|task| {
                let store = Arc::clone(&store);
                let id = format!("{limit:?} {task}");
                let at = after(i64::try_from(task).unwrap_or_default());
                let opening = OpenSession { limit: Some(limit), cause: cause(at), ..open(&id) };
                async move { done(store.open(&opening).await) }
            }),
        )
        .await;
        let opened = outcomes.iter().filter(|o| **o != OpenOutcome::TooMany).count();
        let live = good(store.sessions(&"1".into(), NOW).await).len();
        match limit {
            SessionLimit::Refuse(limit) => {
                assert_eq!((opened, live), (limit as usize, limit as usize))
            }
            SessionLimit::EvictOldest(limit) => assert_eq!((opened, live), (TASKS, limit as usize)),
        }
    }
}

/// A reader that continues from its position sees every revocation, however many are in progress.
pub(super) async fn nobody_misses_a_revocation<S: SessionStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    const EACH: usize = 25;
    let writers = (0..TASKS).map(|task| {
        let store = Arc::clone(&store);
        let work = async move {
            for number in 0..EACH {
                let revocation = Revocation {
                    subject: RevocationSubject::Token(format!("{task} {number}")),
                    revoked_at: NOW,
                    expires_at: after(50),
                };
                done(store.revoke(&revocation, &act(NOW)).await);
            }
            Vec::new()
        };
        Box::pin(work) as std::pin::Pin<Box<dyn Future<Output = Vec<RevocationSubject>> + Send>>
    });
    let reader = {
        let store = Arc::clone(&store);
        let work = async move {
            let (mut seen, mut sequence, mut turns) = (Vec::new(), 0, 0);
            while seen.len() < TASKS * EACH {
                let found = good(store.revocations(sequence, 7, NOW).await);
                assert!(found.sequence >= sequence, "the sequence went back");
                // Nothing new, for far longer than the writers take.
                turns = if found.entries.is_empty() { turns + 1 } else { 0 };
                assert!(turns < 200_000, "only {} of the revocations came", seen.len());
                sequence = found.sequence;
                seen.extend(found.entries.into_iter().map(|entry| entry.subject));
            }
            seen
        };
        Box::pin(work) as std::pin::Pin<Box<dyn Future<Output = Vec<RevocationSubject>> + Send>>
    };
    let outcomes = together(spawn, writers.chain([reader])).await;
    let seen = outcomes.last().cloned().unwrap_or_default();
    let distinct: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (TASKS * EACH, TASKS * EACH), "once each");
}

pub(super) async fn one_holder_wins<S: Leases>(store: Arc<S>, spawn: &impl Fn(Task)) {
    for round in 0..ROUNDS {
        let at = after(i64::try_from(round).unwrap_or_default() * 10);
        let held = together(
            spawn,
            (0..TASKS).map(|task| {
                let store = Arc::clone(&store);
                let holder = format!("{round} {task}");
                async move {
                    let until = at + Duration::from_secs(10);
                    good(store.lease("purge", &holder, at, until).await)
                }
            }),
        )
        .await;
        assert_eq!(held.iter().filter(|has| **has).count(), 1, "so many have the lease");
    }
}
