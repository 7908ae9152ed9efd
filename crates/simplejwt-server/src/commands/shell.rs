//! `simplejwt completions` and `simplejwt man`: completion scripts and manual pages, generated from
//! the command line's definition.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output;

const NAME: &str = "simplejwt";

/// Prints a shell's completion script.
pub(super) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a manual page for each command.
pub(super) fn manual(dir: &Path) -> Result<ExitCode, Failure> {
    let failed = |error: std::io::Error| {
        Failure::Failed(format!("can't write manual pages into {}: {error}", dir.display()))
    };
    fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(failed)?;
    output::print(&format!(
        "wrote the manual pages to {}: read them with man -l {0}/{NAME}.1\n",
        dir.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
