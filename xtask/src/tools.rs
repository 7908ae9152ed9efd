//! The programs that check this project (`xtask/tools.txt`), in `.cache/tools`: installed from wheels, and
//! compiled where there is none for this machine.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::process::{announce, cargo, command, root, run};
use crate::python;

/// Where they are compiled.
const COMPILED: &str = ".cache/tools-compiled";

/// A program, and the crate that has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
}

/// Licences, banned crates and second versions (`deny.toml`).
pub(crate) const CARGO_DENY: Tool = Tool { program: "cargo-deny", package: "cargo-deny" };
/// Dependencies that nothing uses.
pub(crate) const CARGO_SHEAR: Tool = Tool { program: "cargo-shear", package: "cargo-shear" };
/// Spelling (`typos.toml`).
pub(crate) const TYPOS: Tool = Tool { program: "typos", package: "typos-cli" };

impl Tool {
    /// The program's file, installed if it isn't there yet.
    ///
    /// # Errors
    /// It can be neither installed nor compiled.
    pub(crate) fn path(self) -> Result<PathBuf> {
        match python::tools() {
            Ok(folder) => Ok(folder.join(self.program)),
            Err(error) => {
                announce(&format!("no wheel of {}, which is compiled: {error:#}", self.program));
                self.compiled()
            }
        }
    }

    fn compiled(self) -> Result<PathBuf> {
        let path = root().join(COMPILED).join("bin").join(self.program);
        if !path.exists() {
            let version = self.version()?;
            let mut install = cargo(&["install", "--locked", "--debug", "--root", COMPILED]);
            install.args(["--version", version, self.package]);
            run(install)?;
        }
        Ok(path)
    }

    /// The one that `xtask/tools.txt` names.
    fn version(self) -> Result<&'static str> {
        version_in(include_str!("../tools.txt"), self.program)
            .with_context(|| format!("xtask/tools.txt names no version of {}", self.program))
    }

    /// Runs it.
    ///
    /// # Errors
    /// It isn't there, or finds something.
    pub(crate) fn run(self, arguments: &[&str]) -> Result<()> {
        run(command(self.path()?, arguments))
    }
}

/// The version of the package whose name is, or ends in, the program's.
fn version_in<'a>(list: &'a str, program: &str) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let (name, version) = line.split_once("==")?;
        let is_it = name == program || name.strip_suffix(program)?.ends_with('-');
        is_it.then_some(version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_its_version() {
        for tool in [CARGO_DENY, CARGO_SHEAR, TYPOS] {
            assert!(tool.version().unwrap().starts_with(|c: char| c.is_ascii_digit()), "{tool:?}");
        }
        let list = "# a==0\nx-cargo-deny==1.2\nypos==3\ntypos==4\n";
        assert_eq!(version_in(list, "cargo-deny"), Some("1.2"));
        assert_eq!(version_in(list, "typos"), Some("4"));
        assert_eq!(version_in(list, "deny-not"), None);
    }
}
