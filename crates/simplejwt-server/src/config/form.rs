//! What a value may look like, as far as its form goes: what a list, a table or a text in it is.
//!
//! From this come the schema, which of its texts are files, and which are secrets. Whether a text of
//! the right form means something is for its section to say.

use serde_json::Value;
use simplejwt::settings::value::is_no_value;

/// The form of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// `true`, `false`, or a word for them.
    Switch,
    /// Seconds, or a text with units.
    Duration { zero: bool, most: Option<u64> },
    /// A whole number, or its digits as a text.
    Count { least: u64, most: u64, unit: Unit },
    /// One of the setting's words, in either case.
    Words,
    /// One of these, as they are written.
    Constants(&'static [&'static str]),
    /// A text that isn't empty, and no word for nothing.
    Text,
    /// The same, or the empty text.
    OptionalText,
    /// Any text at all.
    Verbatim,
    /// A text of a regular expression (ECMA 262), which says nothing of white space at the ends.
    Matching(&'static str),
    /// The path of a file, relative to the file in which it stands.
    FilePath,
    /// The same, or the empty text.
    Path,
    /// The path of a file that holds a secret.
    SecretPath,
    /// A list of texts, or one text that holds them.
    Texts,
    /// `true` and nothing else.
    True,
    /// Whatever there is.
    Anything,
    /// One of these forms.
    OneOf(&'static [Form]),
    /// A list of them.
    List(&'static Form),
    /// A table of names that are known.
    Table(&'static [Member]),
    /// A table of names that are the user's, as this pattern has them.
    Map { names: &'static str, values: &'static Form },
    /// That, or a text with the same in JSON.
    OrJson(&'static Form),
}

/// In which unit a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    None,
    Bytes,
    Kibibytes,
}

impl Unit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Bytes => "bytes",
            Self::Kibibytes => "KiB",
        }
    }
}

/// A name of a table within a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) form: Form,
    pub(crate) rule: Rule,
    /// Whether the value is a secret.
    pub(crate) secret: bool,
}

/// Whether a member has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Required,
    /// Exactly one of the table's members of this rule.
    OneOf,
}

impl Member {
    /// One that has to be there.
    pub(super) const fn required(name: &'static str, doc: &'static str, form: Form) -> Self {
        Self { name, doc, form, rule: Rule::Required, secret: false }
    }

    /// One of several, of which exactly one has to be there.
    pub(super) const fn one_of(name: &'static str, doc: &'static str, form: Form) -> Self {
        Self { name, doc, form, rule: Rule::OneOf, secret: false }
    }

    /// Whose value is a secret.
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

impl Form {
    /// Any duration.
    pub(super) const DURATION: Self = Self::Duration { zero: true, most: None };
    /// Any duration but zero.
    pub(super) const POSITIVE: Self = Self::Duration { zero: false, most: None };

    /// Each text in a value that names a file, and whether that holds a secret.
    pub(super) fn files(&self, value: &mut Value, each: &mut dyn FnMut(&mut String, bool)) {
        match (self, value) {
            (Self::FilePath | Self::Path, Value::String(path)) if names_a_file(path) => {
                each(path, false)
            }
            (Self::SecretPath, Value::String(path)) => each(path, true),
            (Self::OrJson(form), value) => form.files(value, each),
            (Self::List(form), Value::Array(items)) => {
                items.iter_mut().for_each(|item| form.files(item, each));
            }
            (Self::Table(members), Value::Object(values)) => {
                for member in *members {
                    if let Some(value) = values.get_mut(member.name) {
                        member.form.files(value, each);
                    }
                }
            }
            (Self::Map { values: form, .. }, Value::Object(values)) => {
                values.values_mut().for_each(|value| form.files(value, each));
            }
            _ => {}
        }
    }

    /// Whether it is of parts, of which some may be no secret.
    pub(super) fn has_members(&self) -> bool {
        match self {
            Self::OrJson(form) | Self::List(form) => form.has_members(),
            Self::Table(_) => true,
            _ => false,
        }
    }

    /// Whether a secret stands in a value of a setting that is one, or has one in it.
    pub(super) fn holds_secret(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::OrJson(form), value) => form.holds_secret(value),
            (Self::List(form), Value::Array(items)) => {
                items.iter().any(|item| form.holds_secret(item))
            }
            (Self::Table(members), Value::Object(values)) => {
                members.iter().any(|member| member.secret && values.get(member.name).is_some())
            }
            (Self::List(_) | Self::Table(_), _) => false,
            _ => true,
        }
    }
}

/// Not what is refused, or means none: made a whole path, it would be neither.
fn names_a_file(path: &str) -> bool {
    !path.is_empty() && !is_no_value(path)
}
