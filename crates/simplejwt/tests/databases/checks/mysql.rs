//! MySQL and MariaDB databases that lack something.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use simplejwt::mysql::{MysqlDatabase, MysqlOptions, check, migrate};
use simplejwt::sql::check::{Problems, Severity};
use simplejwt::sql::table::UserTable;

use super::alterations::alterations;
use super::definition::definitions;
use super::{every_use, texts};
use crate::support::mysql::{NOW, World};

const MIGRATIONS: [&str; 7] = [
    include_str!("../../../migrations/mysql/0002_outstanding_token.sql"),
    include_str!("../../../migrations/mysql/0003_blacklisted_token.sql"),
    include_str!("../../../migrations/mysql/0005_session.sql"),
    include_str!("../../../migrations/mysql/0006_expires_at.sql"),
    include_str!("../../../migrations/mysql/0007_refresh_session.sql"),
    include_str!("../../../migrations/mysql/0008_signing_key.sql"),
    include_str!("../../../migrations/mysql/0009_throttle.sql"),
];

pub(crate) async fn checked(database: &MysqlDatabase) -> Problems {
    check::check(database, &UserTable::default(), &every_use()).await.unwrap()
}

async fn run(conn: &mut Conn, sql: &str) {
    let done = conn.query_drop(sql).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[tokio::test]
async fn whatever_is_taken_away_is_named_with_the_line_that_mends_it() {
    let world = World::new().await;
    let store = world.store().await;
    let (database, mut conn) = (store.database().clone(), world.conn().await);
    assert_eq!(texts(&checked(&database).await), [""; 0]);
    run(&mut conn, "SET SESSION foreign_key_checks = 0").await;
    // MySQL has another collation that compares bytes than MariaDB.
    let exact = world
        .one(
            "SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN \
             ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') ORDER BY 1 DESC LIMIT 1",
        )
        .await;
    let migrations = MIGRATIONS.map(|sql| sql.replace("utf8mb4_nopad_bin", &exact));
    let migrations: Vec<&str> = migrations.iter().map(String::as_str).collect();
    let definitions = definitions(&migrations);
    assert_eq!(definitions.len(), 11);
    // Foreign keys stand in the way of what is altered here.
    for one in &definitions {
        run(&mut conn, &format!("DROP TABLE `{}`", one.table)).await;
        for sql in one.statements() {
            run(&mut conn, &sql).await;
        }
    }
    let mut count = 0;
    for altered in alterations(&definitions, false) {
        count += 1;
        let table = &altered.table.table;
        let drop = format!("DROP TABLE IF EXISTS `{table}`");
        run(&mut conn, &drop).await;
        if altered.is_there {
            for sql in altered.table.statements() {
                run(&mut conn, &sql).await;
            }
        }
        let problems = checked(&database).await;
        let found = texts(&problems);
        let is_named = |text: &&String| altered.names.iter().all(|name| text.contains(name));
        assert!(found.iter().any(|text| is_named(&text)), "{altered:#?}: {found:#?}");
        // Nothing else is suspected.
        assert!(found.iter().all(|text| text.contains(table)), "{altered:#?}: {found:#?}");
        // The lines do what they say, if it takes several rounds.
        let mut left = problems;
        for _ in 0..3 {
            let mut any = false;
            for problem in left.iter().filter(|problem| problem.remedy.ends_with(';')) {
                any = true;
                run(&mut conn, &problem.remedy).await;
            }
            if !any {
                break;
            }
            left = checked(&database).await;
        }
        for problem in &left {
            assert!(!problem.remedy.ends_with(';'), "{altered:#?}: {problem}");
            assert!(!problem.remedy.is_empty(), "{problem}");
        }
        let original = definitions.iter().find(|one| one.table == *table).unwrap();
        run(&mut conn, &drop).await;
        for sql in original.statements() {
            run(&mut conn, &sql).await;
        }
    }
    assert!(count > 120, "{count}");
    assert_eq!(texts(&checked(&database).await), [""; 0]);
}

#[tokio::test]
async fn engines_collations_and_nearly_unique_indexes_are_named() {
    let world = World::new().await;
    let store = world.store().await;
    let (database, mut conn) = (store.database().clone(), world.conn().await);
    for sql in [
        "ALTER TABLE simplejwt_lease ENGINE = MyISAM",
        "ALTER TABLE simplejwt_session CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci",
        "ALTER TABLE token_blacklist_outstandingtoken \
         DROP KEY token_blacklist_outstandingtoken_jti_hex_d9bdf6f7_uniq, ADD UNIQUE u (jti(9))",
    ] {
        run(&mut conn, sql).await;
    }
    let problems = checked(&database).await;
    let found = texts(&problems);
    for part in [
        "the table \"simplejwt_lease\" is kept by MyISAM, without transactions: \
         ALTER TABLE `simplejwt_lease` ENGINE = InnoDB;",
        "the column \"user_agent\" of the table \"simplejwt_session\" has the collation \
         utf8mb3_general_ci",
        "the column \"jti\" of the table \"token_blacklist_outstandingtoken\" isn't unique \
         (u is on its first characters)",
    ] {
        assert!(found.iter().any(|text| text.contains(part)), "{part}: {found:#?}");
    }
    for problem in &problems {
        run(&mut conn, &problem.remedy).await;
    }
    assert_eq!(texts(&checked(&database).await), [""; 0]);
}

#[tokio::test]
async fn a_table_of_ours_that_is_gone_is_made_anew() {
    let world = World::new().await;
    let store = world.store().await;
    let database = store.database().clone();
    world.run("INSERT INTO simplejwt_revocation VALUES (7, 'token', 'a', 1, 2)").await;
    for table in ["simplejwt_lease", "simplejwt_sequence", "simplejwt_session_token"] {
        world.run(&format!("DROP TABLE {table}")).await;
        let found = texts(&checked(&database).await);
        assert!(found[0].contains(table) && found[0].contains("run `migrate`"), "{found:?}");
        migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
        assert_eq!(texts(&checked(&database).await), [""; 0]);
    }
    assert_eq!(world.one("SELECT value FROM simplejwt_sequence").await, "7");
}

#[tokio::test]
async fn fewer_connections_than_may_be_opened_are_told() {
    let world = World::new().await;
    drop(world.store().await);
    let options = MysqlOptions { max_connections: 100_000, ..MysqlOptions::default() };
    let problems = checked(&world.database_with(options).await).await;
    let problem = problems.iter().next().unwrap();
    assert_eq!(problem.severity, Severity::Warning);
    assert!(problem.what.contains("max_connections of the server"), "{problem}");
}
