//! The programs that the tests of the documents run: gateways in front of the server, and what the blocks
//! of the documents call.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::packages;

/// Each program, and Debian's package that has it.
const PROGRAMS: [(&str, &str); 8] = [
    ("bash", "bash"),
    ("caddy", "caddy"),
    ("curl", "curl"),
    ("dash", "dash"),
    ("nginx", "nginx-light"),
    ("openssl", "openssl"),
    ("sqlite3", "sqlite3"),
    ("systemd-analyze", "systemd"),
];

/// Sees to it that they are there, installed if that can be done.
///
/// # Errors
/// One is missing and can't be installed.
pub(crate) fn require() -> Result<()> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    packages::install("the tests of the documents need programs that aren't there", &packages)?;
    let packages = missing();
    if !packages.is_empty() {
        bail!(
            "the tests of the documents need programs that aren't there: install them (on Debian and \
             Ubuntu: sudo apt-get install {}) and run this again",
            packages.join(" ")
        );
    }
    Ok(())
}

/// The packages of those that aren't there.
fn missing() -> Vec<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push(PathBuf::from("/usr/sbin"));
    let is_missing = |program: &str| !folders.iter().any(|folder| folder.join(program).exists());
    let missing = PROGRAMS.iter().filter(|(program, _)| is_missing(program));
    missing.map(|(_, package)| *package).collect()
}
