//! nginx, which a test puts in front of the server.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::packages;

/// Sees to it that there is one, installed if that can be done.
///
/// # Errors
/// There is none and it can't be installed.
pub(crate) fn require() -> Result<()> {
    if program().is_some() {
        return Ok(());
    }
    packages::install("the tests need nginx, which isn't there", &["nginx-light"])?;
    if program().is_none() {
        bail!(
            "the tests need nginx: install it (on Debian and Ubuntu: sudo apt-get install \
             nginx-light) and run this again"
        );
    }
    Ok(())
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("nginx"))
        .find(|program| program.exists())
}
