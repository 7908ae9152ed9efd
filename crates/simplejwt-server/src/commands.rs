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

use crate::cli::{self, Cli, Command};
use crate::config::{Config, ConfigError, Environment, Loaded};
use crate::failure::Failure;
use crate::realms::Realms;
use crate::reload::Reload;
use crate::serve::Signals;
use crate::telemetry::Scope;
use crate::tls::Tls;
use crate::{app, beside_django, database, listening, serve, telemetry, waiting};

/// Runs the command of the command line.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let file = cli.config.as_deref();
    refuse_realm(&cli)?;
    let named = Named { file, realm: cli.realm.as_deref() };
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
        Command::Health => health::run(&named.load_any()?),
        Command::Migrate { check, for_django } => migrate::run(named, check, for_django),
        Command::User(command) => user::run(&named.load()?, command),
        Command::Session(command) => session::run(&named.load()?, command),
        Command::Token(command) => token::run(&named.load()?, command),
        Command::Key(command) => key::run(named, command),
        Command::Config(command) => config::run(named, &command),
        Command::Doctor(options) => {
            let (file, environment) = (file_of(file)?, Environment::of_process());
            // Its warnings are findings.
            let loaded = crate::config::load(file.as_deref(), &environment)?;
            doctor::run(file.as_deref(), &environment, &named.of(loaded)?, &options)
        }
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { dir } => shell::manual(&dir),
    }
}

/// The configuration and the realm that the command line names.
#[derive(Clone, Copy)]
struct Named<'a> {
    file: Option<&'a Path>,
    realm: Option<&'a str>,
}

impl Named<'_> {
    /// Loads the configuration of the realm.
    ///
    /// # Errors
    /// There is no such realm, or there are several and none is named.
    fn load(self) -> Result<Loaded, Failure> {
        self.of(load(self.file)?)
    }

    /// Returns the configuration of the realm.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn of(self, loaded: Loaded) -> Result<Loaded, Failure> {
        let Some(name) = self.realm else {
            if loaded.served().any(|one| one.config.realm.name().is_none()) {
                return Ok(loaded);
            }
            let names: Vec<_> =
                loaded.served().filter_map(|one| one.config.realm.name().cloned()).collect();
            return Err(Failure::Usage(format!(
                "the configuration has only realms: name one of {} with --realm",
                names.join(", ")
            )));
        };
        let unknown = |told: String| Failure::Usage(format!("there is no realm {name}: {told}"));
        loaded.into_realm(name).map_err(unknown)
    }

    /// Loads the configuration of the realm, or else the whole one.
    fn load_any(self) -> Result<Loaded, Failure> {
        if self.realm.is_some() { self.load() } else { load(self.file) }
    }

    /// Loads the configurations of the realm, or of all realms.
    fn load_each(self) -> Result<Vec<Loaded>, Failure> {
        match self.realm {
            Some(_) => Ok(vec![self.load()?]),
            None => Ok(load(self.file)?.served().cloned().collect()),
        }
    }
}

/// Refuses `--realm` for a command on which it would have no effect.
fn refuse_realm(cli: &Cli) -> Result<(), Failure> {
    let why = match &cli.command {
        Command::Quickstart(_) | Command::Serve => "serves all realms",
        Command::Completions { .. } | Command::Man { .. } => "has nothing to do with realms",
        Command::Key(cli::Key::Generate { .. }) => "only prints a key or writes a file",
        Command::Config(cli::Config::Example | cli::Config::Schema) => "prints what may be set",
        _ => return Ok(()),
    };
    match cli.realm {
        Some(_) => Err(Failure::Usage(format!("--realm has no effect: the command {why}"))),
        None => Ok(()),
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
    let unservable = loaded.served().filter_map(|loaded| {
        servable(&loaded.config).err().map(|failure| failure.of(&loaded.config.realm))
    });
    Failure::one_or_all(unservable.collect())?;
    block_on(async {
        let mut signals = Signals::new()?;
        let tls = Tls::new(&config.tls)?;
        let place = listening::take(&config.server).await?;
        for loaded in loaded.served() {
            let (config, realm) = (&loaded.config, &loaded.config.realm);
            let stop = pin!(signals.next());
            let waiting = waiting::for_database(config, stop);
            let waited = Scope::of_realm(realm.name().cloned()).run(waiting).await;
            if !waited.map_err(|failure| failure.of(realm))? {
                return Ok(());
            }
        }
        let realms = Realms::build(loaded).await?;
        for loaded in loaded.served() {
            let realm = &loaded.config.realm;
            let warnings = beside_django::check(loaded).await;
            for warning in warnings.map_err(|failure| failure.of(realm))? {
                Scope::of_realm(realm.name().cloned())
                    .enter(|| tracing::warn!(event = "warning", "{warning}"));
            }
        }
        realms.start().await?;
        let environment = Environment::of_process();
        let reload = Reload::new(file, environment, loaded, tls.as_ref(), realms.keys());
        let sites = realms.sites();
        let served = serve::serve(place.listen()?, sites, tls, config, reload, &mut signals);
        let outcome = served.await;
        realms.end_purges().await;
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
