//! `[database]`: the database of users and tokens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use simplejwt::settings::value::{count, duration, text};

use super::database_url::{self, DatabaseUrl, database_url, redacted};
use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{
    FileHolds, Idle, Range, Section, in_file, number, other, positive_time, switch, time, url,
};

/// The database of users and tokens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Database {
    /// The database's URL. The path of a file is absolute, or relative to the working directory.
    pub(crate) url: Option<DatabaseUrl>,
    /// The time to wait for another program's lock on an SQLite file.
    pub(crate) busy_timeout: Duration,
    /// The time to wait at startup for a database that isn't available yet.
    pub(crate) wait: Duration,
    /// The maximum number of open connections to a server.
    pub(crate) max_connections: usize,
    /// The time to wait for a server to accept a connection.
    pub(crate) connect_timeout: Duration,
    /// The time to wait for a free connection.
    pub(crate) wait_timeout: Duration,
    /// The time to wait for a server's answer.
    pub(crate) operation_timeout: Duration,
    /// The interval at which expired rows are deleted; `None` for never.
    pub(crate) purge_interval: Option<Duration>,
    /// The number of rows deleted at a time.
    pub(crate) purge_batch: u32,
    /// `true` if rows of other tables that refer to them are deleted too.
    pub(crate) purge_cascade: bool,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            busy_timeout: Duration::from_secs(5),
            wait: Duration::from_secs(60),
            max_connections: 16,
            connect_timeout: Duration::from_secs(5),
            wait_timeout: Duration::from_secs(5),
            operation_timeout: Duration::from_secs(5),
            purge_interval: Some(Duration::from_secs(60 * 60)),
            purge_batch: 500,
            purge_cascade: false,
        }
    }
}

pub(super) const TABLE: &str = "database";

pub(super) static SECTION: Section<Database> = Section {
    table: TABLE,
    about: "The database of users and tokens.",
    items: &[
        in_file(
            FileHolds::Text,
            url(
                beside,
                redacted,
                other(
                    "url",
                    "DATABASE_URL",
                    Example("\"sqlite:////var/lib/simplejwt/db.sqlite3\""),
                    "The URL of the database, as in Django's URL packages: sqlite://// and a \
                     path, postgres://user:password@host/database, or \
                     mysql://user:password@host/database. Several hosts are separated by commas \
                     (with ?target_session_attrs=read-write, the PostgreSQL server that accepts \
                     writes is used). ?sslmode=verify-full&sslrootcert=FILE (MySQL: \
                     ?ssl-mode=verify_identity&ssl-ca=FILE) requires TLS. ?host=/run/postgresql \
                     (MySQL: ?socket=FILE) connects through a socket. A relative FILE is looked \
                     for in this file's directory; if the URL is in an environment variable, in \
                     the working directory. docs/database-urls.md lists all schemes and parameters.",
                    Form::Matching("^\\s*[A-Za-z][A-Za-z0-9+._-]*:"),
                    |s, v| {
                        s.url = Some(database_url(&text(v)?)?);
                        Ok(())
                    },
                ),
            ),
        ),
        other(
            "path",
            "SIMPLEJWT_DATABASE_PATH",
            Example("\"db.sqlite3\""),
            "The SQLite file, in place of `url`; a path relative to this file's directory.",
            Form::FilePath,
            |s, v| {
                s.url = Some(DatabaseUrl::Sqlite(PathBuf::from(text(v)?)));
                Ok(())
            },
        ),
        time(
            "busy_timeout",
            "SIMPLEJWT_DATABASE_BUSY_TIMEOUT",
            Def("\"5s\""),
            "The time to wait while another program has the SQLite file locked.",
            |s| &mut s.busy_timeout,
        ),
        time(
            "wait",
            "SIMPLEJWT_DATABASE_WAIT",
            Def("\"60s\""),
            "The time that `serve` waits when it starts for a database that can't be used yet: \
             one that is down, starting, full or locked, or whose host name isn't known. 0: none.",
            |s| &mut s.wait,
        ),
        number(
            "max_connections",
            "SIMPLEJWT_DATABASE_MAX_CONNECTIONS",
            Def("16"),
            "The maximum number of open connections to a PostgreSQL or MySQL server.",
            Range::between(1, 10_000),
            |s, v| count(v).map(|n| s.max_connections = n),
        ),
        positive_time(
            "connect_timeout",
            "SIMPLEJWT_DATABASE_CONNECT_TIMEOUT",
            Def("\"5s\""),
            "The time to wait for a server to accept a connection.",
            |s| &mut s.connect_timeout,
        ),
        positive_time(
            "wait_timeout",
            "SIMPLEJWT_DATABASE_WAIT_TIMEOUT",
            Def("\"5s\""),
            "The time that a request waits for a free connection to a server before it is \
             answered with 503.",
            |s| &mut s.wait_timeout,
        ),
        positive_time(
            "operation_timeout",
            "SIMPLEJWT_DATABASE_OPERATION_TIMEOUT",
            Def("\"5s\""),
            "The time that a request waits for a server's answer before it is answered with 503.",
            |s| &mut s.operation_timeout,
        ),
        other(
            "purge_interval",
            "SIMPLEJWT_PURGE_INTERVAL",
            Def("\"1h\""),
            "The interval at which one of all processes deletes expired tokens and sessions. \
             \"0\": never, except by `simplejwt token flush-expired`.",
            Form::DURATION,
            |s, v| {
                let time = duration(v)?;
                s.purge_interval = (!time.is_zero()).then_some(time);
                Ok(())
            },
        ),
        number(
            "purge_batch",
            "SIMPLEJWT_PURGE_BATCH",
            Def("500"),
            "The maximum number of rows deleted in one transaction. There are fewer while \
             transactions take long, and pauses while requests come.",
            Range::between(1, 100_000),
            |s, v| count(v).map(|n| s.purge_batch = n),
        ),
        switch(
            "purge_cascade",
            "SIMPLEJWT_PURGE_CASCADE",
            Def("false"),
            "Also deletes rows of other tables that refer to an expired token by a foreign key, \
             as Django's flushexpiredtokens does for on_delete=CASCADE. Without it, such a token \
             stays. The database doesn't know on_delete, so don't use this if such rows have to \
             outlive the token. Users are never deleted.",
            |s| &mut s.purge_cascade,
        ),
    ],
    idle: &[
        Idle {
            names: &["busy_timeout"],
            when: |s| matches!(s.url, Some(DatabaseUrl::Postgres(_) | DatabaseUrl::Mysql(_))),
            why: "it is for SQLite: write operation_timeout",
        },
        Idle {
            names: &["max_connections", "connect_timeout", "wait_timeout", "operation_timeout"],
            when: |s| matches!(s.url, Some(DatabaseUrl::Sqlite(_))),
            why: "SQLite has no server: for locks write busy_timeout",
        },
        Idle {
            names: &["purge_batch"],
            when: |s| s.purge_interval.is_none(),
            why: "purge_interval is 0: remove one of them, and give `simplejwt token flush-expired` \
                  its --batch",
        },
    ],
};

/// The settings that name the database, of which one is enough.
pub(super) const PLACES: [&str; 2] = ["url", "path"];

/// Returns a URL as it is meant in a file in that directory.
fn beside(directory: &Path, url: &str) -> Result<String, String> {
    match database_url::ambiguous_beside(directory, url) {
        Some(problem) => Err(problem),
        None => Ok(database_url::relative_to(directory, url)),
    }
}
