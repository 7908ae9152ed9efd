//! `simplejwt config check|print|example|schema`

use std::process::ExitCode;

use simplejwt::sql::check::Severity;

use super::Named;
use crate::cli;
use crate::config::{Loaded, example, schema};
use crate::database::Database;
use crate::failure::Failure;
use crate::supervisor::Supervisor;
use crate::{app, beside_django, output, telemetry};

pub(super) fn run(named: Named<'_>, command: &cli::Config) -> Result<ExitCode, Failure> {
    match command {
        cli::Config::Example => output::print(&example::example())?,
        cli::Config::Schema => output::print(&schema::text())?,
        cli::Config::Print => output::print(&example::effective(&named.load_any()?))?,
        cli::Config::Check => check_each(&named.load_each()?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks every realm.
///
/// # Errors
/// Everything that is wrong with any of them.
fn check_each(realms: &[Loaded]) -> Result<(), Failure> {
    let (mut keys, mut failures) = (String::new(), Vec::new());
    for loaded in realms {
        let realm = &loaded.config.realm;
        match super::block_on(check(loaded)) {
            Ok(report) => {
                let label = realm.label();
                keys.extend(report.lines().map(|line| format!("{label}{line}\n")));
            }
            Err(failure) => failures.push(failure.of(realm)),
        }
    }
    Failure::one_or_all(failures)?;
    output::print(&keys)?;
    output::print("the configuration, the keys and the database are fine\n")
}

/// Checks everything, prints the warnings, and returns the report of the keys from `JWK_URL`.
///
/// # Errors
/// Everything that is wrong.
async fn check(loaded: &Loaded) -> Result<String, Failure> {
    let config = &loaded.config;
    let (mut warnings, mut failures) = (Vec::new(), Vec::new());
    let mut keys = String::new();
    failures.extend(super::servable(config).err());
    if let Ok(tokens) = app::tokens(config) {
        match app::check_keys(&tokens).await {
            Ok(report) => keys = report,
            Err(failure) => failures.push(failure),
        }
    }
    if config.database.url.is_none() {
        return Failure::all(failures).map(|()| keys);
    }
    let before = failures.len();
    match problems(loaded).await {
        Ok(problems) => {
            for problem in problems {
                match problem.severity {
                    Severity::Warning => warnings.push(problem.text),
                    _ => failures.push(Failure::Database(problem.text)),
                }
            }
        }
        Err(failure) => failures.push(failure),
    }
    let is_sound = failures.len() == before;
    // Without the tables, their content can't be checked.
    if is_sound || !config.settings.token_blacklist {
        match beside_django::check(loaded).await {
            Ok(found) => warnings.extend(found),
            Err(failure) if is_sound => failures.push(failure),
            Err(failure @ Failure::Config(_)) => failures.push(failure),
            Err(_) => {}
        }
    }
    if failures.is_empty() {
        match app::build(config, &Supervisor::default()).await {
            Ok(app) => {
                match app.warnings(config).await {
                    Ok(found) => warnings.extend(found),
                    Err(failure) => failures.push(failure),
                }
                failures.extend(app.probe().await.err());
            }
            Err(failure) => failures.push(failure),
        }
    }
    let label = config.realm.label();
    let warnings: Vec<_> = warnings.iter().map(|text| format!("{label}{text}")).collect();
    telemetry::warn(&warnings);
    Failure::all(failures)?;
    Ok(keys)
}

async fn problems(loaded: &Loaded) -> Result<Vec<crate::database::Problem>, Failure> {
    Database::open(&loaded.config).await?.check(&loaded.config).await
}
