//! `cargo xtask ci`: each rule of CONTRIBUTING.md as a step that fails when it is broken.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Child;

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, cargo, command, output, root, run as run_command};
use crate::{generate, outside, references, test};

/// Pinned, so that a release of the tool can't break a build.
const CARGO_DENY: &str = "0.20.2";

/// Runs every step, the cheap ones first; the first that fails ends it.
///
/// # Errors
/// What that step says.
pub(crate) fn run() -> Result<()> {
    lock_file()?;
    run_command(cargo(&["fmt", "--all", "--check"]))?;
    references::check()?;
    outside::table()?;
    let deny = CargoDeny::start()?;
    run_command(cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))?;
    outside::compile()?;
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--all-features"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run_command(doc)?;
    generate::check()?;
    let tested = test::run();
    // A rule that is broken is told, whatever else is.
    let allowed = deny.check();
    tested.and(allowed)
}

/// `Cargo.lock` fits the manifests.
fn lock_file() -> Result<()> {
    announce("Cargo.lock fits the manifests");
    output(cargo(&["metadata", "--locked", "--format-version", "1"])).map(drop)
}

/// cargo-deny, in `.cache/tools`. Where it isn't there yet it is compiled beside the other steps,
/// with what they leave of the processors.
struct CargoDeny {
    tool: PathBuf,
    compiling: Option<Child>,
    log: PathBuf,
}

impl CargoDeny {
    fn start() -> Result<Self> {
        let folder = root().join(".cache/tools");
        let tool = folder.join("bin/cargo-deny");
        let log = folder.join("cargo-deny.log");
        let version = command(&tool, &["--version"]).output();
        let current = version.is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout)
                .split_whitespace()
                .any(|word| word == CARGO_DENY)
        });
        let mut compiling = None;
        if !current {
            announce("compiling cargo-deny, beside what follows");
            fs::create_dir_all(&folder)?;
            let said = File::create(&log)?;
            // Its speed doesn't matter; the time to compile it does.
            let mut install = command("nice", &["-n", "19"]);
            install.arg(cargo(&[]).get_program());
            install.args(["install", "--locked", "--debug", "--force", "--root"]).arg(&folder);
            install.args(["--version", CARGO_DENY, "cargo-deny"]);
            install.stdout(said.try_clone()?).stderr(said);
            compiling = Some(install.spawn().context("can't start `nice`")?);
        }
        Ok(Self { tool, compiling, log })
    }

    /// `deny.toml` holds. Advisories are left out: they need a database from outside.
    fn check(mut self) -> Result<()> {
        if let Some(mut compiling) = self.compiling.take()
            && !compiling.wait()?.success()
        {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            bail!("cargo-deny can't be compiled:\n{said}");
        }
        run_command(command(&self.tool, &["check", "bans", "licenses", "sources"]))
    }
}

impl Drop for CargoDeny {
    /// Where another step has ended the run.
    fn drop(&mut self) {
        if let Some(compiling) = &mut self.compiling {
            let _ = compiling.kill();
            let _ = compiling.wait();
        }
    }
}
