//! The browser in which the tests of cookies open pages.

use anyhow::{Result, bail};

use crate::packages;
use crate::process::{announce, quiet};

/// The programs, and Debian's packages that contain them.
const PROGRAMS: [(&str, &str); 2] = [("chromium", "chromium"), ("chromedriver", "chromium-driver")];

/// Installs Chromium and its driver if they are missing.
///
/// # Errors
/// They are missing and can't be installed.
pub(crate) fn ensure() -> Result<()> {
    let missing = || -> Vec<&str> {
        let missing = PROGRAMS.iter().filter(|(program, _)| !quiet(program, &["--version"]));
        missing.map(|(_, package)| *package).collect()
    };
    let packages = missing();
    if packages.is_empty() {
        announce("chromium and chromedriver are installed");
        return Ok(());
    }
    if packages::install("the tests need a browser", &packages)? && missing().is_empty() {
        return Ok(());
    }
    bail!(
        "the tests need Chromium and its driver: install them (on Debian: sudo apt-get install {}) \
         and run this again",
        packages.join(" ")
    )
}
