//! The account that a database server runs as, because they all refuse root.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::packages::is_root;
use crate::process::{command, output, succeeds};

/// The account that runs a server and owns its files.
#[derive(Clone)]
pub(super) struct Account {
    /// The user and group ids; `None` for the current user.
    ids: Option<(u32, u32)>,
}

impl Account {
    /// For root, returns the first of these accounts that exists; otherwise the current user.
    pub(super) fn find(names: &[&str]) -> Result<Self> {
        if !is_root() {
            return Ok(Self { ids: None });
        }
        for name in names {
            if succeeds(command("id", &[name])) {
                return Ok(Self { ids: Some((id("-u", name)?, id("-g", name)?)) });
            }
        }
        bail!("a database server can't run as root, and none of the accounts {names:?} exists")
    }

    /// Returns the first of these accounts in another system's list of users; the current user if
    /// that isn't root.
    pub(super) fn of(passwd: &Path, names: &[&str]) -> Result<Self> {
        if !is_root() {
            return Ok(Self { ids: None });
        }
        let text = std::fs::read_to_string(passwd)
            .with_context(|| format!("can't read {}", passwd.display()))?;
        let ids = |name: &&str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")))?;
            let mut words = line.split(':').skip(1);
            Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        };
        match names.iter().find_map(ids) {
            Some(ids) => Ok(Self { ids: Some(ids) }),
            None => bail!("{} has none of the accounts {names:?}", passwd.display()),
        }
    }

    /// Returns the account in `chroot`'s form: numbers, which mean the same in every system.
    pub(super) fn name(&self) -> String {
        let (user, group) = self.ids.unwrap_or_default();
        format!("{user}:{group}")
    }

    /// Returns a command that runs as this account, in a directory that it can enter.
    pub(super) fn command(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = command(program.as_ref(), arguments);
        command.current_dir("/");
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command
    }

    /// Makes this account the owner of a file or directory.
    pub(super) fn own(&self, path: &Path) -> Result<()> {
        let Some((user, group)) = self.ids else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(user), Some(group))
            .with_context(|| format!("can't give {} to its account", path.display()))
    }

    /// Returns `true` if it can enter the directory.
    pub(super) fn reaches(&self, folder: &Path) -> bool {
        let mut test = self.command("test", &["-x"]);
        test.arg(folder);
        succeeds(test)
    }
}

fn id(what: &str, name: &str) -> Result<u32> {
    let printed = output(command("id", &[what, name]))?;
    printed.trim().parse().with_context(|| format!("`id {what} {name}` printed {printed:?}"))
}
