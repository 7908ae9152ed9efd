//! Logging, to standard error.

use std::net::SocketAddr;

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
