//! PostgreSQL that fails: connections cut off, a server killed, frozen, or become one that only
//! reads. What was acknowledged stays, what wasn't can be asked again, and it goes on by itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]
#![allow(
    clippy::disallowed_methods,
    reason = "how long a failing server keeps others waiting is measured by the real clock"
)]

use std::time::{Duration, Instant};

use crate::support::instance::Instance;
use crate::support::pause;
use crate::support::postgres::Database;
use crate::support::traffic::{
    CHAINS, NOW, Traffic, assert_unavailable, recovered, refresh, retain_until, step, token,
};
use simplejwt::error::StoreErrorKind;
use simplejwt::event::{Act, Cause};
use simplejwt::postgres::{PostgresDatabase, PostgresOptions, PostgresStore, migrate};
use simplejwt::sql::table::UserTable;
use simplejwt::store::session::{
    EndEvent, EndReason, EndSessions, NextToken, RefreshOutcome, SessionRefresh, SessionSelector,
};
use simplejwt::{SessionStore as _, TokenStore as _};

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
    let failures = traffic.end(&store, counting(&made.client().await)).await;
    // One that is cut off is made again at once, and no caller hears of it, or hardly one.
    assert!(failures <= CHAINS, "{failures} failures");
}

/// How many tokens a session has.
fn counting(raw: &tokio_postgres::Client) -> impl AsyncFn(String) -> usize {
    async move |session| {
        let sql = "SELECT count(*) FROM simplejwt_session_token WHERE session_id = $1";
        let count: i64 = raw.query_one(sql, &[&session]).await.unwrap().get(0);
        usize::try_from(count).unwrap()
    }
}

async fn own_store(url: &str, options: PostgresOptions) -> PostgresStore {
    let database = PostgresDatabase::connect(url, options).await.unwrap();
    migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    PostgresStore::open(&database, &UserTable::default()).await.unwrap()
}

async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
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
    let store = own_store(instance.url(), options).await;
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
            store.record(&token("other"), &Act::at(NOW)).await.map(drop),
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
    let failures = traffic.end(&store, counting(&client(instance.url()).await)).await;
    assert!(failures > 0, "it was away");
}

/// Lets the servers go on, whatever becomes of the test.
struct Frozen<'a>(&'a Instance);

impl<'a> Frozen<'a> {
    fn new(instance: &'a Instance) -> Self {
        instance.signal("-STOP");
        Self(instance)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.signal("-CONT");
    }
}

/// Of the first of two servers nobody hears any more, though the kernel still accepts for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_first_server_is_passed_over() {
    let mut instance = Instance::up("lib-frozen");
    instance.services(&["standby", "up"]);
    instance.read_variables();
    let standby = instance.variable("SIMPLEJWT_TEST_POSTGRES_STANDBY_URL").to_owned();
    let second = standby.split_once('@').unwrap().1.split('/').next().unwrap();
    let (first, database) = instance.url().rsplit_once('/').unwrap();
    let any = format!("{first},{second}/{database}");
    let writable = format!("{any}?target_session_attrs=read-write");
    let limit = Duration::from_secs(1);
    let options = PostgresOptions {
        connect_timeout: limit,
        wait_timeout: limit,
        operation_timeout: limit,
        ..PostgresOptions::default()
    };
    let store = own_store(&writable, options).await;
    let traffic = Traffic::start(&store);
    traffic.more(200).await;

    let frozen = Frozen::new(&instance);
    // Nobody who can be written, but one who can be read.
    let begun = Instant::now();
    let error = PostgresDatabase::connect(&writable, options).await.unwrap_err();
    assert!(format!("{error:?}").contains("does not allow writes"), "{error:?}");
    PostgresDatabase::connect(&any, options).await.unwrap();
    assert!(begun.elapsed() < 4 * limit, "{:?}", begun.elapsed());
    let error = PostgresDatabase::connect(instance.url(), options).await.unwrap_err();
    assert!(format!("{error:?}").contains("doesn't answer"), "{error:?}");

    instance.services(&["standby", "promote"]);
    let took = recovered(&store).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    traffic.more(200).await;
    // The one that was good last is asked first.
    let raw = client(&standby).await;
    let begun = Instant::now();
    for _ in 0..10 {
        raw.batch_execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'simplejwt'",
        )
        .await
        .unwrap();
        traffic.more(20).await;
    }
    assert!(begun.elapsed() < 5 * limit, "{:?}", begun.elapsed());
    let failures = traffic.end(&store, counting(&raw)).await;
    assert!(failures > 0, "it was away");
    drop(frozen);
}

#[tokio::test]
async fn a_server_that_only_reads_goes_on_answering_reads() {
    let made = Database::migrated().await;
    let store = made.store().await;
    store.record(&token("before"), &Act::at(NOW)).await.unwrap();
    made.read_only(true).await;
    made.disconnect().await;
    for _ in 0..3 {
        assert!(!store.is_blacklisted("before").await.unwrap());
        assert_unavailable(&store.record(&token("during"), &Act::at(NOW)).await.unwrap_err());
        assert_unavailable(&store.blacklist(&token("before"), &Act::at(NOW)).await.unwrap_err());
        assert_unavailable(&store.refresh(&step(0, 0)).await.unwrap_err());
        let error = store.ping().await.unwrap_err();
        assert_unavailable(&error);
        assert!(format!("{error:?}").contains("read-only"), "{error:?}");
    }
    made.read_only(false).await;
    // Connections that refused a write aren't used again: nobody has to cut them off.
    store.record(&token("after"), &Act::at(NOW)).await.unwrap();
    assert_eq!(store.refresh(&step(0, 0)).await.unwrap().outcome, RefreshOutcome::Refreshed);
    let ready = store.ping().await;
    assert!(ready.is_ok(), "{ready:?}");
}

/// Somebody else holds what ending the session needs, and needs what it holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadlock_is_tried_again() {
    let made = Database::migrated().await;
    let store = made.store().await;
    let added = refresh("first", "first", NextToken::Added(token("second")));
    assert_eq!(store.refresh(&added).await.unwrap().outcome, RefreshOutcome::Refreshed);
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
            let which = SessionSelector::One { id: "first".into(), user_id: None };
            let end = EndSessions {
                which,
                reason: EndReason::Logout,
                event: EndEvent::SessionsEnded,
                cause: Cause::at(NOW),
                retain_until: retain_until(),
            };
            store.end_sessions(&end).await
        })
    };
    let watcher = made.client().await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND application_name = 'simplejwt' AND wait_event_type = 'Lock'";
    while watcher.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        pause().await;
    }
    other.batch_execute(&insert("first")).await.unwrap();
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(ending.await.unwrap().unwrap().outcome, 1);
    assert!(store.session("first").await.unwrap().unwrap().ended_at.is_some());
    let deadlocks = "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database \
                     WHERE datname = current_database()";
    drop(store);
    let told = async {
        while watcher.query_one(deadlocks, &[]).await.unwrap().get::<_, i64>(1) == 0 {
            pause().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("there was a deadlock");
}

/// The error that PostgreSQL reports for a full disk, from within the transaction.
#[tokio::test]
async fn a_full_disk_keeps_what_was_there_and_stores_no_half() {
    let made = Database::migrated().await;
    let store = made.store().await;
    assert_eq!(store.refresh(&step(0, 0)).await.unwrap().outcome, RefreshOutcome::Refreshed);
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
    assert_eq!(store.refresh(&step(0, 1)).await.unwrap().outcome, RefreshOutcome::Refreshed);
    assert!(store.is_blacklisted("chain-0-1").await.unwrap());
}

/// A server that has fewer connections than the pool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_is_waited_for() {
    let made = Database::migrated().await;
    let role = format!("few_{}", std::process::id());
    let raw = made.client().await;
    raw.batch_execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT 3; \
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; \
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"
    ))
    .await
    .unwrap();
    let url = made.url.replace("simplejwt:simplejwt@", &format!("{role}:few@"));
    let database = PostgresDatabase::connect(&url, PostgresOptions::default()).await.unwrap();
    let store = PostgresStore::open(&database, &UserTable::default()).await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..60 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            store.record(&token(&number.to_string()), &Act::at(NOW)).await
        }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    drop((store, database));
    raw.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}

fn with_grace(at: u64, next: &str) -> SessionRefresh {
    let mut again = step(0, 0);
    again.grace = Duration::from_secs(1);
    again.cause.at = NOW + Duration::from_secs(at);
    if let NextToken::Rotated { token, .. } = &mut again.next {
        token.jti = next.into();
        token.token = format!("{next}.token");
    }
    again
}

/// The synchronous standby is gone: no COMMIT ends. Whoever isn't told of the end is answered in
/// time, and asks again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_hangs_is_dated_by_its_end() {
    let instance = Instance::up("lib-commit");
    let options =
        PostgresOptions { operation_timeout: Duration::from_secs(2), ..Default::default() };
    let store = own_store(instance.url(), options).await;
    let joined = refresh("chain-0-0", "chain-0-0", NextToken::None);
    assert_eq!(store.refresh(&joined).await.unwrap().outcome, RefreshOutcome::Refreshed);
    let raw = client(instance.url()).await;
    let standby = async |name: &str| {
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
        for sql in ["SET synchronous_commit = local", &set, "SELECT pg_reload_conf()"] {
            raw.batch_execute(sql).await.unwrap();
        }
    };
    standby("gone").await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let begun = Instant::now();
    // What is begun before the server has read its settings ends.
    for number in 0.. {
        if store.record(&token(&format!("other-{number}")), &Act::at(NOW)).await.is_err() {
            break;
        }
    }
    let asked = Instant::now();
    assert_unavailable(&store.refresh(&with_grace(0, "late")).await.unwrap_err());
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?} {:?}", asked.elapsed(), begun);
    assert!(raw.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) > 0);
    // One that was never seen before goes another way: it joins a session first.
    let mut unseen = with_grace(0, "late-too");
    unseen.token = token("unseen");
    unseen.session.id = "unseen".into();
    assert_unavailable(&store.refresh(&unseen).await.unwrap_err());
    // The client asks again while its rotation is still on its way, and until it is there.
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { store.refresh(&with_grace(30, "again")).await })
    };
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while raw.query_one(blocked, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(!waiting.is_finished(), "{:?}", waiting.await);
        pause().await;
    }
    standby("").await;
    let answer = waiting.await.unwrap().unwrap().outcome;
    assert!(matches!(&answer, RefreshOutcome::Repeated(next) if next.jti == "late"), "{answer:?}");
    // It is dated with the end of the COMMIT, two seconds later or more.
    let dated = "SELECT created_at FROM simplejwt_session_token WHERE jti = $1";
    for jti in ["late", "late-too"] {
        let (begun, mut created_at) = (Instant::now(), 0);
        while created_at < (NOW + Duration::from_millis(1500)).as_micros() {
            let row = raw.query_opt(dated, &[&jti]).await.unwrap();
            created_at = row.map_or(0, |row| row.get(0));
            assert!(begun.elapsed() < Duration::from_secs(10), "{jti} {created_at}");
            pause().await;
        }
    }
}
