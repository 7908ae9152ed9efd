//! What CI runs, under the same names: `cargo xtask test | ci | generate | bench`.

mod bench;
mod ci;
mod generate;
mod process;
mod python;
mod references;
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
  bench [ARGS]         the benchmarks of the library";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => test::run(),
        ["ci"] => ci::run(),
        ["generate"] => generate::write(),
        ["generate", "--check"] => generate::check(),
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
