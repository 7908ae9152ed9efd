//! The tests that depend on the database: compiled once, and run on one server after the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::Done;
use super::rows::Row;
use crate::process::{cargo, command, output, root, this_program};
use crate::services::programs::{MYSQL, MYSQL_OPTIONS, POSTGRES};
use crate::tally::Tally;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Suite {
    /// The library's tests of its stores and users: conformance, migrations, columns, failures.
    Library,
    /// The outcomes of spent tokens, over HTTP.
    Flows,
    /// Two processes and many clients at once.
    Races,
    /// Servers and databases that are killed and restarted under load.
    Restarts,
    /// A database that is unavailable for a while.
    Outages,
    /// Certificates.
    Tls,
}

impl Suite {
    pub(crate) const ALL: [Self; 6] =
        [Self::Library, Self::Flows, Self::Races, Self::Restarts, Self::Outages, Self::Tls];

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Library => "conformance, users, migrations",
            Self::Flows => "flows",
            Self::Races => "races, two processes",
            Self::Restarts => "kills and restarts",
            Self::Outages => "outages",
            Self::Tls => "TLS",
        }
    }
}

/// The outcome of a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed(u64),
    /// The tests that failed.
    Failed(Vec<String>),
    /// The reason why there is nothing to run.
    Without(String),
}

/// A test program with arguments.
pub(super) struct Job<'a> {
    program: &'static str,
    arguments: &'a [&'static str],
}

pub(super) const fn job<'a>(program: &'static str, arguments: &'a [&'static str]) -> Job<'a> {
    Job { program, arguments }
}

/// Returns the newest version that this machine's pg_basebackup can copy.
fn copies_until() -> Option<u32> {
    let said = output(command("pg_basebackup", &["--version"])).ok()?;
    let version =
        said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    version?.split('.').next()?.parse().ok()
}

const LIBRARY: &[&str] = &["mysql", "postgres"];
const SERVER: &[&str] = &["sessions", "outages"];
/// The tests of `postgres` that don't depend on how it is connected to.
const POSTGRES_LIBRARY: &[&str] =
    &["stores::", "batches::", "failures::", "migrations::", "users::"];
/// The same, without the tests that need the counters of newer versions.
const POSTGRES_UNCOUNTED: &[&str] = &[
    "stores::",
    "batches::",
    "failures::",
    "migrations::",
    "users::",
    "--skip",
    "without_its_other_tokens",
    "--skip",
    "a_deadlock_is_tried_again",
];
/// The other tests; one of them needs a MySQL too, not this PostgreSQL.
const POSTGRES_TLS: &[&str] =
    &["servers::", "certificates::", "refusals::", "--skip", "whoever_is_no_postgresql"];
pub(super) const FLOWS: Job<'_> = job("sessions", &["traps::", "sizes::"]);
pub(super) const RACES: Job<'_> = job("sessions", &["races::"]);
/// The tests of `mysql` that aren't about TLS, which has a column of its own.
const MARIADB_LIBRARY: &[&str] = &["--skip", "tls", "--skip", "certificates::"];
/// The same, without the tests of features that MySQL lacks: the plugins ed25519 and pam, the type uuid,
/// `userstat`.
const MYSQL_LIBRARY: &[&str] = &[
    "--skip",
    "tls",
    "--skip",
    "certificates::",
    "--skip",
    "ed25519",
    "--skip",
    "native_uuids",
    "--skip",
    "an_id_in_another_spelling",
    "--skip",
    "a_session_is_found_without",
];
/// The time limit in seconds, longer than any of them takes.
const LIMIT: &str = "600";

/// The compiled test programs.
pub(crate) struct Suites {
    programs: BTreeMap<String, PathBuf>,
}

impl Suites {
    /// Compiles the test programs.
    ///
    /// # Errors
    /// They don't compile.
    pub(crate) fn compile() -> Result<Self> {
        let mut build = cargo(&["test", "--no-run", "--message-format=json-render-diagnostics"]);
        // With the same features as in `cargo xtask test`, so that nothing is compiled twice.
        build.args(["--workspace", "--all-features"]);
        for test in LIBRARY.iter().chain(SERVER) {
            build.args(["--test", test]);
        }
        let mut programs = BTreeMap::new();
        for line in output(build)?.lines() {
            let message: serde_json::Value = serde_json::from_str(line)?;
            let name = message["target"]["name"].as_str();
            let is_wanted = message["target"]["kind"][0] == "test"
                || (message["target"]["kind"][0] == "bin" && message["profile"]["test"] == false);
            if !is_wanted {
                continue;
            }
            if let (Some(program), Some(name)) = (message["executable"].as_str(), name) {
                programs.insert(name.to_owned(), PathBuf::from(program));
            }
        }
        Ok(Self { programs })
    }

    /// Runs the tests on a PostgreSQL.
    ///
    /// # Errors
    /// It doesn't start.
    pub(crate) fn on_postgres(&self, row: &Row, place: Option<&Path>) -> Result<Done> {
        let server = Running::up("postgres", place, "")?;
        let version = server.version()?;
        let major = version.split('.').next().and_then(|major| major.parse().ok());
        // Only since this version can the server's counters be read at once.
        let counts = major.is_none_or(|major: u32| major >= 15);
        let mut library = if counts { POSTGRES_LIBRARY } else { POSTGRES_UNCOUNTED }.to_vec();
        let kinds = [("SIMPLEJWT_TEST_KINDS", "postgres")];
        let run = |jobs: &[Job<'_>]| self.run(row, jobs, &server, &kinds);
        // npm's programs lack pg_basebackup; this machine's own copies no newer server.
        let has_copies = place.is_none_or(|place| !place.join("bin/initdb").exists());
        if !has_copies && major.is_none_or(|major| copies_until().is_none_or(|own| own < major)) {
            library.extend(["--skip", "a_frozen_first_server"]);
        }
        let columns = [
            (Suite::Library, run(&[job("postgres", &library)])?),
            (Suite::Flows, run(&[FLOWS])?),
            (Suite::Races, run(&[RACES])?),
            (Suite::Restarts, run(&[job("outages", &["history::", "--skip", "mariadb"])])?),
            (
                Suite::Outages,
                match has_copies {
                    true => run(&[job("outages", &["away_for_a_while"])])?,
                    false => Outcome::Without("no pg_basebackup for a standby".to_owned()),
                },
            ),
            (Suite::Tls, run(&[job("postgres", POSTGRES_TLS)])?),
        ];
        Ok(Done { version, columns: columns.into() })
    }

    /// Runs the tests on a MySQL or MariaDB.
    ///
    /// # Errors
    /// It doesn't start.
    pub(crate) fn on_mysql(&self, row: &Row, place: Option<&Path>, options: &str) -> Result<Done> {
        let server = Running::up("mariadb", place, options)?;
        let version = server.version()?;
        // A MySQL takes seconds to come up after a crash.
        let kinds = [("SIMPLEJWT_TEST_KINDS", "mysql"), ("SIMPLEJWT_TEST_HISTORY", "60")];
        let run = |jobs: &[Job<'_>]| self.run(row, jobs, &server, &kinds);
        let is_mariadb = version.contains("MariaDB");
        let library = if is_mariadb { MARIADB_LIBRARY } else { MYSQL_LIBRARY };
        let columns = [
            (Suite::Library, run(&[job("mysql", library)])?),
            (Suite::Flows, run(&[FLOWS])?),
            (Suite::Races, run(&[RACES])?),
            (Suite::Restarts, run(&[job("outages", &["history::", "--skip", "postgres"])])?),
            (Suite::Outages, run(&[job("outages", &["a_feed_whose_account"])])?),
            // One at a time: a server that is started again must find its port free.
            (Suite::Tls, run(&[job("mysql", &["tls", "certificates::", "--test-threads=1"])])?),
        ];
        Ok(Done { version, columns: columns.into() })
    }

    /// Returns the server that was compiled with the tests.
    pub(super) fn server(&self) -> Result<&Path> {
        self.programs.get("simplejwt").map(PathBuf::as_path).context("there is no simplejwt")
    }

    /// Runs tests of several programs.
    ///
    /// # Errors
    /// They can't be started.
    pub(super) fn run(
        &self,
        row: &Row,
        jobs: &[Job<'_>],
        server: &Running,
        variables: &[(&str, &str)],
    ) -> Result<Outcome> {
        let (mut tally, mut failed) = (Tally::default(), Vec::new());
        for Job { program, arguments } in jobs {
            let Some(path) = self.programs.get(*program) else { bail!("there is no {program}") };
            let package = if SERVER.contains(program) { "simplejwt-server" } else { "simplejwt" };
            let mut tests = command("timeout", &[LIMIT]);
            tests.arg(path).args(*arguments).current_dir(root().join("crates").join(package));
            server.give(&mut tests);
            tests.envs(variables.iter().copied());
            let done = tests.output().with_context(|| format!("can't start {program}"))?;
            let text = String::from_utf8_lossy(&done.stdout).into_owned();
            // A program can have tests in several columns.
            let part = arguments.first().map_or("all", |first| first.trim_matches([':', '-']));
            let log = logs()?.join(format!("{}-{program}-{part}", row.name));
            fs::write(&log, [done.stdout.as_slice(), &done.stderr].concat())?;
            let before = failed.len();
            for line in text.lines() {
                tally.cargo_line(line);
                if let Some(name) = line.strip_suffix(" ... FAILED") {
                    failed.push(name.trim_start_matches("test ").to_owned());
                }
            }
            if !done.status.success() && failed.len() == before {
                failed.push(format!("{program} ({})", done.status));
            }
            if !done.status.success() {
                println!("{}: {program} failed: {}", row.name, log.display());
            }
        }
        Ok(match failed.is_empty() {
            true if tally.passed == 0 => Outcome::Without("no such tests".to_owned()),
            true => Outcome::Passed(tally.passed),
            false => Outcome::Failed(failed),
        })
    }
}

/// Returns the directory for the output of the tests.
pub(super) fn logs() -> Result<PathBuf> {
    let folder = root().join(".cache/matrix-logs");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A temporary server of a row.
pub(super) struct Running {
    variables: BTreeMap<String, String>,
    place: Vec<(&'static str, String)>,
}

/// The name of the servers of this command.
const NAME: &str = "matrix";

impl Running {
    /// Starts a server with the programs in this directory.
    pub(super) fn up(kind: &str, place: Option<&Path>, options: &str) -> Result<Self> {
        let variable = if kind == "postgres" { POSTGRES } else { MYSQL };
        let folder = place.map_or_else(String::new, |place| place.display().to_string());
        let place = vec![(variable, folder), (MYSQL_OPTIONS, options.to_owned())];
        let mut made = Self { variables: BTreeMap::new(), place };
        made.services(&["down"])?;
        made.services(&["up", kind])?;
        if kind == "mariadb" {
            // Something that is no MySQL.
            made.services(&["up", "postgres"])?;
        }
        made.variables = made
            .services(&["env"])?
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        Ok(made)
    }

    fn services(&self, words: &[&str]) -> Result<String> {
        let mut services = command(this_program()?, &["services", "--name", NAME]);
        services.args(words).envs(self.place.iter().map(|(name, value)| (*name, value)));
        output(services)
    }

    /// Passes the server's variables to a program.
    pub(super) fn give(&self, to: &mut Command) {
        to.envs(&self.variables).envs(self.place.iter().map(|(name, value)| (*name, value)));
    }

    /// Returns a variable that `services env` prints.
    pub(super) fn variable(&self, name: &str) -> Result<&str> {
        self.variables.get(name).map(String::as_str).with_context(|| format!("no {name}"))
    }

    /// Returns the version that the server writes to its log.
    pub(super) fn version(&self) -> Result<String> {
        let socket = ["SIMPLEJWT_TEST_MYSQL_SOCKET", "SIMPLEJWT_TEST_POSTGRES_SOCKET"]
            .iter()
            .find_map(|name| self.variables.get(*name))
            .context("the server has a socket")?;
        let log = Path::new(socket).with_file_name("log");
        let text = fs::read(&log).with_context(|| format!("can't read {}", log.display()))?;
        let text = String::from_utf8_lossy(&text);
        let after = |mark: &str| {
            let (_, rest) = text.split_once(mark)?;
            rest.split([' ', '\'']).next().map(str::to_owned)
        };
        after("starting PostgreSQL ")
            .or_else(|| after("Version: '"))
            .or_else(|| after("mysqld (mysqld "))
            .context("the log names no version")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.services(&["down"]) {
            eprintln!("the server can't be stopped: {error:#}");
        }
    }
}
