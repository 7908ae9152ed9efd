//! A setting: its name, its documentation, and the way in which its value gets into its section.
//!
//! This module knows no sections. A section has a [`Section`] of [`Item`]s over its own struct, and
//! `list.rs` says where that struct is in the whole configuration.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use simplejwt::settings::value::{boolean, count, duration, list, optional_text, shown, text};

use super::form::{Form, Unit};

/// The description of a setting, apart from how it is set.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its name in its table; empty if the setting is the whole table.
    pub(crate) name: &'static str,
    /// Its environment variable.
    pub(crate) env: &'static str,
    pub(crate) shown: Shown,
    pub(crate) doc: &'static str,
    /// `true` for secrets, which aren't printed and can be read from a file.
    pub(crate) secret: bool,
    /// The content of the file that `<name>_file` or `<ENV>_FILE` names, if the setting can be read
    /// from one.
    pub(crate) file: Option<FileHolds>,
    /// `true` if upstream has the setting, by this name in capitals.
    pub(crate) upstream: bool,
    /// For a setting that is a whole table: returns the lines of a value.
    pub(crate) lines: Option<fn(&Value) -> Vec<String>>,
    /// Resolves a string from a file in that directory, if its form alone doesn't say how.
    pub(crate) beside: Option<Beside>,
    /// Returns the printable form of a string that contains secrets in places.
    pub(crate) redact: Option<fn(&str) -> String>,
}

/// Resolves a string as it is meant in a file in that directory. The error is the end of a
/// sentence.
pub(crate) type Beside = fn(&Path, &str) -> Result<String, String>;

/// A value as TOML: the default, or an example where there is no default.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown {
    Default(&'static str),
    Example(&'static str),
}

impl Shown {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Default(text) | Self::Example(text) => text,
        }
    }
}

/// The way in which a file with a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileHolds {
    Text,
    /// A key, of which only the PEM blocks have to be text.
    Key,
}

/// A setting of a section that is stored in an `S`.
#[derive(Debug)]
pub(super) struct Item<S: 'static> {
    pub(super) spec: Spec,
    set: Set<S>,
}

/// A table of the file, or a part of one.
#[derive(Debug)]
pub(super) struct Section<S: 'static> {
    pub(super) table: &'static str,
    /// The table's description; empty for a part of a table that another section has begun.
    pub(super) about: &'static str,
    pub(super) items: &'static [Item<S>],
    /// Settings that have no effect beside others of this section.
    pub(super) idle: &'static [Idle<S>],
}

/// Settings that are valid by themselves, the condition under which they have no effect, and what
/// to do about it.
#[derive(Debug)]
pub(super) struct Idle<S: 'static> {
    pub(super) names: &'static [&'static str],
    pub(super) when: fn(&S) -> bool,
    pub(super) why: &'static str,
}

/// The way in which a value gets into a section. The form of the value follows from it.
#[derive(Debug)]
enum Set<S: 'static> {
    Switch(fn(&mut S) -> &mut bool),
    Duration(fn(&mut S) -> &mut Duration),
    /// A duration that isn't zero.
    Positive(fn(&mut S) -> &mut Duration),
    Count(Range, fn(&mut S, &Value) -> Result<(), String>),
    /// One of a few words.
    Word(Words<S>),
    Text(fn(&mut S) -> &mut String),
    OptionalText(fn(&mut S) -> &mut Option<String>),
    Texts(fn(&mut S) -> &mut Vec<String>),
    Other(Form, fn(&mut S, &Value) -> Result<(), String>),
}

/// The words that a value may be, each with its effect.
type Words<S> = &'static [(&'static str, fn(&mut S))];

/// The range of a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    least: u64,
    most: u64,
    unit: Unit,
}

impl Range {
    /// Any number that fits.
    pub(super) const ANY: Self = Self::between(0, u64::MAX);

    pub(super) const fn from(least: u64) -> Self {
        Self::between(least, u64::MAX)
    }

    pub(super) const fn between(least: u64, most: u64) -> Self {
        Self { least, most, unit: Unit::None }
    }

    pub(super) const fn of(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    fn check(self, value: &Value, shown: Shown) -> Result<(), String> {
        let Self { least, most, unit } = self;
        let number: u64 = count(value)?;
        if most == u64::MAX && number < least {
            let unit = unit.as_str();
            let space = if unit.is_empty() { "" } else { " " };
            return Err(format!("is less than {least}{space}{unit}: write {}", shown.text()));
        }
        if !(least..=most).contains(&number) {
            return Err(format!("is out of range: write {least} to {most}"));
        }
        Ok(())
    }
}

impl<S> Item<S> {
    /// Puts a value into its section. The error is the end of a sentence that begins with the
    /// setting's name.
    pub(super) fn set(&self, section: &mut S, value: &Value) -> Result<(), String> {
        match &self.set {
            Set::Switch(field) => *field(section) = boolean(value)?,
            Set::Duration(field) => *field(section) = duration(value)?,
            Set::Positive(field) => *field(section) = positive(value)?,
            Set::Count(range, put) => {
                range.check(value, self.spec.shown)?;
                put(section, value)?;
            }
            Set::Word(words) => {
                let word = value.as_str().unwrap_or_default().trim();
                let Some((_, put)) = words.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))
                else {
                    let names: Vec<_> =
                        words.iter().map(|(name, _)| format!("\"{name}\"")).collect();
                    return Err(format!("is {}: write {}", shown(value), names.join(" or ")));
                };
                put(section);
            }
            Set::Text(field) => *field(section) = text(value)?,
            Set::OptionalText(field) => *field(section) = optional_text(value)?,
            Set::Texts(field) => *field(section) = list(value)?,
            Set::Other(_, put) => put(section, value)?,
        }
        Ok(())
    }

    /// Returns the form of a value.
    pub(super) fn form(&self) -> Form {
        match &self.set {
            Set::Switch(_) => Form::Switch,
            Set::Duration(_) => Form::DURATION,
            Set::Positive(_) => Form::POSITIVE,
            Set::Count(Range { least, most, unit }, _) => {
                Form::Count { least: *least, most: *most, unit: *unit }
            }
            Set::Word(_) => Form::Words,
            Set::Text(_) => Form::Text,
            Set::OptionalText(_) => Form::OptionalText,
            Set::Texts(_) => Form::Texts,
            Set::Other(form, _) => *form,
        }
    }

    /// Returns the words that a value may be, if it is one of a few.
    pub(super) fn words(&self) -> Vec<&'static str> {
        match &self.set {
            Set::Word(words) => words.iter().map(|(name, _)| *name).collect(),
            _ => Vec::new(),
        }
    }
}

/// Makes a setting a secret, which can be read from a file.
pub(super) const fn secret<S>(holds: FileHolds, mut item: Item<S>) -> Item<S> {
    item.spec.secret = true;
    in_file(holds, item)
}

/// Makes a setting's value readable from a separate file.
pub(super) const fn in_file<S>(holds: FileHolds, mut item: Item<S>) -> Item<S> {
    item.spec.file = Some(holds);
    item
}

/// Marks a setting of upstream's, which messages spell in capitals.
pub(super) const fn upstream<S>(mut item: Item<S>) -> Item<S> {
    item.spec.upstream = true;
    item
}

/// Makes a setting the whole table, whose names are the user's.
pub(super) const fn whole_table<S>(lines: fn(&Value) -> Vec<String>, mut item: Item<S>) -> Item<S> {
    item.spec.lines = Some(lines);
    item
}

/// Makes a setting's strings printable by a function, since they may contain secrets.
pub(super) const fn redacting<S>(redact: fn(&str) -> String, mut item: Item<S>) -> Item<S> {
    item.spec.redact = Some(redact);
    item
}

/// A URL: a string that may contain secrets and name files.
pub(super) const fn url<S>(
    beside: Beside,
    redact: fn(&str) -> String,
    mut item: Item<S>,
) -> Item<S> {
    item.spec.beside = Some(beside);
    redacting(redact, item)
}

const fn item<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    set: Set<S>,
) -> Item<S> {
    let spec = Spec {
        name,
        env,
        shown,
        doc,
        secret: false,
        file: None,
        upstream: false,
        lines: None,
        beside: None,
        redact: None,
    };
    Item { spec, set }
}

/// A Boolean.
pub(super) const fn switch<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut bool,
) -> Item<S> {
    item(name, env, shown, doc, Set::Switch(field))
}

/// A duration, which may be zero.
pub(super) const fn time<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut Duration,
) -> Item<S> {
    item(name, env, shown, doc, Set::Duration(field))
}

/// A duration that isn't zero.
pub(super) const fn positive_time<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut Duration,
) -> Item<S> {
    item(name, env, shown, doc, Set::Positive(field))
}

/// A whole number.
pub(super) const fn number<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    range: Range,
    put: fn(&mut S, &Value) -> Result<(), String>,
) -> Item<S> {
    item(name, env, shown, doc, Set::Count(range, put))
}

/// One of a few words, each with its effect.
pub(super) const fn word<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    words: Words<S>,
) -> Item<S> {
    item(name, env, shown, doc, Set::Word(words))
}

/// A string that isn't empty.
pub(super) const fn string<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut String,
) -> Item<S> {
    item(name, env, shown, doc, Set::Text(field))
}

/// A string; an empty one stands for none.
pub(super) const fn optional_string<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut Option<String>,
) -> Item<S> {
    item(name, env, shown, doc, Set::OptionalText(field))
}

/// A list of strings.
pub(super) const fn strings<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut Vec<String>,
) -> Item<S> {
    item(name, env, shown, doc, Set::Texts(field))
}

/// Any other setting: `form` describes the value, and the function reads it.
pub(super) const fn other<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    form: Form,
    put: fn(&mut S, &Value) -> Result<(), String>,
) -> Item<S> {
    item(name, env, shown, doc, Set::Other(form, put))
}

/// Reads a duration that isn't zero.
pub(super) fn positive(value: &Value) -> Result<Duration, String> {
    match duration(value)? {
        Duration::ZERO => Err("is zero: write a duration such as \"30s\"".into()),
        time => Ok(time),
    }
}
