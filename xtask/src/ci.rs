//! `cargo xtask ci`: each rule of CONTRIBUTING.md as a step that fails when it is broken.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process::{announce, cargo, command, output, root, run as run_command};
use crate::{generate, references, test};

/// What the library without features must not pull in.
const NOT_IN_THE_CORE: &[&str] =
    &["axum", "axum-core", "hyper", "rusqlite", "tokio", "tower", "tower-layer", "tower-service"];

/// Each has to compile without the others.
const FEATURES: &[&str] = &["tower", "web", "axum", "sqlite", "postgres", "mysql"];

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
    core_dependencies()?;
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
    for feature in FEATURES {
        let library = ["check", "-p", "simplejwt", "--no-default-features", "--features", feature];
        run_command(cargo(&library))?;
    }
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

/// The library without features has neither a web framework, nor a runtime, nor a database.
fn core_dependencies() -> Result<()> {
    announce("the library without features has no framework, runtime or database");
    let tree = output(cargo(&[
        "tree",
        "--package",
        "simplejwt",
        "--no-default-features",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let names: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    if !names.contains("simplejwt") {
        bail!("`cargo tree` does not show simplejwt itself:\n{tree}");
    }
    let unwanted: Vec<_> = NOT_IN_THE_CORE.iter().filter(|name| names.contains(*name)).collect();
    if !unwanted.is_empty() {
        bail!(
            "simplejwt without features depends on {unwanted:?}: put the dependency behind a feature"
        );
    }
    Ok(())
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
