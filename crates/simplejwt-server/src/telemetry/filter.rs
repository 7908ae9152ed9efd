//! The filter of log lines.
//!
//! Dependencies log their data: a database driver the parameters of each statement, with tokens and
//! hashes among them, an HTTP library its headers. They log nothing below warnings, whatever the
//! configuration says.

use tracing_subscriber::filter::{LevelFilter, Targets};

/// The highest level of anything but this program.
pub(crate) const LOUDEST_DEPENDENCY: LevelFilter = LevelFilter::WARN;

/// This program and its library.
const OURS: &str = "simplejwt";

/// Returns the filter for a level from the configuration, such as `warn,simplejwt::service=debug`.
pub(super) fn targets(level: &str) -> Targets {
    let mut default = LevelFilter::OFF;
    let mut named = Vec::new();
    for directive in level.split(',') {
        match directive.split_once('=') {
            Some((target, level)) => named.push((target, level_of(level))),
            None => default = level_of(directive),
        }
    }
    let mut targets =
        Targets::new().with_default(default.min(LOUDEST_DEPENDENCY)).with_target(OURS, default);
    for (target, level) in named {
        let is_ours = target == OURS || target.starts_with("simplejwt::");
        let level = if is_ours { level } else { level.min(LOUDEST_DEPENDENCY) };
        targets = targets.with_target(target, level);
    }
    targets
}

fn level_of(word: &str) -> LevelFilter {
    word.parse().unwrap_or(LevelFilter::INFO)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn this_program_is_as_loud_as_asked_and_dependencies_never_are() {
        for (level, ours, service, theirs) in [
            ("off", None, None, None),
            ("error", Some(Level::ERROR), Some(Level::ERROR), Some(Level::ERROR)),
            ("info", Some(Level::INFO), Some(Level::INFO), Some(Level::WARN)),
            ("trace", Some(Level::TRACE), Some(Level::TRACE), Some(Level::WARN)),
            ("tokio_postgres=trace", None, None, Some(Level::WARN)),
            ("tokio_postgres=off", None, None, None),
            (
                "trace,tokio_postgres=trace",
                Some(Level::TRACE),
                Some(Level::TRACE),
                Some(Level::WARN),
            ),
            (
                "warn,simplejwt::service=debug",
                Some(Level::WARN),
                Some(Level::DEBUG),
                Some(Level::WARN),
            ),
            ("simplejwt=debug", Some(Level::DEBUG), Some(Level::DEBUG), None),
        ] {
            let targets = targets(level);
            let loudest = |target: &str| {
                [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR]
                    .into_iter()
                    .find(|level| targets.would_enable(target, level))
            };
            assert_eq!(loudest("simplejwt::web"), ours, "{level}");
            assert_eq!(loudest("simplejwt::service::refresh"), service, "{level}");
            assert_eq!(loudest("tokio_postgres::query"), theirs, "{level}");
        }
        for other in ["h2::codec", "hyper", "mysql_async", "rusqlite", "rustls::client", "ureq"] {
            assert!(!targets("trace").would_enable(other, &Level::INFO), "{other}");
        }
    }
}
