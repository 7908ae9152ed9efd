//! Migrations of PostgreSQL databases: empty ones, Django's, half of them, by several at once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::time::Duration;

use crate::support::postgres::{Database, execute};
use crate::support::{NOW, hashing_pool, pause};
use simplejwt::TokenStore as _;
use simplejwt::postgres::PostgresUsers;
use simplejwt::postgres::{PostgresDatabase, PostgresOptions, PostgresStore, migrate};
use simplejwt::sql::manage::UserOptions;
use simplejwt::sql::schema::SchemaError;
use simplejwt::sql::table::UserTable;
use simplejwt::users::UserStore as _;

const ALL: [&str; 9] = [
    "0001_auth_user",
    "0002_outstanding_token",
    "0003_blacklisted_token",
    "0004_auth_permission",
    "0005_session",
    "0006_expires_at",
    "0007_refresh_session",
    "0008_signing_key",
    "0009_throttle",
];
/// All that the catalogue says of the tables, by lines: columns, constraints, indexes, sequences.
const DESCRIBED: &str = "\
    SELECT concat_ws(' ', 'column', table_name, column_name, data_type, character_maximum_length, \
    is_nullable, column_default, is_identity, identity_generation) FROM information_schema.columns \
    WHERE table_schema = 'public' \
    UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, \
    pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
    UNION ALL SELECT concat_ws(' ', 'index', indexdef) FROM pg_indexes WHERE schemaname = 'public' \
    UNION ALL SELECT concat_ws(' ', 'sequence', sequencename, data_type, start_value, increment_by) \
    FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1";

async fn described(database: &Database) -> Vec<String> {
    let rows = database.client().await.query(DESCRIBED, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// What isn't of our own tables, nor of Django's list of its migrations.
fn of_django(lines: &[String]) -> Vec<&String> {
    let other =
        |line: &&String| !line.contains("simplejwt_") && !line.contains("django_migrations");
    lines.iter().filter(other).collect()
}

async fn apply(database: &Database, users: &UserTable) -> Result<Vec<&'static str>, SchemaError> {
    let connected = database.connect().await;
    let planned = migrate::plan(&connected, users).await?;
    let steps = migrate::apply(&connected, users, NOW).await?;
    assert_eq!(steps, planned);
    assert_eq!(migrate::plan(&connected, users).await.unwrap(), []);
    let store = PostgresStore::open(&connected, users).await.unwrap();
    store.check_sessions().await.unwrap();
    store.check_session_rows().await.unwrap();
    Ok(steps.iter().map(|step| step.name).collect())
}

#[tokio::test]
async fn what_is_made_here_is_what_django_makes() {
    let (ours, django) = (Database::empty().await, Database::django().await);
    assert_eq!(apply(&ours, &UserTable::default()).await.unwrap(), ALL);
    let (ours, django) = (described(&ours).await, described(&django).await);
    assert!(of_django(&django).len() > 60, "{django:#?}");
    // Line by line, for a failure that can be read.
    for line in of_django(&django) {
        assert!(ours.contains(line), "not made here: {line}");
    }
    assert_eq!(of_django(&ours), of_django(&django));
}

#[tokio::test]
async fn djangos_database_gets_our_tables_and_keeps_its_own() {
    let made = Database::django().await;
    let before = described(&made).await;
    let steps = apply(&made, &UserTable::default()).await.unwrap();
    assert_eq!(
        steps,
        [
            "0005_session",
            "0006_expires_at",
            "0007_refresh_session",
            "0008_signing_key",
            "0009_throttle"
        ]
    );
    let after = described(&made).await;
    let kept: Vec<_> = after.iter().filter(|line| !line.contains("simplejwt_")).collect();
    assert_eq!(kept, before.iter().collect::<Vec<_>>());
    // What Django stored is read.
    let store = made.store().await;
    assert!(!store.is_blacklisted("11111111111111111111111111111111").await.unwrap());
    assert!(store.is_blacklisted("22222222222222222222222222222222").await.unwrap());
    let (users, options) = (UserTable::default(), UserOptions::default());
    let users = PostgresUsers::open(&made.connect().await, users, hashing_pool(), options).await;
    assert_eq!(users.unwrap().find(&"1".into()).await.unwrap().unwrap().username, "alice");
    let recorded = "SELECT string_agg(name, ' ' ORDER BY name) FROM simplejwt_migrations";
    let recorded: String = made.client().await.query_one(recorded, &[]).await.unwrap().get(0);
    assert_eq!(
        recorded,
        "0005_session 0006_expires_at 0007_refresh_session 0008_signing_key 0009_throttle"
    );
}

#[tokio::test]
async fn what_was_begun_is_finished() {
    for (missing, steps) in [
        ("token_blacklist_blacklistedtoken", &["0003_blacklisted_token"][..]),
        (
            "token_blacklist_blacklistedtoken, token_blacklist_outstandingtoken",
            &["0002_outstanding_token", "0003_blacklisted_token", "0006_expires_at"],
        ),
    ] {
        let made = Database::migrated().await;
        execute(&made.url, &format!("DROP TABLE {missing}")).await;
        assert_eq!(apply(&made, &UserTable::default()).await.unwrap(), steps, "{missing}");
    }
    // An index whose building was interrupted.
    let made = Database::migrated().await;
    let index = "simplejwt_outstandingtoken_expires_at";
    execute(
        &made.url,
        &format!("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass"),
    )
    .await;
    assert_eq!(apply(&made, &UserTable::default()).await.unwrap(), ["0006_expires_at"]);
    let valid = format!("SELECT indisvalid FROM pg_index WHERE indexrelid = '{index}'::regclass");
    let valid: bool = made.client().await.query_one(&valid, &[]).await.unwrap().get(0);
    assert!(valid);
}

#[tokio::test]
async fn a_transaction_under_way_only_delays_the_index() {
    let made = Database::django().await;
    let other = made.client().await;
    other
        .batch_execute(
            "BEGIN; INSERT INTO token_blacklist_outstandingtoken (token, expires_at, jti) \
             VALUES ('a', now(), 'under way')",
        )
        .await
        .unwrap();
    let connected = made.connect().await;
    let applying = tokio::spawn(async move {
        migrate::apply(&connected, &UserTable::default(), NOW).await.unwrap().len()
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock' \
                 OR query LIKE '%CREATE INDEX CONCURRENTLY%' AND state = 'active' \
                 AND pid <> pg_backend_pid() AND datname = current_database()";
    let watcher = made.client().await;
    let begun = async {
        while watcher.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            pause().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), begun).await.expect("the index is built");
    // Others go on writing meanwhile.
    execute(
        &made.url,
        "SET lock_timeout = '5s'; INSERT INTO token_blacklist_outstandingtoken \
         (token, expires_at, jti) VALUES ('b', now(), 'meanwhile')",
    )
    .await;
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(applying.await.unwrap(), 5);
    made.store().await.check_sessions().await.unwrap();
}

#[tokio::test]
async fn tables_that_are_something_else_are_refused_and_kept() {
    for (sql, told) in [
        ("ALTER TABLE token_blacklist_outstandingtoken DROP COLUMN jti", "\"jti\""),
        ("ALTER TABLE token_blacklist_blacklistedtoken DROP COLUMN token_id", "\"token_id\""),
        (
            "ALTER TABLE token_blacklist_outstandingtoken \
             DROP CONSTRAINT token_blacklist_outstandingtoken_jti_hex_d9bdf6f7_uniq",
            "jti",
        ),
        (
            "ALTER TABLE token_blacklist_blacklistedtoken \
             DROP CONSTRAINT token_blacklist_blacklistedtoken_token_id_key",
            "token_id",
        ),
        ("ALTER TABLE auth_user RENAME COLUMN username TO name", "\"username\""),
        ("CREATE TABLE simplejwt_session (id text)", "simplejwt_session"),
    ] {
        let made = Database::django().await;
        execute(&made.url, sql).await;
        let before = described(&made).await;
        let error = apply(&made, &UserTable::default()).await.unwrap_err().to_string();
        assert!(error.contains(told), "{sql}: {error}");
        assert_eq!(described(&made).await, before, "{sql}");
    }
    let missing = UserTable { table: "accounts_user".into(), ..UserTable::default() };
    let made = Database::django().await;
    let error = apply(&made, &missing).await.unwrap_err().to_string();
    assert!(error.contains("accounts_user") && error.contains("auth_user"), "{error}");
}

#[tokio::test]
async fn without_tables_a_store_does_not_open_and_says_what_to_do() {
    let made = Database::empty().await;
    let connected = made.connect().await;
    let error = PostgresStore::open(&connected, &UserTable::default()).await.unwrap_err();
    assert!(error.to_string().contains("migrate"), "{error}");
    let made = Database::django().await;
    let store = made.store().await;
    let error = store.check_sessions().await.unwrap_err();
    let missing =
        matches!(&error, SchemaError::MissingTable { table, .. } if table == "simplejwt_session");
    assert!(missing, "{error:?}");
}

/// Somebody who may not make tables is told so, and nothing is half made.
#[tokio::test]
async fn without_the_right_to_make_tables_nothing_is_made() {
    let made = Database::django().await;
    let role = format!("reader_{}", made.name);
    execute(&made.url, &format!("CREATE ROLE {role} LOGIN PASSWORD 'reads'")).await;
    execute(&made.url, &format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")).await;
    // Everybody had it up to PostgreSQL 14.
    execute(&made.url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
    let url = made.url.replace("simplejwt:simplejwt@", &format!("{role}:reads@"));
    let before = described(&made).await;
    let database = PostgresDatabase::connect(&url, PostgresOptions::default()).await.unwrap();
    let error = migrate::apply(&database, &UserTable::default(), NOW).await.unwrap_err();
    let SchemaError::MayNot { missing } = &error else { panic!("{error:?}") };
    let remedies: Vec<_> = missing.iter().map(|right| right.remedy.as_str()).collect();
    let grant = format!("GRANT CREATE ON SCHEMA public TO {role};");
    assert!(remedies.contains(&grant.as_str()), "{remedies:?}");
    assert!(!format!("{error:?}").contains("reads@"));
    assert_eq!(described(&made).await, before);
    drop(database);
    execute(&made.url, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_migrate_at_once() {
    let made = Database::empty().await;
    let started: Vec<_> = (0..8)
        .map(|_| {
            let url = made.url.clone();
            tokio::spawn(async move {
                let database =
                    PostgresDatabase::connect(&url, PostgresOptions::default()).await.unwrap();
                let steps = migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
                (database, steps.len())
            })
        })
        .collect();
    let mut counts = Vec::new();
    for one in started {
        let limit = Duration::from_secs(60);
        let (database, steps) = tokio::time::timeout(limit, one).await.unwrap().unwrap();
        counts.push(steps);
        let store = PostgresStore::open(&database, &UserTable::default()).await.unwrap();
        store.check_sessions().await.unwrap();
        assert!(migrate::plan(&database, &UserTable::default()).await.unwrap().is_empty());
    }
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 0, 0, 0, 0, 0, 9], "one of them made it all");
}

#[tokio::test]
async fn django_is_told_once_what_was_made_here() {
    let made = Database::empty().await;
    let database = made.connect().await;
    let users = UserTable::default();
    let nothing = migrate::for_django(&database, &users, true, NOW).await.unwrap_err();
    assert!(matches!(nothing, SchemaError::DjangosOwn { .. }), "{nothing}");
    migrate::apply(&database, &users, NOW).await.unwrap();
    let told = migrate::for_django(&database, &users, false, NOW).await.unwrap();
    assert_eq!((told.len(), told[0].as_str()), (14, "contenttypes.0001_initial"));
    assert!(migrate::for_django(&database, &users, false, NOW).await.unwrap().is_empty());
    // What is missing of it is told again, once by several at a time.
    execute(&made.url, "DELETE FROM django_migrations WHERE app = 'auth'").await;
    let tell = || migrate::for_django(&database, &users, true, NOW);
    let (one, other) = tokio::join!(tell(), tell());
    assert_eq!(one.unwrap().len() + other.unwrap().len(), 24);
    let count = "SELECT count(*) FROM django_migrations";
    let count: i64 = made.client().await.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(count, 26);
    let django = Database::django().await;
    let before = described(&django).await;
    let database = django.connect().await;
    let refused = migrate::for_django(&database, &users, true, NOW).await.unwrap_err();
    assert!(matches!(refused, SchemaError::DjangosOwn { .. }), "{refused}");
    assert!(refused.to_string().contains("manage.py migrate"), "{refused}");
    assert_eq!(described(&django).await, before);
}
