//! The commands, one per file.

mod config;
mod doctor;
mod flows;
mod health;
mod key;
mod migrate;
mod nearby;
mod password;
mod quickstart;
mod reachable;
pub(crate) mod session;
mod shell;
mod token;
mod user;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::config::{Config, ConfigError, Environment, Loaded};
use crate::failure::Failure;
use crate::reload::{KeysInUse, Reload};
use crate::serve::Signals;
use crate::tls::Tls;
use crate::{app, beside_django, database, listening, serve, telemetry, waiting};

/// Runs the command of the command line.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let file = cli.config.as_deref();
    match cli.command {
        Command::Quickstart(options) => {
            if file.is_some() {
                return Err(Failure::Usage(
                    "quickstart uses the configuration in its own directory: use --dir, or \
                     `simplejwt serve --config FILE`"
                        .into(),
                ));
            }
            quickstart::run(&options)
        }
        Command::Serve => {
            let file = file_of(file)?;
            run_serve(file.as_deref(), &load_from(file.as_deref())?)
        }
        Command::Health => health::run(&load(file)?),
        Command::Migrate { check, for_django } => migrate::run(&load(file)?, check, for_django),
        Command::User(command) => user::run(&load(file)?, command),
        Command::Session(command) => session::run(&load(file)?, command),
        Command::Token(command) => token::run(&load(file)?, command),
        Command::Key(command) => key::run(file, command),
        Command::Config(command) => config::run(file, &command),
        Command::Doctor(options) => {
            let (file, environment) = (file_of(file)?, Environment::of_process());
            let loaded = crate::config::load(file.as_deref(), &environment)?;
            doctor::run(file.as_deref(), &environment, &loaded, &options)
        }
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { dir } => shell::manual(&dir),
    }
}

/// Loads the configuration and prints its warnings. If no file is named, one found nearby is used.
fn load(named: Option<&Path>) -> Result<Loaded, Failure> {
    load_from(file_of(named)?.as_deref())
}

/// Returns the named file, or one found nearby.
fn file_of(named: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    match named {
        Some(path) => Ok(Some(path.to_owned())),
        None => nearby::find(&Environment::of_process()),
    }
}

fn load_from(file: Option<&Path>) -> Result<Loaded, Failure> {
    let loaded = crate::config::load(file, &Environment::of_process())?;
    telemetry::warn(&loaded.warnings);
    Ok(loaded)
}

fn run_serve(file: Option<&Path>, loaded: &Loaded) -> Result<ExitCode, Failure> {
    telemetry::start(&loaded.config.log);
    let config = &loaded.config;
    servable(config)?;
    block_on(async {
        let mut signals = Signals::new()?;
        let tls = Tls::new(&config.tls)?;
        let place = listening::take(&config.server).await?;
        if !waiting::for_database(config, pin!(signals.next())).await? {
            return Ok(());
        }
        let app = app::build(config).await?;
        for warning in beside_django::check(loaded).await? {
            tracing::warn!(event = "warning", "{warning}");
        }
        app.start(config).await?;
        let keys = KeysInUse::of(&app);
        let reload = Reload::new(file, Environment::of_process(), loaded, tls.as_ref(), keys);
        let purge = app.purge().clone();
        let served = serve::serve(place.listen()?, app.site, tls, config, reload, &mut signals);
        let outcome = served.await;
        purge.ask().await;
        outcome
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Checks that the configuration is complete enough to serve, and reports everything that is
/// missing at once.
fn servable(config: &Config) -> Result<(), Failure> {
    let mut problems = match app::tokens(config) {
        Ok(_) => Vec::new(),
        Err(Failure::Config(error)) => error.0,
        Err(other) => return Err(other),
    };
    if config.database.url.is_none() {
        problems.push(database::UNNAMED.to_owned());
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems).into()) }
}

/// Runs a command's future. Threads that are still hashing or writing don't delay the exit.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("can't start the runtime: {error}")))?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_background();
    outcome
}
