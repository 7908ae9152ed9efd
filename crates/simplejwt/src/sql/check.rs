//! Checks a database for everything that is wrong, at once and before the first request.
//!
//! Opening a store or the users refuses whatever makes every login fail, and names the first such
//! fault. A check covers everything: tables, columns and their types, uniqueness, rights, indexes,
//! and whether the database accepts each statement that will be run.
//!
//! Each database has its own `check`: [`sqlite::check`](crate::sqlite::check::check),
//! [`postgres::check`](crate::postgres::check::check) and
//! [`mysql::check`](crate::mysql::check::check).
//!
//! ```
//! use simplejwt::Settings;
//! use simplejwt::sql::check::Uses;
//! use simplejwt::sqlite::{SqliteDatabase, check, migrate};
//! use simplejwt::sql::table::UserTable;
//! # use simplejwt::Timestamp;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("db.sqlite3");
//! let users = UserTable::default();
//! let settings = Settings { token_blacklist: true, ..Settings::default() };
//! let database = SqliteDatabase::open_or_create(&path, Default::default())?;
//! let uses = Uses::of(&settings);
//! let problems = check::check(&database, &users, &uses).await?;
//! assert!(problems.has_errors());
//! for problem in &problems {
//!     println!("{problem}"); // the database has no table "auth_user" …: run `migrate`
//! }
//! migrate::apply(&database, &users, Timestamp::from_secs(1_767_323_045)).await?;
//! assert!(check::check(&database, &users, &uses).await?.is_empty());
//! # Ok(())
//! # }
//! ```

mod lines;
mod needed;
mod rights;
mod tables;
mod users;

use std::fmt;

use crate::settings::{Rows, Settings};

pub(crate) use lines::Lines;
pub(crate) use needed::{Needed, needed};
pub(crate) use rights::{Access, Grantee, Right, trial, trials};
pub(crate) use tables::{FoundTable, Relation, judge};
pub(crate) use users::{column_faults, of_owners, of_users};

/// The uses of a database, which determine what is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uses {
    /// Tokens are registered and blacklisted.
    pub tokens: bool,
    /// Sessions are kept.
    pub sessions: bool,
    /// Sessions are kept as one row each.
    pub session_rows: bool,
    /// The keys of a ring are kept.
    pub signing_keys: bool,
    /// Failures are counted.
    pub throttle: bool,
    /// A login writes the user's `last_login`.
    pub last_login: bool,
    /// A login may rewrite the user's password hash.
    pub rehash: bool,
    /// Expired data is deleted.
    pub purge: bool,
}

impl Uses {
    /// Returns the uses for these settings, including the purge, and rehashing of passwords. The
    /// settings know of no ring of keys, and of no throttle.
    pub fn of(settings: &Settings) -> Self {
        Self {
            tokens: settings.token_blacklist,
            sessions: settings.has_sessions(),
            session_rows: settings.has_sessions() && settings.sessions.rows == Rows::Sessions,
            signing_keys: false,
            throttle: false,
            last_login: settings.update_last_login,
            rehash: true,
            purge: settings.token_blacklist,
        }
    }
}

/// The severity of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Requests are answered, but slowly, or part of the work isn't done.
    Warning,
    /// Requests fail at the moment, but may recover without help, as at the end of a failover.
    Passing,
    /// Requests fail until somebody changes something.
    Error,
}

/// One fault, and what to do about it. As text it is both, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// Its severity.
    pub severity: Severity,
    /// The table concerned, if any.
    pub table: Option<String>,
    /// The fault, as a sentence without its full stop.
    pub what: String,
    /// The remedy: a statement or command to paste, or a sentence. Empty if `what` says it.
    pub remedy: String,
}

impl Problem {
    fn new(severity: Severity, table: Option<&str>, what: String, remedy: String) -> Self {
        Self { severity, table: table.map(str::to_owned), what, remedy }
    }

    pub(crate) fn error(table: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Error, Some(table), what.into(), remedy.into())
    }

    pub(crate) fn warning(table: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Some(table), what.into(), remedy.into())
    }

    /// A problem of the database as a whole.
    pub(crate) fn general(
        severity: Severity,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(severity, None, what.into(), remedy.into())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remedy.is_empty() {
            true => f.write_str(&self.what),
            false => write!(f, "{}: {}", self.what, self.remedy),
        }
    }
}

/// The [problems](Problem) of a database, the worst first. As an error, its text is all of them,
/// one per line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl std::error::Error for Problems {}

impl Problems {
    pub(crate) fn new(mut found: Vec<Problem>) -> Self {
        let mut seen = std::collections::HashSet::new();
        found.retain(|problem| seen.insert(problem.to_string()));
        found.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        Self(found)
    }

    /// Returns `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `true` if any of them makes requests fail, even if only for now.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity > Severity::Warning)
    }

    /// Returns an iterator over the problems, the worst first.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Splits them into those of this severity and the others.
    pub fn split(self, severity: Severity) -> (Self, Self) {
        let (these, others) = self.0.into_iter().partition(|problem| problem.severity == severity);
        (Self(these), Self(others))
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// Returns the problem that the database refuses a statement; `None` if a table that it names has a
/// known fault, which is the reason then.
pub(crate) fn refused(found: &[Problem], sql: &str, cause: &str) -> Option<Problem> {
    let is_known = |problem: &Problem| {
        problem.severity == Severity::Error
            && problem
                .table
                .as_ref()
                .is_some_and(|table| sql.contains(table.as_str()) || cause.contains(table.as_str()))
    };
    if found.iter().any(is_known) {
        return None;
    }
    let mut start: String = sql.chars().take(120).collect();
    if start.len() < sql.len() {
        start.push('…');
    }
    let what = format!("the database doesn't take a statement that is needed ({start}): {cause}");
    Some(Problem::general(Severity::Error, what, ""))
}

/// Returns the problem of a table without the row that counts revocations.
pub(crate) fn no_sequence(lines: &Lines) -> Problem {
    let what = "the table \"simplejwt_sequence\" has no row named revocation";
    Problem::error("simplejwt_sequence", what, lines.sequence())
}

/// Returns a problem if the clocks of the database and of this machine are far apart. Both times
/// are in microseconds since 1970.
pub(crate) fn of_the_clock(theirs: i64, ours: i64) -> Option<Problem> {
    const FAR: i64 = 5_000_000;
    let apart = theirs.saturating_sub(ours);
    (apart.abs() > FAR).then(|| {
        let (seconds, word) =
            (apart.abs() / 1_000_000, if apart > 0 { "ahead of" } else { "behind" });
        Problem::general(
            Severity::Warning,
            format!("the database's clock is {seconds} seconds {word} the one of this machine"),
            "keep both by NTP: tokens go by the clocks of the machines that issue and check them",
        )
    })
}
