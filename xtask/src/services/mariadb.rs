//! A temporary MariaDB, or a MySQL instead if configured.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

use super::account::Account;
use super::daemon::Daemon;
use super::programs::{self, MYSQL, MYSQL_OPTIONS, Programs};
use super::tls::Tls;
use super::{PASSWORD, USER, free_port, new_folder, read_port, write_port};
use crate::process::{output, succeeds};

/// One server and its directory: `data`, `socket`, `log`, `port`, `my.cnf`.
pub(super) struct MariaDb {
    programs: Programs,
    is_mysql: bool,
    folder: PathBuf,
}

impl MariaDb {
    /// Returns the server in the directory `mariadb` of an instance.
    pub(super) fn new(instance: &Path) -> Result<Self> {
        let (programs, is_mysql) = chosen()?;
        Ok(Self { programs, is_mysql, folder: instance.join("mariadb") })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Returns the Unix socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn daemon(&self) -> Daemon {
        Daemon {
            name: if self.is_mysql { "MySQL" } else { "MariaDB" },
            pid_file: self.folder.join("pid"),
            log: self.folder.join("log"),
            mark: self.folder.join("my.cnf"),
        }
    }

    pub(super) fn port(&self) -> Result<u16> {
        read_port(&self.folder)
    }

    pub(super) fn url(&self) -> Result<String> {
        Ok(format!("mysql://{USER}:{PASSWORD}@127.0.0.1:{}/{USER}", self.port()?))
    }

    /// Returns `true` if it runs and answers.
    pub(super) fn answers(&self) -> bool {
        let Ok(port) = self.port() else { return false };
        if self.is_mysql {
            return self.daemon().running().is_some() && greets(port);
        }
        let mut ask = self.programs.account.command(
            "mariadb",
            &["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user", USER],
        );
        ask.args(["--port", &port.to_string(), "--execute", "SELECT 1", USER]);
        ask.env("MYSQL_PWD", PASSWORD);
        self.daemon().running().is_some() && succeeds(ask)
    }

    /// Creates its directory and data, and starts it.
    pub(super) fn make(&self, tls: &Tls) -> Result<()> {
        new_folder(&self.folder, &self.programs.account)?;
        new_folder(&self.folder.join("tmp"), &self.programs.account)?;
        let port = free_port(13306)?;
        write_port(&self.folder, port)?;
        tls.give(&self.folder, &self.programs.account)?;
        for (name, text) in [("my.cnf", self.config(port)), ("init.sql", init())] {
            let path = self.folder.join(name);
            fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
        }
        let mut install = match self.is_mysql {
            true => self.programs.command(
                "mysqld",
                &["--no-defaults", "--initialize-insecure", "--secure-file-priv=NULL"],
                &self.folder,
            ),
            false => self.programs.command(
                "mariadb-install-db",
                &["--no-defaults", "--auth-root-authentication-method=socket", "--skip-test-db"],
                &self.folder,
            ),
        };
        install.arg(format!("--datadir={}", self.data().display()));
        // Settings that are fixed when the data is created.
        install.args(
            options()
                .filter(|line| line.starts_with("lower"))
                .map(|o| format!("--{}", o.replace(" = ", "="))),
        );
        output(install)?;
        self.start()
    }

    /// Returns the configuration. It is as durable as in production, with the character set and
    /// collation of Debian's package. A server deletes leftovers in its directory for temporary
    /// tables when it starts, so the directory must not be shared.
    fn config(&self, port: u16) -> String {
        let folder = self.folder.display();
        let own = match self.is_mysql {
            true => "mysqlx = OFF\nsecure-file-priv = NULL".to_owned(),
            false => "collation-server = utf8mb4_general_ci".to_owned(),
        };
        let further: String = options().map(|line| format!("{line}\n")).collect();
        format!(
            "[mysqld]
datadir = {folder}/data
tmpdir = {folder}/tmp
socket = {folder}/socket
pid-file = {folder}/pid
init-file = {folder}/init.sql
bind-address = 127.0.0.1
port = {port}
skip-name-resolve
max_connections = 400
innodb_buffer_pool_size = 128M
innodb_flush_log_at_trx_commit = 1
innodb_doublewrite = ON
character-set-server = utf8mb4
{own}
ssl-cert = {folder}/server.pem
ssl-key = {folder}/server.key
ssl-ca = {folder}/ca.pem
{further}"
        )
    }

    /// Starts it on existing data.
    pub(super) fn start(&self) -> Result<()> {
        let program = if self.is_mysql { "mysqld" } else { "mariadbd" };
        let file = format!("--defaults-file={}", self.folder.join("my.cnf").display());
        let server = self.programs.command(program, &[&file], &self.folder);
        self.daemon().start(server, || self.answers())
    }

    /// Stops it properly.
    pub(super) fn stop(&self) -> Result<()> {
        self.daemon().end(Signal::TERM)
    }

    /// Kills it, as a crash does.
    pub(super) fn kill(&self) -> Result<()> {
        self.daemon().end(Signal::KILL)
    }
}

/// Returns the statements that run at every start, before the first connection.
fn init() -> String {
    // Without a host, the name also covers `localhost` through the socket.
    format!(
        "CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION;
CREATE DATABASE IF NOT EXISTS {USER};
"
    )
}

/// Returns the additional lines from the environment.
fn options() -> impl Iterator<Item = String> {
    let text = std::env::var(MYSQL_OPTIONS).unwrap_or_default();
    let lines: Vec<String> = text.split(';').map(|line| line.trim().to_owned()).collect();
    lines.into_iter().filter(|line| !line.is_empty())
}

/// Returns `true` if a server sends its version to a new connection.
fn greets(port: u16) -> bool {
    const SECOND: Duration = Duration::from_secs(1);
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    // Four bytes of the packet header, and the protocol's number.
    let mut head = [0; 5];
    stream.set_read_timeout(Some(SECOND)).is_ok()
        && stream.read_exact(&mut head).is_ok()
        && head[4] == 10
}

/// Returns the configured programs, or this machine's, and `true` if they are MySQL's.
fn chosen() -> Result<(Programs, bool)> {
    const ACCOUNTS: &[&str] = &["mysql", "nobody"];
    let Some(root) = programs::named(MYSQL) else {
        let server = program().context("there is no MariaDB")?;
        let bin = server.parent().context("a program is in a folder")?.to_path_buf();
        return Ok((Programs::here(bin, Account::find(ACCOUNTS)?), false));
    };
    let bin = PathBuf::from("/usr/sbin");
    let programs = Programs::of(&root, bin.clone(), ACCOUNTS)?;
    if programs.outside(bin.join("mariadbd")).exists() {
        return Ok((programs, false));
    }
    if !programs.outside(bin.join("mysqld")).exists() {
        bail!("there is no MySQL in {}", root.display());
    }
    Ok((programs, true))
}

/// Returns the program, which Debian puts where only root's `PATH` leads.
pub(super) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("mariadbd"))
        .find(|program| program.exists())
}
