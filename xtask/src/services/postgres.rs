//! A temporary PostgreSQL, and a standby that streams from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

use super::account::Account;
use super::daemon::Daemon;
use super::programs::{self, POSTGRES, Programs};
use super::tls::Tls;
use super::{PASSWORD, USER, free_port, new_folder, read_port, write_port};
use crate::process::{command, output, succeeds};

/// The configuration: as durable as in production, and able to have a standby.
const CONFIG: &str = "
listen_addresses = '127.0.0.1'
max_connections = 400
shared_buffers = 128MB
max_wal_size = 2GB
password_encryption = 'scram-sha-256'
fsync = on
full_page_writes = on
synchronous_commit = on
wal_level = replica
max_wal_senders = 10
max_replication_slots = 10
hot_standby = on
ssl = on
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
timezone = 'UTC'
log_timezone = 'UTC'
";

/// The directory of Debian's programs for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
const STANDBY: &str = "standby";
/// Waits until the standby streams; fails after half a minute.
const STREAMS: &str = "DO $$ BEGIN FOR i IN 1..300 LOOP PERFORM pg_stat_clear_snapshot(); \
    IF EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming') THEN RETURN; END IF; \
    PERFORM pg_sleep(0.1); END LOOP; RAISE 'the standby does not stream'; END $$";

/// One server and its directory: `data`, `run` (the Unix socket), `log`, `port`.
pub(super) struct Postgres {
    name: &'static str,
    programs: Programs,
    folder: PathBuf,
}

impl Postgres {
    /// Returns the server in the directory `postgres` of an instance.
    pub(super) fn primary(instance: &Path) -> Result<Self> {
        Self::new("PostgreSQL", &instance.join("postgres"))
    }

    /// Returns its standby, in a directory beside it.
    pub(super) fn standby(instance: &Path) -> Result<Self> {
        Self::new("the standby of PostgreSQL", &instance.join(STANDBY))
    }

    fn new(name: &'static str, folder: &Path) -> Result<Self> {
        Ok(Self { name, programs: chosen()?, folder: folder.to_path_buf() })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Returns the directory of the Unix socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("run")
    }

    fn daemon(&self) -> Daemon {
        Daemon {
            name: self.name,
            pid_file: self.data().join("postmaster.pid"),
            log: self.folder.join("log"),
            mark: self.data(),
        }
    }

    pub(super) fn port(&self) -> Result<u16> {
        read_port(&self.folder)
    }

    pub(super) fn url(&self) -> Result<String> {
        Ok(format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{USER}", self.port()?))
    }

    /// Returns `true` if it runs and answers.
    pub(super) fn answers(&self) -> bool {
        self.daemon().running().is_some() && self.psql("template1", "SELECT 1").is_ok_and(succeeds)
    }

    /// Creates its directory and data, and starts it.
    pub(super) fn make(&self, tls: &Tls) -> Result<()> {
        new_folder(&self.folder, &self.programs.account)?;
        new_folder(&self.socket(), &self.programs.account)?;
        let password = self.folder.join("password");
        fs::write(&password, PASSWORD)?;
        self.programs.account.own(&password)?;
        let mut initdb = self.program(
            "initdb",
            &["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
        );
        initdb.args(["--username", USER, "--pgdata"]).arg(self.data());
        initdb.arg("--pwfile").arg(&password);
        output(initdb)?;
        fs::remove_file(&password)?;
        tls.give(&self.data(), &self.programs.account)?;
        let config = self.data().join("postgresql.conf");
        fs::write(&config, CONFIG).with_context(|| format!("can't write {}", config.display()))?;
        write_port(&self.folder, free_port(15432)?)?;
        self.start()?;
        self.sql("template1", &format!("CREATE DATABASE {USER}"))
    }

    /// Starts it on existing data.
    pub(super) fn start(&self) -> Result<()> {
        let mut postgres = self.program("postgres", &["-D"]);
        postgres.arg(self.data()).args(["-p", &self.port()?.to_string(), "-k"]);
        postgres.arg(self.socket());
        self.daemon().start(postgres, || self.answers())
    }

    /// Stops it properly.
    pub(super) fn stop(&self) -> Result<()> {
        self.daemon().end(Signal::INT)
    }

    /// Kills it, as a crash does: only committed data is flushed, and the next start recovers.
    pub(super) fn kill(&self) -> Result<()> {
        self.daemon().end(Signal::QUIT)
    }

    /// Creates the standby: a copy of the primary that follows it. From then on, the primary
    /// acknowledges a commit only when the standby has it too.
    pub(super) fn follow(&self, primary: &Self) -> Result<()> {
        new_folder(&self.folder, &self.programs.account)?;
        new_folder(&self.socket(), &self.programs.account)?;
        let mut copy = self.program(
            "pg_basebackup",
            &["--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync"],
        );
        copy.args(["--create-slot", "--slot", STANDBY, "--pgdata"]).arg(self.data());
        let connection = format!(
            "host=127.0.0.1 port={} user={USER} password={PASSWORD} application_name={STANDBY}",
            primary.port()?
        );
        copy.arg("--dbname").arg(&connection);
        output(copy)?;
        // A newer pg_basebackup writes settings here that an older server doesn't understand.
        let settings = self.data().join("postgresql.auto.conf");
        let mut text = fs::read_to_string(&settings)?;
        text.push_str(&format!("primary_conninfo = '{connection}'\n"));
        fs::write(&settings, text)?;
        write_port(&self.folder, free_port(16432)?)?;
        self.start()?;
        primary.sql("template1", STREAMS)?;
        primary.synchronous(STANDBY)
    }

    /// Promotes the standby, and returns when it accepts writes.
    pub(super) fn promote(&self) -> Result<()> {
        let mut promote = self.program("pg_ctl", &["promote", "--wait", "--pgdata"]);
        promote.arg(self.data());
        output(promote)?;
        self.synchronous("")
    }

    /// Removes the standby, so that the primary no longer waits for it.
    pub(super) fn forget(&self, primary: &Self) -> Result<()> {
        if primary.answers() {
            primary.synchronous("")?;
        }
        self.kill()?;
        if primary.answers() {
            primary.sql(
                "template1",
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots",
            )?;
        }
        fs::remove_dir_all(&self.folder)
            .with_context(|| format!("can't remove {}", self.folder.display()))
    }

    fn synchronous(&self, with: &str) -> Result<()> {
        self.sql("template1", &format!("ALTER SYSTEM SET synchronous_standby_names = '{with}'"))?;
        self.sql("template1", "SELECT pg_reload_conf()")
    }

    fn sql(&self, database: &str, statement: &str) -> Result<()> {
        output(self.psql(database, statement)?).map(drop)
    }

    fn psql(&self, database: &str, statement: &str) -> Result<Command> {
        let mut psql = self.program("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
        psql.args(["-h", "127.0.0.1", "-p", &self.port()?.to_string(), "-U", USER]);
        psql.args(["-d", database, "-c", statement]);
        Ok(psql)
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        // The client of any version works; not every directory of programs has one.
        let mut command = match (name, programs()) {
            ("psql", Some(here)) => self.programs.account.command(here.join(name), arguments),
            _ => self.programs.command(name, arguments, &self.folder),
        };
        // The user's own variables refer to another server.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("PGPASSWORD", PASSWORD);
        command
    }
}

/// Returns the configured programs, or this machine's.
fn chosen() -> Result<Programs> {
    const ACCOUNTS: &[&str] = &["postgres", "nobody"];
    let Some(folder) = programs::named(POSTGRES) else {
        let bin = programs().context("there is no PostgreSQL")?;
        return Ok(Programs::here(bin, Account::find(ACCOUNTS)?));
    };
    let unpacked = folder.join("bin");
    if unpacked.join("initdb").exists() {
        return Ok(Programs::here(unpacked, Account::find(ACCOUNTS)?));
    }
    let bin = programs::newest(&folder.join(DEBIAN.trim_start_matches('/')))
        .with_context(|| format!("there is no PostgreSQL in {}", folder.display()))?;
    Programs::of(&folder, programs::inside(&folder, &bin)?, ACCOUNTS)
}

/// Returns the directory with the programs: Debian's newest version, or the one that `pg_config`
/// names.
pub(super) fn programs() -> Option<PathBuf> {
    programs::newest(Path::new(DEBIAN)).or_else(|| {
        let bin = output_of_pg_config().ok()?;
        bin.join("initdb").exists().then_some(bin)
    })
}

fn output_of_pg_config() -> Result<PathBuf> {
    let printed = command("pg_config", &["--bindir"]).output()?;
    if !printed.status.success() {
        bail!("pg_config failed");
    }
    Ok(PathBuf::from(String::from_utf8(printed.stdout)?.trim()))
}
