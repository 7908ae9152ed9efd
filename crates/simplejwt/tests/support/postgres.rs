//! Databases of their own on the PostgreSQL server for tests.

use std::sync::atomic::{AtomicU64, Ordering};

use simplejwt::postgres::PostgresUsers;
use simplejwt::postgres::{PostgresDatabase, PostgresOptions, PostgresStore, migrate};
use simplejwt::sql::manage::UserOptions;
use simplejwt::sql::table::UserTable;
use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

use super::{NOW, hashing_pool, server, two_users};

const DJANGO: &str = include_str!("../fixtures/django_postgres.sql");

static NEXT: AtomicU64 = AtomicU64::new(0);
static TEMPLATE: OnceCell<String> = OnceCell::const_new();

/// A database that is dropped with this.
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) url: String,
}

impl Database {
    /// An empty one.
    pub(crate) async fn empty() -> Self {
        Self::new("template0").await
    }

    /// An empty one in another encoding than UTF-8.
    pub(crate) async fn encoded(encoding: &str) -> Self {
        Self::new(&format!("template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")).await
    }

    /// One with what these statements make.
    pub(crate) async fn with(sql: &str) -> Self {
        let made = Self::empty().await;
        execute(&made.url, sql).await;
        made
    }

    /// One as Django leaves it.
    pub(crate) async fn django() -> Self {
        Self::with(DJANGO).await
    }

    /// One with every table and the users 1 and 2.
    pub(crate) async fn migrated() -> Self {
        let template = TEMPLATE
            .get_or_init(|| async {
                let made = Self::empty().await;
                let users = UserTable::default();
                let database =
                    PostgresDatabase::connect(&made.url, PostgresOptions::default()).await.unwrap();
                migrate::apply(&database, &users, NOW).await.unwrap();
                let options = UserOptions::default();
                let users =
                    PostgresUsers::open(&database, users, hashing_pool(), options).await.unwrap();
                two_users(&users).await;
                let name = made.name.clone();
                // Kept for the copies.
                std::mem::forget(made);
                name
            })
            .await;
        Self::new(template).await
    }

    async fn new(template: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        drop_database(&name).await;
        // A template that somebody has just left may take a moment to be free.
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        let leave = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            template.split(' ').next().unwrap_or_default()
        );
        execute(&server(VARIABLE), &leave).await;
        execute(&server(VARIABLE), &create).await;
        let url = server(VARIABLE);
        let (base, _) = url.rsplit_once('/').expect("a URL with a database in it");
        let url = format!("{base}/{name}");
        Self { name, url }
    }

    /// Without tokens, sessions and revocations again: quicker than another database.
    pub(crate) async fn emptied(&self) -> &Self {
        const SQL: &str = "TRUNCATE token_blacklist_blacklistedtoken, \
                           token_blacklist_outstandingtoken, simplejwt_session, \
                           simplejwt_session_token, simplejwt_revocation, simplejwt_lease, \
                           simplejwt_user, simplejwt_refresh_session; UPDATE simplejwt_sequence SET value = 0";
        execute(&self.url, SQL).await;
        self
    }

    pub(crate) async fn connect(&self) -> PostgresDatabase {
        PostgresDatabase::connect(&self.url, PostgresOptions::default()).await.unwrap()
    }

    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::open(&self.connect().await, &UserTable::default()).await.unwrap()
    }

    /// Has it take no writes, by connections made from now on; or writes again.
    pub(crate) async fn read_only(&self, on: bool) {
        let sql = format!("ALTER DATABASE {} SET default_transaction_read_only = {on}", self.name);
        execute(&server(VARIABLE), &sql).await;
    }

    /// Ends the connections of stores.
    pub(crate) async fn disconnect(&self) {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = '{}' AND application_name = 'simplejwt'",
            self.name
        );
        execute(&server(VARIABLE), &sql).await;
    }

    /// A plain connection beside the store's.
    pub(crate) async fn client(&self) -> tokio_postgres::Client {
        client(&self.url).await
    }
}

pub(crate) const VARIABLE: &str = "SIMPLEJWT_TEST_POSTGRES_URL";

pub(crate) async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

pub(crate) async fn execute(url: &str, sql: &str) {
    client(url).await.batch_execute(sql).await.unwrap();
}

/// Also with somebody connected to it, which PostgreSQL 12 needs two statements for.
async fn drop_database(name: &str) {
    let url = server(VARIABLE);
    let leave =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    execute(&url, &leave).await;
    // Whoever has been told to leave may take a moment.
    for _ in 0..500 {
        let client = client(&url).await;
        match client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await {
            Err(error) if error.to_string().contains("db error") => {
                client.batch_execute("SELECT pg_sleep(0.01)").await.unwrap();
                client.batch_execute(&leave).await.unwrap();
            }
            done => return done.unwrap(),
        }
    }
    panic!("{name} can't be dropped");
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = self.name.clone();
        let dropping = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(drop_database(&name));
        });
        let _ = dropping.join();
    }
}
