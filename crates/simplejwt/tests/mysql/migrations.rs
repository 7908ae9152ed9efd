//! The tables: made from nothing, adopted from Django, by several processes at once.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use simplejwt::event::Cause;
use simplejwt::mysql::{ConnectError, MysqlDatabase, MysqlStore, migrate};
use simplejwt::sql::schema::SchemaError;
use simplejwt::sql::table::UserTable;
use simplejwt::store::{Rotation, TokenStore as _};

use crate::support::mysql::{NOW, World, server_url, token, url_of};
use crate::support::pause;

/// What Django 5.2 with simplejwt 5.5.1 made on MariaDB 10.11: SHOW CREATE TABLE.
const DJANGO: &str = include_str!("../fixtures/django_mariadb.sql");

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
    store.check_session_rows().await.unwrap();
    assert_eq!(world.one("SELECT COUNT(*) FROM simplejwt_migrations").await, "9");
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
    assert_eq!(
        names,
        [
            "0005_session",
            "0006_expires_at",
            "0007_refresh_session",
            "0008_signing_key",
            "0009_throttle"
        ]
    );
    let store = MysqlStore::open(&database, &users).await.unwrap();
    let rotation = store.rotate(&token("a"), &token("b"), &Cause::at(NOW)).await.unwrap().outcome;
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
    assert_eq!(done, 9, "each step once");
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
    // MySQL names any plugin to a user who isn't there, so that nobody can tell.
    let is_refused = match &error {
        ConnectError::Refused { .. } => true,
        ConnectError::Plugin { plugin, .. } => plugin == "sha256_password",
        _ => false,
    };
    assert!(is_refused, "{error}");
    let error = connect("mysql://nobody:topsecret@127.0.0.1:1/mysql".into()).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    // The first of several hosts that answers.
    let world = World::new().await;
    let several = world.url.replace(address, &format!("127.0.0.1:1,{address}"));
    let database = MysqlDatabase::connect(&several, Default::default()).await.unwrap();
    assert!(!format!("{database:?}").contains(&server[8..server.find('@').unwrap()]));
}

/// What waits for somebody's lock, by the beginning of its statement.
async fn wait_for_a_waiting(conn: &mut Conn, begins: &str) {
    let sql = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
         WHERE STATE LIKE 'Waiting for table metadata lock%' AND INFO LIKE '{begins}%'"
    );
    while conn.query_first::<i64, _>(&sql).await.unwrap() != Some(1) {
        pause().await;
    }
}

/// As where another node of a cluster is quicker, whose lock isn't this one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_node_makes_meanwhile_is_no_failure() {
    const INDEX: &str = "ALTER TABLE token_blacklist_outstandingtoken \
        ADD INDEX simplejwt_outstandingtoken_expires_at (expires_at)";
    let world = World::new().await;
    let database = world.database().await;
    let users = UserTable::default();
    migrate::apply(&database, &users, NOW).await.unwrap();
    let drop = "ALTER TABLE token_blacklist_outstandingtoken \
                DROP INDEX simplejwt_outstandingtoken_expires_at";
    world.run(drop).await;
    let mut other = world.conn().await;
    let mut looking = world.conn().await;
    other.query_drop("LOCK TABLES token_blacklist_outstandingtoken WRITE").await.unwrap();
    let migrating = tokio::spawn({
        let (database, users) = (database.clone(), users.clone());
        async move { migrate::apply(&database, &users, NOW).await }
    });
    wait_for_a_waiting(&mut looking, "ALTER TABLE").await;
    other.query_drop(INDEX).await.unwrap();
    other.query_drop("UNLOCK TABLES").await.unwrap();
    // It made nothing, and says so.
    assert_eq!(migrating.await.unwrap().unwrap(), []);
    // A table that comes in between is the other's, too.
    world.run("DROP TABLE simplejwt_lease").await;
    let done = migrate::apply(&database, &users, NOW).await.unwrap();
    assert_eq!(done.iter().map(|step| step.name).collect::<Vec<_>>(), ["0005_session"]);
    // Interrupted within the tables of groups and permissions.
    world.run("DROP TABLE auth_user_user_permissions").await;
    let done = migrate::apply(&database, &users, NOW).await.unwrap();
    assert_eq!(done.iter().map(|step| step.name).collect::<Vec<_>>(), ["0004_auth_permission"]);
    for conn in [other, looking] {
        conn.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn django_is_told_once_what_was_made_here() {
    const COUNT: &str = "SELECT COUNT(*) FROM django_migrations";
    let world = World::new().await;
    let database = world.database().await;
    let users = UserTable::default();
    migrate::apply(&database, &users, NOW).await.unwrap();
    // As a run of Django's leaves it that stops at our tables.
    world
        .run(
            "CREATE TABLE django_content_type (id integer AUTO_INCREMENT NOT NULL PRIMARY KEY, \
             name varchar(100) NOT NULL, app_label varchar(100) NOT NULL, \
             model varchar(100) NOT NULL)",
        )
        .await;
    let told = migrate::for_django(&database, &users, false, NOW).await.unwrap();
    assert_eq!((told.len(), told[0].as_str()), (14, "contenttypes.0001_initial"));
    let columns = "SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION) FROM \
                   information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
                   AND TABLE_NAME = 'django_content_type'";
    assert_eq!(world.one(columns).await, "id,app_label,model");
    assert!(migrate::for_django(&database, &users, false, NOW).await.unwrap().is_empty());
    // What is missing of it is told again.
    world.run("DELETE FROM django_migrations WHERE app = 'auth'").await;
    let told = migrate::for_django(&database, &users, true, NOW).await.unwrap();
    assert_eq!((told.len(), world.one(COUNT).await.as_str()), (24, "26"));
    let django = World::new().await;
    django.run(DJANGO).await;
    let database = django.database().await;
    migrate::apply(&database, &users, NOW).await.unwrap();
    let refused = migrate::for_django(&database, &users, true, NOW).await.unwrap_err();
    assert!(matches!(refused, SchemaError::DjangosOwn { .. }), "{refused}");
}
