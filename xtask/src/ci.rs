//! `cargo xtask ci`: each rule of CONTRIBUTING.md as a step that fails when it is broken.

use std::path::PathBuf;

use anyhow::Result;

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
    deny()?;
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
    test::run()
}

/// `Cargo.lock` fits the manifests.
fn lock_file() -> Result<()> {
    announce("Cargo.lock fits the manifests");
    output(cargo(&["metadata", "--locked", "--format-version", "1"])).map(drop)
}

/// `deny.toml` holds. Advisories are left out: they need a database from outside.
fn deny() -> Result<()> {
    run_command(command(cargo_deny()?, &["check", "bans", "licenses", "sources"]))
}

/// The pinned cargo-deny, compiled into `.cache/tools` where it isn't there yet.
fn cargo_deny() -> Result<PathBuf> {
    let folder = root().join(".cache/tools");
    let tool = folder.join("bin/cargo-deny");
    let version = command(&tool, &["--version"]).output();
    let current = version.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == CARGO_DENY)
    });
    if !current {
        // Its speed doesn't matter; the time to compile it does.
        let mut install = cargo(&["install", "--locked", "--debug", "--force", "--root"]);
        install.arg(&folder).args(["--version", CARGO_DENY, "cargo-deny"]);
        run_command(install)?;
    }
    Ok(tool)
}
