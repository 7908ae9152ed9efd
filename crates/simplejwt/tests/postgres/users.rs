//! Users in a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod conform;
mod custom;
mod encodings;
mod hashes;

use std::time::Duration;

use simplejwt::event::{Act, Cause};
use simplejwt::postgres::{PostgresStore, PostgresUsers, migrate};
use simplejwt::sql::manage::{ManageError, ManageUsers, NewUser, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::store::session::{
    NewSession, NextToken, RefreshOutcome, RetainUntil, SessionRefresh,
};
use simplejwt::store::{Blacklisting, OutstandingToken};
use simplejwt::users::password::{
    Hasher, Hashers, HashingPool, Parameters, PoolOptions, unusable_password,
};
use simplejwt::users::password_fingerprint;
use simplejwt::{Credentials, SessionStore as _, Timestamp, TokenStore as _, User, UserStore as _};

use crate::support::postgres::{Database, execute};
use crate::support::rights;

const NOW: Timestamp = Timestamp::from_micros(1_767_323_045_678_901);

struct Site {
    users: PostgresUsers,
    hashers: Hashers,
    raw: tokio_postgres::Client,
    _database: Database,
}

fn hashers(list: &[Hasher]) -> Hashers {
    let parameters = Parameters { pbkdf2_iterations: 10, ..Parameters::default() };
    Hashers::new(list.iter().copied()).unwrap().with_parameters(parameters).unwrap()
}

async fn site(database: Database, table: UserTable, list: &[Hasher], options: UserOptions) -> Site {
    let hashers = hashers(list);
    let pool = HashingPool::new(hashers.clone(), PoolOptions { threads: 1, waiting: 9 }).unwrap();
    let users = PostgresUsers::open(&database.connect().await, table, pool, options).await.unwrap();
    let raw = database.client().await;
    Site { users, hashers, raw, _database: database }
}

/// Django's database, whose hashes are of the preferred kind.
async fn django() -> Site {
    let database = Database::django().await;
    site(database, UserTable::default(), &[Hasher::Md5], UserOptions::default()).await
}

/// Django's database, whose hashes are of a kind that is rewritten.
async fn outdated() -> Site {
    let list = [Hasher::Pbkdf2Sha256, Hasher::Md5];
    site(Database::django().await, UserTable::default(), &list, UserOptions::default()).await
}

impl Site {
    async fn text(&self, column: &str, username: &str) -> Option<String> {
        let sql = format!("SELECT ({column})::text FROM auth_user WHERE username = $1");
        self.raw.query_one(&sql, &[&username]).await.unwrap().get(0)
    }

    async fn login(&self, username: &str, password: &str) -> Option<User> {
        self.users.authenticate(&Credentials::new(username, password)).await.unwrap()
    }
}

fn token(jti: &str) -> OutstandingToken {
    OutstandingToken {
        jti: jti.into(),
        token: format!("{jti}.token"),
        user_id: Some("1".into()),
        created_at: NOW,
        expires_at: NOW + Duration::from_secs(3600),
    }
}

/// The next refresh in the session of `jti`, by a user with this hash.
fn refresh(jti: &str, next: &str, password: &str) -> SessionRefresh {
    let later = NOW + Duration::from_secs(7200);
    SessionRefresh {
        token: token(jti),
        next: NextToken::Rotated { token: token(next), access_jti: format!("{next}-access") },
        session: NewSession {
            id: "first".into(),
            user_id: "1".into(),
            password: Some(password_fingerprint(password)),
        },
        grace: Duration::ZERO,
        tolerance: Duration::ZERO,
        idle: None,
        lifetime: None,
        cause: Cause::at(NOW),
        retain_until: RetainUntil { refresh: later, access: later },
    }
}

#[tokio::test]
async fn a_rehash_leaves_sessions_tied_to_the_password_and_a_change_does_not() {
    let database = Database::django().await;
    let connected = database.connect().await;
    migrate::apply(&connected, &UserTable::default(), NOW).await.unwrap();
    let store = PostgresStore::open(&connected, &UserTable::default()).await.unwrap();
    let list = [Hasher::Pbkdf2Sha256, Hasher::Md5];
    let site = site(database, UserTable::default(), &list, UserOptions::default()).await;
    let before = site.text("password", "alice").await.unwrap();
    let opened = store.refresh(&refresh("first", "second", &before)).await.unwrap().outcome;
    assert_eq!(opened, RefreshOutcome::Refreshed);

    let alice = site.login("alice", "correct horse").await.unwrap();
    assert_ne!(alice.password, before);
    let refreshed =
        store.refresh(&refresh("second", "third", &alice.password)).await.unwrap().outcome;
    assert_eq!(refreshed, RefreshOutcome::Refreshed);

    let other = site.hashers.encode("another").unwrap();
    site.users.set_password("alice", &other, &Cause::at(NOW)).await.unwrap();
    let refused = store.refresh(&refresh("third", "fourth", &other)).await.unwrap().outcome;
    assert_eq!(refused, RefreshOutcome::PasswordChanged);
    let fingerprint: String = site
        .raw
        .query_one("SELECT password FROM simplejwt_session WHERE id = 'first'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(fingerprint, password_fingerprint(&alice.password));
}

#[tokio::test]
async fn a_login_outlives_a_rewrite_that_fails() {
    let site = outdated().await;
    site.raw
        .batch_execute(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'no'; END $$; \
             CREATE TRIGGER no BEFORE UPDATE ON auth_user FOR EACH ROW EXECUTE FUNCTION no()",
        )
        .await
        .unwrap();
    let alice = site.login("alice", "correct horse").await.unwrap();
    assert_eq!(Some(&alice.password), site.text("password", "alice").await.as_ref());
    assert!(alice.password.starts_with("md5$"));
}

#[tokio::test]
async fn last_login_is_noted() {
    let site = django().await;
    site.users.update_last_login(&"1".into(), NOW).await.unwrap();
    let noted = site.text("last_login AT TIME ZONE 'UTC'", "alice").await;
    assert_eq!(noted.as_deref(), Some("2026-01-02 03:04:05.678901"));
    assert_eq!(site.text("last_login", "bob").await, None);
    for nobody in ["99", "abc", "9223372036854775807", "1\0"] {
        site.users.update_last_login(&nobody.into(), NOW).await.unwrap();
    }
    // A table that Django didn't make may have a column that knows no zone.
    let database = Database::django().await;
    let local = "ALTER TABLE auth_user ALTER last_login TYPE timestamp USING NULL";
    database.client().await.batch_execute(local).await.unwrap();
    let options = UserOptions::default();
    let site = self::site(database, UserTable::default(), &[Hasher::Md5], options).await;
    site.users.update_last_login(&"1".into(), NOW).await.unwrap();
    let noted = site.text("last_login", "alice").await;
    assert_eq!(noted.as_deref(), Some("2026-01-02 03:04:05.678901"));

    let table = UserTable { last_login: None, ..UserTable::default() };
    let database = Database::django().await;
    let without = self::site(database, table, &[Hasher::Md5], UserOptions::default()).await;
    without.users.update_last_login(&"1".into(), NOW).await.unwrap();
    assert_eq!(without.text("last_login", "alice").await, None);
}

#[tokio::test]
async fn a_new_users_row_is_as_django_makes_it() {
    let site = django().await;
    let new = NewUser {
        username: "carol".into(),
        email: "Carol@Example.COM".into(),
        password: site.hashers.encode("s3cret").unwrap(),
        is_staff: true,
        is_superuser: false,
    };
    let carol = site.users.create_user(new.clone(), &Cause::at(NOW)).await.unwrap().outcome;
    assert_eq!(carol.id.as_str(), "3");
    assert!(carol.is_active && carol.is_staff && !carol.is_superuser);
    let row = "concat_ws('|', email, first_name, last_name, date_joined AT TIME ZONE 'UTC', \
               is_staff, is_active, is_superuser, coalesce(last_login::text, 'never'))";
    assert_eq!(
        site.text(row, "carol").await.unwrap(),
        "Carol@example.com|||2026-01-02 03:04:05.678901|t|t|f|never"
    );
    assert!(site.login("carol", "s3cret").await.is_some());

    let error = site.users.create_user(new.clone(), &Cause::at(NOW)).await.unwrap_err();
    let exists = matches!(&error, ManageError::AlreadyExists { username } if username == "carol");
    assert!(exists, "{error:?}");
    let hidden = NewUser { username: "dan\0".into(), ..new.clone() };
    let error = site.users.create_user(hidden, &Cause::at(NOW)).await;
    assert!(matches!(error, Err(ManageError::UnusableText { .. })), "{error:?}");
    for username in [String::new(), "x".repeat(151)] {
        let error =
            site.users.create_user(NewUser { username, ..new.clone() }, &Cause::at(NOW)).await;
        assert!(matches!(error, Err(ManageError::BadUsername { max: 150 })), "{error:?}");
    }
    let longest = NewUser { username: "ü".repeat(150), ..new };
    site.users.create_user(longest, &Cause::at(NOW)).await.unwrap();
}

#[tokio::test]
async fn users_are_changed_and_listed() {
    let site = django().await;
    let hash = site.hashers.encode("another").unwrap();
    site.users.set_password("alice", &hash, &Cause::at(NOW)).await.unwrap();
    assert!(site.login("alice", "correct horse").await.is_none());
    assert!(site.login("alice", "another").await.is_some());
    site.users.set_password("alice", &unusable_password(), &Cause::at(NOW)).await.unwrap();
    assert!(site.login("alice", "another").await.is_none());

    site.users.set_active("bob", true, &Cause::at(NOW)).await.unwrap();
    assert!(site.login("bob", "battery staple").await.is_some());
    site.users.set_active("bob", false, &Cause::at(NOW)).await.unwrap();
    assert!(site.login("bob", "battery staple").await.is_none());

    for nobody in ["nobody", "alice\0"] {
        let error = site.users.set_active(nobody, false, &Cause::at(NOW)).await.unwrap_err();
        assert!(matches!(&error, ManageError::NoSuchUser { .. }), "{nobody:?}: {error:?}");
        let error = site.users.set_password(nobody, "x", &Cause::at(NOW)).await.unwrap_err();
        assert!(matches!(&error, ManageError::NoSuchUser { .. }), "{nobody:?}: {error:?}");
        assert_eq!(site.users.by_username(nobody).await.unwrap(), None);
    }

    let names = async |after: Option<&str>, limit| -> Vec<String> {
        let page = site.users.list(after, limit).await.unwrap();
        page.into_iter().map(|user| user.username).collect()
    };
    assert_eq!(names(None, 10).await, ["alice", "bob"]);
    assert_eq!(names(None, 1).await, ["alice"]);
    assert_eq!(names(Some("alice"), 1).await, ["bob"]);
    assert_eq!(names(Some("bob"), 1).await, [""; 0]);
    assert_eq!(site.users.by_username("bob").await.unwrap().unwrap().id.as_str(), "2");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let made = Database::django().await;
    let database = made.connect().await;
    let pool = HashingPool::new(hashers(&[Hasher::Md5]), PoolOptions::default()).unwrap();
    let refused = async |table: UserTable| {
        let options = UserOptions::default();
        let opened = PostgresUsers::open(&database, table, pool.clone(), options).await;
        opened.unwrap_err().to_string()
    };
    let table = "accounts_user".to_owned();
    let text = refused(UserTable { table, ..UserTable::default() }).await;
    assert!(text.contains("no table \"accounts_user\"") && text.contains("auth_user"), "{text}");
    let login = "mail".to_owned();
    let text = refused(UserTable { login, ..UserTable::default() }).await;
    assert!(text.contains("\"auth_user\" has no column \"mail\"; it has id, password"), "{text}");
    let user_id_field = "public_id".to_owned();
    let text = refused(UserTable { user_id_field, ..UserTable::default() }).await;
    assert!(text.contains("no column \"public_id\""), "{text}");
    let injection = Some("is_active\" OR 1=1 --".to_owned());
    let text = refused(UserTable { is_active: injection, ..UserTable::default() }).await;
    assert!(text.contains("no column"), "{text}");
}

/// Django's admin deletes a user whose tokens and sessions are ours.
#[tokio::test]
async fn a_user_can_be_deleted_while_tokens_of_theirs_are_stored() {
    let made = Database::migrated().await;
    let store = made.store().await;
    store.record(&token("one"), &Act::at(NOW)).await.unwrap();
    execute(
        &made.url,
        "BEGIN; UPDATE token_blacklist_outstandingtoken SET user_id = NULL WHERE user_id = 1; \
         DELETE FROM auth_user WHERE id = 1; COMMIT",
    )
    .await;
    let blacklisted = store.blacklist(&token("one"), &Act::at(NOW)).await.unwrap().outcome;
    assert_eq!(blacklisted, Blacklisting::Blacklisted);
    store.record(&token("two"), &Act::at(NOW)).await.unwrap();
}

#[tokio::test]
async fn further_columns_are_read_as_drf_writes_them() {
    let database = Database::django().await;
    let raw = database.client().await;
    raw.batch_execute(
        "ALTER TABLE auth_user ADD score numeric(10, 2), ADD public_id uuid, ADD seen timestamptz, \
         ADD born date, ADD wakes time, ADD ratio double precision, ADD visits bigint, \
         ADD vip boolean, ADD note text, ADD prefs jsonb, ADD address inet, ADD span interval",
    )
    .await
    .unwrap();
    let columns = rights::COLUMNS.map(str::to_owned).into();
    let table = UserTable { columns, ..UserTable::default() };
    let made = site(database, table, &[Hasher::Md5], UserOptions::default()).await;
    rights::people(&made.users).await;
    raw.batch_execute(&rights::values("2026-01-02 05:04:05.6+02", "true")).await.unwrap();
    rights::check_fields(&made.users).await;

    raw.batch_execute("UPDATE auth_user SET prefs = '{\"a\": [1]}', address = '::1'")
        .await
        .unwrap();
    let of = |columns: &[&str]| UserTable {
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        ..UserTable::default()
    };
    let open = async |table| {
        let pool =
            HashingPool::new(hashers(&[Hasher::Md5]), PoolOptions { threads: 1, waiting: 9 });
        let database = made._database.connect().await;
        PostgresUsers::open(&database, table, pool.unwrap(), UserOptions::default()).await
    };
    let users = open(of(&["prefs", "address"])).await.unwrap();
    let ann = users.by_username("ann").await.unwrap().unwrap();
    assert_eq!(ann.fields["prefs"], serde_json::json!({"a": [1]}));
    assert_eq!(ann.fields["address"], serde_json::json!("::1"));
    let text = open(of(&["span"])).await.unwrap_err().to_string();
    assert!(text.contains("has the type \"interval\""), "{text}");
}
