//! An empty database of each kind, and queries that bypass the servers.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{NoTls, SimpleQueryMessage};

/// The databases that the tests run on: all, unless `SIMPLEJWT_TEST_KINDS` names some, as `cargo
/// xtask matrix` does.
pub(crate) const ALL: Kinds = Kinds;

#[derive(Clone, Copy)]
pub(crate) struct Kinds;

impl Kinds {
    pub(crate) fn iter(self) -> std::slice::Iter<'static, DatabaseKind> {
        const EVERY: &[DatabaseKind] =
            &[DatabaseKind::Sqlite, DatabaseKind::Postgres, DatabaseKind::Mysql];
        match std::env::var("SIMPLEJWT_TEST_KINDS").as_deref() {
            Ok("postgres") => EVERY[1..2].iter(),
            Ok("mysql") => EVERY[2..].iter(),
            Ok(other) => panic!("SIMPLEJWT_TEST_KINDS: {other:?}"),
            Err(_) => EVERY.iter(),
        }
    }
}

impl IntoIterator for Kinds {
    type Item = &'static DatabaseKind;
    type IntoIter = std::slice::Iter<'static, DatabaseKind>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseKind {
    Sqlite,
    Postgres,
    Mysql,
}

/// A database, dropped at the end.
pub(crate) struct Database {
    pub(crate) kind: DatabaseKind,
    pub(crate) url: String,
    name: String,
}

impl Database {
    /// Creates a database: for SQLite a file in `directory`, otherwise on the test servers.
    pub(crate) fn new(kind: DatabaseKind, directory: &Path) -> Self {
        match kind {
            DatabaseKind::Sqlite => {
                let name = directory.join("db.sqlite3").to_str().unwrap().to_owned();
                Self { kind, url: format!("sqlite://{name}"), name }
            }
            DatabaseKind::Postgres | DatabaseKind::Mysql => Self::on(kind, &server(kind)),
        }
    }

    /// Creates a database on this server.
    pub(crate) fn on(kind: DatabaseKind, server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("served_{}_{number}", std::process::id());
        rows(kind, server, &format!("DROP DATABASE IF EXISTS {name}")).unwrap();
        rows(kind, server, &format!("CREATE DATABASE {name}")).unwrap();
        let (base, _) = server.rsplit_once('/').expect("a URL with a database in it");
        Self { kind, url: format!("{base}/{name}"), name }
    }

    /// Runs a statement, and returns the rows with their columns as strings.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let target = if self.kind == DatabaseKind::Sqlite { &self.name } else { &self.url };
        rows(self.kind, target, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs a query that returns a number.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.rows(sql)[0][0].parse().unwrap()
    }

    /// Ends every connection to the database, like an administrator or a failing network, and
    /// returns their number.
    pub(crate) fn cut_connections(&self) -> usize {
        match self.kind {
            DatabaseKind::Sqlite => 0,
            DatabaseKind::Postgres => {
                let sql = format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = '{}' AND pid <> pg_backend_pid()",
                    self.name
                );
                self.rows(&sql).len()
            }
            DatabaseKind::Mysql => {
                let sql = format!(
                    "SELECT id FROM information_schema.processlist \
                     WHERE db = '{}' AND id <> connection_id()",
                    self.name
                );
                let connections = self.rows(&sql);
                // A connection may have ended by itself in the meantime.
                let cut = connections.iter().filter(|row| {
                    rows(self.kind, &self.url, &format!("KILL CONNECTION {}", row[0])).is_ok()
                });
                cut.count()
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.kind != DatabaseKind::Sqlite {
            let (base, _) = self.url.rsplit_once('/').unwrap_or_default();
            if self.kind == DatabaseKind::Postgres {
                // PostgreSQL 12 can't drop a database with open connections.
                self.cut_connections();
            }
            let sql = format!("DROP DATABASE IF EXISTS {}", self.name);
            // A server that a test has killed can't drop it; its data is removed with it.
            let _ = rows(self.kind, &format!("{base}/{}", admin_database(self.kind)), &sql);
        }
    }
}

const fn admin_database(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Sqlite => "",
        DatabaseKind::Postgres => "postgres",
        DatabaseKind::Mysql => "information_schema",
    }
}

/// Returns the URL of the test server.
fn server(kind: DatabaseKind) -> String {
    let variable = match kind {
        DatabaseKind::Sqlite => panic!("a file has no server"),
        DatabaseKind::Postgres => "SIMPLEJWT_TEST_POSTGRES_URL",
        DatabaseKind::Mysql => "SIMPLEJWT_TEST_MYSQL_URL",
    };
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} isn't set: run `cargo xtask test`, or `cargo xtask services up` and then \
             `eval \"$(cargo xtask services env)\"`"
        )
    })
}

type Failure = Box<dyn std::error::Error>;

fn rows(kind: DatabaseKind, target: &str, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
    match kind {
        DatabaseKind::Sqlite => sqlite(target, sql),
        DatabaseKind::Postgres => block_on(postgres(target, sql)),
        DatabaseKind::Mysql => block_on(mysql(target, sql)),
    }
}

fn sqlite(path: &str, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
    use rusqlite::types::Value;

    let connection = rusqlite::Connection::open(path)?;
    connection.busy_timeout(super::process::PATIENCE)?;
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let texts = (0..columns).map(|column| {
            Ok(match row.get(column)? {
                Value::Null => String::new(),
                Value::Integer(number) => number.to_string(),
                Value::Real(number) => number.to_string(),
                Value::Text(text) => text,
                Value::Blob(_) => panic!("no column is binary"),
            })
        });
        texts.collect::<rusqlite::Result<Vec<_>>>()
    };
    if columns == 0 {
        statement.execute([])?;
        return Ok(Vec::new());
    }
    Ok(statement.query_map([], row)?.collect::<rusqlite::Result<_>>()?)
}

async fn postgres(url: &str, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let found = client.simple_query(sql).await?;
    Ok(found
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| text(row.get(column))).collect())
            }
            _ => None,
        })
        .collect())
}

async fn mysql(url: &str, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
    use mysql_async::Value;
    use mysql_async::prelude::Queryable as _;

    let mut conn = mysql_async::Conn::new(mysql_async::Opts::from_url(url)?).await?;
    let found: Vec<mysql_async::Row> = conn.query(sql).await?;
    conn.disconnect().await?;
    // The text protocol sends all values as text.
    let text = |value: Value| match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    };
    Ok(found.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
}

fn block_on<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task)
}
