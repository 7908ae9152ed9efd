//! `simplejwt config check|print|example`

use std::path::Path;
use std::process::ExitCode;

use crate::cli;
use crate::config::example;
use crate::failure::Failure;
use crate::{app, beside_django, output, telemetry};

pub(crate) fn run(file: Option<&Path>, command: &cli::Config) -> Result<ExitCode, Failure> {
    match command {
        cli::Config::Example => output::print(&example::example())?,
        cli::Config::Print => output::print(&example::effective(&super::load(file)?))?,
        cli::Config::Check => {
            let loaded = super::load(file)?;
            let config = &loaded.config;
            super::servable(config)?;
            let (warnings, keys) = super::block_on(async {
                let app = app::build(config).await?;
                let mut warnings = app.warnings(config).await?;
                warnings.extend(beside_django::look(&loaded).await?);
                Ok((warnings, app.check_keys().await?))
            })?;
            telemetry::warn(&warnings);
            output::print(&keys)?;
            output::print("the configuration, the keys and the database are fine\n")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
