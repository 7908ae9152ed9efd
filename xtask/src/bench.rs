//! `cargo xtask bench`: the library's benchmarks, each beside what it is compared with.

use anyhow::Result;

use crate::process::{cargo, run as run_command};

/// Runs them; `rest` goes to them.
///
/// # Errors
/// A benchmark failed.
pub(crate) fn run(rest: &[&str]) -> Result<()> {
    let mut arguments = vec!["bench", "-p", "simplejwt", "--all-features", "--benches", "--"];
    arguments.extend(rest);
    run_command(cargo(&arguments))
}
