//! The supported versions, and where each is available.

use super::cache::Source;

/// A line of the table.
pub(crate) struct Row {
    /// The name by which it is requested.
    pub(crate) name: &'static str,
    /// The heading in the table, before the version that the server reports.
    pub(crate) heading: &'static str,
    pub(crate) server: Server,
}

/// The server and its source; `None` is this machine's own.
pub(crate) enum Server {
    Postgres(Option<Source>),
    /// With further lines for the server's configuration.
    Mysql(Option<Source>, &'static str),
    /// In transaction mode, in front of this machine's PostgreSQL.
    PgBouncer(Option<Source>),
    /// A newer Python and Django beside the server, on this machine's databases.
    Django(Source),
}

/// Settings that administrators use and the tests' servers don't.
const STRICT_MYSQL: &str = "sql_require_primary_key = ON; lower_case_table_names = 1; \
    sql_mode = ANSI,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES; \
    explicit_defaults_for_timestamp = OFF; sql_generate_invisible_primary_key = ON";
const STRICT_MARIADB: &str = "lower_case_table_names = 1; \
    sql_mode = ANSI,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES; \
    explicit_defaults_for_timestamp = OFF";

/// Every row, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    let row = |name, heading, server| Row { name, heading, server };
    let postgres = |name, source| row(name, "PostgreSQL", Server::Postgres(source));
    let bouncer = |name, source| row(name, "PgBouncer", Server::PgBouncer(source));
    let mysql = |name, source| row(name, "MySQL", Server::Mysql(Some(source), ""));
    let mariadb = |name, source| row(name, "MariaDB", Server::Mysql(source, ""));
    let strict =
        |name, heading, source, options| row(name, heading, Server::Mysql(Some(source), options));
    vec![
        postgres("postgres-12", Some(Source::Npm("12.22.0-beta.15"))),
        postgres("postgres-13", Some(Source::Debian("bullseye"))),
        postgres("postgres-14", Some(Source::Npm("14.23.0-beta.17"))),
        postgres("postgres-15", None),
        postgres("postgres-16", Some(Source::Npm("16.14.0-beta.17"))),
        postgres("postgres-17", Some(Source::Debian("trixie"))),
        postgres("postgres-18", Some(Source::Debian("sid"))),
        bouncer("pgbouncer-1.18", None),
        bouncer("pgbouncer-1.26", Some(Source::Debian("sid"))),
        mysql("mysql-8.0", Source::Ubuntu("jammy")),
        mysql("mysql-8.4", Source::Ubuntu("resolute")),
        mysql("mysql-9.7", Source::Debian("sid")),
        strict("mysql-strict", "MySQL, strict", Source::Debian("sid"), STRICT_MYSQL),
        mariadb("mariadb-10.11", None),
        mariadb("mariadb-11.8", Some(Source::Debian("trixie"))),
        strict("mariadb-strict", "MariaDB, strict", Source::Debian("trixie"), STRICT_MARIADB),
        row("django-6.1", "Django", Server::Django(Source::Debian("sid"))),
    ]
}
