//! The form of a value: the parts of a list, a table or a string.
//!
//! The schema comes from it, and also the knowledge which of its strings are files and which are
//! secrets. Whether a value of the right form is meaningful is for its section to decide.

use serde_json::Value;
use simplejwt::settings::value::is_no_value;

/// The form of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// `true`, `false`, or a word for one of them.
    Switch,
    /// Seconds, or a string with units.
    Duration { zero: bool, most: Option<u64> },
    /// A whole number, or its digits as a string.
    Count { least: u64, most: u64, unit: Unit },
    /// One of the setting's words, in either case.
    Words,
    /// One of these strings, exactly as written.
    Constants(&'static [&'static str]),
    /// A string that isn't empty, and isn't another language's word for nothing.
    Text,
    /// The same, or the empty text.
    OptionalText,
    /// Any string at all.
    Verbatim,
    /// A string that matches a regular expression (ECMA 262); white space around it is ignored.
    Matching(&'static str),
    /// The path of a file, relative to the file that contains it.
    FilePath,
    /// The same, or the empty text.
    Path,
    /// The path of a file that holds a secret.
    SecretPath,
    /// A list of strings, or one string that contains them.
    Texts,
    /// Only `true`.
    True,
    /// Any value.
    Anything,
    /// One of these forms.
    OneOf(&'static [Form]),
    /// A list of them.
    List(&'static Form),
    /// A table with these names.
    Table(&'static [Member]),
    /// A table whose names are the user's, and match this pattern.
    Map { names: &'static str, values: &'static Form },
    /// That form, or a string with the same value in JSON.
    OrJson(&'static Form),
}

/// The unit of a number.
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

/// A member of a table within a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) form: Form,
    pub(crate) rule: Rule,
    /// `true` if the value is a secret.
    pub(crate) secret: bool,
}

/// Whether a member is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Required,
    Optional,
    /// Exactly one of the table's members of this rule.
    OneOf,
}

impl Member {
    /// A member that is required.
    pub(super) const fn required(name: &'static str, doc: &'static str, form: Form) -> Self {
        Self { name, doc, form, rule: Rule::Required, secret: false }
    }

    /// A member that can be left out.
    pub(super) const fn optional(name: &'static str, doc: &'static str, form: Form) -> Self {
        Self { name, doc, form, rule: Rule::Optional, secret: false }
    }

    /// One of several members, of which exactly one is required.
    pub(super) const fn one_of(name: &'static str, doc: &'static str, form: Form) -> Self {
        Self { name, doc, form, rule: Rule::OneOf, secret: false }
    }

    /// Marks the member's value as a secret.
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

    /// Calls `each` for every string in a value that names a file, with `true` if the file holds a
    /// secret.
    pub(super) fn files(&self, value: &mut Value, each: &mut dyn FnMut(&mut String, bool)) {
        match (self, value) {
            (Self::FilePath | Self::Path, Value::String(path)) if names_a_file(path) => {
                each(path, false)
            }
            (Self::SecretPath, Value::String(path)) => each(path, true),
            (Self::OrJson(form), value) => form.files(value, each),
            (Self::OneOf(forms), value) => {
                for form in *forms {
                    form.files(value, each);
                }
            }
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

    /// Returns `true` if a value has members, of which some may not be secrets.
    pub(super) fn has_members(&self) -> bool {
        match self {
            Self::OrJson(form) | Self::List(form) => form.has_members(),
            Self::Table(_) => true,
            _ => false,
        }
    }

    /// Returns `true` if a secret setting's value contains a secret.
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
            // Only the forms that a list or a table can have.
            (Self::OneOf(forms), Value::Array(_) | Value::Object(_)) => forms
                .iter()
                .filter(|form| matches!(form, Self::List(_) | Self::Table(_) | Self::OneOf(_)))
                .any(|form| form.holds_secret(value)),
            _ => true,
        }
    }
}

/// Values that are refused, or stand for nothing, must not be turned into whole paths.
fn names_a_file(path: &str) -> bool {
    !path.is_empty() && !is_no_value(path)
}
