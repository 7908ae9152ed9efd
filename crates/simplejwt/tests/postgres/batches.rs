//! Rotations that come at the same time share a transaction of PostgreSQL, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use crate::support::postgres::Database;
use crate::support::traffic::{NOW, refresh, step, token};
use simplejwt::event::{Act, Cause};
use simplejwt::postgres::PostgresStore;
use simplejwt::store::OutstandingToken;
use simplejwt::store::session::{NextToken, RefreshOutcome};
use simplejwt::{SessionStore as _, StoreError, TokenStore as _};

const MANY: usize = 200;

/// How many transactions have written so far.
async fn transactions(raw: &tokio_postgres::Client) -> i64 {
    let sql = "SELECT txid_snapshot_xmax(txid_current_snapshot())";
    raw.query_one(sql, &[]).await.unwrap().get(0)
}

/// The first tokens of so many chains, each known and in its session.
async fn known(store: &PostgresStore) {
    for chain in 0..MANY {
        assert_eq!(
            store.refresh(&step(chain, 0)).await.unwrap().outcome,
            RefreshOutcome::Refreshed
        );
    }
}

/// All of them at once, from their second token to the third; how they ended.
async fn all_at_once(
    store: &PostgresStore,
    next: impl Fn(usize) -> OutstandingToken,
) -> Vec<Result<RefreshOutcome, StoreError>> {
    let tasks: Vec<_> = (0..MANY)
        .map(|chain| {
            let mut asked = step(chain, 1);
            let access_jti = format!("{chain}-access");
            asked.next = NextToken::Rotated { token: next(chain), access_jti };
            let store = store.clone();
            tokio::spawn(
                async move { store.refresh(&asked).await.map(|refreshed| refreshed.outcome) },
            )
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

fn next(chain: usize) -> OutstandingToken {
    token(&format!("chain-{chain}-2"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_need_few_transactions() {
    let made = Database::migrated().await;
    let (store, raw) = (made.store().await, made.client().await);
    known(&store).await;
    let before = transactions(&raw).await;
    let outcomes = all_at_once(&store, next).await;
    for outcome in outcomes {
        assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    }
    // Other tests write to the same server, and count.
    let written = transactions(&raw).await - before;
    assert!(written < 150, "{written} transactions for {MANY} rotations");
    let links = "SELECT count(*) FROM simplejwt_session_token AS t \
                 JOIN token_blacklist_outstandingtoken AS o ON o.jti = t.jti \
                 WHERE t.parent_jti IS NOT NULL AND o.user_id = 1";
    let links: i64 = raw.query_one(links, &[]).await.unwrap().get(0);
    assert_eq!(links, 2 * MANY as i64);
    for chain in 0..MANY {
        let session = store.session_of(&next(chain).jti, None).await.unwrap().unwrap();
        assert_eq!(session.id, format!("chain-{chain}-0"), "each in its own");
    }
}

/// Nor do those that were never seen before: the day on which somebody moves here, all are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_were_never_seen_need_few_transactions() {
    let made = Database::migrated().await;
    let (store, raw) = (made.store().await, made.client().await);
    let (blacklisted, registered, expired, together) = (3, 4, 5, [6, 7]);
    for chain in [blacklisted, registered] {
        store.record(&token(&format!("chain-{chain}-0")), &Act::at(NOW)).await.unwrap();
    }
    let at = NOW - std::time::Duration::from_secs(3600);
    store.blacklist(&token(&format!("chain-{blacklisted}-0")), &Act::at(at)).await.unwrap();
    let before = transactions(&raw).await;
    let tasks: Vec<_> = (0..MANY)
        .map(|chain| {
            let mut asked = step(chain, 0);
            if chain == expired {
                asked.token.expires_at = NOW - std::time::Duration::from_secs(1);
            }
            if together.contains(&chain) {
                asked.session.id = "together".to_owned();
            }
            let store = store.clone();
            tokio::spawn(async move { store.refresh(&asked).await.unwrap() })
        })
        .collect();
    for (chain, task) in tasks.into_iter().enumerate() {
        let refreshed = task.await.unwrap();
        let expected = match chain {
            _ if chain == blacklisted => RefreshOutcome::Blacklisted,
            _ if chain == expired => RefreshOutcome::Forgotten,
            _ => RefreshOutcome::Refreshed,
        };
        assert_eq!(refreshed.outcome, expected, "{chain}");
    }
    // Other tests write to the same server, and count.
    let written = transactions(&raw).await - before;
    assert!(written < 150, "{written} transactions for {MANY} rotations");
    for chain in (0..MANY).filter(|chain| ![blacklisted, expired].contains(chain)) {
        let next = store.session_of(&format!("chain-{chain}-1"), None).await.unwrap().unwrap();
        let own = format!("chain-{chain}-0");
        assert_eq!(next.id, if together.contains(&chain) { "together" } else { &own });
        assert!(store.is_blacklisted(&own).await.unwrap(), "{chain}");
        assert!(!store.is_blacklisted(&format!("chain-{chain}-1")).await.unwrap(), "{chain}");
    }
    let owned = "SELECT count(*) FROM token_blacklist_outstandingtoken WHERE user_id = 1";
    let owned: i64 = raw.query_one(owned, &[]).await.unwrap().get(0);
    assert_eq!(owned, 2 * MANY as i64 - 3);
    assert!(store.session_of(&format!("chain-{expired}-0"), None).await.unwrap().is_none());
}

/// What the database refuses of one, or has to wait for, is nobody else's trouble.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_done_stops_no_other() {
    let made = Database::migrated().await;
    let store = made.store().await;
    known(&store).await;
    let taken = 7;
    let spoilt = |chain: usize| match chain {
        // A NUL is in no text of PostgreSQL's.
        3 => token("chain\0"),
        // This id is another token's.
        _ if chain == taken => token("chain-0-0"),
        _ => next(chain),
    };
    for (chain, outcome) in all_at_once(&store, spoilt).await.into_iter().enumerate() {
        match chain == 3 || chain == taken {
            true => assert!(outcome.is_err(), "{chain}: {outcome:?}"),
            false => assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed, "{chain}"),
        }
    }
    for chain in [3, taken] {
        assert!(!store.is_blacklisted(&format!("chain-{chain}-1")).await.unwrap());
        assert_eq!(
            store.refresh(&step(chain, 1)).await.unwrap().outcome,
            RefreshOutcome::Refreshed
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_waits_for_a_lock_holds_up_no_other() {
    let made = Database::migrated().await;
    let store = made.store().await;
    known(&store).await;
    let mut raw = made.client().await;
    let held = raw.transaction().await.unwrap();
    // As `select_for_update()` does.
    let lock = "SELECT id FROM token_blacklist_outstandingtoken \
                WHERE jti IN ('chain-1-1', 'chain-2-1') FOR UPDATE";
    assert_eq!(held.query(lock, &[]).await.unwrap().len(), 2);
    let waiting: Vec<_> = [1, 2]
        .map(|chain| {
            let store = store.clone();
            tokio::spawn(async move { store.refresh(&step(chain, 1)).await.unwrap().outcome })
        })
        .into();
    for round in 1..20 {
        for chain in 3..10 {
            let outcome = store.refresh(&step(chain, round)).await.unwrap().outcome;
            assert_eq!(outcome, RefreshOutcome::Refreshed);
        }
    }
    assert!(waiting.iter().all(|task| !task.is_finished()), "they wait for the lock");
    held.rollback().await.unwrap();
    for task in waiting {
        assert_eq!(task.await.unwrap(), RefreshOutcome::Refreshed);
    }
}

/// Many times in one process's queue, and in that of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_token_is_spent_once_however_it_meets_itself() {
    let made = Database::migrated().await;
    let (store, other) = (made.store().await, made.store().await);
    for round in 0..20 {
        let first = format!("round-{round}");
        let join = refresh(&first, &first, NextToken::None);
        assert_eq!(store.refresh(&join).await.unwrap().outcome, RefreshOutcome::Refreshed);
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let store = if n % 2 == 0 { store.clone() } else { other.clone() };
                let next = token(&format!("round-{round}-{n}"));
                let access_jti = format!("{round}-{n}");
                let asked = refresh(&first, &first, NextToken::Rotated { token: next, access_jti });
                tokio::spawn(async move { store.refresh(&asked).await.unwrap().outcome })
            })
            .collect();
        let mut refreshed = 0;
        for task in tasks {
            refreshed += usize::from(task.await.unwrap() == RefreshOutcome::Refreshed);
        }
        assert_eq!(refreshed, 1, "round {round}");
    }
}

/// Outside of sessions the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_without_sessions() {
    use simplejwt::store::Rotation;
    let made = Database::migrated().await;
    let (store, raw) = (made.store().await, made.client().await);
    for n in 0..MANY {
        store.record(&token(&format!("{n}-0")), &Act::at(NOW)).await.unwrap();
    }
    let before = transactions(&raw).await;
    let tasks: Vec<_> = (0..MANY)
        .map(|n| {
            let store = store.clone();
            let (spent, next) = (token(&format!("{n}-0")), token(&format!("{n}-1")));
            tokio::spawn(async move {
                store.rotate(&spent, &next, &Cause::at(NOW)).await.unwrap().outcome
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Rotation::Rotated);
    }
    let written = transactions(&raw).await - before;
    assert!(written < 150, "{written} transactions for {MANY} rotations");
    for n in 0..MANY {
        assert!(store.is_blacklisted(&format!("{n}-0")).await.unwrap());
        assert!(!store.is_blacklisted(&format!("{n}-1")).await.unwrap());
        let again = (token(&format!("{n}-0")), token(&format!("{n}-2")));
        assert_eq!(
            store.rotate(&again.0, &again.1, &Cause::at(NOW)).await.unwrap().outcome,
            Rotation::Replayed
        );
    }
}
