//! `cargo xtask bench`: the library's benchmarks, each beside its comparison; with `server`, those
//! of the running server beside Django; with `instructions`, what its requests cost.

mod http;
mod instructions;
mod load;
mod logouts;
mod repeat;
mod restart;

use std::env;
use std::time::Instant;

use anyhow::Result;

use crate::process::{cargo, command, root, run as run_command, this_program};
use crate::python;
use crate::services::Up;

const POSTGRES: &str = "SIMPLEJWT_TEST_POSTGRES_URL";
const MYSQL: &str = "SIMPLEJWT_TEST_MYSQL_URL";

/// Runs the benchmarks with these arguments.
///
/// # Errors
/// A benchmark failed.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    match words {
        ["instructions", rest @ ..] => instructions::run(rest),
        ["server", "restart", rest @ ..] => restart::run(rest),
        ["server", rest @ ..] => server(rest),
        ["passwords"] => {
            let mut bench = cargo(&["bench", "-p", "simplejwt-bench", "--bench", "passwords"]);
            bench.env("SIMPLEJWT_BENCH_PYTHON", python::environment()?);
            run_command(bench)
        }
        // For `server`: the parts that have to be fast.
        ["load", rest @ ..] => load::run(rest),
        ["logouts", rest @ ..] => logouts::run(rest),
        ["repeat", rest @ ..] => repeat::run(rest),
        rest => {
            // `passwords` needs a Python.
            let mut arguments = vec!["bench", "-p", "simplejwt-bench"];
            for name in ["jws", "refusals", "requests"] {
                arguments.extend(["--bench", name]);
            }
            arguments.push("--");
            arguments.extend(rest);
            run_command(cargo(&arguments))
        }
    }
}

/// Runs the server, built as for a release, on databases that are started for it if none are
/// given.
fn server(rest: &[&str]) -> Result<()> {
    let python = python::environment()?;
    run_command(cargo(&["build", "--profile", "dist", "-p", "simplejwt-server"]))?;
    let databases = match [POSTGRES, MYSQL].iter().any(|name| env::var_os(name).is_some()) {
        true => None,
        false => Some(Up::anew("bench")?),
    };
    let mut arguments = vec!["crates/simplejwt-bench/server"];
    arguments.extend(rest);
    let mut benchmark = command(python, &arguments);
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    benchmark.env("SIMPLEJWT_BIN", target.join("dist/simplejwt"));
    benchmark.env("SIMPLEJWT_BENCH_LOAD", this_program()?);
    if let Some(databases) = &databases {
        benchmark.envs(databases.variables()?);
    }
    run_command(benchmark)
}

#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a load generator waits until a request is due")]
fn sleep_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(now()));
}
