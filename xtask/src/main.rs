//! The commands that CI runs, with the same names: `cargo xtask test | ci | generate | bench |
//! services`.

mod api;
mod bench;
mod beside;
mod browser;
mod ci;
mod consumers;
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
  test                 set up what the tests need, then run all of them
  ci                   check every rule of CONTRIBUTING.md, then run `test`
  generate [--check]   write docs/settings.md and the example configuration;
                       --check only checks that they are up to date
  api [--write]        compare the public API with crates/*/api.txt; --write updates
                       the lists; `api semver` compares with the published version
  fuzz [TARGET] [SECONDS]
                       run the fuzz targets for this time; outside CI
  package              package each crate as it would be published
  sbom [FILE]          write the server's bill of materials as CycloneDX
  outside              compile each feature alone, and the READMEs' programs, outside the
                       workspace; CI compiles the programs
  outside all          the same, the tests without features, and a program with sqlx; outside CI
  bench [ARGS]         run the benchmarks of the library
  bench instructions [--write|--check]
                       count the instructions that the server's requests take
  bench passwords      time password hashes beside the C libraries that Django calls
  bench server [refresh|first-seen|feed|purge] [NAME=NUMBER...]
                       run those of the server, beside Django
  bench server restart [NAME=NUMBER...]
                       count lost requests while nodes behind nginx and Caddy restart
  consumers [NAME...] [algorithm=NAME] [suite=NAME]
                       start programs that read our tokens as docs/consumers.md says, and
                       print its table; outside CI
  consumers rotation [SECONDS]
                       let keys follow each other every few seconds, under load on two nodes
  failover [postgres|galera]
                       make database clusters fail; prints a table
  matrix [ROWS...]     run the tests that depend on the database on every supported
                       version; outside CI
  services ...         manage temporary database servers; prints its own usage";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => test::run(),
        ["ci"] => ci::run(),
        // For `ci`: the series of steps that run beside the others.
        ["ci", "prepare"] => ci::prepare(),
        ["ci", "aside"] => ci::aside(),
        ["api", rest @ ..] => api::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["package"] => package::check(),
        ["sbom", rest @ ..] => sbom::run(rest),
        ["generate"] => generate::write(),
        ["generate", "--check"] => generate::check(),
        ["services", rest @ ..] => services::run(rest),
        ["consumers", rest @ ..] => consumers::run(rest),
        ["failover", rest @ ..] => failover::run(rest),
        ["matrix", rest @ ..] => matrix::run(rest),
        ["outside", "all"] => outside::all(),
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
