//! PgBouncer in transaction mode in front of this machine's PostgreSQL.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;

use anyhow::{Context as _, Result, bail};

use super::Done;
use super::rows::Row;
use super::suites::{FLOWS, Job, Outcome, RACES, Running, Suite, Suites, job, logs};
use crate::packages;
use crate::process::{command, output, quiet, wait_for};

/// The first version that keeps prepared statements.
const KEEPS_STATEMENTS: (u32, u32) = (1, 21);
/// The account to run as, because it refuses root.
const NOBODY: &str = "--userspec=65534:65534";
/// The warning about a message that belongs to no client.
const NOT_LINKED: &str = "packet 'A' from server when not linked";

/// Runs the tests through PgBouncer.
///
/// # Errors
/// PgBouncer or PostgreSQL doesn't start.
pub(super) fn on(row: &Row, suites: &Suites, place: Option<&Path>) -> Result<Done> {
    let postgres = Running::up("postgres", None, "")?;
    let url = postgres.variable("SIMPLEJWT_TEST_POSTGRES_URL")?.to_owned();
    let bouncer = Bouncer::start(&url, place)?;
    let through = bouncer.url(&url)?;
    let version = bouncer.version.clone();
    if bouncer.numbers()? < KEEPS_STATEMENTS {
        let refused = is_refused(suites.server()?, &url, &through)?;
        return Ok(Done { version, columns: [(Suite::Library, refused)].into() });
    }
    let variables =
        [("SIMPLEJWT_TEST_POSTGRES_URL", through.as_str()), ("SIMPLEJWT_TEST_KINDS", "postgres")];
    let run = |jobs: &[Job<'_>]| suites.run(row, jobs, &postgres, &variables);
    let library = [
        job("postgres", &["--exact", "stores::tokens", "stores::sessions"]),
        job("postgres", &["many_migrate_at_once", "only_delays_the_index", "what_is_made_here"]),
    ];
    let columns = [
        (Suite::Library, run(&library)?),
        (Suite::Flows, run(&[FLOWS])?),
        (Suite::Races, run(&[RACES])?),
        (Suite::Outages, bouncer.is_quiet()?),
    ];
    Ok(Done { version, columns: columns.into() })
}

/// Checks that without prepared statements there is an error message before the first login.
fn is_refused(simplejwt: &Path, url: &str, through: &str) -> Result<Outcome> {
    let config = |command_line: &[&str], url: &str| {
        let mut config = command(simplejwt, command_line);
        config.env("DATABASE_URL", url).env("SIMPLEJWT_TOKEN_BLACKLIST", "true");
        config.env("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");
        config
    };
    output(config(&["migrate"], url))?;
    let said = config(&["config", "check"], through).output()?;
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    let is_told = said.status.code() == Some(4) && text.contains("max_prepared_statements");
    Ok(match is_told {
        true => Outcome::Without("refused at the start, with what to do".to_owned()),
        false => Outcome::Failed(vec![format!("{}: {}", said.status, text.trim())]),
    })
}

struct Bouncer {
    process: Child,
    log: PathBuf,
    port: u16,
    version: String,
}

impl Bouncer {
    fn start(url: &str, place: Option<&Path>) -> Result<Self> {
        let program = match place {
            Some(root) => root.join("usr/sbin/pgbouncer"),
            None => {
                if !quiet("pgbouncer", &["--version"]) {
                    packages::install("there is no PgBouncer", &["pgbouncer"])?;
                }
                PathBuf::from("/usr/sbin/pgbouncer")
            }
        };
        if !program.exists() {
            bail!("there is no PgBouncer");
        }
        let port = 26_432;
        let log = logs()?.join("pgbouncer");
        let inside = |words: &[&str]| {
            let mut entering = command("chroot", &[NOBODY]);
            entering.arg(place.unwrap_or(Path::new("/"))).arg("/usr/sbin/pgbouncer").args(words);
            entering
        };
        let version = output(inside(&["--version"]))?;
        let version = version.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let server = url.rsplit_once('@').and_then(|(_, rest)| rest.split_once('/'));
        let (host, server_port) =
            server.and_then(|(place, _)| place.split_once(':')).context("the URL has a port")?;
        let statements = match numbers(&version)? < KEEPS_STATEMENTS {
            true => "",
            false => "max_prepared_statements = 200\n",
        };
        let config = format!(
            "[databases]\n* = host={host} port={server_port} user=simplejwt password=simplejwt\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n\
             pool_mode = transaction\nmax_client_conn = 500\nunix_socket_dir =\n{statements}"
        );
        let name = format!("simplejwt-matrix-{}.ini", std::process::id());
        let file = place.unwrap_or(Path::new("/")).join("tmp").join(&name);
        fs::write(&file, config).with_context(|| format!("can't write {}", file.display()))?;
        let said = fs::File::create(&log)?;
        let mut run = inside(&[&format!("/tmp/{name}")]);
        run.stdout(said.try_clone()?).stderr(said);
        let process = run.spawn().context("can't start PgBouncer")?;
        let started = Self { process, log, port, version };
        let answers = || Ok(std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        if wait_for(10, answers)?.is_none() {
            bail!("PgBouncer doesn't start: {}", started.log()?);
        }
        fs::remove_file(&file)?;
        Ok(started)
    }

    fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    fn numbers(&self) -> Result<(u32, u32)> {
        numbers(&self.version)
    }

    /// Returns the URL of the same database through PgBouncer.
    fn url(&self, url: &str) -> Result<String> {
        let (head, rest) = url.rsplit_once('@').context("the URL has a user")?;
        let (_, database) = rest.split_once('/').context("the URL has a database")?;
        Ok(format!("{head}@127.0.0.1:{}/{database}", self.port))
    }

    /// Checks that nothing was sent to clients that don't exist, as happens after LISTEN.
    fn is_quiet(&self) -> Result<Outcome> {
        let log = self.log()?;
        let told = log.lines().filter(|line| line.contains(NOT_LINKED)).count();
        Ok(match told {
            0 => Outcome::Without("nothing in its log".to_owned()),
            count => Outcome::Failed(vec![format!("{count} warnings in its log")]),
        })
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn numbers(version: &str) -> Result<(u32, u32)> {
    let mut words = version.split('.').map(str::parse);
    match (words.next(), words.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => bail!("{version:?} is no version of PgBouncer"),
    }
}
