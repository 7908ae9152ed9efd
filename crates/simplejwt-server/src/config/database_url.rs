//! The database that a `DATABASE_URL` names. Every invalid URL gets its own message.

mod files;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use simplejwt::sqlite::SqliteUrl;
use simplejwt::{mysql, postgres};

pub(super) use files::relative_to;

/// The location of users and tokens.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL server: the whole URL, with its password.
    Postgres(String),
    /// A MySQL or MariaDB server: the whole URL, with its password.
    Mysql(String),
}

impl DatabaseUrl {
    /// Returns the path of a SQLite file.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) | Self::Mysql(_) => None,
        }
    }
}

/// Leaves out whatever may be a password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(url) => f.debug_tuple("Postgres").field(&redacted(url)).finish(),
            Self::Mysql(url) => f.debug_tuple("Mysql").field(&redacted(url)).finish(),
        }
    }
}

/// Parameters whose values are secrets.
const SECRETS: [&str; 5] =
    ["password", "passwd", "sslpassword", "scram_client_key", "init_command"];

/// Returns a URL without any password.
pub(crate) fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // A password may contain a slash, so everything before the last @ goes.
    let rest = match rest.rsplit_once('@') {
        Some((user, hosts)) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{name}:…@{hosts}")
        }
        None => rest.to_owned(),
    };
    let rest = match rest.split_once('?') {
        Some((path, query)) => {
            let shown = query.split('&').map(|pair| match pair.split_once('=') {
                Some((name, _)) if SECRETS.iter().any(|secret| same(name, secret)) => {
                    format!("{name}=…")
                }
                _ => pair.to_owned(),
            });
            format!("{path}?{}", shown.collect::<Vec<_>>().join("&"))
        }
        None => rest,
    };
    format!("{scheme}://{rest}")
}

fn same(name: &str, other: &str) -> bool {
    name.replace('-', "_").eq_ignore_ascii_case(other)
}

/// The meaning of a scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Sqlite,
    Postgres,
    Mysql,
    /// Another database, with its name.
    Other(&'static str),
}

use Scheme::{Mysql, Other, Postgres, Sqlite};

/// Schemes of Django's URL packages and of other programs. One with a driver (`mysql+pymysql`)
/// stands for the part before the plus sign.
pub(super) const SCHEMES: &[(&str, Scheme)] = &[
    ("sqlite", Sqlite),
    ("sqlite3", Sqlite),
    ("spatialite", Sqlite),
    ("prometheus_sqlite", Sqlite),
    ("prometheus_spatialite", Sqlite),
    ("postgres", Postgres),
    ("postgresql", Postgres),
    ("pgsql", Postgres),
    ("psql", Postgres),
    ("pg", Postgres),
    ("postgis", Postgres),
    ("timescale", Postgres),
    ("timescalegis", Postgres),
    ("prometheus_postgresql", Postgres),
    ("prometheus_postgis", Postgres),
    ("mysql", Mysql),
    ("mysql2", Mysql),
    ("mariadb", Mysql),
    ("trilogy", Mysql),
    ("mysql-connector", Mysql),
    ("mysqlgis", Mysql),
    ("prometheus_mysql", Mysql),
    ("cockroach", Other("CockroachDB")),
    ("cockroachdb", Other("CockroachDB")),
    ("redshift", Other("Amazon Redshift")),
    ("oracle", Other("Oracle")),
    ("oraclegis", Other("Oracle")),
    ("mssql", Other("Microsoft SQL Server")),
    ("mssqlms", Other("Microsoft SQL Server")),
    ("sqlserver", Other("Microsoft SQL Server")),
    ("pyodbc", Other("Microsoft SQL Server")),
    ("mongodb", Other("MongoDB")),
    ("mongodb+srv", Other("MongoDB")),
    ("ldap", Other("LDAP")),
];

const HOW: &str = "write sqlite:////absolute/path/db.sqlite3, \
                   postgres://user:password@host/database or \
                   mysql://user:password@host/database";

/// Parses a `DATABASE_URL`. White space around it is ignored.
pub(super) fn database_url(url: &str) -> Result<DatabaseUrl, String> {
    let url = trimmed(url);
    if url.starts_with(['"', '\'']) {
        return Err("begins with a quotation mark: remove the quotation marks".into());
    }
    if url.chars().any(char::is_control) {
        return Err(
            "contains a line break or another control character: write it on one line".into()
        );
    }
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(format!("is not a database URL: {HOW}"));
    };
    match kind(scheme)? {
        Sqlite => {
            let parsed = SqliteUrl::parse(url).map_err(|error| error.to_string())?;
            match parsed.ambiguous(Path::new(".")) {
                Some(problem) => Err(problem),
                None => Ok(DatabaseUrl::Sqlite(parsed.path)),
            }
        }
        Postgres => {
            let url = server("postgres", scheme, rest)?;
            postgres::url_warnings(&url).map_err(|error| match error {
                postgres::ConnectError::Url(problem) => problem,
                other => other.to_string(),
            })?;
            Ok(DatabaseUrl::Postgres(url))
        }
        Mysql => {
            let url = server("mysql", scheme, rest)?;
            mysql::url_warnings(&url).map_err(|error| match error {
                mysql::UrlError::Malformed(problem) | mysql::UrlError::Parameter(problem) => {
                    problem
                }
                other => format!("is wrong: {other}"),
            })?;
            Ok(DatabaseUrl::Mysql(url))
        }
        Other(database) => Err(format!("names {database}, which isn't supported: {HOW}")),
    }
}

fn trimmed(url: &str) -> &str {
    url.trim().trim_start_matches('\u{feff}')
}

fn kind(scheme: &str) -> Result<Scheme, String> {
    let of = |name: &str| SCHEMES.iter().find(|(scheme, _)| scheme.eq_ignore_ascii_case(name));
    let base = scheme.split_once('+').map_or(scheme, |(base, _)| base);
    match of(scheme).or_else(|| of(base)) {
        Some((_, kind)) => Ok(*kind),
        None if scheme.eq_ignore_ascii_case("jdbc") => {
            Err("begins with jdbc:, as URLs for Java do: write only what follows it".into())
        }
        None if scheme.eq_ignore_ascii_case("file") => {
            Err("begins with file:: write sqlite:/// and the absolute path".into())
        }
        None if !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b)) => {
            Err(format!("is not a database URL: {HOW}"))
        }
        None => Err(format!("names the unknown database {scheme:?}: {HOW}")),
    }
}

fn server(plain: &str, scheme: &str, rest: &str) -> Result<String, String> {
    match rest.strip_prefix("//") {
        Some(rest) if !rest.is_empty() => Ok(format!("{plain}://{rest}")),
        _ => Err(format!("names no server after {scheme}: {HOW}")),
    }
}

/// Returns a warning for each part of a valid URL that has no effect.
pub(super) fn warnings(url: &str) -> Vec<String> {
    match database_url(url) {
        Ok(DatabaseUrl::Postgres(url)) => postgres::url_warnings(&url).unwrap_or_default(),
        Ok(DatabaseUrl::Mysql(url)) => mysql::url_warnings(&url).unwrap_or_default(),
        Ok(DatabaseUrl::Sqlite(_)) => {
            SqliteUrl::parse(trimmed(url)).map(|url| url.warnings).unwrap_or_default()
        }
        Err(_) => Vec::new(),
    }
}

/// Returns the time that a SQLite URL sets for waiting for a lock.
pub(super) fn busy_timeout(url: &str) -> Option<Duration> {
    let Ok(DatabaseUrl::Sqlite(_)) = database_url(url) else { return None };
    SqliteUrl::parse(trimmed(url)).ok()?.busy_timeout
}

/// Returns the end of a sentence that names both files if Django would use a different one in
/// `directory`.
pub(super) fn ambiguous_beside(directory: &Path, url: &str) -> Option<String> {
    let url = trimmed(url);
    let (scheme, _) = url.split_once(':')?;
    let parsed = SqliteUrl::parse(url).ok().filter(|_| kind(scheme) == Ok(Sqlite))?;
    let is_there = directory.join(parsed.relative.as_ref()?).is_file();
    is_there.then(|| parsed.ambiguous(directory)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_of_django_and_others() {
        let kind_of = |url: &str| match database_url(url) {
            Ok(DatabaseUrl::Sqlite(_)) => "sqlite".to_owned(),
            Ok(DatabaseUrl::Postgres(url)) => url,
            Ok(DatabaseUrl::Mysql(url)) => url,
            Err(problem) => problem,
        };
        for scheme in [
            "postgres",
            "postgresql",
            "pgsql",
            "psql",
            "postgis",
            "timescale",
            "timescalegis",
            "postgresql+psycopg",
            "postgresql+psycopg2",
            "postgresql+asyncpg",
            "POSTGRES",
            "prometheus_postgresql",
        ] {
            let url = format!("{scheme}://u:p@h/d?x=");
            assert!(kind_of(&url).contains("the parameter x"), "{url}");
            assert_eq!(kind_of(&format!("{scheme}://u:p@h/d")), "postgres://u:p@h/d");
        }
        for scheme in [
            "mysql",
            "mysql2",
            "mariadb",
            "mysql-connector",
            "mysqlgis",
            "mysql+pymysql",
            "mysql+mysqldb",
            "mariadb+mariadbconnector",
            "trilogy",
            "prometheus_mysql",
        ] {
            assert_eq!(kind_of(&format!("{scheme}://u:p@h/d")), "mysql://u:p@h/d", "{scheme}");
        }
        for scheme in ["sqlite", "sqlite3", "spatialite", "SQLite", "sqlite+aiosqlite"] {
            assert_eq!(kind_of(&format!("{scheme}:////var/lib/d")), "sqlite", "{scheme}");
        }
        for (url, told) in [
            ("cockroachdb+psycopg2://u@h/d", "CockroachDB, which isn't supported"),
            ("redshift://u@h/d", "Amazon Redshift"),
            ("oracle://h", "Oracle"),
            ("mssql://h", "Microsoft SQL Server"),
            ("mongodb+srv://h", "MongoDB"),
            ("orcale://h", "unknown database \"orcale\""),
            ("jdbc:postgresql://h/d", "URLs for Java"),
            ("file:./dev.db", "sqlite:///"),
            ("postgres:db", "no server"),
            ("mysql://", "no server"),
            ("mysql://h", "names no database"),
            ("/var/lib/db.sqlite3", "not a database URL"),
            ("psql 'postgres://u@h/d'", "not a database URL"),
            ("", "not a database URL"),
            ("'postgres://u:s3cret@h/d'", "quotation mark"),
            ("postgres://u:s3c\nret@h/d", "line break"),
            ("sqlite://db.sqlite3", "two slashes"),
            ("sqlite:///nowhere.sqlite3", "sqlite:////nowhere.sqlite3 for the former"),
        ] {
            let problem = database_url(url).expect_err(url);
            assert!(problem.contains(told), "{url}: {problem}");
            assert!(!problem.contains("s3c"), "{url}: {problem}");
        }
    }

    #[test]
    fn white_space_at_the_ends_is_no_part_of_it() {
        for url in
            ["postgres://u:p@h/d\n", " postgres://u:p@h/d \r\n", "\u{feff}postgres://u:p@h/d"]
        {
            assert_eq!(database_url(url), Ok(DatabaseUrl::Postgres("postgres://u:p@h/d".into())));
        }
        let file = DatabaseUrl::Sqlite("/var/lib/d".into());
        assert_eq!(database_url("sqlite:////var/lib/d\n"), Ok(file));
    }

    #[test]
    fn urls_of_servers_show_no_password() {
        for (url, shown) in [
            ("postgresql://ann:s3cret@db:5432/app", "postgres://ann:…@db:5432/app"),
            (
                "postgres://ann@h1,h2/app?sslmode=require",
                "postgres://ann:…@h1,h2/app?sslmode=require",
            ),
            ("mariadb://ann:s3:cr@et@db/app", "mysql://ann:…@db/app"),
            (
                "postgres:///app?host=/run&user=u&PASSWORD=s3cret",
                "postgres:///app?host=/run&user=u&PASSWORD=…",
            ),
            ("mysql://u@h/app?init-command=s3cret", "mysql://u:…@h/app?init-command=…"),
        ] {
            let parsed = database_url(url).unwrap();
            let debug = format!("{parsed:?}");
            assert!(debug.contains(shown), "{debug}");
            assert!(!debug.contains("s3"), "{debug}");
        }
    }
}
