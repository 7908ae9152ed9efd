//! The report, for people and as JSON. Both say the same.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::finding::{Finding, Remedy, Severity, quoted};
use crate::config::{Environment, Loaded, Named};
use crate::telemetry;

/// Where settings are written: in the file, or in the environment if they come from there.
pub(super) struct Place<'a> {
    pub(super) file: Option<&'a Path>,
    pub(super) environment: &'a Environment,
    pub(super) loaded: &'a Loaded,
}

/// A step as it is to be carried out.
#[derive(Debug, PartialEq)]
enum Step {
    Write { named: Named, value: Value, home: Home },
    Remove { named: Named, home: Home },
    Run(String),
    Act(String),
}

/// Where a setting is written.
#[derive(Debug, PartialEq)]
struct Home {
    /// Its table with brackets, as it stands in the file.
    table: String,
    /// `false` if the environment counts.
    in_file: bool,
}

impl Place<'_> {
    /// Returns where a setting is written, or where it has been if it is to be removed.
    fn home(&self, named: &Named, removes: bool) -> Home {
        if self.loaded.is_of_realm(named, removes) {
            return Home { table: self.loaded.config.realm.table(named.table), in_file: true };
        }
        let variable = named.variable.strip_suffix("_FILE").filter(|_| named.is_file);
        let is_set = self.environment.sets(variable.unwrap_or(&named.variable));
        let given = self.loaded.given.get(&named.setting);
        let is_given = given.is_some_and(|given| given.origin.starts_with("environment"));
        let in_file = self.file.is_some() && !is_set && !is_given;
        Home { table: format!("[{}]", named.table), in_file }
    }

    /// Returns a command with the configuration that it is for, and in the directory that relative
    /// paths in it are meant in.
    fn command(&self, command: &str) -> String {
        let Some(file) = self.file else { return command.to_owned() };
        if ["simplejwt migrate", "simplejwt key rotate"].contains(&command) {
            let realm = self.loaded.config.realm.name();
            let realm = realm.map_or_else(String::new, |name| format!(" --realm {name}"));
            return format!("{command} --config {}{realm}", quoted(&file.to_string_lossy()));
        }
        let directory = file.parent().map(Path::to_string_lossy).unwrap_or_default();
        match command.contains("new-") && !["", "."].contains(&&*directory) {
            true => format!("cd {} && {command}", quoted(&directory)),
            false => command.to_owned(),
        }
    }

    fn steps(&self, remedy: &Remedy) -> Vec<Step> {
        match remedy {
            Remedy::Run(command) => vec![Step::Run(self.command(command))],
            Remedy::Act(sentence) => vec![Step::Act(sentence.clone())],
            Remedy::Write(path, value) => {
                let Some(named) = Named::find(path) else { return Vec::new() };
                let home = self.home(&named, false);
                let mut steps = Vec::new();
                // A value and a file with it can't both be given.
                let given = self.loaded.given.get(&named.setting);
                if named.is_file
                    && given.is_some_and(|given| given.file.is_none())
                    && let Some(value) = Named::find(&named.setting)
                {
                    let home = self.home(&value, true);
                    steps.push(Step::Remove { named: value, home });
                }
                steps.push(Step::Write { named, value: value.clone(), home });
                steps
            }
            Remedy::Remove(path) => {
                let Some(named) = Named::find(path) else { return Vec::new() };
                let Some(given) = self.loaded.given.get(&named.setting) else { return Vec::new() };
                let of_file = given.file.is_some().then(|| Named::find(&format!("{path}_file")));
                let named = of_file.flatten().unwrap_or(named);
                let home = self.home(&named, true);
                vec![Step::Remove { named, home }]
            }
        }
    }
}

impl Step {
    fn line(&self) -> String {
        match self {
            Self::Write { named, value, home } if home.in_file => {
                format!("write in {}: {}", home.table, named.line(value))
            }
            Self::Write { named, value, .. } => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("set in the environment: {}={}", named.variable, quoted(&text))
            }
            Self::Remove { named, home } if home.in_file => {
                format!("remove from {}: {}", home.table, named.name)
            }
            Self::Remove { named, .. } => {
                format!("remove from the environment: {} ({})", named.variable, named.name)
            }
            Self::Run(command) => format!("run: {command}"),
            Self::Act(sentence) => sentence.clone(),
        }
    }

    fn json(&self) -> Value {
        let (kind, named, value, text) = match self {
            Self::Write { named, value, home } => {
                let text = match home.in_file {
                    true => named.line(value),
                    false => self.line().replacen("set in the environment: ", "", 1),
                };
                ("write", Some((named, home)), value.clone(), text)
            }
            Self::Remove { named, home } => {
                ("remove", Some((named, home)), Value::Null, named.name.clone())
            }
            Self::Run(command) => ("run", None, Value::Null, command.clone()),
            Self::Act(sentence) => ("act", None, Value::Null, sentence.clone()),
        };
        json!({
            "kind": kind,
            "text": text,
            "table": named.map(|(_, home)| home.table.trim_matches(['[', ']'])),
            "name": named.map(|(named, _)| &named.name),
            "variable": named.map(|(named, _)| &named.variable),
            "place": named.map(|(_, home)| if home.in_file { "file" } else { "environment" }),
            "value": value,
        })
    }
}

/// The findings, by subject.
pub(super) struct Report {
    pub(super) subjects: Vec<(&'static str, Vec<Finding>)>,
}

impl Report {
    fn all(&self) -> impl Iterator<Item = &Finding> {
        self.subjects.iter().flat_map(|(_, findings)| findings)
    }

    fn count(&self, severity: Severity) -> usize {
        self.all().filter(|finding| finding.severity == severity).count()
    }

    /// Returns `true` if nothing has to be mended, and with `strict` everything could be looked at.
    pub(super) fn is_fine(&self, strict: bool) -> bool {
        let limit = if strict { Severity::Unknown } else { Severity::Warning };
        self.all().all(|finding| finding.severity < limit)
    }

    /// Returns the report for people.
    pub(super) fn text(&self, place: &Place<'_>) -> String {
        let mut text = String::new();
        for (subject, findings) in self.subjects.iter().filter(|(_, list)| !list.is_empty()) {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{subject}");
            for finding in findings {
                let severity = finding.severity.name();
                let code = match finding.severity {
                    Severity::Ok => String::new(),
                    _ => format!(" [{}]", finding.code),
                };
                let _ = writeln!(text, "  {severity:<8} {}{code}", shown(&finding.found));
                if !finding.why.is_empty() {
                    let _ = writeln!(text, "           {}", shown(&finding.why));
                }
                for step in finding.remedies.iter().flat_map(|remedy| place.steps(remedy)) {
                    let _ = writeln!(text, "           - {}", shown(&step.line()));
                }
            }
        }
        let counts = Severity::ALL.iter().rev().map(|severity| {
            let name = severity.name();
            format!("{} {name}", self.count(*severity))
        });
        let _ = writeln!(text, "{}", counts.collect::<Vec<_>>().join(", "));
        text
    }

    /// Returns the report as one JSON object.
    pub(super) fn json(&self, place: &Place<'_>, strict: bool) -> String {
        let mut all = Vec::new();
        for (subject, findings) in &self.subjects {
            for finding in findings {
                let steps = finding.remedies.iter().flat_map(|remedy| place.steps(remedy));
                all.push(json!({
                    "code": finding.code,
                    "subject": subject,
                    "severity": finding.severity.name(),
                    "found": finding.found,
                    "why": (!finding.why.is_empty()).then_some(&finding.why),
                    "remedy": steps.map(|step| step.json()).collect::<Vec<_>>(),
                }));
            }
        }
        let counts: Map<String, Value> = Severity::ALL
            .iter()
            .map(|severity| (severity.name().to_owned(), self.count(*severity).into()))
            .collect();
        let report = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "file": place.file.map(|file| file.display().to_string()),
            "fine": self.is_fine(strict),
            "counts": counts,
            "findings": all,
        });
        format!("{report:#}\n")
    }
}

/// Returns text that changes nothing on a terminal, on one line.
fn shown(text: &str) -> String {
    telemetry::seen(text)
}

#[cfg(test)]
mod tests;
