//! `simplejwt`: the token service in one binary. See `simplejwt --help`.

mod app;
mod beside_django;
mod claims;
mod cli;
mod client;
mod commands;
mod config;
mod database;
mod endpoints;
mod failure;
mod files;
mod front;
mod hashes;
mod health;
mod key_ring;
mod limits;
mod listening;
mod output;
mod purge;
mod realms;
mod reload;
mod request_log;
mod serve;
mod supervisor;
mod telemetry;
mod throttle;
mod tls;
mod waiting;

use std::process::ExitCode;

use clap::Parser as _;
use failure::Failure;

fn main() -> ExitCode {
    telemetry::log_panics();
    let ended = std::panic::catch_unwind(|| commands::run(cli::Cli::parse()));
    match ended.unwrap_or_else(|_| Err(Failure::panicked())) {
        Ok(code) => code,
        Err(failure) => {
            for line in failure.to_string().lines() {
                eprintln!("error: {}", telemetry::seen(line));
            }
            failure.exit_code()
        }
    }
}
