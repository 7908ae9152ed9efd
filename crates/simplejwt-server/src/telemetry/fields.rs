//! The fields of an event, as values.

use std::fmt::{self, Write as _};

use simplejwt::logging::{MAX_VALUE, cut_at, without_tokens};
use tracing::field::{Field, Visit};

use super::escape;

/// The maximum length of a sentence, in characters: causes of errors, and messages.
const MAX_SENTENCE: usize = 2000;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Flag(bool),
    /// A number, as in JSON.
    Number(String),
}

/// Fields in their order, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.retain(|(name, _)| *name != field.name());
        self.0.push((field.name(), value));
    }

    fn put_text(&mut self, field: &Field, text: &str) {
        self.put(field, kept(field.name(), text));
    }

    /// Adds a field unless its name is present already.
    pub(super) fn add_missing(&mut self, name: &'static str, text: &str) {
        if !self.0.iter().any(|(known, _)| *known == name) {
            self.0.push((name, kept(name, text)));
        }
    }

    /// Removes and returns a string.
    pub(super) fn take_text(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        match self.0.remove(at).1 {
            Value::Text(text) => Some(text),
            Value::Flag(_) | Value::Number(_) => None,
        }
    }

    pub(super) fn remove(&mut self, unwanted: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| !unwanted(name));
    }

    /// Moves these fields to the front, in this order: if the beginning of a line is ours alone, a
    /// pattern that matches there can't be misled by what somebody sent.
    pub(super) fn put_first(&mut self, names: &[&str]) {
        let place = |name: &str| names.iter().position(|first| *first == name);
        self.0.sort_by_key(|(name, _)| place(name).unwrap_or(names.len()));
    }

    /// Appends ` name=value name="another value"`.
    pub(super) fn write_text(&self, line: &mut String) {
        for (name, value) in &self.0 {
            line.extend([" ", name, "="]);
            match value {
                Value::Text(text) => escape::value(line, text),
                Value::Flag(flag) => line.push_str(if *flag { "true" } else { "false" }),
                Value::Number(number) => line.push_str(number),
            }
        }
    }

    /// Appends `,"name":"value","number":1`.
    pub(super) fn write_json(&self, line: &mut String) {
        for (name, value) in &self.0 {
            line.push(',');
            escape::json(line, name);
            line.push(':');
            match value {
                Value::Text(text) => escape::json(line, text),
                Value::Flag(flag) => line.push_str(if *flag { "true" } else { "false" }),
                Value::Number(number) => line.push_str(number),
            }
        }
    }
}

/// Returns the part of a text that is logged.
fn kept(name: &str, text: &str) -> Value {
    let most = match name {
        "message" | "error" => MAX_SENTENCE,
        _ => MAX_VALUE,
    };
    Value::Text(cut_at(&without_tokens(text), most).into_owned())
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Values logged by `Display` come here too. No more is written than is kept: a value may be
        // long, and costs its sender nothing.
        let mut text = Bounded(String::new());
        let _ = write!(text, "{value:?}");
        self.put_text(field, &text.0);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Flag(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Number(value.to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Number(value.to_string()));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put(field, Value::Number(value.to_string()));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put(field, Value::Number(value.to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let number = match value.is_finite() {
            true => Value::Number(value.to_string()),
            false => Value::Text(value.to_string()),
        };
        self.put(field, number);
    }
}

/// A string that accepts slightly more than is kept, and no more.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // A character has at most four bytes.
        if self.0.len() > 4 * (MAX_SENTENCE + 1) {
            return Err(fmt::Error);
        }
        self.0.push_str(&cut_at(text, MAX_SENTENCE + 1));
        Ok(())
    }
}
