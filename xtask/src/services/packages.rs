//! Debian's packages with the servers' programs.

use anyhow::{Result, bail};

use super::{mariadb, postgres};
use crate::packages;

/// Ensures that the servers' programs are installed.
///
/// # Errors
/// One is missing and can't be installed.
pub(crate) fn require() -> Result<()> {
    let missing = || {
        let mut packages = Vec::new();
        if postgres::programs().is_none() {
            packages.push("postgresql");
        }
        if mariadb::program().is_none() {
            packages.push("mariadb-server");
        }
        packages
    };
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(());
    }
    packages::install("the tests need databases that are missing", &wanted)?;
    let wanted = missing();
    if !wanted.is_empty() {
        let wanted = wanted.join(" ");
        bail!(
            "the tests need PostgreSQL and MariaDB: install them (on Debian and Ubuntu: sudo \
             apt-get install {wanted}) and run this again"
        );
    }
    Ok(())
}
