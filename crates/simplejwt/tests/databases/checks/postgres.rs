//! PostgreSQL databases that lack something.

use simplejwt::postgres::{PostgresDatabase, PostgresOptions, check, migrate};
use simplejwt::sql::check::{Problems, Severity};
use simplejwt::sql::table::UserTable;

use super::alterations::alterations;
use super::definition::definitions;
use super::{every_use, texts};
use crate::support::NOW;
use crate::support::postgres::Database;

const MIGRATIONS: [&str; 7] = [
    include_str!("../../../migrations/postgres/0002_outstanding_token.sql"),
    include_str!("../../../migrations/postgres/0003_blacklisted_token.sql"),
    include_str!("../../../migrations/postgres/0005_session.sql"),
    include_str!("../../../migrations/postgres/0006_expires_at.sql"),
    include_str!("../../../migrations/postgres/0007_refresh_session.sql"),
    include_str!("../../../migrations/postgres/0008_signing_key.sql"),
    include_str!("../../../migrations/postgres/0009_throttle.sql"),
];

pub(crate) async fn checked(database: &PostgresDatabase) -> Problems {
    check::check(database, &UserTable::default(), &every_use()).await.unwrap()
}

/// Executes what is to be pasted; whether there was anything.
async fn mend(client: &tokio_postgres::Client, problems: &Problems) -> bool {
    let mut any = false;
    for problem in problems {
        if problem.remedy.ends_with(';') {
            any = true;
            let done = client.batch_execute(&problem.remedy).await;
            done.unwrap_or_else(|error| panic!("{problem}: {error:?}"));
        }
    }
    any
}

#[tokio::test]
async fn whatever_is_taken_away_is_named_with_the_line_that_mends_it() {
    let made = Database::migrated().await;
    let (database, client) = (made.connect().await, made.client().await);
    assert_eq!(texts(&checked(&database).await), [""; 0]);
    client.batch_execute("SET synchronous_commit = off").await.unwrap();
    let definitions = definitions(&MIGRATIONS);
    assert_eq!(definitions.len(), 11);
    let mut count = 0;
    for altered in alterations(&definitions, false) {
        count += 1;
        let table = &altered.table.table;
        let drop = format!("DROP TABLE IF EXISTS \"{table}\" CASCADE");
        let mut made = vec![drop.clone()];
        made.extend(if altered.is_there { altered.table.statements() } else { Vec::new() });
        client.batch_execute(&made.join(";\n")).await.unwrap();
        let problems = checked(&database).await;
        let found = texts(&problems);
        let is_named = |text: &&String| altered.names.iter().all(|name| text.contains(name));
        assert!(found.iter().any(|text| is_named(&text)), "{altered:#?}: {found:#?}");
        // Nothing else is suspected.
        assert!(found.iter().all(|text| text.contains(table)), "{altered:#?}: {found:#?}");
        // The lines do what they say, if it takes several rounds.
        let mut left = problems;
        for _ in 0..3 {
            if !mend(&client, &left).await {
                break;
            }
            left = checked(&database).await;
        }
        for problem in &left {
            assert!(!problem.remedy.ends_with(';'), "{altered:#?}: {problem}");
            assert!(!problem.remedy.is_empty(), "{problem}");
        }
        let original = definitions.iter().find(|one| one.table == *table).unwrap();
        let mut again = vec![drop];
        again.extend(original.statements());
        client.batch_execute(&again.join(";\n")).await.unwrap();
    }
    assert!(count > 120, "{count}");
    assert_eq!(texts(&checked(&database).await), [""; 0]);
}

#[tokio::test]
async fn an_index_that_is_nearly_unique_is_named() {
    let made = Database::migrated().await;
    let (database, client) = (made.connect().await, made.client().await);
    for (unique, why) in [
        ("ADD CONSTRAINT u UNIQUE (jti) DEFERRABLE", "u is deferrable"),
        ("ADD CONSTRAINT u UNIQUE (jti, id)", "u is on several columns"),
    ] {
        client
            .batch_execute(&format!(
                "ALTER TABLE token_blacklist_outstandingtoken DROP CONSTRAINT IF EXISTS u, \
                 DROP CONSTRAINT IF EXISTS token_blacklist_outstandingtoken_jti_hex_d9bdf6f7_uniq, \
                 {unique}"
            ))
            .await
            .unwrap();
        let problems = checked(&database).await;
        let found = texts(&problems);
        assert!(found[0].contains("\"jti\"") && found[0].contains(why), "{found:?}");
    }
    client
        .batch_execute(
            "ALTER TABLE token_blacklist_outstandingtoken DROP CONSTRAINT u; \
             CREATE UNIQUE INDEX u ON token_blacklist_outstandingtoken (jti) WHERE id > 7",
        )
        .await
        .unwrap();
    let problems = checked(&database).await;
    assert!(texts(&problems)[0].contains("u has a condition"), "{problems}");
    client.batch_execute("DROP INDEX u").await.unwrap();
    let problems = checked(&database).await;
    assert!(mend(&client, &problems).await);
    assert!(checked(&database).await.is_empty());
}

#[tokio::test]
async fn what_the_server_keeps_from_working_is_told() {
    let made = Database::migrated().await;
    let (database, client) = (made.connect().await, made.client().await);
    client
        .batch_execute(
            "DROP INDEX token_blacklist_outstandingtoken_jti_hex_d9bdf6f7_like; \
             ALTER TABLE token_blacklist_outstandingtoken ALTER COLUMN jti TYPE uuid \
             USING '6f1c3a52-9a38-4d5e-8a52-0123456789ab'; \
             DROP TABLE token_blacklist_blacklistedtoken; \
             CREATE VIEW token_blacklist_blacklistedtoken AS SELECT 1 AS id; \
             ALTER TABLE simplejwt_session SET UNLOGGED",
        )
        .await
        .unwrap();
    let found = texts(&checked(&database).await);
    for part in [
        "the column \"jti\" of the table \"token_blacklist_outstandingtoken\" has the type \"uuid\", \
         as the first migrations of token_blacklist made it: \
         python manage.py migrate token_blacklist",
        "\"token_blacklist_blacklistedtoken\" is a view, and has to be a table",
        "the table \"simplejwt_session\" is unlogged: a crash of the server empties it: \
         ALTER TABLE simplejwt_session SET LOGGED;",
    ] {
        assert!(found.iter().any(|text| text.contains(part)), "{part}: {found:#?}");
    }

    made.read_only(true).await;
    let options = PostgresOptions { max_connections: 500, ..PostgresOptions::default() };
    let database = PostgresDatabase::connect(&made.url, options).await.unwrap();
    let problems = checked(&database).await;
    let passing = problems.iter().find(|problem| problem.severity == Severity::Passing).unwrap();
    assert!(passing.what.contains("takes no writes"), "{passing}");
    let found = texts(&problems);
    assert!(
        found.iter().any(|text| text.contains("max_connections") && text.contains("may open 500")),
        "{found:#?}"
    );
}

#[tokio::test]
async fn a_table_in_another_schema_is_found_by_its_full_name_and_told_of_otherwise() {
    let made = Database::migrated().await;
    let (database, client) = (made.connect().await, made.client().await);
    client
        .batch_execute("CREATE SCHEMA accounts; ALTER TABLE auth_user SET SCHEMA accounts")
        .await
        .unwrap();
    let found = texts(&checked(&database).await);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].contains("the table \"auth_user\" is in the schema \"accounts\"")
            && found[0].contains("name accounts.auth_user as the users' table")
            && found[0].contains("SET search_path = public, accounts;"),
        "{found:?}"
    );
    for name in ["accounts.auth_user", "accounts\".\"auth_user", "\"accounts\".\"auth_user\""] {
        let users = UserTable { table: name.into(), ..UserTable::default() };
        let problems = check::check(&database, &users, &every_use()).await.unwrap();
        assert_eq!(texts(&problems), [""; 0], "{name}");
        assert_eq!(migrate::plan(&database, &users).await.unwrap(), [], "{name}");
    }
    // What looks like a schema may be a part of the name.
    client.batch_execute("CREATE TABLE \"accounts.auth_user\" (id int)").await.unwrap();
    let users = UserTable { table: "accounts.auth_user".into(), ..UserTable::default() };
    let problems = check::check(&database, &users, &every_use()).await.unwrap();
    assert!(texts(&problems)[0].contains("has no column"), "{problems}");
}

#[tokio::test]
async fn a_table_of_ours_that_is_gone_is_made_anew() {
    let made = Database::migrated().await;
    let (database, client) = (made.connect().await, made.client().await);
    client
        .batch_execute("INSERT INTO simplejwt_revocation VALUES (7, 'token', 'a', 1, 2)")
        .await
        .unwrap();
    for table in ["simplejwt_lease", "simplejwt_sequence", "simplejwt_session_token"] {
        client.batch_execute(&format!("DROP TABLE {table}")).await.unwrap();
        let found = texts(&checked(&database).await);
        assert!(found[0].contains(table) && found[0].contains("run `migrate`"), "{found:?}");
        migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
        assert_eq!(texts(&checked(&database).await), [""; 0]);
    }
    let row = client.query_one("SELECT value FROM simplejwt_sequence", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 7);
}
