//! A finding: what is in force, how weak that is, and what mends it.

use std::time::Duration;

use serde_json::Value;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// As it should be.
    Ok,
    /// A choice that fits some deployments and not others.
    Note,
    /// It could not be looked at.
    Unknown,
    /// Weak: it should be mended.
    Warning,
    /// It fails or is about to.
    Error,
}

impl Severity {
    /// From the least to the most.
    pub(super) const ALL: [Self; 5] =
        [Self::Ok, Self::Note, Self::Unknown, Self::Warning, Self::Error];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A step that mends a finding.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Remedy {
    /// Gives the setting with this path (`server.bind`) a value.
    Write(String, Value),
    /// Removes a setting.
    Remove(String),
    /// A command for a shell.
    Run(String),
    /// A sentence, where neither would do.
    Act(String),
}

/// What was found about one thing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    /// Its name, which doesn't change.
    pub(super) code: &'static str,
    pub(super) severity: Severity,
    /// What is in force: a sentence.
    pub(super) found: String,
    /// Why it is weak; empty if it isn't.
    pub(super) why: String,
    /// All steps that mend it, in their order.
    pub(super) remedies: Vec<Remedy>,
}

impl Finding {
    pub(super) fn new(
        code: &'static str,
        severity: Severity,
        found: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self { code, severity, found: found.into(), why: why.into(), remedies: Vec::new() }
    }

    pub(super) fn ok(code: &'static str, found: impl Into<String>) -> Self {
        Self::new(code, Severity::Ok, found, "")
    }

    pub(super) fn note(
        code: &'static str,
        found: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self::new(code, Severity::Note, found, why)
    }

    pub(super) fn warning(
        code: &'static str,
        found: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self::new(code, Severity::Warning, found, why)
    }

    pub(super) fn unknown(
        code: &'static str,
        found: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self::new(code, Severity::Unknown, found, why)
    }

    #[must_use]
    pub(super) fn write(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.remedies.push(Remedy::Write(path.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub(super) fn remove(mut self, path: &str) -> Self {
        self.remedies.push(Remedy::Remove(path.to_owned()));
        self
    }

    #[must_use]
    pub(super) fn run(mut self, command: impl Into<String>) -> Self {
        self.remedies.push(Remedy::Run(command.into()));
        self
    }

    #[must_use]
    pub(super) fn act(mut self, sentence: impl Into<String>) -> Self {
        self.remedies.push(Remedy::Act(sentence.into()));
        self
    }
}

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns a duration in its largest whole unit: `15 minutes`.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let whole =
        units.into_iter().find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size));
    let (size, unit) = whole.unwrap_or((1, "second"));
    let count = seconds / size;
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// Returns a word for a shell, in quotes if it needs them.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,@%+".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Returns the code and the severity of each finding that isn't `ok`.
#[cfg(test)]
pub(super) fn told(findings: &[Finding]) -> Vec<(&'static str, Severity)> {
    let bad = findings.iter().filter(|finding| finding.severity != Severity::Ok);
    bad.map(|finding| (finding.code, finding.severity)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_in_their_largest_whole_unit() {
        for (seconds, shown) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (900, "15 minutes"),
            (3_600, "1 hour"),
            (86_400, "1 day"),
            (90 * 86_400, "90 days"),
            (86_401, "86401 seconds"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        for (word, shown) in [
            ("/srv/signing.key", "/srv/signing.key"),
            ("my key", "'my key'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
