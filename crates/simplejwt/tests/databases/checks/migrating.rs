//! A migration that its account may not do: all that is missing is said first, with the lines that
//! give it, and nothing is changed.

use mysql_async::prelude::Queryable as _;
use simplejwt::mysql::{self, MysqlDatabase, MysqlOptions};
use simplejwt::postgres::{self, PostgresDatabase, PostgresOptions};
use simplejwt::sql::schema::{MissingRight, SchemaError, Step};
use simplejwt::sql::table::UserTable;

use crate::support::mysql::World;
use crate::support::postgres::{Database, VARIABLE, execute};
use crate::support::{NOW, server};

/// Every table but the users', for each kind of database.
const TABLES: &str = "token_blacklist_blacklistedtoken, token_blacklist_outstandingtoken, \
    simplejwt_session, simplejwt_session_token, simplejwt_revocation, simplejwt_sequence, \
    simplejwt_lease, simplejwt_user, simplejwt_refresh_session, \
    simplejwt_signing_key, simplejwt_throttle";

fn missing(outcome: Result<Vec<Step>, SchemaError>) -> Vec<MissingRight> {
    match outcome {
        Err(SchemaError::MayNot { missing }) => missing,
        other => panic!("it may not: {other:?}"),
    }
}

fn whats(missing: &[MissingRight]) -> String {
    missing.iter().map(|right| right.what.as_str()).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn postgres_says_first_what_a_migration_may_not_do() {
    let name = format!("checks_{}_migrating", std::process::id());
    let made = Database::migrated().await;
    let owner = made.client().await;
    let sql = format!(
        "DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD 'secret'; \
         REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    );
    owner.batch_execute(&sql).await.unwrap();
    let (_, host) = made.url.rsplit_once('@').unwrap();
    let url = format!("postgres://{name}:secret@{host}");
    let database = PostgresDatabase::connect(&url, PostgresOptions::default()).await.unwrap();
    let users = UserTable::default();
    let migrate = || postgres::migrate::apply(&database, &users, NOW);
    let tables = async || {
        let count = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
        owner.query_one(count, &[]).await.unwrap().get::<_, i64>(0)
    };

    // Nothing is to be done: nothing is needed.
    assert_eq!(migrate().await.unwrap().len(), 0);

    // The index of the purge, on a table that is somebody else's.
    owner.batch_execute("DROP INDEX simplejwt_outstandingtoken_expires_at").await.unwrap();
    let before = tables().await;
    let lacking = missing(migrate().await);
    let all = "may not CREATE in the schema \"public\"; the role \"NAME\" may not SELECT on \
               \"simplejwt_migrations\"; the role \"NAME\" may not INSERT on \
               \"simplejwt_migrations\"; the role \"NAME\" may not UPDATE on \
               \"simplejwt_migrations\"; the role \"NAME\" may make no index on \
               \"token_blacklist_outstandingtoken\"";
    assert_eq!(whats(&lacking), format!("the role \"NAME\" {all}").replace("NAME", &name));
    assert_eq!(tables().await, before);
    for right in &lacking {
        let line = right.remedy.split_once(": ").map_or(&*right.remedy, |(_, line)| line);
        owner.batch_execute(line).await.unwrap();
    }
    assert_eq!(migrate().await.unwrap().len(), 0, "it was made by its owner");

    // Everything but the users.
    let sql = format!("DROP TABLE {TABLES}; REVOKE CREATE ON SCHEMA public FROM {name}");
    owner.batch_execute(&sql).await.unwrap();
    let before = tables().await;
    let lacking = missing(migrate().await);
    let all = "may not CREATE in the schema \"public\"; the role \"NAME\" may not refer to \
               \"auth_user\" (\"id\")";
    assert_eq!(whats(&lacking), format!("the role \"NAME\" {all}").replace("NAME", &name));
    assert_eq!(tables().await, before);
    let told = SchemaError::MayNot { missing: lacking.clone() }.to_string();
    assert!(told.contains(&format!(": GRANT CREATE ON SCHEMA public TO {name};\n")), "{told}");
    assert!(told.contains("nothing was changed"), "{told}");
    for right in &lacking {
        owner.batch_execute(&right.remedy).await.unwrap();
    }
    assert_eq!(migrate().await.unwrap().len(), 7);
    drop(database);

    // No schema to make tables in.
    owner.batch_execute(&format!("ALTER ROLE {name} SET search_path = nowhere")).await.unwrap();
    let database = PostgresDatabase::connect(&url, PostgresOptions::default()).await.unwrap();
    let outcome = postgres::migrate::apply(&database, &users, NOW).await;
    assert!(whats(&missing(outcome)).contains("may use no schema of its search_path"));
    drop((database, owner));
    execute(&made.url, &format!("DROP OWNED BY {name}")).await;
    drop(made);
    execute(&server(VARIABLE), &format!("DROP ROLE {name}")).await;
}

#[tokio::test]
async fn mysql_says_first_what_a_migration_may_not_do() {
    let world = World::new().await;
    drop(world.store().await);
    let name = format!("migrating_{}", std::process::id());
    let account = format!("'{name}'@'%'");
    let mut owner = world.conn().await;
    for sql in [
        format!("DROP USER IF EXISTS {account}"),
        format!("CREATE USER {account} IDENTIFIED BY 'secret'"),
        format!("GRANT SELECT ON {}.auth_user TO {account}", world.name),
        "SET foreign_key_checks = 0".to_owned(),
        format!("DROP TABLE {TABLES}, simplejwt_migrations"),
    ] {
        owner.query_drop(sql).await.unwrap();
    }
    let (_, host) = world.url.rsplit_once('@').unwrap();
    let url = format!("mysql://{name}:secret@{host}");
    let users = UserTable::default();
    let migrate = async || {
        let database = MysqlDatabase::connect(&url, MysqlOptions::default()).await.unwrap();
        mysql::migrate::apply(&database, &users, NOW).await
    };
    let tables = async |owner: &mut mysql_async::Conn| {
        owner.query::<String, _>("SHOW TABLES").await.unwrap().len()
    };
    let before = tables(&mut owner).await;
    let lacking = missing(migrate().await);
    assert_eq!(tables(&mut owner).await, before);
    let all = whats(&lacking);
    for part in [
        "may not CREATE, SELECT, INSERT, UPDATE on `simplejwt_migrations`",
        "REFERENCES on `auth_user`",
        "may not CREATE, REFERENCES, ALTER on `token_blacklist_outstandingtoken`",
        "may not CREATE, SELECT, INSERT, UPDATE on `simplejwt_sequence`",
        "may not CREATE, SELECT on `simplejwt_revocation`",
        "may not CREATE on `simplejwt_lease`",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
    assert_eq!(lacking.len(), 13, "{all}");
    for right in &lacking {
        owner.query_drop(&right.remedy).await.unwrap();
    }
    assert_eq!(migrate().await.unwrap().len(), 7);

    // One right of each kind, when one table is to be made anew.
    let sequence = "simplejwt_sequence";
    for (word, table) in [
        ("UPDATE", sequence),
        ("INSERT", "simplejwt_migrations"),
        ("ALTER", "token_blacklist_outstandingtoken"),
        ("CREATE", sequence),
    ] {
        let of = format!("{word} ON {}.{table}", world.name);
        for sql in [
            format!("DROP TABLE IF EXISTS {sequence}"),
            "DROP INDEX IF EXISTS simplejwt_outstandingtoken_expires_at ON \
             token_blacklist_outstandingtoken"
                .to_owned(),
            format!("REVOKE {of} FROM {account}"),
        ] {
            // MySQL has no IF EXISTS for indexes.
            let _ = owner.query_drop(sql).await;
        }
        let lacking = missing(migrate().await);
        assert_eq!(lacking.len(), 1, "{word}: {lacking:?}");
        assert!(lacking[0].what.contains(&format!("may not {word} on `{table}`")), "{lacking:?}");
        assert_eq!(tables(&mut owner).await, before + 11);
        owner.query_drop(&lacking[0].remedy).await.unwrap();
        migrate().await.unwrap();
        assert_eq!(tables(&mut owner).await, before + 12);
    }
    owner.query_drop(format!("DROP USER {account}")).await.unwrap();
}
