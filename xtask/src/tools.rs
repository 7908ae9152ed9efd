//! The programs that check this project (`xtask/tools.txt`), in `.cache/tools`: installed from
//! wheels, or compiled if there is no wheel for this machine.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::process::{announce, cargo, command, root, run};
use crate::python;

/// The directory in which they are compiled.
const COMPILED: &str = ".cache/tools-compiled";

/// A program, and the crate that contains it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
}

/// Checks licences, banned crates and duplicate versions (`deny.toml`).
pub(crate) const CARGO_DENY: Tool = Tool { program: "cargo-deny", package: "cargo-deny" };
/// Finds unused dependencies.
pub(crate) const CARGO_SHEAR: Tool = Tool { program: "cargo-shear", package: "cargo-shear" };
/// Checks the spelling (`typos.toml`).
pub(crate) const TYPOS: Tool = Tool { program: "typos", package: "typos-cli" };

impl Tool {
    /// Returns the path of the program, which is installed if necessary.
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

    /// Returns the version that `xtask/tools.txt` names.
    fn version(self) -> Result<&'static str> {
        version_in(include_str!("../tools.txt"), self.program)
            .with_context(|| format!("xtask/tools.txt names no version of {}", self.program))
    }

    /// Runs the program.
    ///
    /// # Errors
    /// It can't be installed, or finds something.
    pub(crate) fn run(self, arguments: &[&str]) -> Result<()> {
        run(command(self.path()?, arguments))
    }
}

/// Returns the version of the package whose name is, or ends in, the program's.
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
