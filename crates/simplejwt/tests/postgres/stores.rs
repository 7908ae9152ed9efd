//! Tokens, sessions and users in a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use crate::support::moves;
use crate::support::postgres::Database;
use crate::support::references::{self, Dialect};
use crate::support::{NOW, pause, spawn};
use simplejwt::event::{Act, Cause};
use simplejwt::postgres::{PostgresDatabase, PostgresStore};
use simplejwt::store::conformance;
use simplejwt::store::retention::{MARGIN, Retention};
use simplejwt::store::rows::BySession;
use simplejwt::store::session::{NewSession, OpenSession, RetainUntil};
use simplejwt::store::{FlushExpired, OutstandingToken};
use simplejwt::{SessionStore as _, Settings, TokenStore as _};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens() {
    let made = Database::migrated().await;
    conformance::all(|| async { made.emptied().await.store().await }, spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions() {
    let made = Database::migrated().await;
    conformance::sessions(|| async { made.emptied().await.store().await }, spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn by_session() {
    let made = Database::migrated().await;
    let make =
        || async { BySession::new(made.emptied().await.store().await, &Settings::default()) };
    conformance::all(make, spawn).await;
    conformance::sessions(make, spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_of_a_ring() {
    let made = Database::migrated().await;
    let make = || async {
        let sql = "DELETE FROM simplejwt_signing_key";
        made.client().await.batch_execute(sql).await.unwrap();
        made.connect().await
    };
    conformance::keys(make, spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counters_of_a_throttle() {
    let made = Database::migrated().await;
    let make = || async {
        let sql = "DELETE FROM simplejwt_throttle";
        made.client().await.batch_execute(sql).await.unwrap();
        made.connect().await
    };
    conformance::throttle(make, spawn).await;
}

#[tokio::test]
async fn moved_to_rows_and_back() {
    let made = Database::migrated().await;
    moves::sessions_go_on(made.store().await).await;
}

/// The same through a pool that the application has made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_the_applications_pool() {
    let made = Database::migrated().await;
    conformance::sessions(
        || async {
            made.emptied().await;
            let config = made.url.parse().unwrap();
            let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
            let pool = deadpool_postgres::Pool::builder(manager).max_size(4).build().unwrap();
            let database =
                PostgresDatabase::with_pool(pool, &made.url, Default::default()).unwrap();
            PostgresStore::open(&database, &Default::default()).await.unwrap()
        },
        spawn,
    )
    .await;
}

/// The rows of sessions' tokens that were read, as counted by the server.
async fn rows_read(raw: &tokio_postgres::Client) -> i64 {
    let sql = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables \
               WHERE relname = 'simplejwt_session_token'";
    raw.query_one(sql, &[]).await.unwrap().get(0)
}

/// The look that a refresh takes at its session costs the same after any number of rotations.
#[tokio::test]
async fn a_session_is_found_without_its_other_tokens() {
    const TOKENS: i64 = 10_000;
    const LOOKS: i64 = 20;
    let made = Database::migrated().await;
    let store = made.store().await;
    let later = NOW + std::time::Duration::from_secs(3600);
    let open = OpenSession {
        session: NewSession { id: "0".into(), user_id: "1".into(), password: None },
        token: OutstandingToken {
            jti: "0".into(),
            token: "0.token".into(),
            user_id: Some("1".into()),
            created_at: NOW,
            expires_at: later,
        },
        expires_at: later,
        limit: None,
        cause: Cause::at(NOW),
        retain_until: RetainUntil { refresh: later, access: later },
    };
    let _ = store.open(&open).await.unwrap();
    let raw = made.client().await;
    raw.execute(
        "INSERT INTO simplejwt_session_token \
         (jti, session_id, parent_jti, created_at, used_at, expires_at) \
         SELECT n::text, '0', (n - 1)::text, $1 + n, $1 + n, $2 + n \
         FROM generate_series(1, $3::bigint) AS n",
        &[&NOW.as_micros(), &later.as_micros(), &TOKENS],
    )
    .await
    .unwrap();
    raw.batch_execute("ANALYZE simplejwt_session_token; SELECT pg_stat_force_next_flush()")
        .await
        .unwrap();
    let listed = store.sessions(&"1".into(), NOW).await.unwrap();
    assert_eq!(listed.len(), 1);
    let micros = u64::try_from(TOKENS).unwrap();
    assert_eq!(listed[0].refreshed_at, NOW + std::time::Duration::from_micros(micros));
    assert_eq!(listed[0].expires_at, later + std::time::Duration::from_micros(micros));
    drop(store);

    let store = made.store().await;
    // What the connections before have read is counted when they have gone. The new store has two.
    let gone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'simplejwt'";
    while raw.query_one(gone, &[]).await.unwrap().get::<_, i64>(0) > 2 {
        pause().await;
    }
    let before = rows_read(&raw).await;
    assert!(before >= TOKENS, "the list reads them all, and it is counted: {before}");
    for _ in 0..LOOKS {
        let head = store.session_of(&TOKENS.to_string(), None).await.unwrap().unwrap();
        assert_eq!((head.id.as_str(), head.created_at, head.ended_at), ("0", NOW, None));
    }
    drop(store);
    while raw.query_one(gone, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        pause().await;
    }
    let read = rows_read(&raw).await - before;
    // Reading the user's key or the schema touches none of these rows.
    assert_eq!(read, LOOKS, "one row a look");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_refer_to_tokens() {
    let django = Dialect::POSTGRES;
    let at_once = Dialect { deferred: "", ..django };
    for (case, dialect) in [(0, django), (1, django), (2, django), (0, at_once)] {
        let made = Database::migrated().await;
        let store = made.store().await;
        let raw = made.client().await;
        let run = async |sql: String| raw.batch_execute(&sql).await.unwrap();
        let count = async |sql: &str| raw.query_one(sql, &[]).await.unwrap().get(0);
        match case {
            0 => references::what_is_referred_to_stays(&store, dialect, run, count).await,
            1 => references::a_table_that_comes_in_between(&store, dialect, run).await,
            _ => references::users_stay(&store, dialect, run, count).await,
        }
    }
}

/// A user who mustn't read the table that refers to tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_referring_table_that_cant_be_read() {
    let made = Database::migrated().await;
    let raw = made.client().await;
    raw.batch_execute(
        "CREATE TABLE secret_device (id bigint PRIMARY KEY, token_id bigint NOT NULL \
         CONSTRAINT device_of_token REFERENCES token_blacklist_outstandingtoken (id) \
         DEFERRABLE INITIALLY DEFERRED)",
    )
    .await
    .unwrap();
    let store = made.store().await;
    let token = |jti: &str| OutstandingToken {
        jti: jti.into(),
        token: jti.into(),
        user_id: None,
        created_at: NOW,
        expires_at: NOW,
    };
    for jti in ["a", "b", "c"] {
        store.record(&token(jti), &Act::at(NOW)).await.unwrap();
    }
    let role = format!("purger_{}", made.name);
    raw.batch_execute(&format!(
        "INSERT INTO secret_device SELECT 1, id FROM token_blacklist_outstandingtoken \
         WHERE jti = 'b'; CREATE ROLE {role} LOGIN PASSWORD 'purger'; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON token_blacklist_outstandingtoken, \
         token_blacklist_blacklistedtoken, auth_user TO {role}"
    ))
    .await
    .unwrap();
    let (_, host) = made.url.split_once('@').unwrap();
    let url = format!("postgres://{role}:purger@{host}");
    let database = PostgresDatabase::connect(&url, Default::default()).await.unwrap();
    let purger = PostgresStore::open(&database, &Default::default()).await.unwrap();
    let retention = Retention::of(&simplejwt::Settings::default());
    for deleted in [2, 0] {
        let flush = FlushExpired::new(retention.clone(), NOW + MARGIN, 10);
        let flushed = purger.flush_expired(&flush).await.unwrap();
        assert_eq!((flushed.deleted, flushed.next), (deleted, None));
        let kept = flushed.referenced.first().unwrap();
        assert_eq!(
            (kept.constraint.as_str(), kept.table.as_str()),
            ("device_of_token", "secret_device")
        );
    }
    drop((purger, database));
    raw.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}
