//! JSON request bodies, read as Python's `json` does: the same documents are accepted, and errors
//! have the same words and positions.
//!
//! serde_json can't be used: it refuses lone surrogates and duplicate names, and has neither
//! Python's words nor its positions.
//!
//! Only the wanted members are kept, so the time is linear in the length of the text, whatever it
//! contains, and no more is allocated than the fields themselves.

use std::borrow::Cow;

/// The maximum nesting depth of a body: the same as a token's.
const MAX_DEPTH: usize = 64;
/// Python's limit on the number of digits in an integer.
const MAX_DIGITS: usize = 4300;

/// A value, as far as form fields need it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool,
    /// The text as Python would print it.
    Int(String),
    /// The text as Python would print it.
    Float(String),
    Text(Text),
    List,
    /// The wanted members; of duplicate names the last counts.
    Object(Vec<(String, Value)>),
}

/// A string; in Python it may contain half of a surrogate pair.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text {
    pub(crate) value: String,
    /// The first lone surrogate; `value` has U+FFFD in its place.
    pub(crate) surrogate: Option<u16>,
}

/// Reads a whole document, keeping the members of an object with these names.
///
/// # Errors
/// The text after `JSON parse error - `.
pub(crate) fn parse(text: &str, wanted: &[&str]) -> Result<Value, String> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
    if text.starts_with('\u{feff}') {
        return Err(reader.error("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0));
    }
    reader.skip_space();
    let value = reader.outermost(wanted)?;
    reader.skip_space();
    if reader.at < reader.bytes.len() {
        return Err(reader.error("Extra data", reader.at));
    }
    Ok(value)
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
}

/// Says whether a value is needed, and so has to be built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Yes,
    No,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let matches = rest.starts_with(word.as_bytes());
        if matches {
            self.at += word.len();
        }
        matches
    }

    /// Positions are counted in characters, from 0 in the document and from 1 in a line.
    fn error(&self, message: &str, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        format!("{message}: line {line} column {column} (char {})", before.chars().count())
    }

    fn outermost(&mut self, wanted: &[&str]) -> Result<Value, String> {
        if self.peek() == Some(b'{') { self.object(0, wanted) } else { self.value(0, Kept::Yes) }
    }

    fn value(&mut self, depth: usize, kept: Kept) -> Result<Value, String> {
        match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                Err(self.error("Too deeply nested", self.at))
            }
            Some(b'"') => self.string(kept).map(Value::Text),
            Some(b'{') => self.object(depth, &[]),
            Some(b'[') => self.list(depth),
            Some(b'-' | b'0'..=b'9') => self.number(kept),
            _ if self.takes("null") => Ok(Value::Null),
            _ if self.takes("true") || self.takes("false") => Ok(Value::Bool),
            _ if self.takes("NaN") => Err(not_compliant("NaN")),
            _ if self.takes("Infinity") => Err(not_compliant("Infinity")),
            _ => Err(self.error("Expecting value", self.at)),
        }
    }

    fn object(&mut self, depth: usize, wanted: &[&str]) -> Result<Value, String> {
        let mut members: Vec<(String, Value)> = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                let message = "Expecting property name enclosed in double quotes";
                return Err(self.error(message, self.at));
            }
            let name = self.name(wanted)?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.error("Expecting ':' delimiter", self.at));
            }
            self.at += 1;
            self.skip_space();
            match name {
                None => drop(self.value(depth + 1, Kept::No)?),
                Some(name) => {
                    let value = self.value(depth + 1, Kept::Yes)?;
                    match members.iter_mut().find(|(other, _)| *other == name) {
                        Some((_, other)) => *other = value,
                        None => members.push((name, value)),
                    }
                }
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                _ => return Err(self.error("Expecting ',' delimiter", self.at)),
            }
            self.skip_space();
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List);
        }
        loop {
            self.value(depth + 1, Kept::No)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List);
                }
                _ => return Err(self.error("Expecting ',' delimiter", self.at)),
            }
            self.skip_space();
        }
    }

    /// Reads the name of a member, and returns it if it is a wanted one.
    fn name(&mut self, wanted: &[&str]) -> Result<Option<String>, String> {
        let begin = self.at;
        // Nearly all names are written without escapes; one with escapes is decoded for the
        // comparison.
        self.string(Kept::No)?;
        let raw = self.text.get(begin + 1..self.at - 1).unwrap_or_default();
        let name = if wanted.is_empty() || !raw.contains('\\') {
            Cow::Borrowed(raw)
        } else {
            self.at = begin;
            Cow::Owned(self.string(Kept::Yes)?.value)
        };
        Ok(wanted.contains(&name.as_ref()).then(|| name.into_owned()))
    }

    fn string(&mut self, kept: Kept) -> Result<Text, String> {
        let begin = self.at;
        self.at += 1;
        let mut text = Building::default();
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some(plain) = end_of_plain(rest) else {
                return Err(self.error("Unterminated string starting at", begin));
            };
            let end = self.at + plain;
            if kept == Kept::Yes && plain > 0 {
                text.push_str(self.text.get(self.at..end).unwrap_or_default());
            }
            self.at = end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text.finish());
                }
                Some(b'\\') => {
                    let unit = self.escape(begin)?;
                    if kept == Kept::Yes {
                        text.push_unit(unit);
                    }
                }
                _ => return Err(self.error("Invalid control character at", self.at)),
            }
        }
    }

    fn escape(&mut self, begin: usize) -> Result<u16, String> {
        let escape = self.at;
        let Some(&byte) = self.bytes.get(escape + 1) else {
            return Err(self.error("Unterminated string starting at", begin));
        };
        self.at += 2;
        let byte = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
                if digits.len() < 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(self.error("Invalid \\uXXXX escape", escape + 1));
                }
                self.at += 4;
                return u16::from_str_radix(digits, 16).map_err(|error| error.to_string());
            }
            _ => return Err(self.error("Invalid \\escape", escape)),
        };
        Ok(byte.into())
    }

    fn number(&mut self, kept: Kept) -> Result<Value, String> {
        let begin = self.at;
        let mut end = begin + usize::from(self.peek() == Some(b'-'));
        let digits_from = |start: usize| {
            let rest = self.bytes.get(start..).unwrap_or_default();
            rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let whole = match self.bytes.get(end) {
            Some(b'0') => 1,
            Some(b'1'..=b'9') => digits_from(end),
            Some(b'I') if self.bytes.get(end..end + 8) == Some(b"Infinity") => {
                return Err(not_compliant("-Infinity"));
            }
            _ => return Err(self.error("Expecting value", begin)),
        };
        end += whole;
        let mut is_float = false;
        if self.bytes.get(end) == Some(&b'.') {
            let digits = digits_from(end + 1);
            if digits > 0 {
                end += 1 + digits;
                is_float = true;
            }
        }
        if matches!(self.bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.bytes.get(end + 1), Some(b'+' | b'-')));
            let digits = digits_from(end + 1 + sign);
            if digits > 0 {
                end += 1 + sign + digits;
                is_float = true;
            }
        }
        let text = self.text.get(begin..end).unwrap_or_default();
        self.at = end;
        if !is_float && whole > MAX_DIGITS {
            return Err(format!(
                "Exceeds the limit ({MAX_DIGITS} digits) for integer string conversion: value has \
                 {whole} digits; use sys.set_int_max_str_digits() to increase the limit"
            ));
        }
        match (kept, is_float) {
            (Kept::No, _) => Ok(Value::Null),
            (Kept::Yes, false) => Ok(Value::Int(if text == "-0" { "0" } else { text }.into())),
            (Kept::Yes, true) => {
                let number: f64 = text.parse().map_err(|_| self.error("Expecting value", begin))?;
                Ok(Value::Float(python_float(number)))
            }
        }
    }
}

/// A string in pieces: literal text, and escapes of UTF-16.
#[derive(Default)]
struct Building {
    text: Text,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

impl Building {
    fn push_str(&mut self, part: &str) {
        self.end_pair();
        self.text.value.push_str(part);
    }

    fn push_unit(&mut self, unit: u16) {
        if let (Some(high), 0xdc00..=0xdfff) = (self.high, unit) {
            self.high = None;
            self.text.value.extend(char::decode_utf16([high, unit]).filter_map(Result::ok));
            return;
        }
        self.end_pair();
        match unit {
            0xd800..=0xdbff => self.high = Some(unit),
            0xdc00..=0xdfff => self.lone(unit),
            _ => self.text.value.extend(char::from_u32(unit.into())),
        }
    }

    fn end_pair(&mut self) {
        if let Some(high) = self.high.take() {
            self.lone(high);
        }
    }

    fn lone(&mut self, unit: u16) {
        self.text.value.push(char::REPLACEMENT_CHARACTER);
        self.text.surrogate.get_or_insert(unit);
    }

    fn finish(mut self) -> Text {
        self.end_pair();
        self.text
    }
}

/// Returns the position of the first quote, backslash or control character.
fn end_of_plain(bytes: &[u8]) -> Option<usize> {
    let end = memchr::memchr2(b'"', b'\\', bytes);
    let plain = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    // Without a branch for each byte, the compiler looks at many of them at once.
    if plain.iter().fold(false, |found, byte| found | (*byte < b' ')) {
        return plain.iter().position(|byte| *byte < b' ');
    }
    end
}

fn not_compliant(number: &str) -> String {
    format!("Out of range float values are not JSON compliant: '{number}'")
}

/// Formats a number as Python's `str(float)`: the shortest digits, with an exponent below 1e-4 and
/// from 1e16.
fn python_float(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests;
