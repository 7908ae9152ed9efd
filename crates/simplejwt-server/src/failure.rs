//! Failures of a command: a sentence for the person who typed it, and an exit code for scripts.

use std::process::ExitCode;

pub(crate) use simplejwt::logging::with_causes as chain;

use crate::config::{ConfigError, Realm};

/// A failure: sentences, one per line, that say what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Failed(String),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Database(String),
    /// A database that can't be used now, but may be usable soon.
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Listen(String),
    /// Several failures found together.
    #[error("{}", lines(.0))]
    Several(Vec<Failure>),
}

impl Failure {
    /// Returns the exit code, as documented in `simplejwt --help`.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Config(_) => 3,
            Self::Database(_) | Self::Unreachable(_) => 4,
            Self::Listen(_) => 5,
            // The configuration has to be corrected first.
            Self::Several(failures) => failures.iter().map(Self::code).min().unwrap_or(1),
        }
    }

    /// Combines failures; `Ok` if there are none.
    pub(crate) fn all(failures: Vec<Self>) -> Result<(), Self> {
        match failures.is_empty() {
            true => Ok(()),
            false => Err(Self::Several(failures)),
        }
    }

    /// Combines failures, of which one by itself stays as it is.
    pub(crate) fn one_or_all(mut failures: Vec<Self>) -> Result<(), Self> {
        match failures.len() {
            1 => failures.pop().map_or(Ok(()), Err),
            _ => Self::all(failures),
        }
    }

    /// Returns the same failure as one of a realm, if there are several.
    pub(crate) fn of(self, realm: &Realm) -> Self {
        let label = realm.label();
        let labelled = |text: String| match text.starts_with(&label) {
            true => text,
            false => format!("{label}{text}"),
        };
        match self {
            Self::Failed(text) => Self::Failed(labelled(text)),
            Self::Usage(text) => Self::Usage(labelled(text)),
            Self::Config(ConfigError(problems)) => {
                Self::Config(ConfigError(problems.into_iter().map(labelled).collect()))
            }
            Self::Database(text) => Self::Database(labelled(text)),
            Self::Unreachable(text) => Self::Unreachable(labelled(text)),
            Self::Listen(text) => Self::Listen(text),
            Self::Several(failures) => {
                Self::Several(failures.into_iter().map(|failure| failure.of(realm)).collect())
            }
        }
    }

    /// The failure for a panic, which is a bug in this program.
    pub(crate) fn panicked() -> Self {
        Self::Failed(format!(
            "simplejwt failed unexpectedly at {}: please report it",
            crate::telemetry::last_panic()
        ))
    }

    /// A problem in the configuration that is only found when it is used.
    pub(crate) fn config(problem: impl Into<String>) -> Self {
        Self::Config(ConfigError(vec![problem.into()]))
    }
}

fn lines(failures: &[Failure]) -> String {
    failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
