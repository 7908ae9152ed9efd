//! Rotations that come at the same time share a transaction of MySQL or MariaDB, and nothing else.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use simplejwt::event::{Act, Cause};
use simplejwt::mysql::MysqlStore;
use simplejwt::sql::table::UserTable;
use simplejwt::store::session::{NextToken, RefreshOutcome, SessionRefresh};
use simplejwt::store::{OutstandingToken, Rotation};
use simplejwt::{SessionStore as _, StoreError, TokenStore as _};

use crate::support::instance::Instance;
use crate::support::mysql::World;
use crate::support::traffic::{NOW, refresh, step, token};

const MANY: usize = 200;

/// A database on a server of the test's own, where nobody else's transactions are counted.
async fn counted(name: &str) -> (World, Instance, Conn) {
    let instance = Instance::mariadb(name);
    let world = World::on(instance.url().to_owned()).await;
    let conn = world.conn().await;
    (world, instance, conn)
}

async fn number(conn: &mut Conn, sql: &str) -> u64 {
    conn.query_first(sql).await.unwrap().unwrap()
}

/// The number of transactions committed so far.
async fn commits(conn: &mut Conn) -> u64 {
    counter(conn, "Com_commit").await
}

async fn counter(conn: &mut Conn, name: &str) -> u64 {
    let sql = format!("SHOW GLOBAL STATUS LIKE '{name}'");
    let row: Option<(String, u64)> = conn.query_first(sql).await.unwrap();
    row.unwrap().1
}

/// The first tokens of so many chains, each known and in its session.
async fn known(store: &MysqlStore) {
    let first = (0..MANY).map(|chain| step(chain, 0)).collect();
    for outcome in all_at_once(store, first).await {
        assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    }
}

/// All of them at once; how they ended.
async fn all_at_once(
    store: &MysqlStore,
    asked: Vec<SessionRefresh>,
) -> Vec<Result<RefreshOutcome, StoreError>> {
    let tasks: Vec<_> = asked
        .into_iter()
        .map(|asked| {
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

/// From the second token of each chain to the third, or to another.
fn second(next: impl Fn(usize) -> OutstandingToken) -> Vec<SessionRefresh> {
    let asked = |chain| {
        let access_jti = format!("{chain}-access");
        let next = NextToken::Rotated { token: next(chain), access_jti };
        SessionRefresh { next, ..step(chain, 1) }
    };
    (0..MANY).map(asked).collect()
}

fn third(chain: usize) -> OutstandingToken {
    token(&format!("chain-{chain}-2"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_need_few_transactions() {
    let (world, _instance, mut conn) = counted("lib-my-batches").await;
    let store = world.store().await;
    known(&store).await;
    let before = commits(&mut conn).await;
    for outcome in all_at_once(&store, second(third)).await {
        assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    }
    let committed = commits(&mut conn).await - before;
    assert!(committed < 50, "{committed} transactions for {MANY} rotations");
    let links = "SELECT COUNT(*) FROM simplejwt_session_token AS t \
                 JOIN token_blacklist_outstandingtoken AS o ON o.jti = t.jti \
                 WHERE t.parent_jti IS NOT NULL AND o.user_id = 1";
    assert_eq!(number(&mut conn, links).await, 2 * MANY as u64);
    for chain in 0..MANY {
        let session = store.session_of(&third(chain).jti, None).await.unwrap().unwrap();
        assert_eq!(session.id, format!("chain-{chain}-0"), "each in its own");
        assert!(store.is_blacklisted(&format!("chain-{chain}-1")).await.unwrap());
    }
}

/// Nor do those that were never seen before: the day on which somebody moves here, all are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_were_never_seen_need_few_transactions() {
    let (world, _instance, mut conn) = counted("lib-my-unseen").await;
    let store = world.store().await;
    let (blacklisted, registered, expired, together) = (3, 4, 5, [6, 7]);
    for chain in [blacklisted, registered] {
        store.record(&token(&format!("chain-{chain}-0")), &Act::at(NOW)).await.unwrap();
    }
    let at = NOW - std::time::Duration::from_secs(3600);
    store.blacklist(&token(&format!("chain-{blacklisted}-0")), &Act::at(at)).await.unwrap();
    let before = commits(&mut conn).await;
    let asked = (0..MANY).map(|chain| {
        let mut asked = step(chain, 0);
        if chain == expired {
            asked.token.expires_at = NOW - std::time::Duration::from_secs(1);
        }
        if together.contains(&chain) {
            asked.session.id = "together".to_owned();
        }
        asked
    });
    for (chain, outcome) in all_at_once(&store, asked.collect()).await.into_iter().enumerate() {
        let expected = match chain {
            _ if chain == blacklisted => RefreshOutcome::Blacklisted,
            _ if chain == expired => RefreshOutcome::Forgotten,
            _ => RefreshOutcome::Refreshed,
        };
        assert_eq!(outcome.unwrap(), expected, "{chain}");
    }
    let committed = commits(&mut conn).await - before;
    assert!(committed < 50, "{committed} transactions for {MANY} rotations");
    for chain in (0..MANY).filter(|chain| ![blacklisted, expired].contains(chain)) {
        let next = store.session_of(&format!("chain-{chain}-1"), None).await.unwrap().unwrap();
        let own = format!("chain-{chain}-0");
        assert_eq!(next.id, if together.contains(&chain) { "together" } else { &own });
        assert!(store.is_blacklisted(&own).await.unwrap(), "{chain}");
        assert!(!store.is_blacklisted(&format!("chain-{chain}-1")).await.unwrap(), "{chain}");
    }
    let owned = "SELECT COUNT(*) FROM token_blacklist_outstandingtoken WHERE user_id = 1";
    assert_eq!(number(&mut conn, owned).await, 2 * MANY as u64 - 3);
    assert!(store.session_of(&format!("chain-{expired}-0"), None).await.unwrap().is_none());
}

/// What the database refuses of one is nobody else's trouble.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_done_stops_no_other() {
    let world = World::new().await;
    let store = world.store().await;
    known(&store).await;
    let spoilt = [3, 7];
    let next = |chain: usize| match chain {
        // Longer than its column.
        3 => token(&"x".repeat(300)),
        // This id is another token's.
        7 => token("chain-0-0"),
        // A user who is gone, or was never there.
        8 => OutstandingToken { user_id: Some("99".into()), ..third(8) },
        _ => third(chain),
    };
    for (chain, outcome) in all_at_once(&store, second(next)).await.into_iter().enumerate() {
        match spoilt.contains(&chain) {
            true => assert!(outcome.is_err(), "{chain}: {outcome:?}"),
            false => assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed, "{chain}"),
        }
    }
    for chain in spoilt {
        assert!(!store.is_blacklisted(&format!("chain-{chain}-1")).await.unwrap());
        assert_eq!(
            store.refresh(&step(chain, 1)).await.unwrap().outcome,
            RefreshOutcome::Refreshed
        );
    }
    let owner = "SELECT COALESCE(user_id, 'nobody') FROM token_blacklist_outstandingtoken \
                 WHERE jti = 'chain-8-2'";
    assert_eq!(world.one(owner).await, "nobody");
}

/// Rows that somebody holds in a transaction, as `select_for_update()` does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_waits_for_a_lock_holds_up_no_other() {
    let world = World::new().await;
    let store = world.store().await;
    known(&store).await;
    let mut held = world.conn().await;
    held.query_drop("START TRANSACTION").await.unwrap();
    let tokens = "SELECT id FROM token_blacklist_outstandingtoken \
                  WHERE jti IN ('chain-1-1', 'chain-2-1') FOR UPDATE";
    assert_eq!(held.query::<u64, _>(tokens).await.unwrap().len(), 2);
    let user = "SELECT id FROM auth_user WHERE id = 2 FOR UPDATE";
    assert_eq!(held.query::<u64, _>(user).await.unwrap().len(), 1);
    let waiting: Vec<_> = [1, 2, 3]
        .map(|chain| {
            let user_id = Some(if chain == 3 { "2" } else { "1" }.into());
            let token = OutstandingToken { user_id, ..third(chain) };
            let next = NextToken::Rotated { token, access_jti: "access".into() };
            let asked = SessionRefresh { next, ..step(chain, 1) };
            let store = store.clone();
            tokio::spawn(async move { store.refresh(&asked).await.unwrap().outcome })
        })
        .into();
    for round in 1..20 {
        let asked = (4..10).map(|chain| step(chain, round)).collect();
        for outcome in all_at_once(&store, asked).await {
            assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
        }
    }
    assert!(waiting.iter().all(|task| !task.is_finished()), "they wait for the locks");
    held.query_drop("ROLLBACK").await.unwrap();
    for task in waiting {
        assert_eq!(task.await.unwrap(), RefreshOutcome::Refreshed);
    }
}

/// Many times in one process's queue, and in that of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_token_is_spent_once_however_it_meets_itself() {
    let world = World::new().await;
    let store = world.store().await;
    let other = MysqlStore::open(&world.database().await, &UserTable::default()).await.unwrap();
    for round in 0..20 {
        let first = format!("round-{round}");
        if round % 2 == 0 {
            let join = refresh(&first, &first, NextToken::None);
            assert_eq!(store.refresh(&join).await.unwrap().outcome, RefreshOutcome::Refreshed);
        }
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

/// Two nodes are asked to rotate the same tokens, known ones and others, in opposite order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_two_nodes_fail_nobody() {
    let world = World::new().await;
    let store = world.store().await;
    let other = MysqlStore::open(&world.database().await, &UserTable::default()).await.unwrap();
    for number in 0..5 {
        let asked = |node: usize| {
            (0..MANY).map(move |chain| {
                let mut asked = step(chain, number);
                if let NextToken::Rotated { token, access_jti } = &mut asked.next
                    && node == 1
                {
                    token.jti = format!("{}-other", token.jti);
                    token.token = format!("{}.token", token.jti);
                    access_jti.push_str("-other");
                }
                // Whoever comes second is refused, and nothing ends.
                asked.tolerance = std::time::Duration::from_secs(60);
                asked
            })
        };
        let (first, second) = tokio::join!(
            all_at_once(&store, asked(0).collect()),
            all_at_once(&other, asked(1).rev().collect()),
        );
        for (chain, (one, two)) in first.into_iter().zip(second.into_iter().rev()).enumerate() {
            let outcomes = [one.unwrap(), two.unwrap()];
            let refreshed = outcomes.iter().filter(|one| **one == RefreshOutcome::Refreshed);
            assert_eq!(refreshed.count(), 1, "{chain}-{number}: {outcomes:?}");
            assert!(outcomes.contains(&RefreshOutcome::Replayed), "{chain}-{number}: {outcomes:?}");
        }
        // The next round goes on with the same ids, whoever made them.
        let rename = |table: &str, column: &str| {
            format!("UPDATE {table} SET {column} = REPLACE({column}, '-other', '')")
        };
        world
            .run(
                &[
                    rename("token_blacklist_outstandingtoken", "jti"),
                    rename("simplejwt_session_token", "jti"),
                    rename("simplejwt_session_token", "parent_jti"),
                ]
                .join(";\n"),
            )
            .await;
    }
}

/// Outside of sessions the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_without_sessions() {
    let (world, _instance, mut conn) = counted("lib-my-alone").await;
    let store = world.store().await;
    for n in 0..MANY {
        store.record(&token(&format!("{n}-0")), &Act::at(NOW)).await.unwrap();
    }
    let before = commits(&mut conn).await;
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
    let committed = commits(&mut conn).await - before;
    assert!(committed < 50, "{committed} transactions for {MANY} rotations");
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

/// As of a user with many requests at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_for_the_same_share_the_answer() {
    let (world, _instance, mut conn) = counted("lib-same").await;
    let store = world.store().await;
    store.refresh(&step(0, 0)).await.unwrap();
    let spent = step(0, 0).token.jti;
    let before = counter(&mut conn, "Com_stmt_execute").await;
    let tasks: Vec<_> = (0..MANY)
        .map(|_| {
            let (store, spent) = (store.clone(), spent.clone());
            tokio::spawn(async move {
                (store.is_blacklisted(&spent).await, store.session_of(&spent, None).await)
            })
        })
        .collect();
    let mut sessions = Vec::new();
    for task in tasks {
        let (is_blacklisted, session) = task.await.unwrap();
        assert!(is_blacklisted.unwrap());
        sessions.push(session.unwrap().expect("it is in a session"));
    }
    assert!(sessions.iter().all(|session| Some(session) == sessions.first()));
    let executed = counter(&mut conn, "Com_stmt_execute").await - before;
    assert!(executed < 50, "{executed} statements for {MANY} callers");
}
