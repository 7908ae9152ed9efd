//! The tables: made from nothing, adopted from Django, by several processes at once.

use simplejwt::store::mysql::{ConnectError, MysqlDatabase, MysqlStore, migrate};
use simplejwt::store::schema::SchemaError;
use simplejwt::store::{Rotation, TokenStore as _};
use simplejwt::users::table::UserTable;

use crate::world::{NOW, World, server_url, token, url_of};

/// What Django 5.2 with simplejwt 5.5.1 made on MariaDB 10.11: SHOW CREATE TABLE.
const DJANGO: &str = include_str!("../fixtures/django_mariadb.sql");

const ALL: [&str; 6] = [
    "0001_auth_user",
    "0002_outstanding_token",
    "0003_blacklisted_token",
    "0004_auth_permission",
    "0005_session",
    "0006_expires_at",
];

#[tokio::test]
async fn from_nothing() {
    let world = World::new().await;
    let database = world.database().await;
    let users = UserTable::default();
    let missing = MysqlStore::open(&database, &users).await.unwrap_err();
    assert!(matches!(missing, SchemaError::MissingTable { .. }), "{missing}");
    let plan = migrate::plan(&database, &users).await.unwrap();
    let done = migrate::apply(&database, &users, NOW).await.unwrap();
    assert_eq!(plan, done);
    assert_eq!(done.iter().map(|step| step.name).collect::<Vec<_>>(), ALL);
    assert!(migrate::apply(&database, &users, NOW).await.unwrap().is_empty());
    let store = MysqlStore::open(&database, &users).await.unwrap();
    store.check_sessions().await.unwrap();
    assert_eq!(world.one("SELECT COUNT(*) FROM simplejwt_migrations").await, "6");
}

#[tokio::test]
async fn what_was_interrupted_is_taken_up() {
    let world = World::new().await;
    let database = world.database().await;
    let users = UserTable::default();
    migrate::apply(&database, &users, NOW).await.unwrap();
    world.run("DROP TABLE simplejwt_lease, simplejwt_user").await;
    let store = MysqlStore::open(&database, &users).await.unwrap();
    assert!(store.check_sessions().await.is_err());
    let done = migrate::apply(&database, &users, NOW).await.unwrap();
    assert_eq!(done.iter().map(|step| step.name).collect::<Vec<_>>(), ["0005_session"]);
    store.check_sessions().await.unwrap();
}

#[tokio::test]
async fn djangos_tables_are_adopted() {
    let world = World::new().await;
    world.run(DJANGO).await;
    world.run("INSERT INTO auth_user VALUES (1,'',NULL,0,'one','','','',0,1,NOW())").await;
    let database = world.database().await;
    let users = UserTable::default();
    let done = migrate::apply(&database, &users, NOW).await.unwrap();
    let names: Vec<_> = done.iter().map(|step| step.name).collect();
    assert_eq!(names, ["0005_session", "0006_expires_at"]);
    let store = MysqlStore::open(&database, &users).await.unwrap();
    let rotation = store.rotate(&token("a"), &token("b"), NOW).await.unwrap();
    assert_eq!(rotation, Rotation::Rotated);
    assert_eq!(
        world.one("SELECT CONCAT(user_id, ' ', expires_at) FROM token_blacklist_outstandingtoken WHERE jti = 'b'").await,
        "1 2026-01-02 04:04:05.000000"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn eight_at_once() {
    let world = World::new().await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let url = world.url.clone();
            tokio::spawn(async move {
                let database = MysqlDatabase::connect(&url, Default::default()).await.unwrap();
                migrate::apply(&database, &UserTable::default(), NOW).await.unwrap().len()
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    assert_eq!(done, 6, "each step once");
}

#[tokio::test]
async fn other_users_and_other_tables_are_refused() {
    let world = World::new().await;
    let database = world.database().await;
    migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    world.run("CREATE TABLE people LIKE auth_user").await;
    let people = UserTable { table: "people".into(), ..UserTable::default() };
    let error = MysqlStore::open(&database, &people).await.unwrap_err();
    assert!(
        matches!(&error, SchemaError::OtherUsers { refers_to, .. } if refers_to == "auth_user")
    );
    let nobody = UserTable { login: "mail".into(), ..UserTable::default() };
    let error = MysqlStore::open(&database, &nobody).await.unwrap_err();
    assert!(matches!(error, SchemaError::MissingColumn { .. }), "{error}");
    world
        .run("ALTER TABLE token_blacklist_blacklistedtoken ADD KEY k (token_id), DROP KEY token_id")
        .await;
    let error = MysqlStore::open(&database, &UserTable::default()).await.unwrap_err();
    assert!(matches!(error, SchemaError::NotUnique { .. }), "{error}");
}

#[tokio::test]
async fn connecting_says_what_is_wrong() {
    let server = server_url();
    let connect = |url: String| async move {
        let error = MysqlDatabase::connect(&url, Default::default()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("topsecret"), "{shown}");
        error
    };
    let error = connect(url_of(&server, "no_such_database")).await;
    assert!(matches!(error, ConnectError::NoDatabase { .. }), "{error}");
    let address = server.split_once('@').unwrap().1.split('/').next().unwrap();
    let error = connect(format!("mysql://nobody:topsecret@{address}/mysql")).await;
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    let error = connect("mysql://nobody:topsecret@127.0.0.1:1/mysql".into()).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    // The first of several hosts that answers.
    let world = World::new().await;
    let several = world.url.replace(address, &format!("127.0.0.1:1,{address}"));
    let database = MysqlDatabase::connect(&several, Default::default()).await.unwrap();
    assert!(!format!("{database:?}").contains(&server[8..server.find('@').unwrap()]));
}
