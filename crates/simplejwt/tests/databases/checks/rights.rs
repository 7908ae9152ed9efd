//! Roles that may do what docs/operations.md says and nothing else.

use mysql_async::prelude::Queryable as _;
use simplejwt::Settings;
use simplejwt::event::Act;
use simplejwt::mysql::MysqlUsers;
use simplejwt::mysql::{MysqlDatabase, MysqlOptions, MysqlStore};
use simplejwt::postgres::PostgresUsers;
use simplejwt::postgres::{PostgresDatabase, PostgresOptions, PostgresStore};
use simplejwt::sql::check::{Problems, Severity};
use simplejwt::sql::manage::UserOptions;
use simplejwt::sql::table::UserTable;
use simplejwt::store::retention::Retention;
use simplejwt::store::{FlushExpired, TokenStore as _};

use super::requests::{everything, expired};
use super::{mysql, postgres, texts};
use crate::support::mysql::World;
use crate::support::postgres::{Database, VARIABLE, execute};
use crate::support::{NOW, hashing_pool, server};

const PAGE: &str = include_str!("../../../../../docs/operations.md");

/// The statements of a block of the page.
fn grants(heading: &str) -> Vec<&'static str> {
    let (_, page) = PAGE.split_once("## Rights in the database").unwrap();
    let (_, block) = page.split_once(heading).unwrap();
    let block = block.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().filter(|line| line.starts_with("GRANT")).collect()
}

/// Each right on each table, out of such statements.
fn single(grants: &[&str]) -> Vec<(String, String)> {
    let mut rights = Vec::new();
    for grant in grants {
        let (words, rest) = grant.strip_prefix("GRANT ").unwrap().split_once(" ON ").unwrap();
        let tables = rest.split_once(" TO ").unwrap().0;
        for table in tables.split(", ") {
            for word in words.replace("password, last_login", "password+last_login").split(", ") {
                for column in
                    word.replace("(password+last_login)", "(password)|(last_login)").split('|')
                {
                    let word = match column.starts_with('(') {
                        true => format!("UPDATE {column}"),
                        false => column.to_owned(),
                    };
                    rights.push((word, table.to_owned()));
                }
            }
        }
    }
    rights
}

/// A role with these rights on a migrated database; its URL. Dropped with the guard.
struct Role {
    name: String,
    database: Database,
    url: String,
}

impl Role {
    async fn with(grants: &[&str], suffix: &str) -> Self {
        let database = Database::migrated().await;
        let name = format!("checks_{}_{suffix}", std::process::id());
        let mut sql = format!(
            "DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD 'secret'; \
             REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;"
        );
        for grant in grants {
            sql.push_str(&grant.replace("TO tokens", &format!("TO {name}")));
        }
        execute(&database.url, &sql).await;
        let (_, host) = database.url.rsplit_once('@').unwrap();
        let url = format!("postgres://{name}:secret@{host}");
        Self { name, database, url }
    }

    async fn connect(&self) -> PostgresDatabase {
        PostgresDatabase::connect(&self.url, PostgresOptions::default()).await.unwrap()
    }

    async fn gone(self) {
        execute(&self.database.url, &format!("DROP OWNED BY {}", self.name)).await;
        drop(self.database);
        execute(&server(VARIABLE), &format!("DROP ROLE {}", self.name)).await;
    }
}

fn is_told(problems: &Problems, right: &str, table: &str) -> bool {
    let word = right.split(' ').next().unwrap();
    let column = right.split_once('(').map(|(_, column)| column.trim_end_matches(')'));
    texts(problems).iter().any(|text| {
        text.contains(&format!("may not {word}"))
            && text.contains(&format!("on \"{table}\""))
            && text.contains(&format!("GRANT {word}"))
            && column.is_none_or(|column| text.contains(column))
    })
}

#[tokio::test]
async fn postgres_names_each_right_that_is_missing() {
    let grants = grants("PostgreSQL:");
    let role = Role::with(&grants, "each").await;
    let (database, owner) = (role.connect().await, role.database.client().await);
    assert_eq!(texts(&postgres::checked(&database).await), [""; 0]);
    let rights = single(&grants);
    assert!(rights.len() > 20, "{rights:?}");
    for (right, table) in rights {
        let revoke = format!("REVOKE {right} ON {table} FROM {}", role.name);
        owner.batch_execute(&revoke).await.unwrap();
        let problems = postgres::checked(&database).await;
        assert!(is_told(&problems, &right, &table), "{right} {table}: {problems}");
        assert!(
            problems.iter().all(|problem| problem.table.as_ref() == Some(&table)),
            "{problems}"
        );
        for problem in &problems {
            owner.batch_execute(&problem.remedy).await.unwrap();
        }
        assert_eq!(texts(&postgres::checked(&database).await), [""; 0], "{right} {table}");
    }
    // All at once.
    let all = format!("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}", role.name);
    owner.batch_execute(&all).await.unwrap();
    let problems = postgres::checked(&database).await;
    assert!(problems.iter().count() > 15, "{problems}");
    for problem in &problems {
        owner.batch_execute(&problem.remedy).await.unwrap();
    }
    assert_eq!(texts(&postgres::checked(&database).await), [""; 0]);
    drop(owner);
    role.gone().await;
}

#[tokio::test]
async fn postgres_names_schemas_sequences_and_policies() {
    let role = Role::with(&grants("PostgreSQL:"), "other").await;
    let (database, owner) = (role.connect().await, role.database.client().await);
    for (sql, expected) in [
        (
            "REVOKE USAGE ON SCHEMA public FROM PUBLIC".to_owned(),
            "may not use the schema \"public\"",
        ),
        (
            "CREATE SEQUENCE old_id; ALTER TABLE token_blacklist_blacklistedtoken ALTER id DROP \
             IDENTITY, ALTER id SET DEFAULT nextval('old_id')"
                .to_owned(),
            "may not draw numbers from the sequence old_id",
        ),
        (
            "ALTER TABLE token_blacklist_blacklistedtoken ENABLE ROW LEVEL SECURITY".to_owned(),
            "row level security hides rows of the table \"token_blacklist_blacklistedtoken\"",
        ),
        (
            format!("ALTER ROLE {} CONNECTION LIMIT 3", role.name),
            "the role's CONNECTION LIMIT leaves 3 connections, and each process may open 16",
        ),
    ] {
        owner.batch_execute(&sql).await.unwrap();
        let problems = postgres::checked(&database).await;
        assert!(texts(&problems).iter().any(|text| text.contains(expected)), "{sql}: {problems}");
        for problem in problems.iter().filter(|problem| problem.remedy.ends_with(';')) {
            owner.batch_execute(&problem.remedy).await.unwrap();
        }
        let left = postgres::checked(&database).await;
        assert!(!left.has_errors(), "{sql}: {left}");
    }
    drop(owner);
    role.gone().await;
}

#[tokio::test]
async fn postgres_needs_no_more_than_that() {
    let role = Role::with(&grants("PostgreSQL:"), "all").await;
    let database = role.connect().await;
    let store = PostgresStore::open(&database, &UserTable::default()).await.unwrap();
    let options = UserOptions::default();
    let users = PostgresUsers::open(&database, UserTable::default(), hashing_pool(), options);
    everything(&store, &users.await.unwrap()).await;
    drop((store, database));
    role.gone().await;
}

#[tokio::test]
async fn flushing_needs_what_djangos_needs() {
    let grants = [
        "GRANT SELECT ON auth_user TO tokens;",
        "GRANT SELECT, DELETE ON token_blacklist_outstandingtoken TO tokens;",
        "GRANT SELECT, DELETE ON token_blacklist_blacklistedtoken TO tokens;",
    ];
    let role = Role::with(&grants, "flush").await;
    let owners = role.database.store().await;
    for jti in ["a", "b"] {
        owners.record(&expired(jti), &Act::at(NOW)).await.unwrap();
    }
    let _ = owners.blacklist(&expired("b"), &Act::at(NOW)).await.unwrap();
    let database = role.connect().await;
    let store = PostgresStore::open(&database, &UserTable::default()).await.unwrap();
    let retention = Retention::of(&Settings::default());
    let flushed = store.flush_expired(&FlushExpired::new(retention, NOW, 100)).await.unwrap();
    assert_eq!(flushed.deleted, 2);
    // It may not do more.
    assert!(store.ping().await.is_err());
    drop((store, owners, database));
    role.gone().await;
}

#[tokio::test]
async fn mysql_names_each_right_that_is_missing_and_needs_no_more() {
    let world = World::new().await;
    drop(world.store().await);
    let name = format!("checks_{}", std::process::id());
    let account = format!("'{name}'@'%'");
    let mut owner = world.conn().await;
    let statements = [
        format!("DROP USER IF EXISTS {account}"),
        format!("CREATE USER {account} IDENTIFIED BY 'secret'"),
    ];
    for sql in statements {
        owner.query_drop(sql).await.unwrap();
    }
    let grants: Vec<String> = grants("MySQL and MariaDB")
        .iter()
        .map(|grant| {
            grant.replace("app.", &format!("{}.", world.name)).replace("'tokens'@'%'", &account)
        })
        .collect();
    for grant in &grants {
        owner.query_drop(grant).await.unwrap();
    }
    let (_, host) = world.url.rsplit_once('@').unwrap();
    let url = format!("mysql://{name}:secret@{host}");
    let connect = || async { MysqlDatabase::connect(&url, MysqlOptions::default()).await.unwrap() };
    let database = connect().await;
    assert_eq!(texts(&mysql::checked(&database).await), [""; 0]);

    let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
    for (right, table) in single(&grants) {
        let table = table.split_once('.').unwrap().1;
        let revoke = format!("REVOKE {right} ON {}.{table} FROM {account}", world.name);
        owner.query_drop(revoke).await.unwrap();
        let problems = mysql::checked(&database).await;
        assert!(is_told(&problems, &right, table), "{right} {table}: {problems}");
        let is_its =
            |problem: &simplejwt::sql::check::Problem| problem.table.as_deref() == Some(table);
        assert!(problems.iter().all(is_its), "{right} {table}: {problems}");
        for problem in &problems {
            let done = owner.query_drop(&problem.remedy).await;
            done.unwrap_or_else(|error| panic!("{right} {table}: {problem}: {error}"));
        }
        assert_eq!(texts(&mysql::checked(&database).await), [""; 0], "{right} {table}");
    }

    let store = MysqlStore::open(&database, &UserTable::default()).await.unwrap();
    let options = UserOptions::default();
    let users = MysqlUsers::open(&database, UserTable::default(), hashing_pool(), options);
    everything(&store, &users.await.unwrap()).await;

    owner.query_drop(format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {account}")).await.unwrap();
    owner.query_drop(format!("GRANT CREATE ON {}.* TO {account}", world.name)).await.unwrap();
    let problems = mysql::checked(&connect().await).await;
    assert!(problems.iter().count() > 15, "{problems}");
    assert!(problems.iter().all(|problem| problem.what.contains("may not")), "{problems}");
    assert_eq!(problems.iter().next().unwrap().severity, Severity::Error);
    for problem in &problems {
        owner.query_drop(&problem.remedy).await.unwrap();
    }
    assert_eq!(texts(&mysql::checked(&connect().await).await), [""; 0]);
    owner.query_drop(format!("DROP USER {account}")).await.unwrap();
}
