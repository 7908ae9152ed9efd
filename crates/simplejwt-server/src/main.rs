//! `simplejwt`: the token service as one binary. See `simplejwt --help`.

mod app;
mod beside_django;
mod claims;
mod cli;
mod client;
mod commands;
mod config;
mod database;
mod failure;
mod files;
mod health;
mod limits;
mod output;
mod purge;
mod serve;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(failure) => {
            for line in failure.to_string().lines() {
                eprintln!("error: {line}");
            }
            failure.exit_code()
        }
    }
}
