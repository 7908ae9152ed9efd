//! Parsing `sqlite:///path`: the file and the parameters.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sql::url::Effect::{Honoured, Ignored, IgnoredBut, Only};
use crate::sql::url::{Query, UrlParameter, decoded, row};

const PYTHON: &str = "Python's own";
const DJANGO: &str = "Django's own";
const FIXED: &str = "WAL, synced at each commit";
const ONE: &str = "there is one that writes, and some that read";

/// The parameters of an SQLite URL, and the effect of each. Any other is refused.
pub static URL_PARAMETERS: &[UrlParameter] = &[
    row(
        "timeout",
        Honoured,
        "seconds to wait for a lock, unless busy_timeout is set in [database]",
    ),
    row("mode", Only(&["rw", "rwc"]), "the file has to be written"),
    row("cache", Only(&["private"]), "nothing is shared"),
    row("init_command", Ignored, FIXED),
    row("journal_mode", IgnoredBut(&["wal"]), FIXED),
    row("synchronous", IgnoredBut(&["full", "2"]), FIXED),
    row("transaction_mode", Ignored, "who writes has the lock first"),
    row("foreign_keys", IgnoredBut(&["1", "on", "true"]), "they are kept"),
    row("isolation_level", Ignored, PYTHON),
    row("check_same_thread", Ignored, PYTHON),
    row("cached_statements", Ignored, PYTHON),
    row("detect_types", Ignored, PYTHON),
    row("uri", Ignored, PYTHON),
    row("charset", IgnoredBut(&["utf8", "utf-8"]), "UTF-8"),
    row("encoding", IgnoredBut(&["utf8", "utf-8"]), "UTF-8"),
    row("autocommit", Ignored, DJANGO),
    row("conn_max_age", Ignored, DJANGO),
    row("conn_health_checks", Ignored, DJANGO),
    row("atomic_requests", Ignored, DJANGO),
    row("disable_server_side_cursors", Ignored, DJANGO),
    row("time_zone", Ignored, "times are UTC"),
    row("engine", Ignored, "the URL's scheme"),
    row("adapter", Ignored, "the URL's scheme"),
    row("pool", Ignored, ONE),
    row("pool_timeout", Ignored, ONE),
    row("connection_limit", Ignored, ONE),
    row("socket_timeout", Ignored, "write timeout"),
    row("connect_timeout", Ignored, "a file is opened at once"),
];

/// A parsed SQLite URL.
///
/// ```
/// use simplejwt::sqlite::SqliteUrl;
///
/// let url = SqliteUrl::parse("sqlite:////srv/app/db.sqlite3?timeout=20").unwrap();
/// assert_eq!(url.path, std::path::Path::new("/srv/app/db.sqlite3"));
/// assert_eq!(url.busy_timeout, Some(std::time::Duration::from_secs(20)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteUrl {
    /// The absolute path of the file.
    pub path: PathBuf,
    /// The file that Django takes the URL for, if it is another: after three slashes, a path
    /// relative to the working directory.
    pub relative: Option<PathBuf>,
    /// The time to wait for another program's lock, if the URL sets it.
    pub busy_timeout: Option<Duration>,
    /// Warnings about parts of the URL that have no effect, as sentences.
    pub warnings: Vec<String>,
}

/// The reason a URL names no SQLite file; the end of a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SqliteUrlError(String);

const HOW: &str = "write sqlite:////absolute/path/db.sqlite3";

impl SqliteUrl {
    /// Parses a URL: `sqlite:///` and an absolute path, with or without its first slash.
    ///
    /// # Errors
    /// [`SqliteUrlError`] if it names no file, or has a parameter that is unknown or unsupported.
    pub fn parse(url: &str) -> Result<Self, SqliteUrlError> {
        Self::read(url).map_err(SqliteUrlError)
    }

    fn read(url: &str) -> Result<Self, String> {
        let (_, rest) = url.split_once(':').ok_or_else(|| format!("is none: {HOW}"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if matches!(rest, "" | "//" | "///" | ":memory:" | "//:memory:" | "///:memory:") {
            return Err(format!("names a database in memory, which would be lost: {HOW}"));
        }
        let path = rest
            .strip_prefix("//")
            .ok_or_else(|| format!("needs slashes after the colon: {HOW}"))?;
        if !path.starts_with('/') {
            // It may be another database's URL, with a password before the host that contains an
            // `@` or a slash.
            let host = match path.rsplit_once('@') {
                Some(_) => "what follows them".to_owned(),
                None => format!("{:?}", path.split('/').next().unwrap_or_default()),
            };
            return Err(format!("has two slashes, so {host} would be the name of a host: {HOW}"));
        }
        if path.contains('#') {
            return Err(format!("has a #: write %23 for it, as in {HOW}"));
        }
        let query = Query::parse(query, URL_PARAMETERS)?;
        let decoded = decoded(path).ok_or_else(|| format!("isn't UTF-8: {HOW}"))?;
        // Four slashes are SQLAlchemy's and Django's spelling of an absolute path.
        let (path, relative) = match decoded.strip_prefix("//") {
            Some(rest) => (PathBuf::from(format!("/{rest}")), None),
            None => (PathBuf::from(&decoded), Some(PathBuf::from(decoded.trim_start_matches('/')))),
        };
        if decoded.ends_with('/') {
            return Err(format!("names a directory: {HOW}"));
        }
        if let Some(relative) =
            relative.as_ref().filter(|path| path.starts_with(".") || path.starts_with(".."))
        {
            return Err(format!(
                "names {}, which is relative: {HOW}, or write path in [database] \
                 (SIMPLEJWT_DATABASE_PATH)",
                relative.display()
            ));
        }
        let busy_timeout = match query.get(&["timeout"]) {
            None => None,
            Some(text) => {
                let seconds = text.trim().parse::<f64>().ok();
                let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                Some(time.ok_or("has the parameter timeout that is no number of seconds")?)
            }
        };
        Ok(Self { path, relative, busy_timeout, warnings: query.warning().into_iter().collect() })
    }

    /// Returns the end of a sentence that names both files if it is unclear which one is meant: the
    /// one that Django would use exists in `directory` and isn't the one named; or neither exists,
    /// and the one named would be created in the root directory.
    ///
    /// ```
    /// use simplejwt::sqlite::SqliteUrl;
    ///
    /// let here = std::env::current_dir().unwrap();
    /// let url = SqliteUrl::parse("sqlite:///Cargo.toml").unwrap();
    /// let ambiguous = url.ambiguous(&here).unwrap();
    /// assert!(ambiguous.contains("/Cargo.toml") && ambiguous.contains("sqlite:////"));
    /// ```
    pub fn ambiguous(&self, directory: &Path) -> Option<String> {
        let relative = self.relative.as_ref()?;
        let named = self.path.canonicalize().ok();
        let there = directory.join(relative).canonicalize().ok().filter(|path| path.is_file());
        let other = match there {
            Some(there) if named.as_ref() == Some(&there) => return None,
            Some(there) => there,
            None if named.is_none() && relative.components().count() == 1 => {
                std::path::absolute(directory.join(relative)).ok()?
            }
            None => return None,
        };
        let is_there = if named.is_some() { "which is there, too" } else { "which isn't there" };
        Some(format!(
            "names {}, {is_there}, and to Django {}: write sqlite:///{} for the latter, or \
             sqlite:///{} for the former",
            self.path.display(),
            other.display(),
            other.display(),
            self.path.display(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_files() {
        for (url, path, relative) in [
            ("sqlite:///var/lib/db.sqlite3", "/var/lib/db.sqlite3", Some("var/lib/db.sqlite3")),
            ("sqlite:////var/lib/db.sqlite3", "/var/lib/db.sqlite3", None),
            ("sqlite3:///db", "/db", Some("db")),
            ("sqlite:///a%20b/c%C3%A9.db", "/a b/cé.db", Some("a b/cé.db")),
            ("sqlite:///a b", "/a b", Some("a b")),
            ("sqlite:////100%.db", "/100%.db", None),
            ("sqlite:////a+b.db", "/a+b.db", None),
        ] {
            let parsed = SqliteUrl::parse(url).unwrap();
            assert_eq!(parsed.path, Path::new(path), "{url}");
            assert_eq!(parsed.relative.as_deref(), relative.map(Path::new), "{url}");
        }
        for (url, told) in [
            ("sqlite://db.sqlite3", "two slashes"),
            ("sqlite:db.sqlite3", "slashes"),
            ("sqlite:", "memory"),
            ("sqlite://", "memory"),
            ("sqlite:///", "memory"),
            ("sqlite://:memory:", "memory"),
            ("sqlite:////a%ff", "UTF-8"),
            ("sqlite:////a%00", "UTF-8"),
            ("sqlite:////a#b", "%23"),
            ("sqlite:////a?mode=ro", "mode with a value other than rw, rwc"),
            ("sqlite:////a?immutable=1", "immutable, which isn't known"),
            ("sqlite:////a?timeout=soon", "timeout that is no number"),
            ("sqlite:////a/", "directory"),
            ("sqlite:///./db.sqlite3", "relative"),
            ("sqlite:///../db.sqlite3", "relative"),
        ] {
            let problem = SqliteUrl::parse(url).unwrap_err().to_string();
            assert!(problem.contains(told), "{url}: {problem}");
        }
        for url in ["sqlite://u:s3cret@h/d", "sqlite://u:a@s3cret@h", "sqlite://u:a/s3cret@h/d"] {
            let problem = SqliteUrl::parse(url).unwrap_err().to_string();
            assert!(problem.contains("two slashes"), "{problem}");
            assert!(!problem.contains("s3cret"), "{url}: {problem}");
        }
    }

    #[test]
    fn parameters() {
        let timeout =
            |query: &str| SqliteUrl::parse(&format!("sqlite:////a?{query}")).unwrap().busy_timeout;
        assert_eq!(timeout("timeout=20"), Some(Duration::from_secs(20)));
        assert_eq!(timeout("timeout=0.5&mode=rwc"), Some(Duration::from_millis(500)));
        assert_eq!(timeout("timeout="), None);
        let url =
            "sqlite:////a?conn_max_age=1&init_command=PRAGMA+journal_mode%3DWAL&journal_mode=WAL";
        let told = SqliteUrl::parse(url).unwrap().warnings;
        assert!(told[0].contains("conn_max_age, init_command have no effect"), "{told:?}");
    }

    #[test]
    fn a_path_that_django_would_take_for_another_file_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let url = SqliteUrl::parse("sqlite:///db.sqlite3").unwrap();
        let told = url.ambiguous(here).unwrap();
        assert!(
            told.contains(&format!("to Django {}", here.join("db.sqlite3").display())),
            "{told}"
        );
        let deeper = SqliteUrl::parse("sqlite:///no/such/db.sqlite3").unwrap();
        assert_eq!(deeper.ambiguous(here), None, "neither is there, and no root is written into");
        std::fs::write(here.join("db.sqlite3"), "").unwrap();
        let told = url.ambiguous(here).unwrap();
        let there = here.canonicalize().unwrap().join("db.sqlite3");
        assert!(told.contains("names /db.sqlite3, which isn't there"), "{told}");
        assert!(told.contains(&format!("write sqlite:///{} ", there.display())), "{told}");
        let four = SqliteUrl::parse("sqlite:////db.sqlite3").unwrap();
        assert_eq!(four.ambiguous(here), None);
        // Both readings name the same file.
        let absolute = format!("sqlite://{}", there.display());
        assert_eq!(SqliteUrl::parse(&absolute).unwrap().ambiguous(Path::new("/")), None);
        // Both exist: an absolute path, and the same relative path below the directory.
        let twin = here.join(there.strip_prefix("/").unwrap());
        std::fs::create_dir_all(twin.parent().unwrap()).unwrap();
        std::fs::write(&twin, "").unwrap();
        let told = SqliteUrl::parse(&absolute).unwrap().ambiguous(here).unwrap();
        assert!(told.contains("which is there, too"), "{told}");
    }
}
