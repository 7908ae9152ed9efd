//! `cargo xtask consumers`: programs and libraries that read our tokens, started for real with what
//! docs/consumers.md prints.
//!
//! Python's libraries are in a virtual environment, npm's in a folder, and other programs in a Debian
//! system of their own, all in `.cache/consumers`. Nothing is installed beside it.

mod system;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, command, output, quiet, root, run as run_command};
use crate::{python, server};

/// The program, in Python.
const PROGRAM: &str = "xtask/consumers";
/// The folder with npm's lock file.
const NODE: &str = "xtask/consumers/node";

/// Runs the consumers with these names, or all, with `suite=NAME` those of another Debian release;
/// or, with `rotation`, the proof that keys may follow each other every few seconds.
///
/// # Errors
/// Something can't be installed, or a consumer did something else than the page says.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let python = python::consumers()?;
    let binary = server::binary()?;
    let cache = root().join(".cache/consumers");
    let suite = words.iter().find_map(|word| word.strip_prefix("suite="));
    let suite = suite.unwrap_or(system::STABLE);
    let system = cache.join(format!("system-{suite}"));
    let program = |arguments: &[&str]| {
        let mut program = command(&python, &["-W", "ignore", PROGRAM]);
        program.args(arguments).env("SIMPLEJWT_BIN", &binary);
        program.env("SIMPLEJWT_CONSUMERS_CACHE", &cache).env("SIMPLEJWT_CONSUMERS_SYSTEM", &system);
        program
    };
    let needs: Vec<&str> = std::iter::once("needs").chain(words.iter().copied()).collect();
    let needs = output(program(&needs))?;
    if needs.contains("node") {
        packages_of_npm(cache.join("node"))?;
    }
    if needs.contains("system") {
        system::make(suite, &system)?;
    }
    run_command(program(words))
}

/// Installs what the lock file names.
fn packages_of_npm(folder: PathBuf) -> Result<()> {
    if !quiet("node", &["--version"]) || !quiet("npm", &["--version"]) {
        bail!(
            "there is no node or npm: install them (on Debian and Ubuntu: sudo apt-get install npm)"
        );
    }
    let lock = fs::read(root().join(NODE).join("package-lock.json"))?;
    // Written last, so that an interrupted installation isn't mistaken for a finished one.
    let installed = folder.join("installed-lock.json");
    if fs::read(&installed).is_ok_and(|found| found == lock) {
        announce(&format!("{} has what {NODE} says", folder.display()));
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(root().join(NODE).join(name), folder.join(name))
            .with_context(|| format!("can't copy {name}"))?;
    }
    let mut ci = command("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    ci.current_dir(&folder);
    run_command(ci)?;
    fs::write(&installed, lock).with_context(|| format!("can't write {}", installed.display()))
}
