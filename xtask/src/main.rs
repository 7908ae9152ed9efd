//! What CI runs, under the same names: `cargo xtask test | ci | generate | bench | services`.

mod api;
mod bench;
mod beside;
mod browser;
mod ci;
mod failover;
mod fuzz;
mod generate;
mod matrix;
mod outside;
mod package;
mod packages;
mod process;
mod programs;
mod python;
mod references;
mod sbom;
mod server;
mod services;
mod tally;
mod test;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

commands:
  test                 make what the tests need, then run all of them
  ci                   every rule of CONTRIBUTING.md, then `test`
  generate [--check]   docs/settings.md and the example configuration;
                       --check only says whether they are up to date
  api [--write]        whether the public API is that of crates/*/api.txt; --write
                       makes it so. `api semver` compares it with the published one
  fuzz [TARGET] [SECONDS]
                       what anybody may send, for as long; outside CI
  package              each crate as it would be published
  sbom [FILE]          what the server is made of, as CycloneDX
  outside              the library's features and the pages' programs, seen from outside
  outside sqlx         the library and sqlx in one program with SQLite; outside CI
  bench [ARGS]         the benchmarks of the library
  bench server [refresh|feed|purge] [NAME=NUMBER...]
                       those of the running server, beside Django
  bench server restart [NAME=NUMBER...]
                       requests that are lost while nodes behind nginx and Caddy restart
  failover [postgres|galera]
                       clusters of databases that fail; prints a table
  matrix [ROWS...]     the tests that a database decides, on every supported version
                       of one; outside CI
  services ...         throw-away database servers; says how by itself";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => test::run(),
        ["ci"] => ci::run(),
        // For `ci`: the rows of steps that run beside the others.
        ["ci", "prepare"] => ci::prepare(),
        ["ci", "aside"] => ci::aside(),
        ["api", rest @ ..] => api::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["package"] => package::check(),
        ["sbom", rest @ ..] => sbom::run(rest),
        ["generate"] => generate::write(),
        ["generate", "--check"] => generate::check(),
        ["services", rest @ ..] => services::run(rest),
        ["failover", rest @ ..] => failover::run(rest),
        ["matrix", rest @ ..] => matrix::run(rest),
        ["outside", "sqlx"] => outside::beside(),
        ["outside"] => outside::table().and_then(|()| outside::compile()),
        ["bench", rest @ ..] => bench::run(rest),
        ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
