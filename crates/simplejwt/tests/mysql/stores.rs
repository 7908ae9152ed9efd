//! The suites of what every store has to do, and what is MySQL's own.

use std::sync::Arc;

use mysql_async::prelude::Queryable as _;
use simplejwt::Settings;
use simplejwt::event::{Act, Cause};
use simplejwt::store::conformance::{self, Task};
use simplejwt::store::rows::BySession;
use simplejwt::store::{Blacklisting, Rotation, TokenStore as _};

use crate::support::moves;
use crate::support::mysql::{NOW, World, is_mariadb, token};
use crate::support::pause;
use crate::support::references;

fn spawn(task: Task) {
    tokio::spawn(task);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn tokens() {
    let world = World::new().await;
    drop(world.store().await);
    conformance::all(|| world.emptied(), spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn sessions() {
    let world = World::new().await;
    drop(world.store().await);
    conformance::sessions(|| world.emptied(), spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn by_session() {
    let world = World::new().await;
    drop(world.store().await);
    let make = || async { BySession::new(world.emptied().await, &Settings::default()) };
    conformance::all(make, spawn).await;
    conformance::sessions(make, spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn keys_of_a_ring() {
    let world = World::new().await;
    drop(world.store().await);
    let make = || async {
        world.run("DELETE FROM simplejwt_signing_key").await;
        world.database().await
    };
    conformance::keys(make, spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counters_of_a_throttle() {
    let world = World::new().await;
    drop(world.store().await);
    let make = || async {
        world.run("DELETE FROM simplejwt_throttle").await;
        world.database().await
    };
    conformance::throttle(make, spawn).await;
}

#[tokio::test]
async fn moved_to_rows_and_back() {
    let world = World::new().await;
    moves::sessions_go_on(world.store().await).await;
}

/// A jti column with Django's collation: what differs in nothing but case is another token, and
/// can't be registered.
#[tokio::test]
async fn a_collation_never_passes_one_token_off_as_another() {
    let world = World::new().await;
    let store = world.store().await;
    world
        .run(
            "ALTER TABLE token_blacklist_outstandingtoken MODIFY jti varchar(255) \
             COLLATE utf8mb4_general_ci NOT NULL",
        )
        .await;
    let users = simplejwt::sql::table::UserTable::default();
    let store = simplejwt::mysql::MysqlStore::open(store.database(), &users).await.unwrap();
    assert_eq!(
        store.blacklist(&token("A"), &Act::at(NOW)).await.unwrap().outcome,
        Blacklisting::Blacklisted
    );
    for other in ["a", "A ", "Á"] {
        assert!(!store.is_blacklisted(other).await.unwrap(), "{other:?}");
        let error = store.rotate(&token(other), &token("next"), &Cause::at(NOW)).await.unwrap_err();
        assert_eq!(error.kind(), simplejwt::error::StoreErrorKind::Incompatible, "{other:?}");
        assert!(store.record(&token(other), &Act::at(NOW)).await.is_err());
    }
    assert_eq!(world.one("SELECT COUNT(*) FROM token_blacklist_outstandingtoken").await, "1");
    let rotation = store.rotate(&token("b"), &token("c"), &Cause::at(NOW)).await.unwrap().outcome;
    assert_eq!(rotation, Rotation::Rotated);
}

/// What a rotation costs the server, with everything prepared.
#[tokio::test]
async fn the_statements_of_a_rotation_are_counted() {
    use simplejwt::store::session::{
        NewSession, NextToken, OpenSession, RefreshOutcome, RetainUntil, SessionRefresh,
        SessionStore as _,
    };
    let world = World::new().await;
    let options = simplejwt::mysql::MysqlOptions { max_connections: 1, ..Default::default() };
    let store = world.store_with(options).await;
    let retain_until =
        RetainUntil { refresh: token("x").expires_at, access: token("x").expires_at };
    let session = NewSession { id: "0".into(), user_id: "1".into(), password: None };
    let open = OpenSession {
        session: session.clone(),
        token: token("0"),
        expires_at: token("0").expires_at,
        limit: None,
        cause: Cause::at(NOW),
        retain_until,
    };
    let _ = store.open(&open).await.unwrap();
    let refresh = |from: u32| SessionRefresh {
        token: token(&from.to_string()),
        next: NextToken::Rotated {
            token: token(&(from + 1).to_string()),
            access_jti: "access".into(),
        },
        session: session.clone(),
        grace: Default::default(),
        tolerance: Default::default(),
        idle: None,
        lifetime: None,
        cause: Cause::at(NOW),
        retain_until,
    };
    assert_eq!(store.refresh(&refresh(0)).await.unwrap().outcome, RefreshOutcome::Refreshed);
    // Of this store's one connection only: other tests use the server, too.
    let id = world
        .one(&format!(
            "SELECT MAX(id) FROM information_schema.PROCESSLIST WHERE DB = '{}' AND \
                       ID <> CONNECTION_ID()",
            world.name
        ))
        .await;
    let mut conn = world.conn().await;
    let log_was: Option<(String, i64)> =
        conn.query_first("SELECT @@log_output, @@general_log").await.unwrap();
    conn.query_drop("SET GLOBAL log_output = 'TABLE'").await.unwrap();
    conn.query_drop("SET GLOBAL general_log = 1").await.unwrap();
    let outcome = store.refresh(&refresh(1)).await.unwrap().outcome;
    let (output, on) = log_was.unwrap();
    conn.query_drop(format!("SET GLOBAL general_log = {on}")).await.unwrap();
    conn.query_drop(format!("SET GLOBAL log_output = '{output}'")).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Refreshed);
    let log: Vec<(String, String)> = conn
        .query(format!(
            "SELECT command_type, CONVERT(argument USING utf8mb4) FROM mysql.general_log \
             WHERE thread_id = {id} ORDER BY event_time"
        ))
        .await
        .unwrap();
    let kinds: Vec<&str> = log.iter().map(|(kind, _)| kind.as_str()).collect();
    // BEGIN with a look at the token, its session and its user; the three inserts and COMMIT. MySQL
    // logs each statement, MariaDB each text.
    let texts: Vec<&str> = log.iter().map(|(_, text)| text.as_str()).collect();
    let statements = texts.join("; ");
    let count = |word: &str| statements.matches(word).count();
    assert!(kinds.iter().all(|kind| *kind == "Query"), "{log:#?}");
    assert_eq!([count("START "), count("INSERT "), count("COMMIT")], [1, 3, 1], "{log:#?}");
    assert!(kinds.len() == if is_mariadb(&mut conn).await { 2 } else { 8 }, "{log:#?}");
}

/// The look that a refresh takes at its session costs the same after any number of rotations.
#[tokio::test]
async fn a_session_is_found_without_its_other_tokens() {
    use simplejwt::SessionStore as _;
    const TOKENS: u64 = 10_000;
    const LOOKS: u64 = 20;
    let world = World::new().await;
    let store = world.store().await;
    let at = NOW.as_micros();
    let expires_at = token("x").expires_at.as_micros();
    let rows: Vec<String> = (1..=TOKENS)
        .map(|n| format!("('{n}', '0', {}, {at} + {n}, {at} + {n}, {expires_at} + {n})", n - 1))
        .collect();
    world
        .run(&format!(
            "INSERT INTO simplejwt_session (id, user_id, created_at, expires_at) \
             VALUES ('0', '1', {at}, {expires_at});\n\
             INSERT INTO simplejwt_session_token \
             (jti, session_id, parent_jti, created_at, used_at, expires_at) VALUES {}",
            rows.join(", ")
        ))
        .await;
    let mut conn = world.conn().await;
    // Counted by MariaDB alone; what other tests do to their own databases isn't looked at.
    conn.query_drop("SET GLOBAL userstat = 1").await.unwrap();
    let name = world.name.clone();
    let rows_read = || async {
        let sql = format!(
            "SELECT ROWS_READ FROM information_schema.TABLE_STATISTICS \
             WHERE TABLE_SCHEMA = '{name}' AND TABLE_NAME = 'simplejwt_session_token'"
        );
        world.one(&sql).await.parse::<u64>().unwrap_or_default()
    };
    let listed = store.sessions(&"1".into(), NOW).await.unwrap();
    assert_eq!(listed.len(), 1);
    let newest = std::time::Duration::from_micros(TOKENS);
    assert_eq!(listed[0].refreshed_at, NOW + newest);
    assert_eq!(listed[0].expires_at, token("x").expires_at + newest);
    let before = rows_read().await;
    assert!(before >= TOKENS, "the list reads them all, and it is counted: {before}");
    for _ in 0..LOOKS {
        let head = store.session_of(&TOKENS.to_string(), None).await.unwrap().unwrap();
        assert_eq!((head.id.as_str(), head.created_at, head.ended_at), ("0", NOW, None));
    }
    assert_eq!(rows_read().await - before, LOOKS, "one row a look");
}

/// The two that deadlock are begun again, and nobody hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadlock_is_tried_again() {
    let world = World::new().await;
    let store = Arc::new(world.store().await);
    for jti in ["a", "b"] {
        store.record(&token(jti), &Act::at(NOW)).await.unwrap();
    }
    let mut other = world.conn().await;
    let lock = |jti: &str| {
        format!(
            "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id) SELECT \
             UTC_TIMESTAMP(6), id FROM token_blacklist_outstandingtoken WHERE jti = '{jti}' \
             ON DUPLICATE KEY UPDATE token_id = token_blacklist_blacklistedtoken.token_id"
        )
    };
    // Heavy, so that the other one is the victim.
    other.query_drop("START TRANSACTION").await.unwrap();
    other.query_drop("CREATE TEMPORARY TABLE big (n int) ENGINE=InnoDB").await.unwrap();
    other
        .query_drop(
            "INSERT INTO big SELECT 1 FROM information_schema.COLLATIONS, \
             information_schema.ENGINES LIMIT 2000",
        )
        .await
        .unwrap();
    // `blacklist_all` takes a and b in the order of their ids.
    other.query_drop(lock("b")).await.unwrap();
    let all = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.blacklist_all(&"1".into(), NOW).await })
    };
    // Until it waits for b, and has a.
    loop {
        let waits = world
            .one(&format!(
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = '{}' \
                 AND INFO LIKE 'INSERT INTO token_blacklist_blacklistedtoken%'",
                world.name
            ))
            .await;
        if waits != "0" {
            break;
        }
        pause().await;
    }
    other.query_drop(lock("a")).await.unwrap();
    other.query_drop("COMMIT").await.unwrap();
    let blacklisted = all.await.unwrap().unwrap();
    assert_eq!(blacklisted, 0, "both were the other transaction's");
    assert!(store.is_blacklisted("a").await.unwrap() && store.is_blacklisted("b").await.unwrap());
}

#[tokio::test]
async fn tables_that_refer_to_tokens() {
    for case in 0..3 {
        let world = World::new().await;
        let store = world.store().await;
        let dialect = references::Dialect::MYSQL;
        let run = async |sql: String| world.run(&sql).await;
        let count = async |sql: &str| world.one(sql).await.parse().unwrap();
        match case {
            0 => references::what_is_referred_to_stays(&store, dialect, run, count).await,
            1 => references::a_table_that_comes_in_between(&store, dialect, run).await,
            _ => references::users_stay(&store, dialect, run, count).await,
        }
    }
}

/// Django's tables as older databases have them, beside ours in utf8mb4: no comparison mixes the
/// two, and what the column can't hold is no token.
#[tokio::test]
async fn sessions_beside_tables_in_other_character_sets() {
    use simplejwt::store::session::{
        Client, EndEvent, EndReason, EndSessions, NewSession, NextToken, OpenSession,
        RefreshOutcome, RetainUntil, SessionRefresh, SessionSelector, SessionStore as _,
    };
    const DJANGO: &str = include_str!("../fixtures/django_mariadb.sql");
    for charset in ["utf8mb3", "latin1"] {
        let world = World::new().await;
        world.run(&format!("ALTER DATABASE {} CHARACTER SET {charset}", world.name)).await;
        let general = format!("{charset}_general_ci");
        world
            .run(&DJANGO.replace("utf8mb4_general_ci", &general).replace("utf8mb4", charset))
            .await;
        world.run("INSERT INTO auth_user VALUES (1,'',NULL,0,'one','','','',0,1,NOW())").await;
        let users = simplejwt::sql::table::UserTable::default();
        let database = world.database().await;
        simplejwt::mysql::migrate::apply(&database, &users, NOW).await.unwrap();
        let store = simplejwt::mysql::MysqlStore::open(&database, &users).await.unwrap();
        let expires_at = token("x").expires_at;
        let retain_until = RetainUntil { refresh: expires_at, access: expires_at };
        let session = NewSession { id: "s".into(), user_id: "1".into(), password: None };
        let client = Client::new(Some("192.0.2.1"), Some("Браузер 🦀"));
        let cause = Cause { client, ..Cause::at(NOW) };
        let open = OpenSession {
            session: session.clone(),
            token: token("a"),
            expires_at,
            limit: None,
            cause: cause.clone(),
            retain_until,
        };
        let _ = store.open(&open).await.unwrap();
        let refresh = |from: &str, to: &str| SessionRefresh {
            token: token(from),
            next: NextToken::Rotated { token: token(to), access_jti: "access".into() },
            session: session.clone(),
            grace: Default::default(),
            tolerance: Default::default(),
            idle: None,
            lifetime: None,
            cause: cause.clone(),
            retain_until,
        };
        let refreshed = store.refresh(&refresh("a", "b")).await.unwrap().outcome;
        assert_eq!(refreshed, RefreshOutcome::Refreshed, "{charset}");
        assert!(
            store.is_spent("a", None).await.unwrap() && !store.is_spent("b", None).await.unwrap()
        );
        let shown = store.sessions(&"1".into(), NOW).await.unwrap().remove(0);
        assert_eq!(shown.client.user_agent.as_deref(), Some("Браузер 🦀"), "{charset}");
        let refused: simplejwt::Error =
            store.refresh(&refresh("🦀", "c")).await.unwrap_err().into();
        assert_eq!(refused.code(), "token_not_valid", "{charset}");
        let which = SessionSelector::All { user_id: "1".into(), except: None };
        let ending = EndSessions {
            which,
            reason: EndReason::Logout,
            event: EndEvent::SessionsEnded,
            cause: cause.clone(),
            retain_until,
        };
        assert_eq!(store.end_sessions(&ending).await.unwrap().outcome, 1, "{charset}");
        assert_eq!(store.refresh(&refresh("b", "c")).await.unwrap().outcome, RefreshOutcome::Ended);
        assert!(store.is_blacklisted("b").await.unwrap(), "{charset}");
    }
}
