//! The libraries' public API as a list with one item per line, kept in `crates/*/api.txt`, so that
//! the diff shows what a change adds or removes.
//!
//! The list is made from rustdoc's JSON, which the stable toolchain writes with `RUSTC_BOOTSTRAP`
//! (set for rustdoc alone: in cargo's environment it would cause everything to be recompiled). If
//! another toolchain writes another format, this program says so. Auto traits (`Send`, `Sync`)
//! aren't listed.

mod shown;
mod walk;

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process::{announce, cargo, command, output, root, run as run_command};

/// The crates that others depend on.
const LIBRARIES: [&str; 3] = ["simplejwt", "simplejwt-actix", "simplejwt-pbkdf2"];

/// Checks the lists, writes them (`--write`), or compares with what is published (`semver`).
///
/// # Errors
/// They aren't what the source says, or rustdoc fails.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    match words {
        [] => check(),
        ["--write"] => {
            for library in LIBRARIES {
                fs::write(file(library), list(library)?)?;
            }
            Ok(())
        }
        ["semver"] => semver(),
        _ => bail!("usage: cargo xtask api [--write | semver]"),
    }
}

/// Compares the lists with the source.
///
/// # Errors
/// The lists differ; the lines are printed.
pub(crate) fn check() -> Result<()> {
    let mut stale = Vec::new();
    for library in LIBRARIES {
        let is = list(library)?;
        let was = fs::read_to_string(file(library)).unwrap_or_default();
        let changes = changes(&was, &is);
        if !changes.is_empty() {
            println!("{library}:\n{}", changes.join("\n"));
            stale.push(library);
        }
    }
    if !stale.is_empty() {
        bail!(
            "the public API of {} differs from api.txt: if that is intended, run `cargo xtask api \
             --write` and commit it",
            stale.join(", ")
        );
    }
    Ok(())
}

/// Runs cargo-semver-checks against the latest version on crates.io, as a step of a release.
fn semver() -> Result<()> {
    let folder = root().join(".cache/semver-checks");
    let tool = folder.join("bin/cargo-semver-checks");
    if !tool.exists() {
        let mut install = cargo(&["install", "--locked", "cargo-semver-checks", "--root"]);
        install.arg(&folder);
        run_command(install)?;
    }
    let mut check = command(tool, &["semver-checks", "--all-features"]);
    for library in LIBRARIES {
        check.args(["--package", library]);
    }
    run_command(check)
}

fn file(library: &str) -> PathBuf {
    root().join("crates").join(library).join("api.txt")
}

/// Returns the lines that are in only one of two lists.
fn changes(was: &str, is: &str) -> Vec<String> {
    let only = |one: &str, other: &str, sign: char| {
        let other: std::collections::BTreeSet<&str> = other.lines().collect();
        let lines = one.lines().filter(|line| !other.contains(line));
        lines.map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
    };
    [only(was, is, '-'), only(is, was, '+')].concat()
}

fn list(library: &str) -> Result<String> {
    announce(&format!("the public API of {library}"));
    let target = output(cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]))?;
    let target: Value = serde_json::from_str(&target)?;
    let target = PathBuf::from(target["target_directory"].as_str().context("no target")?);
    fs::create_dir_all(&target)?;
    let rustdoc = target.join("rustdoc-json.sh");
    let real = output(command("rustc", &["--print", "sysroot"]))?;
    let script =
        format!("#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec '{}/bin/rustdoc' \"$@\"\n", real.trim());
    if fs::read_to_string(&rustdoc).ok().as_ref() != Some(&script) {
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o755).open(&rustdoc)?;
        std::io::Write::write_all(&mut file, script.as_bytes())?;
    }
    // A separate directory for the pages only.
    let mut doc = cargo(&["doc", "--quiet", "--no-deps", "--all-features", "--package", library]);
    doc.env("RUSTDOC", &rustdoc);
    doc.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json");
    output(doc)?;
    let json = target.join("doc").join(format!("{}.json", library.replace('-', "_")));
    let text = fs::read(&json).with_context(|| format!("can't read {}", json.display()))?;
    let lines = walk::lines(&serde_json::from_slice(&text)?)?;
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_and_went_is_told() {
        assert_eq!(changes("a\nb\n", "b\nc\n"), ["- a", "+ c"]);
        assert!(changes("a\n", "a\n").is_empty());
    }
}
