//! Installs missing packages with apt-get if that is possible without asking.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process::{announce, command, quiet, run};

/// A script that Debian's packages run before they start a service; the exit code 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Returns `true` if this program runs as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Installs the packages if this is root and there is apt-get. Returns `true` if it did.
///
/// # Errors
/// apt-get failed.
pub(crate) fn install(why: &str, packages: &[&str]) -> Result<bool> {
    if !is_root() || !quiet("apt-get", &["--version"]) {
        return Ok(false);
    }
    announce(&format!("{why}: installing {}", packages.join(", ")));
    run(command("apt-get", &["update"]))?;
    // A database server that starts by itself would take a port that somebody else uses.
    let policy = Policy::set(Path::new(POLICY))?;
    let mut install = command("apt-get", &["install", "--yes", "--no-install-recommends"]);
    install.args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    let installed = run(install);
    drop(policy);
    installed.map(|()| true)
}

/// Forbids packages to start services until it is dropped.
struct Policy(Option<PathBuf>);

impl Policy {
    /// Sets the policy. An existing one stays as it is.
    fn set(path: &Path) -> Result<Self> {
        if path.exists() {
            return Ok(Self(None));
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(path)
            .with_context(|| format!("can't write {}", path.display()))?;
        let set = Self(Some(path.to_path_buf()));
        std::io::Write::write_all(&mut file, b"#!/bin/sh\nexit 101\n")
            .with_context(|| format!("can't write {}", path.display()))?;
        Ok(set)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = fs::remove_file(&path)
        {
            eprintln!("can't remove {}: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_forbidden_to_start_until_the_end_and_somebodys_policy_stays() {
        let path = std::env::temp_dir().join(format!("xtask-policy-{}", std::process::id()));
        let set = Policy::set(&path).unwrap();
        assert_eq!(command(&path, &[]).status().unwrap().code(), Some(101));
        drop(Policy::set(&path).unwrap());
        assert!(path.exists());
        drop(set);
        assert!(!path.exists());
    }
}
