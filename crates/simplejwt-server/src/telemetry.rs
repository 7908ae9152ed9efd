//! Logging, to standard error.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging as configured. The first caller decides.
pub(crate) fn start(log: &Log) {
    let filter = EnvFilter::new(&log.level);
    let logger = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    // An error means that logging has been started already.
    let _ = match log.format {
        LogFormat::Text => logger.with_ansi(false).try_init(),
        LogFormat::Json => logger.json().flatten_event(true).try_init(),
    };
}

/// Where the last panic was.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Logs panics in place of printing them. A message that was put together may hold anything (a
/// driver shows the row that it can't read), so only one that is a fixed text is logged.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
        let fixed = panic.payload().downcast_ref::<&'static str>().copied();
        tracing::error!(place, said = fixed.unwrap_or("(not shown)"), "a panic");
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }));
}

/// File and line.
pub(crate) fn last_panic() -> String {
    let last = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner);
    last.clone().unwrap_or_else(|| "an unknown place".into())
}

/// The line that whoever started the server waits for. As text it is there at every log level.
pub(crate) fn listening(address: SocketAddr, log: &Log) {
    match log.format {
        LogFormat::Text => eprintln!("listening on http://{address}"),
        LogFormat::Json => tracing::info!("listening on http://{address}"),
    }
}

/// What is allowed but shouldn't be.
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
