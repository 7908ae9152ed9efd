//! The programs that the tests of the documents run: gateways in front of the server, and programs
//! in the blocks of the documents.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::packages;

/// The programs, and Debian's packages that contain them.
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

/// Ensures that they are installed.
///
/// # Errors
/// One is missing and can't be installed.
pub(crate) fn require() -> Result<()> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    packages::install("the tests of the documents need programs that are missing", &packages)?;
    let packages = missing();
    if !packages.is_empty() {
        bail!(
            "the tests of the documents need programs that are missing: install them (on Debian \
             and Ubuntu: sudo apt-get install {}) and run this again",
            packages.join(" ")
        );
    }
    Ok(())
}

/// Returns the packages of the missing programs.
fn missing() -> Vec<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push(PathBuf::from("/usr/sbin"));
    let is_missing = |program: &str| !folders.iter().any(|folder| folder.join(program).exists());
    let missing = PROGRAMS.iter().filter(|(program, _)| is_missing(program));
    missing.map(|(_, package)| *package).collect()
}
