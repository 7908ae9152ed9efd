//! Making users with names as Django stores them, and deleting them with what refers to them: the
//! same on every database.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use crate::support::mysql;
use crate::support::postgres::Database;
use crate::support::rights;
use simplejwt::Timestamp;
use simplejwt::event::{Actor, Cause, Event, UserChange};
use simplejwt::postgres::PostgresUsers;
use simplejwt::sql::manage::{ManageError, ManageUsers, NewUser, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::SqliteUsers;
use simplejwt::sqlite::{SqliteDatabase, SqliteOptions};
use simplejwt::users::password::{HashingPool, PoolOptions, unusable_password};

const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);

/// A database of Django's that statements can be run on past the users.
trait Raw {
    async fn run(&self, sql: &str);
    async fn count(&self, sql: &str) -> i64;
}

impl Raw for rusqlite::Connection {
    async fn run(&self, sql: &str) {
        self.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn count(&self, sql: &str) -> i64 {
        self.query_row(sql, (), |row| row.get(0)).unwrap()
    }
}

impl Raw for tokio_postgres::Client {
    async fn run(&self, sql: &str) {
        self.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    async fn count(&self, sql: &str) -> i64 {
        self.query_one(sql, &[]).await.unwrap().get(0)
    }
}

impl Raw for mysql::World {
    async fn run(&self, sql: &str) {
        Self::run(self, sql).await;
    }

    async fn count(&self, sql: &str) -> i64 {
        self.one(sql).await.parse().unwrap()
    }
}

fn hashing() -> HashingPool {
    HashingPool::new(mysql::hashers(), PoolOptions { threads: 1, waiting: 9 }).unwrap()
}

async fn add(users: &impl ManageUsers, username: &str) -> Result<String, ManageError> {
    let (username, password) = (username.to_owned(), unusable_password());
    let new = NewUser { username, password, ..NewUser::default() };
    users.create_user(new, &Cause::at(NOW)).await.map(|added| added.outcome.username)
}

/// `key` is how the database declares a column that refers to a user's id.
async fn names_and_deletion(users: &impl ManageUsers, raw: &impl Raw, key: &str) {
    assert_eq!(add(users, "ﬁn").await.unwrap(), "fin");
    let again = add(users, "fin").await.unwrap_err();
    assert!(matches!(again, ManageError::AlreadyExists { .. }), "{again}");
    assert_eq!(add(users, "zoe\u{308}").await.unwrap(), "zoë");
    for name in [" lead", "new\nline", "a\u{202e}b", "nul\0"] {
        let refused = add(users, name).await.unwrap_err();
        assert!(matches!(refused, ManageError::UnusableText { .. }), "{name:?}: {refused}");
    }
    users.delete_user("fin", &Cause::at(NOW)).await.unwrap();
    users.delete_user("zoë", &Cause::at(NOW)).await.unwrap();

    rights::people(users).await;
    for sql in rights::RIGHTS {
        raw.run(sql).await;
    }
    let id = |name: &str| format!("(SELECT id FROM auth_user WHERE username = '{name}')");
    for (jti, name) in [("j1", "ann"), ("j2", "zoe")] {
        raw.run(&format!(
            "INSERT INTO token_blacklist_outstandingtoken \
             (token, created_at, expires_at, user_id, jti) VALUES \
             ('t', '2026-01-01 00:00:00', '2027-01-01 00:00:00', {}, '{jti}')",
            id(name)
        ))
        .await;
    }
    let refers = format!("{key}, FOREIGN KEY (author_id) REFERENCES auth_user (id)");
    for (table, action) in [("notes", ""), ("drafts", " ON DELETE CASCADE")] {
        raw.run(&format!("CREATE TABLE {table} (author_id {refers}{action})")).await;
        for name in ["ann", "ann", "zoe"] {
            raw.run(&format!("INSERT INTO {table} VALUES ({})", id(name))).await;
        }
    }

    let kept = users.references("ann").await.unwrap();
    let told: Vec<String> = kept.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["notes.author_id: 2 rows"]);
    let refused = users.delete_user("ann", &Cause::at(NOW)).await.unwrap_err();
    let ManageError::Referred { references, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*references, kept);
    assert!(refused.to_string().contains("notes.author_id: 2 rows"), "{refused}");
    let members = format!("SELECT COUNT(*) FROM auth_user_groups WHERE user_id = {}", id("ann"));
    assert_eq!(raw.count(&members).await, 2, "nothing was done");

    raw.run(&format!("DELETE FROM notes WHERE author_id = {}", id("ann"))).await;
    assert!(users.references("ann").await.unwrap().is_empty());
    users.delete_user("ann", &Cause::at(NOW)).await.unwrap();
    assert!(users.by_username("ann").await.unwrap().is_none());
    for (sql, expected) in [
        ("SELECT COUNT(*) FROM auth_user WHERE username IN ('ann', 'zoe', 'idle', 'top')", 3),
        // Of `idle`, and of nobody who is gone.
        ("SELECT COUNT(*) FROM auth_user_groups WHERE id > 9000", 1),
        ("SELECT COUNT(*) FROM auth_user_user_permissions WHERE id > 9000", 1),
        ("SELECT COUNT(*) FROM drafts", 1),
        ("SELECT COUNT(*) FROM notes", 1),
        ("SELECT COUNT(*) FROM token_blacklist_outstandingtoken WHERE token = 't'", 2),
        (
            "SELECT COUNT(*) FROM token_blacklist_outstandingtoken \
             WHERE token = 't' AND user_id IS NULL",
            1,
        ),
    ] {
        assert_eq!(raw.count(sql).await, expected, "{sql}");
    }
    for name in ["ann", "nobody", "nul\0", "\u{1f980}"] {
        let gone = users.delete_user(name, &Cause::at(NOW)).await.unwrap_err();
        assert!(matches!(gone, ManageError::NoSuchUser { .. }), "{name:?}: {gone}");
        let gone = users.references(name).await.unwrap_err();
        assert!(matches!(gone, ManageError::NoSuchUser { .. }), "{name:?}: {gone}");
    }
}

/// A change and its record are of one transaction, by whoever it was.
async fn changes_are_recorded(users: &impl ManageUsers) {
    let by = |seconds| Cause {
        actor: Actor::Operator { account: Some("root".into()) },
        ..Cause::at(NOW + std::time::Duration::from_secs(seconds))
    };
    let new = NewUser { username: "eve".into(), password: "!".into(), ..NewUser::default() };
    let added = users.create_user(new.clone(), &by(0)).await.unwrap();
    let id = added.outcome.id.clone();
    let changed = |change| Event::UserChanged { user_id: id.clone(), change };
    assert_eq!(added.events, [by(0).record(changed(UserChange::Added))]);
    assert!(users.create_user(new, &by(1)).await.is_err());
    let password = users.set_password("eve", "!other", &by(2)).await.unwrap();
    let event = Event::PasswordChanged { user_id: id.clone() };
    assert_eq!((&password.outcome, password.events), (&id, vec![by(2).record(event)]));
    // Also where it was so before.
    for (active, change) in
        [(false, UserChange::Disabled), (false, UserChange::Disabled), (true, UserChange::Enabled)]
    {
        let recorded = users.set_active("eve", active, &by(3)).await.unwrap();
        let expected = vec![by(3).record(changed(change))];
        assert_eq!((&recorded.outcome, recorded.events), (&id, expected));
    }
    let gone = users.delete_user("eve", &by(4)).await.unwrap();
    let expected = vec![by(4).record(changed(UserChange::Deleted))];
    assert_eq!((&gone.outcome, gone.events), (&id, expected));
    for refused in [
        users.set_password("eve", "!", &by(5)).await.unwrap_err(),
        users.set_active("eve", true, &by(5)).await.unwrap_err(),
    ] {
        assert!(matches!(refused, ManageError::NoSuchUser { .. }), "{refused}");
    }
}

#[tokio::test]
async fn on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.sqlite3");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch(include_str!("../fixtures/django_sqlite.sql")).unwrap();
    let database = SqliteDatabase::open(path, SqliteOptions::default()).unwrap();
    let (table, options) = (UserTable::default(), UserOptions::default());
    let users = SqliteUsers::open(&database, table, hashing(), options).unwrap();
    changes_are_recorded(&users).await;
    names_and_deletion(&users, &raw, "integer NOT NULL").await;
}

#[tokio::test]
async fn on_postgresql() {
    let database = Database::django().await;
    let raw = database.client().await;
    let (table, options) = (UserTable::default(), UserOptions::default());
    let connected = database.connect().await;
    let users = PostgresUsers::open(&connected, table, hashing(), options).await.unwrap();
    changes_are_recorded(&users).await;
    names_and_deletion(&users, &raw, "integer NOT NULL").await;
}

#[tokio::test]
async fn on_mysql() {
    let world = mysql::World::new().await;
    world.run(include_str!("../fixtures/django_mariadb.sql")).await;
    let users = mysql::users(&world.database().await, UserTable::default()).await;
    changes_are_recorded(&users).await;
    names_and_deletion(&users, &world, "integer NOT NULL").await;
}
