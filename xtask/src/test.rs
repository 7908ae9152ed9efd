//! `cargo xtask test`: runs every test.

use anyhow::{Result, bail};

use crate::browser;
use crate::process::{cargo, command, watch};
use crate::programs;
use crate::python;
use crate::server;
use crate::services::Up;
use crate::tally::Tally;

/// All features are tested together. `cargo xtask ci` checks that each compiles without the others,
/// and `cargo xtask outside all` tests the library without any.
const CARGO_TEST: &[&str] = &["test", "--no-fail-fast", "--workspace", "--all-features"];

/// Three files at a time, because each waits for its servers more than it computes. The tests in a
/// file share what they started. They don't run beside cargo's tests, whose servers could take a
/// port that was just found free.
const PYTEST: &[&str] =
    &["-m", "pytest", "--color=no", "--numprocesses=3", "--dist=loadfile", "compat"];

/// Runs every test, then prints their number.
///
/// # Errors
/// A test failed or was skipped, a runner failed, or the requirements can't be set up.
pub(crate) fn run() -> Result<()> {
    let python = python::environment()?;
    let django_4_2 = python::django_4_2()?;
    browser::ensure()?;
    programs::require()?;
    // Before anything runs, so that nothing is compiled while a test waits for an answer.
    let server = server::binary();
    let databases = Up::anew("test")?;
    let variables = databases.variables()?;
    let mut tally = Tally::default();
    let mut broken = Vec::new();
    let mut tests = cargo(CARGO_TEST);
    tests.envs(variables.iter().cloned());
    if !watch(tests, |line| tally.cargo_line(line))? {
        broken.push(format!("cargo {}", CARGO_TEST.join(" ")));
    }
    match server {
        Ok(server) => {
            let mut pytest = command(python, PYTEST);
            pytest.env("SIMPLEJWT_BIN", server).env_remove("PYTEST_ADDOPTS");
            pytest.env("COMPAT_DJANGO42", django_4_2);
            pytest.envs(variables.iter().cloned());
            if !watch(pytest, |line| tally.pytest_line(line))? {
                broken.push("python -m pytest compat".into());
            }
        }
        Err(error) => broken.push(format!("the server can't be built: {error:#}")),
    }

    drop(databases);

    for step in &broken {
        println!("failed: {step}");
    }
    if tally.skipped > 0 {
        println!("{} tests were skipped, which counts as failing", tally.skipped);
    }
    // A runner that fails without naming a test is a failure too.
    let failed = (tally.failed + tally.skipped).max(broken.len() as u64);
    println!("\n{} passed, {failed} failed", tally.passed);
    if failed > 0 {
        bail!("not everything passed");
    }
    Ok(())
}
