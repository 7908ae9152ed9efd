//! `cargo xtask services`: temporary PostgreSQL and MariaDB servers for the tests.
//!
//! They use Debian's packages with their own data, ports and sockets, and touch nothing of a server
//! that the machine already has. Each instance has a name: `main` is for developers, `test` for
//! `cargo xtask test`, and a test that kills its server creates its own.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, root, this_program};

mod account;
mod daemon;
mod mariadb;
mod packages;
mod postgres;
pub(crate) mod programs;
mod tls;

use account::Account;
use mariadb::MariaDb;
pub(crate) use packages::require;
use postgres::Postgres;
use tls::Tls;

/// The superuser, its password and its database.
const USER: &str = "simplejwt";
const PASSWORD: &str = "simplejwt";

/// The maximum length of a directory's path: on Linux, a socket's path has at most 107 bytes, of
/// which 48 are reserved for names inside.
const LONGEST_FOLDER: usize = 59;

const USAGE: &str = "\
usage: cargo xtask services [--name NAME] <command>

  up [postgres|mariadb]             start both, or one of them
  down                              stop and remove them; without --name all instances
  env                               print the variables by which tests find them
  stop|start|kill postgres|mariadb  stop properly; start again; kill, as a crash does
  standby up|promote|down           a synchronous standby of PostgreSQL";

/// Runs the command in the arguments.
///
/// # Errors
/// A server can't be started, or the arguments are invalid.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let (name, words) = match words {
        ["--name", name, rest @ ..] => (Some(*name), rest),
        _ => (None, words),
    };
    let instance = || Instance::named(name.unwrap_or("main"));
    match words {
        ["up"] => instance()?.up(&[ServerKind::Postgres, ServerKind::MariaDb]),
        ["up", kind] => instance()?.up(&[ServerKind::of(kind)?]),
        ["down"] if name.is_some() => instance()?.down(),
        ["down"] => all()?.iter().try_for_each(Instance::down),
        ["env"] => {
            for (name, value) in instance()?.variables()? {
                println!("export {name}={}", quoted(&value));
            }
            Ok(())
        }
        [order @ ("stop" | "start" | "kill"), kind] => {
            instance()?.order(order, ServerKind::of(kind)?)
        }
        ["standby", order] => instance()?.standby(order),
        _ => bail!("{USAGE}"),
    }
}

/// A server of an instance.
#[derive(Clone, Copy)]
pub(crate) enum ServerKind {
    Postgres,
    MariaDb,
}

impl ServerKind {
    fn of(word: &str) -> Result<Self> {
        match word {
            "postgres" => Ok(Self::Postgres),
            "mariadb" => Ok(Self::MariaDb),
            _ => bail!("there is no database {word:?}\n{USAGE}"),
        }
    }
}

/// A set of servers and its directory.
pub(crate) struct Instance {
    folder: PathBuf,
}

/// An instance that is removed when this is dropped.
pub(crate) struct Up(Instance);

impl Up {
    /// Starts a new instance; the remains of a killed run are removed first.
    ///
    /// # Errors
    /// As [`Instance::up`].
    pub(crate) fn anew(name: &str) -> Result<Self> {
        require()?;
        Self::of(name, &[ServerKind::Postgres, ServerKind::MariaDb])
    }

    /// As [`anew`](Self::anew), with some of the servers.
    ///
    /// # Errors
    /// As [`Instance::up`].
    pub(crate) fn of(name: &str, kinds: &[ServerKind]) -> Result<Self> {
        require()?;
        let up = Self(Instance::named(name)?);
        up.0.down()?;
        up.0.up(kinds)?;
        Ok(up)
    }

    /// As [`Instance::variables`].
    ///
    /// # Errors
    /// A file of the instance can't be read.
    pub(crate) fn variables(&self) -> Result<Vec<(&'static str, String)>> {
        self.0.variables()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Err(error) = self.0.down() {
            eprintln!("the databases can't be stopped: {error:#}");
        }
    }
}

impl Instance {
    fn named(name: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 16 || !name.chars().all(plain) {
            bail!("a name of servers consists of 1 to 16 of a-z, 0-9 and -; {name:?} doesn't");
        }
        Ok(Self { folder: base()?.join(name) })
    }

    /// Starts servers that aren't running. Existing servers that don't answer are created anew.
    fn up(&self, kinds: &[ServerKind]) -> Result<()> {
        require()?;
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("can't make {}", self.folder.display()))?;
        let tls = Tls::new(&self.folder);
        if !tls.authority().exists() {
            tls.make()?;
        }
        for kind in kinds {
            match kind {
                ServerKind::Postgres => {
                    let server = Postgres::primary(&self.folder)?;
                    if server.answers() {
                        announce("PostgreSQL is running already");
                    } else {
                        server.kill()?;
                        server.make(&tls)?;
                    }
                    println!("PostgreSQL: {}", server.url()?);
                }
                ServerKind::MariaDb => {
                    let server = MariaDb::new(&self.folder)?;
                    if server.answers() {
                        announce("MariaDB is running already");
                    } else {
                        server.kill()?;
                        server.make(&tls)?;
                    }
                    println!("MySQL or MariaDB: {}", server.url()?);
                }
            }
        }
        Ok(())
    }

    /// Stops the servers and removes their data.
    fn down(&self) -> Result<()> {
        if !self.folder.exists() {
            return Ok(());
        }
        announce(&format!("stopping the databases of {}", self.folder.display()));
        if postgres::programs().is_some() {
            Postgres::standby(&self.folder)?.kill()?;
            Postgres::primary(&self.folder)?.kill()?;
        }
        if mariadb::program().is_some() {
            MariaDb::new(&self.folder)?.kill()?;
        }
        fs::remove_dir_all(&self.folder)
            .with_context(|| format!("can't remove {}", self.folder.display()))
    }

    /// Returns the variables by which tests find the servers.
    ///
    /// # Errors
    /// There are no servers, or one of their files can't be read.
    fn variables(&self) -> Result<Vec<(&'static str, String)>> {
        let shown = |path: PathBuf| path.display().to_string();
        let mut found = Vec::new();
        if self.folder.join("postgres").exists() {
            let server = Postgres::primary(&self.folder)?;
            found.push(("SIMPLEJWT_TEST_POSTGRES_URL", server.url()?));
            found.push(("SIMPLEJWT_TEST_POSTGRES_SOCKET", shown(server.socket())));
        }
        if self.folder.join("standby").exists() {
            let server = Postgres::standby(&self.folder)?;
            found.push(("SIMPLEJWT_TEST_POSTGRES_STANDBY_URL", server.url()?));
        }
        if self.folder.join("mariadb").exists() {
            let server = MariaDb::new(&self.folder)?;
            found.push(("SIMPLEJWT_TEST_MYSQL_URL", server.url()?));
            found.push(("SIMPLEJWT_TEST_MYSQL_SOCKET", shown(server.socket())));
        }
        if found.is_empty() {
            bail!("no databases are up: run `cargo xtask services up` first");
        }
        found.push(("SIMPLEJWT_TEST_CA_FILE", shown(Tls::new(&self.folder).authority())));
        // For tests that need their own servers.
        found.push(("SIMPLEJWT_TEST_XTASK", shown(this_program()?)));
        Ok(found)
    }

    fn order(&self, order: &str, kind: ServerKind) -> Result<()> {
        match kind {
            ServerKind::Postgres => {
                let server = Postgres::primary(&self.folder)?;
                match order {
                    "start" => server.start(),
                    "stop" => server.stop(),
                    _ => server.kill(),
                }
            }
            ServerKind::MariaDb => {
                let server = MariaDb::new(&self.folder)?;
                match order {
                    "start" => server.start(),
                    "stop" => server.stop(),
                    _ => server.kill(),
                }
            }
        }
    }

    fn standby(&self, order: &str) -> Result<()> {
        let primary = Postgres::primary(&self.folder)?;
        let standby = Postgres::standby(&self.folder)?;
        match order {
            "up" if standby.answers() => announce("the standby is running already"),
            "up" => {
                if self.folder.join("standby").exists() {
                    standby.forget(&primary)?;
                }
                standby.follow(&primary)?;
                println!("standby: {}", standby.url()?);
            }
            "promote" => standby.promote()?,
            "down" => standby.forget(&primary)?,
            _ => bail!("{USAGE}"),
        }
        Ok(())
    }
}

/// Quotes a value as one word for a shell.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:@._-".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Returns the directory of instances: in the project, unless the servers' accounts can't enter it
/// or the path is too long for a socket.
fn base() -> Result<PathBuf> {
    let inside = root().join(".cache/services");
    let mut hasher = DefaultHasher::new();
    root().hash(&mut hasher);
    let name = format!("simplejwt-services-{:016x}", hasher.finish());
    let accounts = [Account::find(&["postgres", "nobody"])?, Account::find(&["mysql", "nobody"])?];
    for folder in [inside, std::env::temp_dir().join(&name), Path::new("/tmp").join(&name)] {
        let fits = folder.as_os_str().len() <= LONGEST_FOLDER;
        if fits
            && fs::create_dir_all(&folder).is_ok()
            && accounts.iter().all(|account| account.reaches(&folder))
        {
            return Ok(folder);
        }
    }
    bail!("there is no folder that the accounts of the database servers can reach")
}

/// Returns all existing instances.
fn all() -> Result<Vec<Instance>> {
    let base = base()?;
    let entries = fs::read_dir(&base).with_context(|| format!("can't read {}", base.display()))?;
    entries.map(|entry| Ok(Instance { folder: entry?.path() })).collect()
}

/// Creates an empty directory that belongs to the account alone, and removes any earlier one.
fn new_folder(path: &Path, account: &Account) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("can't remove {}", path.display()))?;
    }
    fs::create_dir(path).with_context(|| format!("can't make {}", path.display()))?;
    account.own(path)
}

/// Returns a port that nobody listens on, and no instance that is stopped. Projects begin to search
/// at different ports, so that two that search at once don't find the same one.
fn free_port(first: u16) -> Result<u16> {
    let mut hasher = DefaultHasher::new();
    root().hash(&mut hasher);
    let offset = u16::try_from(hasher.finish() % 90)? * 10;
    let kept = kept_ports(&base()?)?;
    (first + offset..first + offset + 100)
        .find(|port| !kept.contains(port) && TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .with_context(|| format!("no port is free from {} on", first + offset))
}

/// Returns the ports of all instances, of those too that are stopped and will be started again.
fn kept_ports(base: &Path) -> Result<Vec<u16>> {
    let mut ports = Vec::new();
    for instance in fs::read_dir(base).with_context(|| format!("can't read {}", base.display()))? {
        // Another process may be removing it.
        let Ok(servers) = fs::read_dir(instance?.path()) else { continue };
        ports.extend(servers.flatten().filter_map(|server| read_port(&server.path()).ok()));
    }
    Ok(ports)
}

fn write_port(folder: &Path, port: u16) -> Result<()> {
    let path = folder.join("port");
    fs::write(&path, port.to_string()).with_context(|| format!("can't write {}", path.display()))
}

fn read_port(folder: &Path) -> Result<u16> {
    let path = folder.join("port");
    let text =
        fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    text.parse().with_context(|| format!("{} holds no port", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_one_word_for_a_shell() {
        assert_eq!(quoted("mysql://a:b@127.0.0.1:1/c"), "mysql://a:b@127.0.0.1:1/c");
        for value in ["/a b", "it's", "$HOME", "a;b"] {
            let echoed = crate::process::output(crate::process::command(
                "sh",
                &["-c", &format!("printf %s {}", quoted(value))],
            ));
            assert_eq!(echoed.unwrap(), value);
        }
    }

    #[test]
    fn a_name_can_not_lead_out_of_the_folder() {
        for name in ["", "..", "a/b", "UP", "seventeen-letters"] {
            assert!(Instance::named(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_port_that_is_taken_is_passed_over() {
        let first = free_port(20000).unwrap();
        let taken = TcpListener::bind(("127.0.0.1", first)).unwrap();
        assert!(free_port(20000).unwrap() > first);
        drop(taken);
    }

    #[test]
    fn a_stopped_server_keeps_its_port() {
        let base = std::env::temp_dir().join(format!("ports-{}", std::process::id()));
        for (at, server) in ["a/postgres", "a/standby", "b/mariadb"].into_iter().enumerate() {
            fs::create_dir_all(base.join(server)).unwrap();
            write_port(&base.join(server), 15_000 + u16::try_from(at).unwrap()).unwrap();
        }
        fs::create_dir_all(base.join("c/tls")).unwrap();
        let mut ports = kept_ports(&base).unwrap();
        ports.sort_unstable();
        fs::remove_dir_all(&base).unwrap();
        assert_eq!(ports, [15_000, 15_001, 15_002]);
    }
}
