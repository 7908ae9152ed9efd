//! The log, on standard error: see docs/logs.md.

mod escape;
mod fields;
mod filter;
mod layer;
mod line;
mod scope;

use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use crate::config::{Log, LogFormat, Place, Realm};
pub(crate) use filter::LOUDEST_DEPENDENCY;
use layer::LogLayer;
pub(crate) use scope::Scope;

/// The handle that changes the log level of the running process.
static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts logging as configured. Only the first call has an effect.
pub(crate) fn start(log: &Log) {
    let (filter, handle) = reload::Layer::new(filter::targets(&log.level));
    // An error means that logging has already been started.
    if Registry::default().with(filter).with(LogLayer::new(log.format, write)).try_init().is_ok() {
        let _ = LEVEL.set(handle);
    }
}

/// Changes the log level to one that the configuration accepts. Without logging, it does nothing.
pub(crate) fn set_level(level: &str) {
    if let Some(handle) = LEVEL.get() {
        // The subscriber lives as long as the process.
        let _ = handle.reload(filter::targets(level));
    }
}

/// Writes one line in one call. If standard error is closed, there is nobody to report that to.
fn write(line: &str) {
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// The location of the last panic.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Logs panics instead of printing them. A formatted message may contain anything (a database
/// driver shows the row that it can't read), so only fixed texts are logged.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
        let fixed = panic.payload().downcast_ref::<&'static str>().copied();
        let error = fixed.unwrap_or("(not shown)");
        tracing::error!(event = "panic", place, error, "a panic");
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }));
}

/// Returns the file and line of the last panic.
pub(crate) fn last_panic() -> String {
    let last = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner);
    last.clone().unwrap_or_else(|| "an unknown place".into())
}

/// Writes the line that the server's starter waits for. In text format it appears at every log
/// level.
pub(crate) fn listening(url: &str, log: &Log) {
    match log.format {
        LogFormat::Text => eprintln!("listening on {url}"),
        LogFormat::Json => {
            let message = format!("listening on {url}");
            tracing::info!(event = "listening", address = url, "{message}");
        }
    }
}

/// Logs that a realm is served, and where.
pub(crate) fn serving(name: &str, realm: &Realm, issuer: Option<&str>) {
    let Realm::Named { place, .. } = realm else { return };
    let (prefix, host) = match place {
        Place::Prefix(prefix) => (Some(prefix.as_str()), None),
        Place::Host(host) => (None, Some(host.as_str())),
    };
    tracing::info!(event = "realm", realm = name, prefix, host, issuer, "a realm is served");
}

/// Returns a line for the terminal, with invisible characters escaped: names of users and files,
/// and messages of a database, may contain anything.
pub(crate) fn seen(line: &str) -> String {
    let mut seen = String::with_capacity(line.len());
    escape::sentence(&mut seen, line);
    seen
}

/// Prints warnings.
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {}", seen(warning));
    }
}
