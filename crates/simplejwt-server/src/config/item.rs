//! A setting: what it is called, what it says, and how its value gets into its section.
//!
//! Knows no section. A section has a [`Section`] of [`Item`]s over a struct of its own, and `list.rs`
//! says where that struct stands in the whole configuration.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use simplejwt::settings::value::{boolean, count, duration, list, optional_text, shown, text};

use super::form::{Form, Unit};

/// What there is to know of a setting but how it is put.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its name in its table; empty if it is the whole table.
    pub(crate) name: &'static str,
    /// Its environment variable.
    pub(crate) env: &'static str,
    pub(crate) shown: Shown,
    pub(crate) doc: &'static str,
    /// Secrets aren't printed, and can be named by file.
    pub(crate) secret: bool,
    /// What a file holds that `<name>_file` or `<ENV>_FILE` names, if they can name one.
    pub(crate) file: Option<FileHolds>,
    /// Whether upstream has it, by this name in capitals.
    pub(crate) upstream: bool,
    /// Of a setting that is a whole table: the lines of a value.
    pub(crate) lines: Option<fn(&Value) -> Vec<String>>,
    /// What becomes of a text that stands in a file of that directory, where that isn't what its
    /// form says already.
    pub(crate) beside: Option<Beside>,
    /// How a text is printed that holds a secret in places.
    pub(crate) redact: Option<fn(&str) -> String>,
}

/// A text as it is meant in a file of that directory; the error is the end of a sentence.
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

/// What a file with a value is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileHolds {
    Text,
    /// Of which only the PEM blocks have to be text.
    Key,
}

/// A setting of a section that is kept in an `S`.
#[derive(Debug)]
pub(super) struct Item<S: 'static> {
    pub(super) spec: Spec,
    set: Set<S>,
}

/// A table of the file, or a part of one.
#[derive(Debug)]
pub(super) struct Section<S: 'static> {
    pub(super) table: &'static str,
    /// What the table is about; empty for a part of one that another section has begun.
    pub(super) about: &'static str,
    pub(super) items: &'static [Item<S>],
    /// Settings that do nothing beside others of this section.
    pub(super) idle: &'static [Idle<S>],
}

/// Settings that are good by themselves, when they do nothing, and what to do about it.
#[derive(Debug)]
pub(super) struct Idle<S: 'static> {
    pub(super) names: &'static [&'static str],
    pub(super) when: fn(&S) -> bool,
    pub(super) why: &'static str,
}

/// How a value gets into a section. What a value may look like follows from it.
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

/// The words that a value may be, each with what it does.
type Words<S> = &'static [(&'static str, fn(&mut S))];

/// How large a number may be.
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

    /// What a value may look like.
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

    /// The words that a value may be, if it is one of a few.
    pub(super) fn words(&self) -> Vec<&'static str> {
        match &self.set {
            Set::Word(words) => words.iter().map(|(name, _)| *name).collect(),
            _ => Vec::new(),
        }
    }
}

/// A secret, which can be named by file.
pub(super) const fn secret<S>(holds: FileHolds, mut item: Item<S>) -> Item<S> {
    item.spec.secret = true;
    in_file(holds, item)
}

/// A setting whose value can be in a file of its own.
pub(super) const fn in_file<S>(holds: FileHolds, mut item: Item<S>) -> Item<S> {
    item.spec.file = Some(holds);
    item
}

/// A setting of upstream's, which messages spell in capitals.
pub(super) const fn upstream<S>(mut item: Item<S>) -> Item<S> {
    item.spec.upstream = true;
    item
}

/// A setting that is the whole table, whose names are the user's.
pub(super) const fn whole_table<S>(lines: fn(&Value) -> Vec<String>, mut item: Item<S>) -> Item<S> {
    item.spec.lines = Some(lines);
    item
}

/// A URL: a text that may hold a secret in places, and names files.
pub(super) const fn url<S>(
    beside: Beside,
    redact: fn(&str) -> String,
    mut item: Item<S>,
) -> Item<S> {
    item.spec.beside = Some(beside);
    item.spec.redact = Some(redact);
    item
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

/// True or false.
pub(super) const fn switch<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut bool,
) -> Item<S> {
    item(name, env, shown, doc, Set::Switch(field))
}

/// A time, which may be zero.
pub(super) const fn time<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut Duration,
) -> Item<S> {
    item(name, env, shown, doc, Set::Duration(field))
}

/// A time that isn't zero.
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

/// One of a few words, each with what it does.
pub(super) const fn word<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    words: Words<S>,
) -> Item<S> {
    item(name, env, shown, doc, Set::Word(words))
}

/// A text that isn't empty.
pub(super) const fn string<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut String,
) -> Item<S> {
    item(name, env, shown, doc, Set::Text(field))
}

/// A text; the empty one is none.
pub(super) const fn optional_string<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut Option<String>,
) -> Item<S> {
    item(name, env, shown, doc, Set::OptionalText(field))
}

/// A list of texts.
pub(super) const fn strings<S>(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    field: fn(&mut S) -> &mut Vec<String>,
) -> Item<S> {
    item(name, env, shown, doc, Set::Texts(field))
}

/// What the others don't have: the form says what it may look like, the function reads it.
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

/// A duration that isn't zero.
pub(super) fn positive(value: &Value) -> Result<Duration, String> {
    match duration(value)? {
        Duration::ZERO => Err("is zero: write a duration such as \"30s\"".into()),
        time => Ok(time),
    }
}
