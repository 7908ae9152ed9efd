//! Users in a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use crate::support::people::People;
use crate::support::postgres::{Database, execute};
use crate::support::{columns, hashes, rights, spawn, spelling};
use simplejwt::event::{Act, Cause};
use simplejwt::postgres::PostgresUsers;
use simplejwt::postgres::{PostgresDatabase, PostgresOptions, PostgresStore, migrate};
use simplejwt::sql::manage::{ManageError, ManageUsers, NewUser, UserOptions};
use simplejwt::sql::table::{KeyKind, UserTable};
use simplejwt::store::session::{
    AccessClaims, EndEvent, EndReason, EndSessions, NewSession, NextToken, RefreshOutcome,
    RetainUntil, SessionRefresh, SessionSelector,
};
use simplejwt::store::{Blacklisting, OutstandingToken};
use simplejwt::users::conformance::{self, IdType};
use simplejwt::users::password::{
    Hasher, Hashers, HashingPool, Parameters, PoolOptions, unusable_password,
};
use simplejwt::users::password_fingerprint;
use simplejwt::{
    Credentials, RevocationFeed as _, SessionStore as _, Timestamp, TokenStore as _, User,
    UserStore as _,
};
use std::sync::Arc;
use std::time::Duration;

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

/// A table of users with a key of this type.
fn keyed(key: &str) -> String {
    format!(
        "CREATE TABLE \"odd \"\"name\" (uid {key} NOT NULL PRIMARY KEY, \
         email varchar(254) NOT NULL UNIQUE, pw varchar(128) NOT NULL)"
    )
}

fn custom(key: KeyKind) -> UserTable {
    UserTable {
        table: "odd \"name".into(),
        primary_key: "uid".into(),
        key: Some(key),
        login: "email".into(),
        password: "pw".into(),
        is_active: None,
        is_staff: None,
        is_superuser: None,
        last_login: None,
        ..UserTable::default()
    }
}

fn ann(hashers: &Hashers) -> NewUser {
    NewUser {
        username: "Ann@Example.com".into(),
        password: hashers.encode("pw").unwrap(),
        ..NewUser::default()
    }
}

/// Every sort of key: the user logs in, is found, and owns tokens, which end together.
#[tokio::test]
async fn keys_of_every_type_are_those_of_users_and_of_tokens() {
    let cases = [
        ("uuid", KeyKind::Uuid, "6f1c3a52-9a38-4d5e-8a52-0123456789ab"),
        ("char(32)", KeyKind::Uuid, "6f1c3a529a384d5e8a520123456789ab"),
        ("bigint", KeyKind::Integer, "9007199254740993"),
        ("smallint", KeyKind::Integer, "7"),
        ("varchar(40)", KeyKind::Text, "anna's \"key\" ü"),
        ("text", KeyKind::Text, "1"),
    ];
    for (declared, kind, key) in cases {
        let database = Database::with(&keyed(declared)).await;
        let table = custom(kind);
        let connected = database.connect().await;
        migrate::apply(&connected, &table, NOW).await.unwrap();
        let store = PostgresStore::open(&connected, &table).await.unwrap();
        let site = site(database, table, &[Hasher::Md5], UserOptions::default()).await;
        let hash = site.hashers.encode("pw").unwrap();
        let insert =
            format!("INSERT INTO \"odd \"\"name\" VALUES ($1::text::{declared}, 'ann', $2)");
        site.raw.execute(&insert, &[&key, &hash]).await.unwrap();

        let ann = site.login("ann", "pw").await.unwrap();
        assert_eq!(ann.id.as_str().replace('-', ""), key.replace('-', ""), "{declared}");
        assert_eq!(site.users.find(&ann.id).await.unwrap(), Some(ann.clone()), "{declared}");
        for id in ["nobody", "0", "", "\0", "6f1c3a52-9a38-4d5e-8a52-000000000000"] {
            assert_eq!(site.users.find(&id.into()).await.unwrap(), None, "{declared} {id:?}");
        }
        let mine = OutstandingToken { user_id: Some(ann.id.clone()), ..token("mine") };
        let gone = OutstandingToken { user_id: Some("99".into()), ..token("gone") };
        store.record(&mine, &Act::at(NOW)).await.unwrap();
        store.record(&gone, &Act::at(NOW)).await.unwrap();
        let owner = "SELECT user_id::text FROM token_blacklist_outstandingtoken WHERE jti = $1";
        let mine: Option<String> = site.raw.query_one(owner, &[&"mine"]).await.unwrap().get(0);
        assert_eq!(mine.as_deref(), Some(key), "{declared}");
        let gone: Option<String> = site.raw.query_one(owner, &[&"gone"]).await.unwrap().get(0);
        assert_eq!(gone, None, "{declared}");
        assert_eq!(store.blacklist_all(&ann.id, NOW).await.unwrap(), 1, "{declared}");
        assert!(store.is_blacklisted("mine").await.unwrap(), "{declared}");
        assert!(!store.is_blacklisted("gone").await.unwrap(), "{declared}");
    }
}

#[tokio::test]
async fn a_custom_user_model_with_a_uuid() {
    let database = Database::with(&keyed("uuid")).await;
    let site = site(database, custom(KeyKind::Uuid), &[Hasher::Md5], UserOptions::default()).await;
    let made = site.users.create_user(ann(&site.hashers), &Cause::at(NOW)).await.unwrap().outcome;
    let sql = "SELECT uid::text FROM \"odd \"\"name\"";
    let stored: String = site.raw.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(made.id.as_str(), stored);
    let ann = site.login("Ann@example.com", "pw").await.unwrap();
    assert_eq!(ann, made);
    assert!(ann.is_active);
    for id in [stored.clone(), stored.replace('-', ""), stored.to_uppercase()] {
        assert_eq!(site.users.find(&id.as_str().into()).await.unwrap().as_ref(), Some(&made));
    }
    assert!(site.users.find(&"1".into()).await.unwrap().is_none());
    let error = site.users.set_active("Ann@example.com", false, &Cause::at(NOW)).await.unwrap_err();
    assert!(error.to_string().contains("is_active"), "{error}");
}

#[tokio::test]
async fn an_id_in_another_spelling_is_the_users_or_nobodys() {
    let database = Database::with(&keyed("uuid")).await;
    let connected = database.connect().await;
    migrate::apply(&connected, &custom(KeyKind::Uuid), NOW).await.unwrap();
    let store = PostgresStore::open(&connected, &custom(KeyKind::Uuid)).await.unwrap();
    let site = site(database, custom(KeyKind::Uuid), &[Hasher::Md5], UserOptions::default()).await;
    let made = site.users.create_user(ann(&site.hashers), &Cause::at(NOW)).await.unwrap().outcome;
    let id = made.id.as_str();
    let (upper, digits) = (id.to_uppercase(), id.replace('-', ""));
    spelling::every_spelling_or_none(
        std::sync::Arc::new(site.users.clone()),
        std::sync::Arc::new(store),
        &Credentials::new("Ann@example.com", "pw"),
        &[id, &upper, &digits],
        &["11234567-89ab-4def-8123-456789abcdef", "ann", "1"],
    )
    .await;
}

#[tokio::test]
async fn the_login_name_as_the_id() {
    let table = UserTable { user_id_field: "username".into(), ..UserTable::default() };
    let database = Database::django().await;
    let site = site(database, table, &[Hasher::Md5], UserOptions::default()).await;
    assert_eq!(site.login("alice", "correct horse").await.unwrap().id.as_str(), "alice");
    assert_eq!(site.users.find(&"alice".into()).await.unwrap().unwrap().username, "alice");
    assert!(site.users.find(&"1".into()).await.unwrap().is_none());
    assert!(site.users.find(&"alice\0".into()).await.unwrap().is_none());
    site.users.update_last_login(&"alice".into(), NOW).await.unwrap();
    site.users.update_last_login(&"alice\0".into(), NOW).await.unwrap();
    let noted = site.text("last_login AT TIME ZONE 'UTC'", "alice").await;
    assert_eq!(noted.as_deref(), Some("2026-01-02 03:04:05.678901"));
}

#[tokio::test]
async fn a_user_that_only_the_application_can_make_isnt_made() {
    let sql = format!(
        "{}; ALTER TABLE \"odd \"\"name\" ADD shoe integer NOT NULL DEFAULT 1",
        keyed("uuid")
    );
    let table = custom(KeyKind::Uuid);
    let options = UserOptions::default();
    let fine = site(Database::with(&sql).await, table.clone(), &[Hasher::Md5], options).await;
    fine.users.create_user(ann(&fine.hashers), &Cause::at(NOW)).await.unwrap();

    let columns = "shoe integer NOT NULL, team text NOT NULL, pw varchar";
    let sql = keyed("uuid").replace("pw varchar", columns);
    let site = site(Database::with(&sql).await, table, &[Hasher::Md5], options).await;
    let error = site.users.create_user(ann(&site.hashers), &Cause::at(NOW)).await.unwrap_err();
    assert!(error.to_string().contains("shoe, team"), "{error}");
    assert_eq!(site.users.list(None, 9).await.unwrap(), []);
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

/// PostgreSQL's texts hold no NUL: whatever has one is simply not there.
#[tokio::test]
async fn a_nul_character_is_no_failure_of_the_database() {
    let made = Database::migrated().await;
    let store = made.store().await;
    assert!(!store.is_blacklisted("a\0b").await.unwrap());
    assert_eq!(store.session("a\0b").await.unwrap(), None);
    assert_eq!(store.session_of("a\0b").await.unwrap(), None);
    assert_eq!(store.sessions(&"1\0".into(), NOW).await.unwrap(), []);
    assert_eq!(store.blacklist_all(&"1\0".into(), NOW).await.unwrap(), 0);
    for (id, user_id) in [("a\0b", None), ("a", Some("1\0".into()))] {
        let end = EndSessions {
            which: SessionSelector::One { id: id.into(), user_id },
            reason: EndReason::Logout,
            event: EndEvent::SessionsEnded,
            cause: Cause::at(NOW),
            retain_until: RetainUntil { refresh: NOW, access: NOW },
        };
        assert_eq!(store.end_sessions(&end).await.unwrap().outcome, 0, "{id:?}");
    }
    let claims = AccessClaims {
        session: None,
        jti: Some("a\0b".into()),
        user_id: Some("1\0".into()),
        issued_at: Some(NOW),
    };
    assert!(!store.is_revoked(&claims, NOW).await.unwrap());
    let claims = AccessClaims { session: Some("a\0b".into()), ..claims };
    assert!(store.is_revoked(&claims, NOW).await.unwrap(), "there is no such session");
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

impl columns::Tables for Database {
    const KIND: columns::Kind = columns::Kind::Postgres;

    async fn run(&self, sql: &str) {
        execute(&self.url, sql).await;
    }

    async fn open_with(
        &self,
        table: UserTable,
        pool: HashingPool,
        options: UserOptions,
    ) -> Result<std::sync::Arc<dyn simplejwt::sql::manage::ManageUsers>, String> {
        let opened = PostgresUsers::open(&self.connect().await, table, pool, options).await;
        Ok(std::sync::Arc::new(opened.map_err(|error| error.to_string())?))
    }
}

impl columns::Place for Database {
    async fn migrate(&self, table: UserTable) -> Result<(), String> {
        let done = migrate::apply(&self.connect().await, &table, NOW).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    async fn tokens(&self, table: UserTable) -> Result<(), String> {
        let opened = PostgresStore::open(&self.connect().await, &table).await;
        opened.map(drop).map_err(|error| error.to_string())
    }
}

columns::columns_tests!(Database::empty().await);

/// With one connection for all that the suite does to the tables.
struct Connected(Database, tokio_postgres::Client);

impl columns::Tables for Connected {
    const KIND: columns::Kind = columns::Kind::Postgres;

    async fn run(&self, sql: &str) {
        self.1.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
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

async fn conforms(database: Database, ids: IdType) {
    let client = database.client().await;
    let place = Arc::new(Connected(database, client));
    conformance::all(|| People::new(Arc::clone(&place), ids), spawn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn djangos_users_conform() {
    conforms(Database::django().await, IdType::Integer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_with_uuids_conform() {
    conforms(Database::empty().await, IdType::Uuid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_with_texts_for_ids_conform() {
    conforms(Database::empty().await, IdType::Text).await;
}

/// Databases that aren't in UTF-8: what they can't hold is nobody's, and the login of whoever
/// has a browser with a name beyond them is a login.
#[tokio::test]
async fn what_the_databases_encoding_lacks_is_no_failure() {
    for (encoding, name) in [("LATIN1", "Zoë"), ("SQL_ASCII", "Zoë"), ("WIN1251", "Зоя")] {
        let database = Database::encoded(encoding).await;
        let connected = database.connect().await;
        let table = UserTable::default();
        migrate::apply(&connected, &table, NOW).await.unwrap();
        let store = PostgresStore::open(&connected, &table).await.unwrap();
        let site = site(database, table, &[Hasher::Md5], UserOptions::default()).await;
        let password = site.hashers.encode("pw").unwrap();
        let new = NewUser { username: name.into(), password, ..NewUser::default() };
        let user = site.users.create_user(new.clone(), &Cause::at(NOW)).await.unwrap().outcome;
        assert_eq!(user.username, name, "{encoding}");
        assert_eq!(site.login(name, "pw").await.unwrap().id, user.id, "{encoding}");
        let foreign = ["😀", "日本", "Zo\0", "\0", "Ω"];
        for other in foreign {
            let before = site.hashers.computations();
            assert!(site.login(other, "pw").await.is_none(), "{encoding} {other:?}");
            assert_eq!(site.hashers.computations(), before + 1, "{encoding} {other:?}");
            assert_eq!(site.users.find(&other.into()).await.unwrap(), None);
            let error = site.users.set_active(other, true, &Cause::at(NOW)).await.unwrap_err();
            assert!(matches!(error, ManageError::NoSuchUser { .. }), "{encoding} {error}");
            assert!(!store.is_blacklisted(other).await.unwrap(), "{encoding}");
            assert_eq!(store.session_of(other).await.unwrap(), None, "{encoding}");
            assert_eq!(store.session(other).await.unwrap(), None, "{encoding}");
            assert_eq!(store.sessions(&other.into(), NOW).await.unwrap(), [], "{encoding}");
        }
        if encoding == "LATIN1" {
            let new = NewUser { username: "Зоя".into(), ..new };
            let error = site.users.create_user(new, &Cause::at(NOW)).await.unwrap_err();
            assert!(matches!(error, ManageError::UnstorableUsername { .. }), "{error}");
            let text = token("日本");
            let error = store.record(&text, &Act::at(NOW)).await.unwrap_err();
            assert_eq!(error.kind(), simplejwt::error::StoreErrorKind::Unstorable);
            let refused: simplejwt::Error = error.into();
            assert_eq!(refused.code(), "token_not_valid");
        }
        let later = NOW + Duration::from_secs(7200);
        let retain_until = RetainUntil { refresh: later, access: later };
        let agent = format!("Browser é € {}", "日".repeat(300));
        let client = simplejwt::store::session::Client::new(Some("192.0.2.1"), Some(&agent));
        let open = simplejwt::store::session::OpenSession {
            session: NewSession { id: "first".into(), user_id: user.id.clone(), password: None },
            token: token("first"),
            expires_at: later,
            limit: None,
            cause: Cause { client, ..Cause::at(NOW) },
            retain_until,
        };
        let opened = store.open(&open).await.unwrap();
        // What the database can't hold is left out there, and nowhere else.
        assert_eq!(opened.events[0].client, open.cause.client, "{encoding}");
        let mut next = refresh("first", "second", "");
        next.cause = open.cause.clone();
        next.session.password = None;
        let refreshed = store.refresh(&next).await.unwrap();
        assert_eq!(refreshed.outcome, RefreshOutcome::Refreshed, "{encoding}");
        assert_eq!(refreshed.events[0].client, open.cause.client, "{encoding}");
        let shown = store.sessions(&user.id, NOW).await.unwrap().remove(0).client;
        let expected = if encoding == "LATIN1" { "Browser é ? ?" } else { "Browser ? ? ?" };
        assert!(shown.user_agent.unwrap().starts_with(expected), "{encoding}");
        assert_eq!(shown.address.as_deref(), Some("192.0.2.1"));
    }
}

/// In `SQL_ASCII` a row may hold any bytes: it is no failure of the rows beside it.
#[tokio::test]
async fn rows_that_are_not_utf8_are_no_failure_of_others() {
    let database = Database::encoded("SQL_ASCII").await;
    let connected = database.connect().await;
    let table = UserTable { columns: vec!["first_name".into()], ..UserTable::default() };
    migrate::apply(&connected, &UserTable::default(), NOW).await.unwrap();
    let url = database.url.clone();
    let site = site(database, table, &[Hasher::Md5], UserOptions::default()).await;
    let password = site.hashers.encode("pw").unwrap();
    let new = NewUser { username: "ann".into(), password, ..NewUser::default() };
    let ann = site.users.create_user(new.clone(), &Cause::at(NOW)).await.unwrap().outcome;
    let zoe = NewUser { username: "zoe".into(), ..new };
    let zoe = site.users.create_user(zoe, &Cause::at(NOW)).await.unwrap().outcome;
    // Latin-1, as another program has stored it.
    execute(
        &url,
        "SET client_encoding = 'SQL_ASCII'; \
         UPDATE auth_user SET username = 'zo' || chr(235), first_name = chr(200) || 'x' \
         WHERE username = 'zoe'",
    )
    .await;
    assert_eq!(site.login("ann", "pw").await.unwrap().id, ann.id);
    let names: Vec<_> =
        site.users.list(None, 9).await.unwrap().into_iter().map(|user| user.username).collect();
    assert_eq!(names, ["ann", "zo\u{fffd}"]);
    // Asked for at the same time, by one statement.
    let (found, other) = tokio::join!(site.users.find(&ann.id), site.users.find(&zoe.id));
    assert_eq!(found.unwrap().unwrap().username, "ann");
    assert_eq!(other.unwrap().unwrap().fields["first_name"], "\u{fffd}x");
    site.users.survey_passwords().await.unwrap();
}

async fn with_hashers(database: &Database, hashers: &Hashers) -> Arc<dyn ManageUsers> {
    let (table, pool) = (UserTable::default(), hashes::pool(hashers));
    let database = database.connect().await;
    Arc::new(PostgresUsers::open(&database, table, pool, UserOptions::default()).await.unwrap())
}

#[tokio::test]
async fn hashes_in_djangos_table_are_djangos_to_rewrite() {
    let made = Database::django().await;
    hashes::djangos_table(async |hashers| with_hashers(&made, &hashers).await).await;
}

#[tokio::test]
async fn hashes_in_a_table_made_here_are_raised_until_django_comes() {
    let made = Database::migrated().await;
    let run = async |sql: &str| execute(&made.url, sql).await;
    hashes::table_made_here(async |hashers| with_hashers(&made, &hashers).await, run).await;
}

#[tokio::test]
async fn a_sample_of_the_hashes_is_bounded() {
    let made = Database::migrated().await;
    let fill = async |hash: &str| {
        let many = format!(
            "INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, \
             is_staff, is_active, date_joined) \
             SELECT 'user' || n, '{hash}', '', '', '', false, false, true, now() \
             FROM generate_series(1, 5000) AS n"
        );
        execute(&made.url, &many).await;
    };
    hashes::a_sample_is_bounded(async |hashers| with_hashers(&made, &hashers).await, fill).await;
}

#[tokio::test]
async fn what_this_role_may_not_read_is_not_our_own() {
    let made = Database::migrated().await;
    let role = format!("{}_reader", made.name);
    execute(
        &made.url,
        &format!(
            "CREATE TABLE django_migrations (id integer); \
             CREATE ROLE {role} LOGIN PASSWORD 'reader'; \
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; \
             REVOKE SELECT ON django_migrations FROM {role}"
        ),
    )
    .await;
    let (head, tail) = made.url.split_once("://").unwrap();
    let url = format!("{head}://{role}:reader@{}", tail.split_once('@').unwrap().1);
    let database = PostgresDatabase::connect(&url, PostgresOptions::default()).await.unwrap();
    let pool = hashes::pool(&Hashers::default());
    let (table, options) = (UserTable::default(), UserOptions::default());
    let users = PostgresUsers::open(&database, table, pool, options).await.unwrap();
    let survey = users.survey_passwords().await.unwrap();
    assert_eq!((survey.made_here, survey.kinds.len()), (false, 1), "{survey:?}");
    drop(database);
    execute(&made.url, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
