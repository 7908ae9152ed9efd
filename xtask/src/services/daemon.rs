//! The common parts of PostgreSQL and MariaDB as processes.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::{announce, wait_for};

/// The time limit for a start in seconds, longer than any takes, including recovery after a crash.
const START_SECONDS: u32 = 60;
const END_SECONDS: u32 = 60;

/// A server's process, started by one run of this program and found again by another.
pub(super) struct Daemon {
    /// The name for messages.
    pub(super) name: &'static str,
    /// A file whose first line is the process id.
    pub(super) pid_file: PathBuf,
    /// The file with its output.
    pub(super) log: PathBuf,
    /// A path in its command line that no other process has.
    pub(super) mark: PathBuf,
}

impl Daemon {
    /// Returns the running process. A file left behind by a killed process isn't mistaken for it.
    pub(super) fn running(&self) -> Option<Pid> {
        let text = fs::read_to_string(&self.pid_file).ok()?;
        let pid: i32 = text.lines().next()?.trim().parse().ok()?;
        let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        String::from_utf8_lossy(&words).contains(self.mark.to_str()?).then_some(())?;
        Pid::from_raw(pid)
    }

    /// Starts it in the background and waits until `ready` returns `true`.
    ///
    /// # Errors
    /// It ended, or isn't ready in time; with the end of its log.
    pub(super) fn start(&self, mut command: Command, ready: impl Fn() -> bool) -> Result<()> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("can't write {}", self.log.display()))?;
        announce(&format!("starting {}", self.name));
        // In its own process group, so that Ctrl-C in this program doesn't affect it.
        let mut process = command
            .stdout(log.try_clone()?)
            .stderr(log)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("can't start {}", self.name))?;
        let done = wait_for(START_SECONDS, || {
            if let Some(status) = process.try_wait()? {
                bail!("{} ended at its start ({status}):\n{}", self.name, tail(&self.log));
            }
            Ok(ready().then_some(()))
        })?;
        if done.is_none() {
            process.kill()?;
            bail!("{} isn't ready after {START_SECONDS} s:\n{}", self.name, tail(&self.log));
        }
        Ok(())
    }

    /// Sends the signal to the process, if there is one, and waits for its end.
    ///
    /// # Errors
    /// It can't be signalled, or doesn't end in time.
    pub(super) fn end(&self, signal: Signal) -> Result<()> {
        let Some(pid) = self.running() else { return Ok(()) };
        kill_process(pid, signal).with_context(|| format!("can't signal {}", self.name))?;
        let done = wait_for(END_SECONDS, || Ok(self.running().is_none().then_some(())))?;
        if done.is_none() {
            bail!("{} doesn't end:\n{}", self.name, tail(&self.log));
        }
        Ok(())
    }
}

/// Returns the last lines of the log.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<&str> = text.lines().rev().take(20).collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_id_of_another_program_is_not_taken_for_the_server() {
        let folder = std::env::temp_dir().join(format!("xtask-daemon-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut daemon = Daemon {
            name: "test",
            pid_file: folder.join("pid"),
            log: folder.join("log"),
            mark: folder.join("data"),
        };
        assert_eq!(daemon.running(), None);
        fs::write(&daemon.pid_file, format!("{}\nmore\n", std::process::id())).unwrap();
        assert_eq!(daemon.running(), None);
        // The test's own command line begins with its path.
        daemon.mark = std::env::args().next().unwrap().into();
        assert_eq!(daemon.running(), Some(rustix::process::getpid()));
        fs::remove_dir_all(folder).unwrap();
    }
}
