//! Where a server's programs are: this machine's own, those of another system in a folder (as
//! debootstrap makes one), or those of a folder that run where they are.
//!
//! `SIMPLEJWT_SERVICES_POSTGRES` and `SIMPLEJWT_SERVICES_MYSQL` name such a folder, for whatever
//! starts servers; `SIMPLEJWT_SERVICES_MYSQL_OPTIONS` holds further lines of the server's
//! configuration, with `;` between them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::account::Account;
use crate::process::command;

/// The folder that is named for PostgreSQL.
pub(crate) const POSTGRES: &str = "SIMPLEJWT_SERVICES_POSTGRES";
/// The folder that is named for MySQL or MariaDB.
pub(crate) const MYSQL: &str = "SIMPLEJWT_SERVICES_MYSQL";
/// Further lines for the configuration of MySQL or MariaDB.
pub(crate) const MYSQL_OPTIONS: &str = "SIMPLEJWT_SERVICES_MYSQL_OPTIONS";

/// Shows the folder at its own place inside the root, and this machine's devices, for this process
/// alone, and goes there.
const ENTER: &str = "\
    set -e; root=$1; folder=$2; account=$3; shift 3; \
    mkdir -p \"$root$folder\"; mount --bind \"$folder\" \"$root$folder\"; \
    mount --rbind /dev \"$root/dev\"; \
    exec chroot --userspec=\"$account\" \"$root\" \"$@\"";

/// The programs of one server, and who runs them.
#[derive(Clone)]
pub(super) struct Programs {
    /// The other system, if it is one.
    root: Option<PathBuf>,
    /// The folder with the programs, as it is called inside.
    pub(super) bin: PathBuf,
    pub(super) account: Account,
}

impl Programs {
    /// This machine's.
    pub(super) fn here(bin: PathBuf, account: Account) -> Self {
        Self { root: None, bin, account }
    }

    /// Those of another system, run by its account of one of these names.
    pub(super) fn of(root: &Path, bin: PathBuf, accounts: &[&str]) -> Result<Self> {
        let account = Account::of(&root.join("etc/passwd"), accounts)?;
        Ok(Self { root: Some(root.to_path_buf()), bin, account })
    }

    /// One of the programs, which sees `folder` and, elsewhere than here, nothing else of this
    /// machine's.
    pub(super) fn command(&self, program: &str, arguments: &[&str], folder: &Path) -> Command {
        let program = self.path(program);
        let Some(root) = &self.root else { return self.account.command(program, arguments) };
        let mut entering = command("unshare", &["--mount", "sh", "-c", ENTER, "sh"]);
        entering.arg(root).arg(folder).arg(self.account.name()).arg(program).args(arguments);
        entering
    }

    /// Debian puts servers and what makes their data into different folders.
    fn path(&self, program: &str) -> PathBuf {
        let there =
            |folder: &Path| Some(folder.join(program)).filter(|path| self.outside(path).exists());
        let found = there(&self.bin).or_else(|| there(Path::new("/usr/bin")));
        found.unwrap_or_else(|| program.into())
    }

    /// Where a file of that system's is.
    pub(super) fn outside(&self, path: impl AsRef<Path>) -> PathBuf {
        match &self.root {
            Some(root) => root.join(path.as_ref().strip_prefix("/").unwrap_or(path.as_ref())),
            None => path.as_ref().to_path_buf(),
        }
    }
}

/// The folder that a variable names.
pub(super) fn named(variable: impl AsRef<OsStr>) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The newest version's programs of PostgreSQL under a folder that is laid out as Debian's.
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

/// A path inside a root, as it is called there.
pub(super) fn inside(root: &Path, path: &Path) -> Result<PathBuf> {
    let rest = path.strip_prefix(root).context("a program isn't in its root")?;
    Ok(Path::new("/").join(rest))
}
