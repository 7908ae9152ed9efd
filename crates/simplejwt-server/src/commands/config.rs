//! `simplejwt config check|print|example`

use std::path::Path;
use std::process::ExitCode;

use crate::cli;
use crate::config::example;
use crate::failure::Failure;
use crate::{app, output};

pub(crate) fn run(file: Option<&Path>, command: &cli::Config) -> Result<ExitCode, Failure> {
    match command {
        cli::Config::Example => output::print(&example::example())?,
        cli::Config::Print => output::print(&example::effective(&super::load(file)?))?,
        cli::Config::Check => {
            let loaded = super::load(file)?;
            let keys =
                super::block_on(async { app::build(&loaded.config).await?.check_keys().await })?;
            output::print(&keys)?;
            output::print("the configuration, the keys and the database are fine\n")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
