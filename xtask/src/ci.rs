//! `cargo xtask ci`: each rule of CONTRIBUTING.md as a step that fails if the rule is broken.
//!
//! Two series of steps run beside the others at low priority: one that mostly waits for downloads
//! ([`prepare`]), and one of many small compilations ([`aside`]), which fills the pauses of the
//! tests.

use anyhow::Result;

use crate::beside::Beside;
use crate::process::{announce, cargo, lint, output, run as run_command};
use crate::tools::{CARGO_DENY, CARGO_SHEAR, TYPOS};
use crate::{
    api, browser, generate, outside, package, programs, python, references, sbom, services, test,
};

/// Runs every step, the cheap ones first, until one fails.
///
/// # Errors
/// The error of that step.
pub(crate) fn run() -> Result<()> {
    lock_file()?;
    run_command(cargo(&["fmt", "--all", "--check"]))?;
    references::check()?;
    outside::table()?;
    let prepared = Beside::start_own("prepare", &["ci", "prepare"])?;
    lint()?;
    run_command(cargo(&["build", "--workspace", "--all-targets", "--all-features"]))?;
    generate::check()?;
    prepared.succeed()?;
    let aside = Beside::start_own("aside", &["ci", "aside"])?;
    let tested = test::run();
    // A broken rule is reported, whatever else fails.
    let allowed = aside.succeed();
    tested.and(allowed)
}

/// Fetches what the tests need, and checks the rules for which tools are fetched.
///
/// # Errors
/// It can't be fetched, or a rule is broken.
pub(crate) fn prepare() -> Result<()> {
    browser::ensure()?;
    programs::require()?;
    services::require()?;
    // Advisories are left out, because they need a database from the network.
    CARGO_DENY.run(&["check", "bans", "licenses", "sources"])?;
    CARGO_SHEAR.run(&["--deny-warnings", "--locked", "--offline"])?;
    TYPOS.run(&[])?;
    sbom::check()?;
    python::environment()?;
    python::django_4_2().map(drop)
}

/// Compiles what is separate from the tests.
///
/// # Errors
/// It doesn't compile.
pub(crate) fn aside() -> Result<()> {
    outside::programs()?;
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--all-features"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run_command(doc)?;
    api::check()?;
    package::check()
}

/// Checks that `Cargo.lock` fits the manifests.
fn lock_file() -> Result<()> {
    announce("Cargo.lock fits the manifests");
    output(cargo(&["metadata", "--locked", "--format-version", "1"])).map(drop)
}
