//! `cargo xtask bench instructions`: how many user-space instructions the server executes for a
//! request, counted by callgrind. Unlike time, the count is nearly the same on a busy machine.

mod callgrind;
mod requests;
mod site;
mod table;
mod tools;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::process::{announce, cargo, root, run as run_command};
use site::{Server, Site};
use table::{Row, Table};

const USAGE: &str = "\
usage: cargo xtask bench instructions [--write|--check] [--profile NAME] [--program FILE] [REQUEST...]

Builds the server, counts the user-space instructions of each request, or of those that are named,
and prints them with the functions that cost most. --write also replaces the table
crates/simplejwt-bench/instructions.txt. --check builds nothing: it counts those of the program
that the table's profile has left behind, and fails if one differs from the table by more than 3 %,
or if the compiler, the libc or valgrind is another than the table's. --profile builds the server by
another profile than the table's; --program counts those of a program that is there. Needs
valgrind, which hides the processor's SHA instructions: SHA-2 is computed by other code, whose
instructions are printed beside the total.";

const TABLE: &str = "crates/simplejwt-bench/instructions.txt";
/// How the server is built if the table doesn't exist yet.
const PROFILE: &str = "dist";

#[derive(Default)]
struct Options<'a> {
    mode: Mode,
    profile: Option<&'a str>,
    program: Option<PathBuf>,
    only: Vec<&'a str>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Print,
    Write,
    Check,
}

impl<'a> Options<'a> {
    fn parse(words: &[&'a str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            let mut value = || words.next().copied().context(USAGE);
            match word {
                "--write" => options.mode = Mode::Write,
                "--check" => options.mode = Mode::Check,
                "--profile" => options.profile = Some(value()?),
                "--program" => options.program = Some(PathBuf::from(value()?)),
                name if requests::ALL.iter().any(|request| request.name == name) => {
                    options.only.push(name);
                }
                "--help" | "-h" => bail!("{USAGE}"),
                _ => bail!("no request is called {word}\n\n{USAGE}"),
            }
        }
        if options.mode != Mode::Print && !options.only.is_empty() {
            bail!("the table has all requests\n\n{USAGE}");
        }
        Ok(options)
    }
}

/// Counts, prints, and compares or writes the table.
///
/// # Errors
/// The server can't be built or started, a request isn't answered as it should be, or with
/// `--check` a count differs from the table's.
pub(super) fn run(words: &[&str]) -> Result<()> {
    let Options { mode, profile, program, only } = Options::parse(words)?;
    let file = root().join(TABLE);
    let before = match fs::read_to_string(&file) {
        Ok(text) => Some(Table::parse(&text).with_context(|| format!("{TABLE} is no table"))?),
        Err(_) if mode != Mode::Check => None,
        Err(error) => return Err(error).with_context(|| format!("can't read {TABLE}")),
    };
    let of_table = before.as_ref().map_or(PROFILE, |table| table.profile.as_str());
    let profile = profile.unwrap_or(of_table).to_owned();
    let program = match program {
        Some(program) => program,
        None => {
            if mode != Mode::Check {
                run_command(cargo(&["build", "--profile", &profile, "-p", "simplejwt-server"]))?;
            }
            built(&profile)?
        }
    };

    let tools = tools::of(&program)?;
    if let (Mode::Check, Some(before)) = (mode, &before)
        && before.tools != tools
    {
        bail!(
            "{TABLE} is of {:?}, but here are {tools:?}, so its counts say nothing (--write \
             replaces them)",
            before.tools
        );
    }
    let table = Table { profile, tools, rows: count(program, &only)? };
    print!("{}", table.summary());
    match (mode, before) {
        (Mode::Write, _) => {
            fs::write(&file, table.write()).with_context(|| format!("can't write {TABLE}"))
        }
        (Mode::Check, Some(before)) => {
            let differences = before.compare(&table);
            if differences.is_empty() {
                return Ok(());
            }
            bail!("{TABLE} says otherwise (--write, if that was intended):\n{differences}")
        }
        (Mode::Print | Mode::Check, _) => Ok(()),
    }
}

fn count(program: PathBuf, only: &[&str]) -> Result<Vec<Row>> {
    let site = Site::new(program)?;
    let is_wanted = |name: &str| only.is_empty() || only.contains(&name);
    let mut rows = Vec::new();
    for server in [Server::Rotating, Server::Plain] {
        let of_server = requests::ALL.iter().filter(|request| request.server == server);
        let wanted: Vec<_> = of_server.filter(|request| is_wanted(request.name)).collect();
        if wanted.is_empty() {
            continue;
        }
        let mut running = site.serve(server)?;
        for request in wanted {
            announce(&format!("{} × {}", request.count, request.name));
            let counted = running.count(request)?;
            rows.push(Row::new(request.name, request.count, counted));
        }
    }
    Ok(rows)
}

/// Returns the program that a profile has left behind.
fn built(profile: &str) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| root().join("target"), PathBuf::from);
    let program = target.join(profile).join("simplejwt");
    if !program.is_file() {
        bail!(
            "there is no {}: `cargo build --profile {profile} -p simplejwt-server` makes it",
            program.display()
        );
    }
    Ok(program)
}
