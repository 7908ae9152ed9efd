//! Which database a `DATABASE_URL` means. Every wrong one gets a sentence of its own.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where users and tokens are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DatabaseUrl {
    /// In a file.
    Sqlite(PathBuf),
    /// In a PostgreSQL server; the whole URL, with its password.
    Postgres(String),
    /// In a MySQL or MariaDB server; the whole URL, with its password.
    Mysql(String),
}

impl DatabaseUrl {
    /// The SQLite file.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) | Self::Mysql(_) => None,
        }
    }
}

/// Leaves out what may be a password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(url) => f.debug_tuple("Postgres").field(&redacted(url)).finish(),
            Self::Mysql(url) => f.debug_tuple("Mysql").field(&redacted(url)).finish(),
        }
    }
}

/// A URL without the password that may be in it.
pub(crate) fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // A password may hold a slash; whatever is before the last @ goes.
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
                Some((name, _)) if name.eq_ignore_ascii_case("password") => format!("{name}=…"),
                _ => pair.to_owned(),
            });
            format!("{path}?{}", shown.collect::<Vec<_>>().join("&"))
        }
        None => rest,
    };
    format!("{scheme}://{rest}")
}

/// The database behind a `DATABASE_URL`.
pub(super) fn database_url(url: &str) -> Result<DatabaseUrl, String> {
    const HOW: &str = "write sqlite:///absolute/path/db.sqlite3, \
                       postgres://user:password@host/database or \
                       mysql://user:password@host/database";
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(format!("is not a database URL: {HOW}"));
    };
    let server = || match rest.strip_prefix("//") {
        Some(rest) if !rest.is_empty() => Ok(()),
        _ => Err(format!("names no server after {scheme}: {HOW}")),
    };
    match scheme.to_ascii_lowercase().as_str() {
        "sqlite" | "sqlite3" => database_path(rest).map(DatabaseUrl::Sqlite),
        "postgres" | "postgresql" | "pgsql" => {
            server()?;
            Ok(DatabaseUrl::Postgres(format!("postgres:{rest}")))
        }
        "mysql" | "mariadb" | "mysql2" => {
            server()?;
            Ok(DatabaseUrl::Mysql(format!("mysql:{rest}")))
        }
        _ => Err(format!("names the unknown database {scheme:?}: {HOW}")),
    }
}

/// The file behind `sqlite:`.
fn database_path(rest: &str) -> Result<PathBuf, String> {
    const HOW: &str = "write sqlite:///absolute/path/db.sqlite3";
    if rest == "//:memory:" || rest == ":memory:" || rest == "///:memory:" {
        return Err(format!("names a database in memory, which would be lost: {HOW}"));
    }
    let Some(path) = rest.strip_prefix("//") else {
        return Err(format!("needs slashes after the colon: {HOW}"));
    };
    if !path.starts_with('/') {
        return Err(format!(
            "has two slashes, so {:?} would be the name of a host: {HOW}, with three slashes",
            path.split('/').next().unwrap_or_default(),
        ));
    }
    if path.contains(['?', '#']) {
        return Err(format!("has parameters, which SQLite files don't take here: {HOW}"));
    }
    let decoded = percent_decode(path).ok_or("holds a % that begins no byte: write %25 for it")?;
    // Four slashes are SQLAlchemy's and Django's spelling of an absolute path.
    let decoded =
        decoded.strip_prefix('/').filter(|rest| rest.starts_with('/')).unwrap_or(&decoded);
    if decoded.ends_with('/') {
        return Err(format!("names a directory: {HOW}"));
    }
    Ok(PathBuf::from(decoded))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_files() {
        for (url, path) in [
            ("sqlite:///var/lib/db.sqlite3", "/var/lib/db.sqlite3"),
            ("sqlite:////var/lib/db.sqlite3", "/var/lib/db.sqlite3"),
            ("SQLite3:///db", "/db"),
            ("sqlite:///a%20b/c%C3%A9.db", "/a b/cé.db"),
            ("sqlite:///a b", "/a b"),
        ] {
            let path = DatabaseUrl::Sqlite(PathBuf::from(path));
            assert_eq!(database_url(url), Ok(path), "{url}");
        }
        for (url, told) in [
            ("sqlite://db.sqlite3", "three slashes"),
            ("sqlite:db.sqlite3", "slashes"),
            ("sqlite://:memory:", "memory"),
            ("sqlite:///a%zz", "%25"),
            ("sqlite:///a%", "%25"),
            ("sqlite:///a%00", "%25"),
            ("sqlite:///a?mode=ro", "parameters"),
            ("sqlite:///a/", "directory"),
            ("postgres:db", "no server"),
            ("mysql://", "no server"),
            ("oracle://h", "unknown database"),
            ("/var/lib/db.sqlite3", "not a database URL"),
            ("", "not a database URL"),
        ] {
            let problem = database_url(url).expect_err(url);
            assert!(problem.contains(told), "{url}: {problem}");
        }
    }

    #[test]
    fn urls_of_servers_show_no_password() {
        for (url, shown) in [
            ("postgresql://ann:s3cret@db:5432/app", "postgres://ann:…@db:5432/app"),
            (
                "postgres://ann@h1,h2/app?sslmode=require",
                "postgres://ann:…@h1,h2/app?sslmode=require",
            ),
            ("mariadb://ann:s3/cr@et@db/app", "mysql://ann:…@db/app"),
            ("postgres:///app?host=/run&password=s3cret", "postgres:///app?host=/run&password=…"),
        ] {
            let parsed = database_url(url).unwrap();
            let debug = format!("{parsed:?}");
            assert!(debug.contains(shown), "{debug}");
            assert!(!debug.contains("s3"), "{debug}");
        }
    }
}
