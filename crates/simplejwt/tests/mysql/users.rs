//! Users: logging in, rehashing, managing; custom tables.

use std::sync::Arc;

use mysql_async::prelude::Queryable as _;
use simplejwt::Timestamp;
use simplejwt::event::{Act, Cause};
use simplejwt::mysql::MysqlUsers;
use simplejwt::mysql::{MysqlStore, migrate};
use simplejwt::sql::manage::UserOptions;
use simplejwt::sql::manage::{ManageError, ManageUsers, NewUser};
use simplejwt::sql::table::{KeyKind, UserTable};
use simplejwt::store::session::{
    NewSession, NextToken, OpenSession, RefreshOutcome, RetainUntil, SessionRefresh,
    SessionStore as _,
};
use simplejwt::store::{OutstandingToken, TokenStore as _};
use simplejwt::users::conformance::{self, IdType};
use simplejwt::users::password::{Hashers, HashingPool, Parameters, PoolOptions};
use simplejwt::users::{Credentials, UserStore as _, password_fingerprint};

use crate::support::mysql::{NOW, World, hashers, token, users};
use crate::support::people::People;
use crate::support::spelling::every_spelling_or_none;
use crate::support::{rights, spawn};

fn new(name: &str, password: &str) -> NewUser {
    let password = hashers().encode(password).unwrap();
    let email = format!("{name}@Example.COM");
    NewUser { username: name.into(), email, password, ..Default::default() }
}

#[tokio::test]
async fn users_are_made_found_and_changed() {
    let world = World::new().await;
    let database = world.database().await;
    migrate::apply(&database, &UserTable::default(), NOW).await.unwrap();
    let users = users(&database, UserTable::default()).await;
    let ann = users.create_user(new("ann", "secret"), &Cause::at(NOW)).await.unwrap().outcome;
    assert_eq!((ann.id.as_str(), ann.username.as_str(), ann.is_active), ("1", "ann", true));
    let again = users.create_user(new("ann", "secret"), &Cause::at(NOW)).await.unwrap_err();
    assert!(matches!(again, ManageError::AlreadyExists { .. }), "{again}");
    let long =
        users.create_user(new(&"x".repeat(151), "secret"), &Cause::at(NOW)).await.unwrap_err();
    assert!(matches!(long, ManageError::BadUsername { max: 150 }), "{long}");
    users.create_user(new("bob", "secret"), &Cause::at(NOW)).await.unwrap();

    let login = |name: &str, password: &str| {
        let (users, credentials) = (users.clone(), Credentials::new(name, password));
        async move { users.authenticate(&credentials).await.unwrap().map(|user| user.id) }
    };
    assert_eq!(login("ann", "secret").await, Some("1".into()));
    // As Django on the same collation.
    assert_eq!(login("ANN", "secret").await, Some("1".into()));
    assert_eq!(login("ann", "wrong").await, None);
    assert_eq!(login("nobody", "secret").await, None);
    users.set_active("ann", false, &Cause::at(NOW)).await.unwrap();
    users.set_active("ann", false, &Cause::at(NOW)).await.unwrap();
    assert_eq!(login("ann", "secret").await, None);
    assert!(!users.find(&"1".into()).await.unwrap().unwrap().is_active);
    users.set_active("ann", true, &Cause::at(NOW)).await.unwrap();
    let hash = hashers().encode("other").unwrap();
    users.set_password("ann", &hash, &Cause::at(NOW)).await.unwrap();
    assert_eq!(login("ann", "other").await, Some("1".into()));
    for error in [
        users.set_password("nobody", &hash, &Cause::at(NOW)).await.unwrap_err(),
        users.set_active("nobody", true, &Cause::at(NOW)).await.unwrap_err(),
    ] {
        assert!(matches!(error, ManageError::NoSuchUser { .. }), "{error}");
    }
    for id in ["abc", "33", "01", "", "99999999999999999999"] {
        assert_eq!(users.find(&id.into()).await.unwrap(), None, "{id}");
    }
    let names = |users: Vec<simplejwt::users::User>| {
        users.into_iter().map(|user| user.username).collect::<Vec<_>>()
    };
    assert_eq!(names(users.list(None, 10).await.unwrap()), ["ann", "bob"]);
    assert_eq!(names(users.list(Some("ann"), 10).await.unwrap()), ["bob"]);
    users.update_last_login(&"1".into(), Timestamp::from_micros(1_500_000)).await.unwrap();
    let stored =
        "SELECT CONCAT(last_login, ' ', date_joined, ' ', email) FROM auth_user WHERE id=1";
    assert_eq!(
        world.one(stored).await,
        "1970-01-01 00:00:01.500000 2026-01-02 03:04:05.000000 ann@example.com"
    );
}

#[tokio::test]
async fn a_rehash_keeps_the_sessions() {
    let world = World::new().await;
    let store = world.store().await;
    let users = users(store.database(), UserTable::default()).await;
    // Of fewer iterations than today's.
    let weak = Parameters { pbkdf2_iterations: 1000, ..Parameters::default() };
    let old = Hashers::default().with_parameters(weak).unwrap().encode("secret").unwrap();
    users.set_password("one", &old, &Cause::at(NOW)).await.unwrap();
    let retain_until =
        RetainUntil { refresh: token("x").expires_at, access: token("x").expires_at };
    let session = |password: &str| NewSession {
        id: "s".into(),
        user_id: "1".into(),

        password: Some(password_fingerprint(password)),
    };
    let open = OpenSession {
        session: session(&old),
        token: token("s"),
        expires_at: token("s").expires_at,
        limit: None,
        cause: Cause::at(NOW),
        retain_until,
    };
    let _ = store.open(&open).await.unwrap();
    let user = users.authenticate(&Credentials::new("one", "secret")).await.unwrap().unwrap();
    assert_ne!(user.password, old, "the hash is rewritten");
    assert_eq!(world.one("SELECT password FROM auth_user WHERE id = 1").await, user.password);
    let refresh = SessionRefresh {
        token: token("s"),
        next: NextToken::Rotated { token: token("t"), access_jti: "a".into() },
        session: session(&user.password),
        grace: Default::default(),
        tolerance: Default::default(),
        idle: None,
        lifetime: None,
        cause: Cause::at(NOW),
        retain_until,
    };
    assert_eq!(store.refresh(&refresh).await.unwrap().outcome, RefreshOutcome::Refreshed);
}

async fn custom(key: KeyKind, column: &str, values: [&str; 2], ids: [&str; 2]) {
    let world = World::new().await;
    world
        .run(&format!(
            "CREATE TABLE `accounts user` (uid {column} NOT NULL PRIMARY KEY, email varchar(254) \
             NOT NULL UNIQUE, password varchar(128) NOT NULL);\n\
             INSERT INTO `accounts user` VALUES ('{}', 'a@x', ''), ('{}', 'b@x', '')",
            values[0], values[1]
        ))
        .await;
    let table = UserTable {
        table: "accounts user".into(),
        primary_key: "uid".into(),
        key: Some(key),
        login: "email".into(),
        is_active: None,
        is_staff: None,
        is_superuser: None,
        last_login: None,
        ..UserTable::default()
    };
    let database = world.database().await;
    migrate::apply(&database, &table, NOW).await.unwrap();
    assert!(migrate::plan(&database, &table).await.unwrap().is_empty());
    let users = users(&database, table.clone()).await;
    let store = MysqlStore::open(&database, &table).await.unwrap();
    for (name, id) in [("a@x", ids[0]), ("b@x", ids[1])] {
        let user = users.by_username(name).await.unwrap().unwrap();
        assert_eq!(user.id.as_str(), id);
        assert_eq!(users.find(&user.id).await.unwrap().unwrap().username, name);
        let of_user = OutstandingToken { user_id: Some(user.id.clone()), ..token(name) };
        store.record(&of_user, &Act::at(NOW)).await.unwrap();
    }
    let unknown = "SELECT COUNT(*) FROM token_blacklist_outstandingtoken WHERE user_id IS NULL";
    assert_eq!(world.one(unknown).await, "0", "a token's user wasn't found");
    assert_eq!(store.blacklist_all(&ids[0].into(), NOW).await.unwrap(), 1);
    assert!(store.is_blacklisted("a@x").await.unwrap());
    assert!(!store.is_blacklisted("b@x").await.unwrap());
}

/// Of the first user, whose id the texts are other spellings of, or nobody's.
async fn spelled(key: KeyKind, column: &str, value: &str, same: &[&str], other: &[&str]) {
    let world = World::new().await;
    let hash = Hashers::from_setting(["md5"]).unwrap().encode("secret").unwrap();
    world
        .run(&format!(
            "CREATE TABLE accounts (uid {column} NOT NULL PRIMARY KEY, email varchar(254) \
             NOT NULL UNIQUE, password varchar(128) NOT NULL);\n\
             INSERT INTO accounts VALUES ('{value}', 'a@x', '{hash}')"
        ))
        .await;
    let table = UserTable {
        table: "accounts".into(),
        primary_key: "uid".into(),
        key: Some(key),
        login: "email".into(),
        is_active: None,
        is_staff: None,
        is_superuser: None,
        last_login: None,
        ..UserTable::default()
    };
    let database = world.database().await;
    migrate::apply(&database, &table, NOW).await.unwrap();
    let hashers = Hashers::from_setting(["md5"]).unwrap();
    let pool = HashingPool::new(hashers, PoolOptions { threads: 1, waiting: 16 }).unwrap();
    let users =
        MysqlUsers::open(&database, table.clone(), pool, UserOptions::default()).await.unwrap();
    let store = MysqlStore::open(&database, &table).await.unwrap();
    let login = Credentials::new("a@x", "secret");
    every_spelling_or_none(Arc::new(users), Arc::new(store), &login, same, other).await;
}

#[tokio::test]
async fn an_id_in_another_spelling_is_the_users_or_nobodys() {
    let upper = UUIDS[0].to_uppercase();
    let digits = UUIDS[0].replace('-', "");
    let same = [UUIDS[0], &upper, &digits];
    spelled(KeyKind::Uuid, "char(32)", &digits, &same, &[UUIDS[1], "x"]).await;
    spelled(KeyKind::Uuid, "uuid", UUIDS[0], &same, &[UUIDS[1], "x"]).await;
    // What the collation takes for equal isn't what tokens say.
    let column = "varchar(40) COLLATE utf8mb4_unicode_ci";
    spelled(KeyKind::Text, column, "Ann", &["Ann"], &["ann", "ANN", "Ann ", "Änn"]).await;
}

const UUIDS: [&str; 2] =
    ["01234567-89ab-4def-8123-456789abcdef", "11234567-89ab-4def-8123-456789abcdef"];

/// MariaDB has a type for it, which Django uses from 5.0 on.
#[tokio::test]
async fn native_uuids() {
    custom(KeyKind::Uuid, "uuid", UUIDS, UUIDS).await;
}

#[tokio::test]
async fn uuids_as_digits() {
    let digits = ["0123456789ab4def8123456789abcdef", "1123456789ab4def8123456789abcdef"];
    custom(KeyKind::Uuid, "char(32)", digits, UUIDS).await;
}

#[tokio::test]
async fn big_integers_and_texts() {
    let numbers = ["9007199254740993", "7"];
    custom(KeyKind::Integer, "bigint", numbers, numbers).await;
    custom(KeyKind::Text, "varchar(40) COLLATE utf8mb4_unicode_ci", ["Ann", "ü"], ["Ann", "ü"])
        .await;
    custom(
        KeyKind::Text,
        "varchar(40) CHARACTER SET utf8mb4",
        ["x y", "'"].map(|t| if t == "'" { "q" } else { t }),
        ["x y", "q"],
    )
    .await;
}

#[tokio::test]
async fn further_columns_are_read_as_drf_writes_them() {
    let world = World::new().await;
    world.run(include_str!("../fixtures/django_mariadb.sql")).await;
    world
        .run(
            "ALTER TABLE auth_user ADD score decimal(10, 2), ADD public_id char(32), \
             ADD seen datetime(6), ADD born date, ADD wakes time(6), ADD ratio double, \
             ADD visits bigint, ADD vip tinyint(1), ADD note longtext",
        )
        .await;
    let columns = rights::COLUMNS.map(str::to_owned).into();
    let table = UserTable { columns, ..UserTable::default() };
    let users = users(&world.database().await, table).await;
    rights::people(&users).await;
    world.run(&rights::values("2026-01-02 03:04:05.6", "1")).await;
    rights::check_fields(&users).await;
}

/// The claim is the id itself, not another text that the collation takes for the same.
#[tokio::test]
async fn groups_are_of_exactly_this_user() {
    let world = World::new().await;
    world.run(include_str!("../fixtures/django_mariadb.sql")).await;
    let table = UserTable { user_id_field: "username".into(), ..UserTable::default() };
    let users = users(&world.database().await, table).await;
    rights::people(&users).await;
    world.run(&rights::RIGHTS.join(";\n")).await;
    assert_eq!(users.groups(&"ann".into()).await.unwrap().len(), 2);
    assert_eq!(users.permissions(&"ann".into()).await.unwrap().len(), 3);
    for other in ["ANN", "ann ", "änn"] {
        assert!(users.groups(&other.into()).await.unwrap().is_empty(), "{other:?}");
        assert!(users.permissions(&other.into()).await.unwrap().is_empty(), "{other:?}");
    }
}

impl crate::support::columns::Tables for World {
    const KIND: crate::support::columns::Kind = crate::support::columns::Kind::Mysql;

    async fn run(&self, sql: &str) {
        World::run(self, sql).await;
    }

    async fn open_with(
        &self,
        table: UserTable,
        pool: simplejwt::users::password::HashingPool,
        options: UserOptions,
    ) -> Result<std::sync::Arc<dyn simplejwt::sql::manage::ManageUsers>, String> {
        let database = self.database().await;
        let opened = simplejwt::mysql::MysqlUsers::open(&database, table, pool, options);
        Ok(std::sync::Arc::new(opened.await.map_err(|error| error.to_string())?))
    }
}

impl crate::support::columns::Place for World {
    async fn has_type(&self, name: &str) -> bool {
        name != "uuid" || self.one("SELECT VERSION()").await.contains("MariaDB")
    }

    async fn migrate(&self, table: UserTable) -> Result<(), String> {
        let done = migrate::apply(&self.database().await, &table, NOW).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    async fn tokens(&self, table: UserTable) -> Result<(), String> {
        let opened = MysqlStore::open(&self.database().await, &table).await;
        opened.map(drop).map_err(|error| error.to_string())
    }
}

crate::support::columns::columns_tests!(World::new().await);

/// With one connection for all that the suite does to the tables.
struct Connected(World, tokio::sync::Mutex<mysql_async::Conn>);

impl crate::support::columns::Tables for Connected {
    const KIND: crate::support::columns::Kind = crate::support::columns::Kind::Mysql;

    async fn run(&self, sql: &str) {
        let mut conn = self.1.lock().await;
        for statement in sql.split(";\n") {
            conn.query_drop(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        }
    }

    async fn open_with(
        &self,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<Arc<dyn ManageUsers>, String> {
        self.0.open_with(table, pool, options).await
    }
}

async fn conforms(world: World, ids: IdType) {
    let conn = tokio::sync::Mutex::new(world.conn().await);
    let place = Arc::new(Connected(world, conn));
    conformance::all(|| People::new(Arc::clone(&place), ids), spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn djangos_users_conform() {
    let world = World::new().await;
    world.run(include_str!("../fixtures/django_mariadb.sql")).await;
    conforms(world, IdType::Integer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_with_uuids_conform() {
    conforms(World::new().await, IdType::Uuid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_with_texts_for_ids_conform() {
    conforms(World::new().await, IdType::Text).await;
}

/// Databases as Django's were for years: what their character set lacks is nobody's.
#[tokio::test]
async fn what_the_databases_character_set_lacks_is_no_failure() {
    for (charset, name, foreign) in
        [("utf8mb3", "Зоя", "😀"), ("latin1", "Zoë", "Зоя"), ("ascii", "Zoe", "Zoë€")]
    {
        let world = World::new().await;
        world.run(&format!("ALTER DATABASE {} CHARACTER SET {charset}", world.name)).await;
        let database = world.database().await;
        let table = UserTable::default();
        migrate::apply(&database, &table, NOW).await.unwrap();
        let users = users(&database, table.clone()).await;
        let store = MysqlStore::open(&database, &table).await.unwrap();
        let user = users.create_user(new(name, "pw"), &Cause::at(NOW)).await.unwrap().outcome;
        assert_eq!(user.username, name, "{charset}");
        let login = async |name: &str| users.authenticate(&Credentials::new(name, "pw")).await;
        assert_eq!(login(name).await.unwrap().unwrap().id, user.id, "{charset}");
        for other in [foreign, "😀", "\0", "日本😀"] {
            assert_eq!(login(other).await.unwrap(), None, "{charset} {other:?}");
            assert!(!store.is_blacklisted(other).await.unwrap(), "{charset} {other:?}");
            assert_eq!(store.session_of(other).await.unwrap(), None, "{charset} {other:?}");
            assert_eq!(store.sessions(&other.into(), NOW).await.unwrap(), [], "{charset}");
            let error = users.set_active(other, true, &Cause::at(NOW)).await.unwrap_err();
            assert!(matches!(error, ManageError::NoSuchUser { .. }), "{charset} {error}");
        }
        let error = users.create_user(new(foreign, "pw"), &Cause::at(NOW)).await.unwrap_err();
        assert!(matches!(error, ManageError::UnstorableUsername { .. }), "{charset} {error}");
        let by_name = UserTable { user_id_field: "username".into(), ..table };
        let users = self::users(&database, by_name.clone()).await;
        assert_eq!(users.find(&name.into()).await.unwrap().unwrap().username, name);
        for other in [foreign, "😀", "\0"] {
            assert_eq!(users.find(&other.into()).await.unwrap(), None, "{charset} {other:?}");
            users.update_last_login(&other.into(), NOW).await.unwrap();
        }
        let store = MysqlStore::open(&database, &by_name).await.unwrap();
        assert_eq!(store.blacklist_all(&foreign.into(), NOW).await.unwrap(), 0, "{charset}");
    }
}
