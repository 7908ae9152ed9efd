//! A throw-away MariaDB.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use super::account::Account;
use super::daemon::Daemon;
use super::tls::Tls;
use super::{PASSWORD, USER, free_port, new_folder, read_port, write_port};
use crate::process::{output, succeeds};

/// One server and its folder: `data`, `socket`, `log`, `port`, `my.cnf`.
pub(super) struct MariaDb {
    server: PathBuf,
    account: Account,
    folder: PathBuf,
}

impl MariaDb {
    /// The server in `mariadb` of an instance's folder.
    pub(super) fn new(instance: &Path) -> Result<Self> {
        let server = program().context("there is no MariaDB")?;
        let account = Account::find(&["mysql", "nobody"])?;
        Ok(Self { server, account, folder: instance.join("mariadb") })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The Unix socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn daemon(&self) -> Daemon {
        Daemon {
            name: "MariaDB",
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

    /// Whether it runs and answers.
    pub(super) fn answers(&self) -> bool {
        let Ok(port) = self.port() else { return false };
        let mut ask = self.account.command(
            "mariadb",
            &["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user", USER],
        );
        ask.args(["--port", &port.to_string(), "--execute", "SELECT 1", USER]);
        ask.env("MYSQL_PWD", PASSWORD);
        self.daemon().running().is_some() && succeeds(ask)
    }

    /// Makes its folder and data, and starts it.
    pub(super) fn make(&self, tls: &Tls) -> Result<()> {
        new_folder(&self.folder, &self.account)?;
        new_folder(&self.folder.join("tmp"), &self.account)?;
        let port = free_port(13306)?;
        write_port(&self.folder, port)?;
        tls.give(&self.folder, &self.account)?;
        for (name, text) in [("my.cnf", self.config(port)), ("init.sql", init())] {
            let path = self.folder.join(name);
            fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
        }
        let mut install = self.account.command(
            "mariadb-install-db",
            &["--no-defaults", "--auth-root-authentication-method=socket", "--skip-test-db"],
        );
        install.arg(format!("--datadir={}", self.data().display()));
        output(install)?;
        self.start()
    }

    /// As durable as in production; character set and collation as in Debian's package. A server
    /// that starts deletes what is left in its folder for temporary tables: one in common would
    /// be another's, too.
    fn config(&self, port: u16) -> String {
        let folder = self.folder.display();
        format!(
            "[mariadbd]
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
innodb_doublewrite = 1
character-set-server = utf8mb4
collation-server = utf8mb4_general_ci
ssl-cert = {folder}/server.pem
ssl-key = {folder}/server.key
ssl-ca = {folder}/ca.pem
"
        )
    }

    /// Starts it on data that is there.
    pub(super) fn start(&self) -> Result<()> {
        let mut server = self.account.command(&self.server, &[]);
        server.arg(format!("--defaults-file={}", self.folder.join("my.cnf").display()));
        self.daemon().start(server, || self.answers())
    }

    /// Ends it in order.
    pub(super) fn stop(&self) -> Result<()> {
        self.daemon().end(Signal::TERM)
    }

    /// Ends it as a crash does.
    pub(super) fn kill(&self) -> Result<()> {
        self.daemon().end(Signal::KILL)
    }
}

/// Run at every start, before the first connection.
fn init() -> String {
    // Without a host in the name `localhost` by the socket is meant too.
    format!(
        "CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION;
CREATE DATABASE IF NOT EXISTS {USER};
"
    )
}

/// Debian puts it where only root's `PATH` leads.
pub(super) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("mariadbd"))
        .find(|program| program.exists())
}
