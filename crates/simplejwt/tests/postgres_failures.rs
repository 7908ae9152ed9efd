//! PostgreSQL that fails: connections cut off, a server killed, frozen, or become one that only
//! reads. What was acknowledged stays, what wasn't can be asked again, and it goes on by itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]
#![allow(
    clippy::disallowed_methods,
    reason = "how long a failing server keeps others waiting is measured by the real clock"
)]

mod support;

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use simplejwt::error::StoreErrorKind;
use simplejwt::store::OutstandingToken;
use simplejwt::store::postgres::{PostgresDatabase, PostgresOptions, PostgresStore, migrate};
use simplejwt::store::session::{
    EndReason, EndSessions, Horizon, NewSession, NextToken, Refreshing, SessionRefresh, Which,
};
use simplejwt::users::table::UserTable;
use simplejwt::{SessionStore as _, StoreError, TokenStore as _};
use support::NOW;
use support::instance::Instance;
use support::postgres::Database;

fn token(jti: &str) -> OutstandingToken {
    OutstandingToken {
        jti: jti.into(),
        token: format!("{jti}.token"),
        user_id: Some("1".into()),
        created_at: NOW,
        expires_at: NOW + Duration::from_secs(3600),
    }
}

fn horizon() -> Horizon {
    let later = NOW + Duration::from_secs(7200);
    Horizon { refresh: later, access: later }
}

fn refresh(session: &str, jti: &str, next: NextToken) -> SessionRefresh {
    SessionRefresh {
        token: token(jti),
        next,
        session: NewSession {
            id: session.into(),
            user_id: "1".into(),
            client: Default::default(),
            password: None,
        },
        grace: Duration::ZERO,
        idle: None,
        lifetime: None,
        at: NOW,
        horizon: horizon(),
    }
}

/// The step from one token of a chain to the next.
fn step(chain: usize, number: usize) -> SessionRefresh {
    let jti = |number: usize| format!("chain-{chain}-{number}");
    let next = jti(number + 1);
    let access_jti = format!("{next}-access");
    let next = NextToken::Rotated { token: token(&next), access_jti };
    refresh(&jti(0), &jti(number), next)
}

/// Clients that each go on from token to token, asking again where there was no answer.
struct Traffic {
    going: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    failures: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<usize>>,
}

const CHAINS: usize = 8;

impl Traffic {
    fn start(store: &PostgresStore) -> Self {
        let going = Arc::new(AtomicBool::new(true));
        let (acknowledged, failures) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let clients = (0..CHAINS)
            .map(|chain| {
                let (store, going) = (store.clone(), Arc::clone(&going));
                let acknowledged = Arc::clone(&acknowledged);
                let failures = Arc::clone(&failures);
                tokio::spawn(async move {
                    let mut at = 0;
                    while going.load(Ordering::Relaxed) {
                        match store.refresh(&step(chain, at)).await {
                            Ok(outcome) => {
                                assert_eq!(outcome, Refreshing::Refreshed, "{chain}-{at}");
                                at += 1;
                                acknowledged.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => {
                                assert_unavailable(&error);
                                AtomicUsize::fetch_add(&failures, 1, Ordering::Relaxed);
                                tokio::task::yield_now().await;
                            }
                        }
                    }
                    at
                })
            })
            .collect();
        Self { going, acknowledged, failures, clients }
    }

    /// Waits until so many more have been acknowledged.
    async fn more(&self, count: usize) {
        let until = self.acknowledged.load(Ordering::Relaxed) + count;
        let wait = async {
            while self.acknowledged.load(Ordering::Relaxed) < until {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it goes on");
    }

    /// Ends it; how often there was no answer. Every step that was acknowledged is there, and
    /// nothing else but the steps that were under way.
    async fn end(self, store: &PostgresStore, raw: &tokio_postgres::Client) -> usize {
        self.going.store(false, Ordering::Relaxed);
        for (chain, client) in self.clients.into_iter().enumerate() {
            let last = client.await.unwrap();
            for number in 0..last {
                let jti = format!("chain-{chain}-{number}");
                assert!(store.is_blacklisted(&jti).await.unwrap(), "{jti} was spent");
            }
            // The last one is live: it can be spent once more.
            assert_eq!(store.refresh(&step(chain, last)).await.unwrap(), Refreshing::Refreshed);
            let rows: i64 = raw
                .query_one(
                    "SELECT count(*) FROM simplejwt_session_token WHERE session_id = $1",
                    &[&format!("chain-{chain}-0")],
                )
                .await
                .unwrap()
                .get(0);
            assert_eq!(usize::try_from(rows).unwrap(), last + 2, "one successor each");
        }
        self.failures.load(Ordering::Relaxed)
    }
}

fn assert_unavailable(error: &StoreError) {
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert!(!format!("{error:?} {error}").contains("simplejwt:simplejwt"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_cut_off_are_made_again() {
    let made = Database::migrated().await;
    let store = made.store().await;
    let traffic = Traffic::start(&store);
    for _ in 0..20 {
        traffic.more(40).await;
        made.disconnect().await;
    }
    traffic.more(40).await;
    let failures = traffic.end(&store, &made.client().await).await;
    // One that is cut off is made again at once, and no caller hears of it, or hardly one.
    assert!(failures <= CHAINS, "{failures} failures");
}

async fn own_store(instance: &Instance, options: PostgresOptions) -> PostgresStore {
    let database = PostgresDatabase::connect(instance.url(), options).await.unwrap();
    migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    PostgresStore::open(&database, &UserTable::default()).await.unwrap()
}

async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Repeats until it works; how long that took.
async fn recovered(store: &PostgresStore) -> Duration {
    let begun = Instant::now();
    while let Err(error) = store.ping().await {
        assert_unavailable(&error);
        assert!(begun.elapsed() < Duration::from_secs(30), "{error:?}");
        tokio::task::yield_now().await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_stopped_or_frozen() {
    let instance = Instance::up("lib-failures");
    let limit = Duration::from_secs(1);
    let options = PostgresOptions {
        connect_timeout: limit,
        wait_timeout: limit,
        operation_timeout: limit,
        ..PostgresOptions::default()
    };
    let store = own_store(&instance, options).await;
    let traffic = Traffic::start(&store);
    for (down, signal) in [("kill", None), ("stop", None), ("freeze", Some(("-STOP", "-CONT")))] {
        traffic.more(200).await;
        match signal {
            Some((freeze, _)) => instance.signal(freeze),
            None => drop(instance.services(&[down, "postgres"])),
        }
        let begun = Instant::now();
        // Whatever is asked is refused in time: waiting for a connection, and for an answer.
        for outcome in [
            store.ping().await,
            store.is_blacklisted("nothing").await.map(drop),
            store.record(&token("other")).await,
        ] {
            let error = outcome.expect_err(down);
            assert!(
                matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Busy),
                "{down}: {error:?}"
            );
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{down}: {:?}", begun.elapsed());
        match signal {
            Some((_, go_on)) => instance.signal(go_on),
            None => drop(instance.services(&["start", "postgres"])),
        }
        let took = recovered(&store).await;
        assert!(took < Duration::from_secs(10), "{down}: {took:?}");
    }
    traffic.more(200).await;
    let failures = traffic.end(&store, &client(instance.url()).await).await;
    assert!(failures > 0, "it was away");
}

#[tokio::test]
async fn a_server_that_only_reads_goes_on_answering_reads() {
    let made = Database::migrated().await;
    let store = made.store().await;
    store.record(&token("before")).await.unwrap();
    made.read_only(true).await;
    made.disconnect().await;
    for _ in 0..3 {
        assert!(!store.is_blacklisted("before").await.unwrap());
        assert_unavailable(&store.record(&token("during")).await.unwrap_err());
        assert_unavailable(&store.blacklist(&token("before"), NOW).await.unwrap_err());
        assert_unavailable(&store.refresh(&step(0, 0)).await.unwrap_err());
        let error = store.ping().await.unwrap_err();
        assert_unavailable(&error);
        assert!(error.source().unwrap().to_string().contains("only reads"), "{error:?}");
    }
    made.read_only(false).await;
    // Connections that refused a write aren't used again: nobody has to cut them off.
    store.record(&token("after")).await.unwrap();
    assert_eq!(store.refresh(&step(0, 0)).await.unwrap(), Refreshing::Refreshed);
    let ready = store.ping().await;
    assert!(ready.is_ok(), "{ready:?}");
}

/// Somebody else holds what ending the session needs, and needs what it holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadlock_is_tried_again() {
    let made = Database::migrated().await;
    let store = made.store().await;
    let added = refresh("first", "first", NextToken::Added(token("second")));
    assert_eq!(store.refresh(&added).await.unwrap(), Refreshing::Refreshed);
    let other = made.client().await;
    let insert = |jti: &str| {
        format!(
            "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) \
             SELECT now(), id FROM token_blacklist_outstandingtoken WHERE jti = '{jti}' \
             ON CONFLICT DO NOTHING"
        )
    };
    // It is the store's transaction that the server gives up.
    other.batch_execute("SET deadlock_timeout = '1min'; BEGIN").await.unwrap();
    other.batch_execute(&insert("second")).await.unwrap();
    let ending = {
        let store = store.clone();
        tokio::spawn(async move {
            let which = Which::One { id: "first".into(), user_id: None };
            let end = EndSessions { which, reason: EndReason::Logout, at: NOW, horizon: horizon() };
            store.end_sessions(&end).await
        })
    };
    let watcher = made.client().await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND application_name = 'simplejwt' AND wait_event_type = 'Lock'";
    while watcher.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
    other.batch_execute(&insert("first")).await.unwrap();
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(ending.await.unwrap().unwrap(), 1);
    assert!(store.session("first").await.unwrap().unwrap().ended_at.is_some());
    let deadlocks = "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database \
                     WHERE datname = current_database()";
    drop(store);
    let told =
        async { while watcher.query_one(deadlocks, &[]).await.unwrap().get::<_, i64>(1) == 0 {} };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("there was a deadlock");
}

/// The error that PostgreSQL reports for a full disk, from within the transaction.
#[tokio::test]
async fn a_full_disk_keeps_what_was_there_and_stores_no_half() {
    let made = Database::migrated().await;
    let store = made.store().await;
    assert_eq!(store.refresh(&step(0, 0)).await.unwrap(), Refreshing::Refreshed);
    let raw = made.client().await;
    raw.batch_execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'could not extend file: No space left on device' \
         USING ERRCODE = 'disk_full'; END $$; \
         CREATE TRIGGER full_disk BEFORE INSERT ON simplejwt_session_token \
         FOR EACH ROW EXECUTE FUNCTION full_disk()",
    )
    .await
    .unwrap();
    for _ in 0..3 {
        assert_unavailable(&store.refresh(&step(0, 1)).await.unwrap_err());
    }
    assert!(!store.is_blacklisted("chain-0-1").await.unwrap(), "all or nothing");
    store.ping().await.unwrap();
    raw.batch_execute("DROP TRIGGER full_disk ON simplejwt_session_token").await.unwrap();
    assert_eq!(store.refresh(&step(0, 1)).await.unwrap(), Refreshing::Refreshed);
    assert!(store.is_blacklisted("chain-0-1").await.unwrap());
}
