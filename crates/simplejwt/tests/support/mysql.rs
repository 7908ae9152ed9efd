//! A database of the test's own on the server that `SIMPLEJWT_TEST_MYSQL_URL` names.

use std::sync::atomic::{AtomicU32, Ordering};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder};
use simplejwt::Timestamp;
use simplejwt::event::Cause;
use simplejwt::mysql::MysqlUsers;
use simplejwt::mysql::{MysqlDatabase, MysqlOptions, MysqlStore, migrate};
use simplejwt::sql::manage::{ManageUsers as _, NewUser, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::store::OutstandingToken;
use simplejwt::users::password::{
    Hashers, HashingPool, Parameters, PoolOptions, unusable_password,
};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);

/// The URL of an account that may create databases.
pub(crate) fn server_url() -> String {
    std::env::var("SIMPLEJWT_TEST_MYSQL_URL").unwrap_or_else(|_| {
        panic!(
            "SIMPLEJWT_TEST_MYSQL_URL isn't set: it names a MySQL or MariaDB server for the \
             tests; `cargo xtask services up` starts one, `cargo xtask test` sets it"
        )
    })
}

/// The same server with another database.
pub(crate) fn url_of(server: &str, database: &str) -> String {
    let (head, tail) = server.split_once("://").unwrap();
    let (authority, rest) = tail.split_once('/').unwrap_or((tail, ""));
    let query = rest.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
    format!("{head}://{authority}/{database}{query}")
}

/// `true` for MariaDB, `false` for MySQL.
pub(crate) async fn is_mariadb(conn: &mut Conn) -> bool {
    let version: Option<String> = conn.query_first("SELECT version()").await.unwrap();
    version.unwrap().contains("MariaDB")
}

/// Dropped at its end.
pub(crate) struct World {
    server: String,
    pub(crate) name: String,
    pub(crate) url: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(server_url()).await
    }

    pub(crate) async fn on(server: String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("simplejwt_test_{}_{number}", std::process::id());
        let mut conn = admin(&server).await;
        conn.query_drop(format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
        conn.query_drop(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")).await.unwrap();
        conn.disconnect().await.unwrap();
        let url = url_of(&server, &name);
        Self { server, name, url }
    }

    /// A connection of the test's own to its database.
    pub(crate) async fn conn(&self) -> Conn {
        let mut conn = admin(&self.server).await;
        conn.query_drop(format!("USE {}", self.name)).await.unwrap();
        conn
    }

    pub(crate) async fn run(&self, sql: &str) {
        let mut conn = self.conn().await;
        for statement in sql.split(";\n").filter(|statement| !statement.trim().is_empty()) {
            conn.query_drop(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        }
        conn.disconnect().await.unwrap();
    }

    pub(crate) async fn one(&self, sql: &str) -> String {
        let mut conn = self.conn().await;
        let value: Option<String> = conn.query_first(sql).await.unwrap();
        conn.disconnect().await.unwrap();
        value.unwrap_or_default()
    }

    pub(crate) async fn database(&self) -> MysqlDatabase {
        self.database_with(MysqlOptions::default()).await
    }

    pub(crate) async fn database_with(&self, options: MysqlOptions) -> MysqlDatabase {
        MysqlDatabase::connect(&self.url, options).await.unwrap()
    }

    /// A store on tables of our own, with the users 1 and 2.
    pub(crate) async fn store(&self) -> MysqlStore {
        self.store_with(MysqlOptions::default()).await
    }

    /// A store on these tables without tokens, sessions and revocations: quicker than another
    /// database.
    pub(crate) async fn emptied(&self) -> MysqlStore {
        const SQL: &str = "DELETE FROM token_blacklist_blacklistedtoken;\n\
                           DELETE FROM token_blacklist_outstandingtoken;\n\
                           DELETE FROM simplejwt_session;\n\
                           DELETE FROM simplejwt_session_token;\n\
                           DELETE FROM simplejwt_revocation;\n\
                           DELETE FROM simplejwt_lease;\n\
                           DELETE FROM simplejwt_user;\n\
                           DELETE FROM simplejwt_refresh_session;\n\
                           UPDATE simplejwt_sequence SET value = 0";
        self.run(SQL).await;
        MysqlStore::open(&self.database().await, &UserTable::default()).await.unwrap()
    }

    pub(crate) async fn store_with(&self, options: MysqlOptions) -> MysqlStore {
        let database = self.database_with(options).await;
        let table = UserTable::default();
        migrate::apply(&database, &table, NOW).await.unwrap();
        let users = users(&database, table.clone()).await;
        for (name, id) in [("one", "1"), ("two", "2")] {
            let password = unusable_password();
            let new = NewUser { username: name.into(), password, ..Default::default() };
            assert_eq!(
                users.create_user(new, &Cause::at(NOW)).await.unwrap().outcome.id.as_str(),
                id
            );
        }
        MysqlStore::open(&database, &table).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let Ok(mut conn) = Conn::new(opts(&server)).await else { return };
                let _ = conn.query_drop(format!("DROP DATABASE IF EXISTS {name}")).await;
            });
        };
        let _ = std::thread::spawn(drop_it).join();
    }
}

fn opts(server: &str) -> Opts {
    let opts = Opts::from_url(server.split('?').next().unwrap()).unwrap();
    OptsBuilder::from_opts(opts).db_name(None::<String>).prefer_socket(false).into()
}

pub(crate) async fn admin(server: &str) -> Conn {
    Conn::new(opts(server)).await.unwrap()
}

/// Django's hashers, at a cost that tests can bear.
pub(crate) fn hashers() -> Hashers {
    let cheap = Parameters { pbkdf2_iterations: 2000, ..Parameters::default() };
    Hashers::default().with_parameters(cheap).unwrap()
}

pub(crate) fn hashing() -> HashingPool {
    HashingPool::new(hashers(), PoolOptions { threads: 1, waiting: 16 }).unwrap()
}

pub(crate) async fn users(database: &MysqlDatabase, table: UserTable) -> MysqlUsers {
    MysqlUsers::open(database, table, hashing(), UserOptions::default()).await.unwrap()
}

pub(crate) fn token(jti: &str) -> OutstandingToken {
    OutstandingToken {
        jti: jti.to_owned(),
        token: format!("header.{jti}.signature"),
        user_id: Some("1".into()),
        created_at: NOW,
        expires_at: Timestamp::from_secs(1_767_323_045 + 3600),
    }
}
