//! `simplejwt`: the token service as one binary. See `simplejwt --help`.
#![allow(dead_code, unused_imports)]
mod app {
    mod jwks;
}
mod cli;
mod config;
mod failure;
mod files;
mod health;
mod limits;
mod output;
mod serve;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    println!("{}", config::example::example());
    ExitCode::SUCCESS
}
