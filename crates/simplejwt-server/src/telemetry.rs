//! Logging, to standard error: docs/logs.md.

mod escape;
mod fields;
mod filter;
mod layer;
mod line;

use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use crate::config::{Log, LogFormat};
pub(crate) use filter::LOUDEST_DEPENDENCY;
use layer::LogLayer;

/// What changes the level of a process that runs.
static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts logging as configured. The first caller decides.
pub(crate) fn start(log: &Log) {
    let (filter, handle) = reload::Layer::new(filter::targets(&log.level));
    // An error means that logging has been started already.
    if Registry::default().with(filter).with(LogLayer::new(log.format, write)).try_init().is_ok() {
        let _ = LEVEL.set(handle);
    }
}

/// Logs from now on as this level says, which is one that the configuration takes. Nothing happens
/// where logging hasn't been started.
pub(crate) fn set_level(level: &str) {
    if let Some(handle) = LEVEL.get() {
        // It is gone together with the process.
        let _ = handle.reload(filter::targets(level));
    }
}

/// One line, by one call. Nobody can be told where standard error is closed.
fn write(line: &str) {
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Where the last panic was.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Logs panics in place of printing them. A message that was put together may hold anything (a
/// driver shows the row that it can't read), so only one that is a fixed text is logged.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
        let fixed = panic.payload().downcast_ref::<&'static str>().copied();
        let error = fixed.unwrap_or("(not shown)");
        tracing::error!(event = "panic", place, error, "a panic");
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }));
}

/// File and line.
pub(crate) fn last_panic() -> String {
    let last = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner);
    last.clone().unwrap_or_else(|| "an unknown place".into())
}

/// The line that whoever started the server waits for. As text it is there at every log level.
pub(crate) fn listening(url: &str, log: &Log) {
    match log.format {
        LogFormat::Text => eprintln!("listening on {url}"),
        LogFormat::Json => {
            let message = format!("listening on {url}");
            tracing::info!(event = "listening", address = url, "{message}");
        }
    }
}

/// A line for whoever types commands, with what can't be seen in it escaped: names of users and
/// files, and what a database says, may hold anything.
pub(crate) fn seen(line: &str) -> String {
    let mut seen = String::with_capacity(line.len());
    escape::sentence(&mut seen, line);
    seen
}

/// What is allowed but shouldn't be.
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {}", seen(warning));
    }
}
