//! Programs that run beside other steps: their output is kept, and shown when they have ended.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command};

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, command, command_line, root, this_program};

/// A running program, which is ended when this is dropped.
pub(crate) struct Beside {
    shown: String,
    child: Option<Child>,
    log: PathBuf,
}

impl Beside {
    /// Starts a program; `name` is that of its log.
    ///
    /// # Errors
    /// It can't be started, or its log can't be written.
    pub(crate) fn start(name: &str, mut program: Command) -> Result<Self> {
        let shown = command_line(&program);
        let folder = root().join(".cache/beside");
        fs::create_dir_all(&folder)?;
        let log = folder.join(format!("{name}.log"));
        let said = File::create(&log).with_context(|| format!("can't write {}", log.display()))?;
        announce(&format!("beside what follows: {shown}"));
        let child = program.stdout(said.try_clone()?).stderr(said).spawn();
        let child = child.with_context(|| format!("can't start `{shown}`"))?;
        Ok(Self { shown, child: Some(child), log })
    }

    /// Starts a command of this program at low priority, so that it uses the processors that the
    /// other steps leave free.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn start_own(name: &str, words: &[&str]) -> Result<Self> {
        let mut program = command("nice", &["-n", "19"]);
        program.arg(this_program()?).args(words);
        Self::start(name, program)
    }

    /// Waits for the end and shows the output. Returns whether it succeeded, and the output.
    ///
    /// # Errors
    /// Its log can't be read.
    pub(crate) fn end(mut self) -> Result<(bool, String)> {
        let mut succeeded = false;
        if let Some(child) = &mut self.child {
            succeeded = child.wait()?.success();
        }
        self.child = None;
        let said =
            fs::read(&self.log).with_context(|| format!("can't read {}", self.log.display()))?;
        let said = String::from_utf8_lossy(&said).into_owned();
        announce(&self.shown);
        print!("{said}");
        Ok((succeeded, said))
    }

    /// Waits for a successful end.
    ///
    /// # Errors
    /// It failed; its output is shown.
    pub(crate) fn succeed(self) -> Result<()> {
        let shown = self.shown.clone();
        match self.end()? {
            (true, _) => Ok(()),
            (false, _) => bail!("`{shown}` failed: its output is above"),
        }
    }
}

impl Drop for Beside {
    /// Another step has ended the run.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        command("sh", &["-c", script])
    }

    #[test]
    fn what_it_says_and_how_it_ends_is_told_at_its_end() {
        let name = |part: &str| format!("test-{part}-{}", std::process::id());
        let good = Beside::start(&name("good"), sh("echo one; echo two >&2")).unwrap();
        assert_eq!(good.end().unwrap(), (true, "one\ntwo\n".to_owned()));
        let bad = Beside::start(&name("bad"), sh("exit 3")).unwrap();
        assert!(bad.succeed().unwrap_err().to_string().contains("exit 3"));
        for part in ["good", "bad"] {
            fs::remove_file(root().join(format!(".cache/beside/{}.log", name(part)))).unwrap();
        }
    }
}
