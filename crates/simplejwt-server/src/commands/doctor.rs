//! `simplejwt doctor`: what is in force, what is weak, and the lines that mend it.
//!
//! Each subject is a file with a function from the configuration, and from what [`seen`] has read
//! beside it, to findings. A finding's code doesn't change; its sentences may.

mod certificate;
mod clients;
mod cookies;
mod database;
mod files;
mod finding;
mod keys;
mod lifetimes;
mod mount;
mod passwords;
mod remote_keys;
mod report;
mod seen;
mod sessions;
mod tokens;
mod transport;

use std::path::Path;
use std::process::ExitCode;

use finding::Finding;
use report::{Place, Report};
use seen::Seen;

use crate::cli::Doctor;
use crate::config::{Environment, Loaded};
use crate::failure::Failure;
use crate::output;

/// Examines a configuration that was loaded from this file and environment.
///
/// # Errors
/// The server refuses the configuration.
pub(crate) fn run(
    file: Option<&Path>,
    environment: &Environment,
    loaded: &Loaded,
    options: &Doctor,
) -> Result<ExitCode, Failure> {
    super::servable(&loaded.config)?;
    let seen = super::block_on(Seen::of(file, loaded))?;
    let report = Report { subjects: examined(loaded, seen) };
    let place = Place { file, environment, loaded };
    output::print(&match options.json {
        true => report.json(&place, options.strict),
        false => report.text(&place),
    })?;
    Ok(match report.is_fine(options.strict) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

fn examined(loaded: &Loaded, seen: Seen) -> Vec<(&'static str, Vec<Finding>)> {
    let config = &loaded.config;
    let is_url = loaded.given.contains_key("database.url");
    let database = seen.database.as_ref().map_err(String::as_str);
    let mut of_database = database::findings(config, database, is_url, seen.now);
    of_database.extend(seen.findings);
    vec![
        ("configuration", of_configuration(loaded)),
        ("keys", keys::findings(config, seen.ring.as_ref(), seen.now)),
        ("tokens", tokens::findings(config)),
        ("lifetimes", lifetimes::findings(config)),
        ("sessions", sessions::findings(config)),
        ("passwords", passwords::findings(config, seen.survey.as_ref())),
        ("browsers", cookies::findings(config)),
        ("transport", transport::findings(config, seen.certificate.as_ref(), seen.now)),
        ("files", files::findings(&seen.files)),
        ("database", of_database),
        ("clients", clients::findings(config)),
    ]
}

/// The warnings with which every command starts, and which each say what to write, except those
/// that are findings of their own.
fn of_configuration(loaded: &Loaded) -> Vec<Finding> {
    const OWN: [&str; 2] = ["allow_weak_key is on", "holds a secret, but every user"];
    let warnings = loaded.warnings.iter().cloned().chain(loaded.config.settings.warnings());
    let others = warnings.filter(|warning| !OWN.iter().any(|own| warning.contains(own)));
    let findings: Vec<_> = others.map(|warning| Finding::warning("setting", warning, "")).collect();
    match findings.is_empty() {
        true => vec![Finding::ok("settings", "every setting that is given has an effect")],
        false => findings,
    }
}
