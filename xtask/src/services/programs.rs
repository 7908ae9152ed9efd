//! The location of a server's programs: this machine's own, those of another system in a directory
//! (as created by debootstrap), or programs in a directory that run in place.
//!
//! `SIMPLEJWT_SERVICES_POSTGRES` and `SIMPLEJWT_SERVICES_MYSQL` name such a directory, for
//! everything that starts servers; `SIMPLEJWT_SERVICES_MYSQL_OPTIONS` has further lines for the
//! server's configuration, separated by `;`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::account::Account;
use crate::process::command;

/// The variable with the directory of PostgreSQL.
pub(crate) const POSTGRES: &str = "SIMPLEJWT_SERVICES_POSTGRES";
/// The variable with the directory of MySQL or MariaDB.
pub(crate) const MYSQL: &str = "SIMPLEJWT_SERVICES_MYSQL";
/// The variable with further lines for the configuration of MySQL or MariaDB.
pub(crate) const MYSQL_OPTIONS: &str = "SIMPLEJWT_SERVICES_MYSQL_OPTIONS";

/// Mounts the directory at the same path inside the root, and this machine's devices, for this
/// process alone, and enters the root.
const ENTER: &str = "\
    set -e; root=$1; folder=$2; account=$3; shift 3; \
    mkdir -p \"$root$folder\"; mount --bind \"$folder\" \"$root$folder\"; \
    mount --rbind /dev \"$root/dev\"; \
    exec chroot --userspec=\"$account\" \"$root\" \"$@\"";

/// The programs of one server, and the account that runs them.
#[derive(Clone)]
pub(super) struct Programs {
    /// The root of the other system, if there is one.
    root: Option<PathBuf>,
    /// The directory with the programs, as a path inside the root.
    pub(super) bin: PathBuf,
    pub(super) account: Account,
}

impl Programs {
    /// Returns this machine's programs.
    pub(super) fn here(bin: PathBuf, account: Account) -> Self {
        Self { root: None, bin, account }
    }

    /// Returns the programs of another system, run by its account with one of these names.
    pub(super) fn of(root: &Path, bin: PathBuf, accounts: &[&str]) -> Result<Self> {
        let account = Account::of(&root.join("etc/passwd"), accounts)?;
        Ok(Self { root: Some(root.to_path_buf()), bin, account })
    }

    /// Returns a command for one of the programs. In another root, `folder` is all that it sees of
    /// this machine.
    pub(super) fn command(&self, program: &str, arguments: &[&str], folder: &Path) -> Command {
        let program = self.path(program);
        let Some(root) = &self.root else { return self.account.command(program, arguments) };
        let mut entering = command("unshare", &["--mount", "sh", "-c", ENTER, "sh"]);
        entering.arg(root).arg(folder).arg(self.account.name()).arg(program).args(arguments);
        entering
    }

    /// Debian puts servers and the programs that create their data into different directories.
    fn path(&self, program: &str) -> PathBuf {
        let there =
            |folder: &Path| Some(folder.join(program)).filter(|path| self.outside(path).exists());
        let found = there(&self.bin).or_else(|| there(Path::new("/usr/bin")));
        found.unwrap_or_else(|| program.into())
    }

    /// Returns the path of a file of that system, seen from outside.
    pub(super) fn outside(&self, path: impl AsRef<Path>) -> PathBuf {
        match &self.root {
            Some(root) => root.join(path.as_ref().strip_prefix("/").unwrap_or(path.as_ref())),
            None => path.as_ref().to_path_buf(),
        }
    }
}

/// Returns the directory that a variable names.
pub(super) fn named(variable: impl AsRef<OsStr>) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Returns the newest version's PostgreSQL programs under a directory laid out like Debian's.
pub(super) fn newest(versions: &Path) -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(versions)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

/// Returns a path inside a root as it is called there.
pub(super) fn inside(root: &Path, path: &Path) -> Result<PathBuf> {
    let rest = path.strip_prefix(root).context("a program isn't in its root")?;
    Ok(Path::new("/").join(rest))
}
