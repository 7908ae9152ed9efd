//! Logging, to standard error.

use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging as configured. The first caller decides.
pub(crate) fn start(log: &Log) {
    let filter = EnvFilter::new(&log.level);
    let logger = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    // An error means that logging has been started already.
    let _ = match log.format {
        LogFormat::Text => {
            let logger = logger.with_ansi(false).with_filter_reloading();
            let filter = logger.reload_handle();
            let _ = SET_FILTER.set(Box::new(move |new| filter.reload(new).is_ok()));
            logger.try_init()
        }
        LogFormat::Json => {
            let logger = logger.json().flatten_event(true).with_filter_reloading();
            let filter = logger.reload_handle();
            let _ = SET_FILTER.set(Box::new(move |new| filter.reload(new).is_ok()));
            logger.try_init()
        }
    };
}

/// What changes the level, once logging has been started.
static SET_FILTER: OnceLock<Box<dyn Fn(EnvFilter) -> bool + Send + Sync>> = OnceLock::new();

/// Logs at another level from now on; whether that could be done.
pub(crate) fn set_level(level: &str) -> bool {
    SET_FILTER.get().is_some_and(|set| set(EnvFilter::new(level)))
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
pub(crate) fn listening(url: &str, log: &Log) {
    match log.format {
        LogFormat::Text => eprintln!("listening on {url}"),
        LogFormat::Json => tracing::info!("listening on {url}"),
    }
}

/// What is allowed but shouldn't be.
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}
