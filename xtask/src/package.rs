//! The crates as they would be published.
//!
//! Compiling them from their packages takes as long as compiling everything, so that is a step of a
//! release (`docs/releasing.md`), not of CI. Here they are packaged and checked.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, cargo, command, output, root, run};

/// The files that each package must have.
const FILES: [&str; 4] = ["Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// Packages every crate that is published.
///
/// # Errors
/// One can't be packaged, or lacks a file or a line that crates.io requires.
pub(crate) fn check() -> Result<()> {
    let folder = root().join("target/packages");
    let mut pack = cargo(&["package", "--workspace", "--no-verify", "--locked", "--offline"]);
    // Uncommitted changes are packaged too: the tests run on them.
    pack.args([
        "--allow-dirty",
        "--exclude",
        "xtask",
        "--exclude",
        "simplejwt-bench",
        "--target-dir",
    ])
    .arg(&folder);
    run(pack)?;
    let metadata = output(cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let all = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let published: Vec<_> = all.iter().filter(|package| package["publish"].is_null()).collect();
    for package in &published {
        let (name, version) = (text(package, "name")?, text(package, "version")?);
        announce(&format!("the package of {name}"));
        for line in ["description", "license", "repository", "rust_version"] {
            text(package, line).with_context(|| format!("{name}'s Cargo.toml"))?;
        }
        let file = folder.join(format!("package/{name}-{version}.crate"));
        let missing = missing(&listed(&file)?, &format!("{name}-{version}"));
        if !missing.is_empty() {
            bail!("{name} would be published without {}", missing.join(", "));
        }
    }
    if published.is_empty() {
        bail!("no crate would be published");
    }
    Ok(())
}

fn text<'a>(package: &'a serde_json::Value, name: &str) -> Result<&'a str> {
    package[name].as_str().with_context(|| format!("there is no `{name}`"))
}

fn listed(file: &Path) -> Result<String> {
    let mut list = command("tar", &["--list", "--gzip", "--file"]);
    list.arg(file);
    output(list)
}

/// Returns those of [`FILES`] that aren't in a package's list.
fn missing(list: &str, package: &str) -> Vec<&'static str> {
    let has = |file: &str| {
        list.lines().any(|line| line.strip_prefix(package) == Some(format!("/{file}").as_str()))
    };
    FILES.into_iter().filter(|file| !has(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_isnt_at_the_top_is_missing() {
        let list = "a-1/Cargo.toml\na-1/LICENSE-MIT\na-1/src/README.md\na-1/LICENSE-APACHE.txt\n";
        assert_eq!(missing(list, "a-1"), ["LICENSE-APACHE", "README.md"]);
        assert_eq!(missing("", "a-1"), FILES);
    }
}
