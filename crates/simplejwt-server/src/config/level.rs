//! Log levels, in Rust's and Python's names, for everything or by module.

use tracing_subscriber::filter::LevelFilter;

use crate::telemetry::LOUDEST_DEPENDENCY;

/// The levels, from the fewest lines to the most.
pub(super) const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Python's names that Rust doesn't have.
const PYTHONS: [(&str, &str); 3] = [("warning", "warn"), ("critical", "error"), ("fatal", "error")];

/// The parts of this program that log.
const TARGETS: &[&str] = &[
    "simplejwt",
    "deadpool.postgres",
    "mysql_async",
    "rustls",
    "rustls_platform_verifier",
    "tokio_postgres",
    "ureq",
    "ureq_proto",
];

/// The modules below `simplejwt`, of the library and of this program.
const MODULES: &[&str] = &[
    "app",
    "beside_django",
    "claims",
    "cli",
    "client",
    "clock",
    "commands",
    "config",
    "database",
    "endpoints",
    "error",
    "event",
    "failure",
    "files",
    "front",
    "hashes",
    "health",
    "hooks",
    "jwk",
    "jws",
    "key_ring",
    "keys",
    "limits",
    "listening",
    "logging",
    "mysql",
    "output",
    "panics",
    "postgres",
    "purge",
    "random",
    "realms",
    "reload",
    "request",
    "request_log",
    "revocation",
    "serve",
    "service",
    "settings",
    "sql",
    "sqlite",
    "store",
    "suite",
    "supervisor",
    "telemetry",
    "throttle",
    "tls",
    "token",
    "users",
    "waiting",
    "web",
];

/// The target of the lines that `requests` turns on.
const REQUESTS: &str = "simplejwt::request";

/// Parses a level, or several by module, for the logger. The error is the end of a sentence.
pub(super) fn level(text: &str) -> Result<String, String> {
    let directives = text
        .split(',')
        .map(str::trim)
        .filter(|directive| !directive.is_empty())
        .map(directive)
        .collect::<Result<Vec<_>, _>>()?;
    if directives.is_empty() {
        return Err(format!("is empty: {HOW}"));
    }
    Ok(directives.join(","))
}

const HOW: &str = "write error, warn, info, debug or trace, or by module \"warn,simplejwt=debug\"";

fn directive(text: &str) -> Result<String, String> {
    let Some((target, level)) = text.split_once('=') else {
        let hint =
            if is_target(text) { format!("; for a module {text}=debug") } else { String::new() };
        return word(text)
            .map(str::to_owned)
            .ok_or_else(|| format!("is {text:?}, which is not a level: {HOW}{hint}"));
    };
    let (target, level) = (target.trim(), level.trim());
    if !is_target(target) {
        return Err(format!(
            "has {target:?}, a module that logs nothing: write simplejwt, a module of it such as \
             simplejwt::service, or one of {}",
            TARGETS.iter().skip(1).copied().collect::<Vec<_>>().join(", ")
        ));
    }
    match word(level) {
        Some(word) => Ok(format!("{target}={word}")),
        None => Err(format!("has {level:?} for {target}, which is not a level: {HOW}")),
    }
}

fn word(text: &str) -> Option<&'static str> {
    let is = |name: &str| name.eq_ignore_ascii_case(text);
    let python = PYTHONS.iter().find(|(python, _)| is(python)).map(|(_, rust)| *rust);
    LEVELS.iter().copied().find(|level| is(level)).or(python)
}

fn is_target(text: &str) -> bool {
    let mut parts = text.split("::");
    let known = |name: &str, names: &[&str]| names.contains(&name);
    match (parts.next(), parts.next()) {
        (Some("simplejwt"), Some(module)) => known(module, MODULES),
        (Some(name), _) => known(name, TARGETS),
        (None, _) => false,
    }
}

/// Returns `true` if a level asks for more from a dependency than is ever logged.
pub(super) fn asks_too_much(level: &str) -> bool {
    level.split(',').filter_map(|directive| directive.split_once('=')).any(|(target, level)| {
        let is_theirs = !matches!(target.split("::").next(), Some("simplejwt"));
        is_theirs && level.parse::<LevelFilter>().is_ok_and(|level| level > LOUDEST_DEPENDENCY)
    })
}

/// Returns `true` if a level lets the lines of requests through.
pub(super) fn shows_requests(level: &str) -> bool {
    let of = |directive: &str| match directive.split_once('=') {
        None => Some((0, directive.to_owned())),
        Some((target, level)) => {
            REQUESTS.starts_with(target).then(|| (target.len(), level.to_owned()))
        }
    };
    let nearest = level.split(',').filter_map(of).max_by_key(|(length, _)| *length);
    nearest.is_some_and(|(_, level)| matches!(level.as_str(), "info" | "debug" | "trace"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn levels_in_rust_s_words_and_in_python_s() {
        for (text, expected) in [
            ("info", "info"),
            ("WARNING", "warn"),
            ("Critical", "error"),
            ("fatal", "error"),
            (" warn , simplejwt=DEBUG,", "warn,simplejwt=debug"),
            ("simplejwt::service=warning", "simplejwt::service=warn"),
            ("off", "off"),
            (
                "error,simplejwt::request=info,tokio_postgres::config=off",
                "error,simplejwt::request=info,tokio_postgres::config=off",
            ),
        ] {
            assert_eq!(level(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, told) in [
            ("verbose", "error, warn, info, debug or trace"),
            ("", "is empty"),
            (",", "is empty"),
            ("20", "not a level"),
            ("None", "not a level"),
            ("simplejwt", "simplejwt=debug"),
            ("info,simplejwt=verbose", "\"verbose\" for simplejwt"),
            ("simplejwt=", "not a level"),
            ("simple_jwt=debug", "logs nothing"),
            ("simplejwt::reqest=info", "logs nothing"),
            ("simplejwt::axum=info", "logs nothing"),
            ("simplejwt-server=info", "logs nothing"),
            ("django.request=info", "logs nothing"),
            ("simplejwt[span]=info", "logs nothing"),
            ("{a=1}", "logs nothing"),
        ] {
            let problem = level(text).expect_err(text);
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }

    #[test]
    fn every_module_is_known() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["src", "../simplejwt/src"] {
            for entry in std::fs::read_dir(source.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap();
                let known = MODULES.contains(&name) || ["main", "lib"].contains(&name);
                assert!(known, "{name} in {folder}");
            }
        }
    }

    #[test]
    fn dependencies_say_no_more_than_warnings() {
        for (level, too_much) in [
            ("trace", false),
            ("trace,simplejwt::service=trace", false),
            ("info,tokio_postgres=warn", false),
            ("info,tokio_postgres=off", false),
            ("info,tokio_postgres=info", true),
            ("rustls::client=debug", true),
        ] {
            assert_eq!(asks_too_much(level), too_much, "{level}");
        }
    }

    #[test]
    fn whether_requests_are_shown() {
        for (level, shown) in [
            ("info", true),
            ("warn", false),
            ("off", false),
            ("warn,simplejwt=info", true),
            ("info,simplejwt=warn", false),
            ("warn,simplejwt::request=info", true),
            ("info,simplejwt::request=error", false),
            ("tokio_postgres=trace", false),
            ("trace", true),
        ] {
            assert_eq!(shows_requests(level), shown, "{level}");
        }
    }
}
