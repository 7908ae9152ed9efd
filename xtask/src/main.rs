//! What CI runs, under the same names: `cargo xtask test | ci | generate | bench | services`.

mod bench;
mod browser;
mod ci;
mod failover;
mod generate;
mod matrix;
mod outside;
mod packages;
mod process;
mod programs;
mod python;
mod references;
mod server;
mod services;
mod tally;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

commands:
  test                 make what the tests need, then run all of them
  ci                   every rule of CONTRIBUTING.md, then `test`
  generate [--check]   docs/settings.md and the example configuration;
                       --check only says whether they are up to date
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
