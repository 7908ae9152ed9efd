//! Users: logging in, rehashing, managing; custom tables.

mod conform;
mod custom;
mod encodings;

use simplejwt::Timestamp;
use simplejwt::event::Cause;
use simplejwt::mysql::migrate;
use simplejwt::sql::manage::{ManageError, ManageUsers, NewUser};
use simplejwt::sql::table::UserTable;
use simplejwt::store::session::{
    NewSession, NextToken, OpenSession, RefreshOutcome, RetainUntil, SessionRefresh,
    SessionStore as _,
};
use simplejwt::users::password::{Hashers, Parameters};
use simplejwt::users::{Credentials, UserStore as _, password_fingerprint};

use crate::support::mysql::{NOW, World, hashers, token, users};
use crate::support::rights;

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
