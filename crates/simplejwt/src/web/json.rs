//! JSON request bodies, read as Python's `json` reads them: the same documents are taken, and
//! refusals are worded and placed alike.
//!
//! serde_json can't serve here: it refuses lone surrogates and doubled names, and tells neither
//! Python's words nor its positions.

/// How deep a body may be nested.
const MAX_DEPTH: usize = 200;
/// Python's limit for the digits of an integer.
const MAX_DIGITS: usize = 4300;

/// A value, as far as a form field can be made of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool,
    /// As Python would print it.
    Int(String),
    /// As Python would print it.
    Float(String),
    Text(Text),
    List,
    /// The last of doubled names counts.
    Object(Vec<(String, Value)>),
}

/// A string, which in Python may hold half of a surrogate pair.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text {
    pub(crate) value: String,
    /// The first lone surrogate; `value` has U+FFFD in its place.
    pub(crate) surrogate: Option<u16>,
}

/// Reads a whole document.
///
/// # Errors
/// The text behind `JSON parse error - `.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { chars: text.chars().collect(), at: 0 };
    if reader.chars.first() == Some(&'\u{feff}') {
        return Err(reader.error("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0));
    }
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < reader.chars.len() {
        return Err(reader.error("Extra data", reader.at));
    }
    Ok(value)
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let matches = word.chars().count() <= rest.len()
            && word.chars().eq(rest.iter().copied().take(word.len()));
        if matches {
            self.at += word.len();
        }
        matches
    }

    fn error(&self, message: &str, at: usize) -> String {
        let before = self.chars.get(..at).unwrap_or(&self.chars);
        let line = before.iter().filter(|&&c| c == '\n').count() + 1;
        let column = before.iter().rev().take_while(|&&c| c != '\n').count() + 1;
        format!("{message}: line {line} column {column} (char {at})")
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(self.error("Too deeply nested", self.at));
        }
        match self.peek() {
            Some('"') => self.string().map(Value::Text),
            Some('{') => self.object(depth),
            Some('[') => self.list(depth),
            Some('-' | '0'..='9') => self.number(),
            _ if self.takes("null") => Ok(Value::Null),
            _ if self.takes("true") || self.takes("false") => Ok(Value::Bool),
            _ if self.takes("NaN") => Err(not_compliant("NaN")),
            _ if self.takes("Infinity") => Err(not_compliant("Infinity")),
            _ => Err(self.error("Expecting value", self.at)),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        let mut members: Vec<(String, Value)> = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.peek() == Some('}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            if self.peek() != Some('"') {
                let message = "Expecting property name enclosed in double quotes";
                return Err(self.error(message, self.at));
            }
            let name = self.string()?.value;
            self.skip_space();
            if self.peek() != Some(':') {
                return Err(self.error("Expecting ':' delimiter", self.at));
            }
            self.at += 1;
            self.skip_space();
            let value = self.value(depth + 1)?;
            // Nobody looks into nested values, so only the outermost members are kept.
            if depth == 0 {
                members.retain(|(other, _)| *other != name);
                members.push((name, value));
            }
            self.skip_space();
            match self.peek() {
                Some(',') => self.at += 1,
                Some('}') => {
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
        if self.peek() == Some(']') {
            self.at += 1;
            return Ok(Value::List);
        }
        loop {
            self.value(depth + 1)?;
            self.skip_space();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(']') => {
                    self.at += 1;
                    return Ok(Value::List);
                }
                _ => return Err(self.error("Expecting ',' delimiter", self.at)),
            }
            self.skip_space();
        }
    }

    fn string(&mut self) -> Result<Text, String> {
        let begin = self.at;
        self.at += 1;
        let mut units: Vec<u16> = Vec::new();
        loop {
            let Some(c) = self.peek() else {
                return Err(self.error("Unterminated string starting at", begin));
            };
            match c {
                '"' => {
                    self.at += 1;
                    return Ok(text_of(&units));
                }
                '\\' => {
                    let unit = self.escape(begin)?;
                    units.push(unit);
                    continue;
                }
                '\0'..='\x1f' => return Err(self.error("Invalid control character at", self.at)),
                _ => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
            self.at += 1;
        }
    }

    fn escape(&mut self, begin: usize) -> Result<u16, String> {
        let escape = self.at;
        let Some(&c) = self.chars.get(escape + 1) else {
            return Err(self.error("Unterminated string starting at", begin));
        };
        self.at += 2;
        let c = match c {
            '"' | '\\' | '/' => c,
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let digits: String = self
                    .chars
                    .iter()
                    .skip(self.at)
                    .take(4)
                    .take_while(|c| c.is_ascii_hexdigit())
                    .collect();
                if digits.len() < 4 {
                    return Err(self.error("Invalid \\uXXXX escape", escape + 1));
                }
                self.at += 4;
                return u16::from_str_radix(&digits, 16).map_err(|error| error.to_string());
            }
            _ => return Err(self.error("Invalid \\escape", escape)),
        };
        Ok(u16::try_from(u32::from(c)).unwrap_or_default())
    }

    fn number(&mut self) -> Result<Value, String> {
        let begin = self.at;
        let mut end = begin + usize::from(self.peek() == Some('-'));
        let digits_from =
            |start: usize| self.chars.iter().skip(start).take_while(|c| c.is_ascii_digit()).count();
        let whole = match self.chars.get(end) {
            Some('0') => 1,
            Some('1'..='9') => digits_from(end),
            Some('I')
                if self.chars.get(end..end + 8)
                    == Some(&['I', 'n', 'f', 'i', 'n', 'i', 't', 'y']) =>
            {
                return Err(not_compliant("-Infinity"));
            }
            _ => return Err(self.error("Expecting value", begin)),
        };
        end += whole;
        let mut is_float = false;
        if self.chars.get(end) == Some(&'.') && digits_from(end + 1) > 0 {
            end += 1 + digits_from(end + 1);
            is_float = true;
        }
        if matches!(self.chars.get(end), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.chars.get(end + 1), Some('+' | '-')));
            let digits = digits_from(end + 1 + sign);
            if digits > 0 {
                end += 1 + sign + digits;
                is_float = true;
            }
        }
        let text: String = self.chars.get(begin..end).unwrap_or_default().iter().collect();
        self.at = end;
        if is_float {
            let number: f64 = text.parse().map_err(|_| self.error("Expecting value", begin))?;
            return Ok(Value::Float(python_float(number)));
        }
        if whole > MAX_DIGITS {
            return Err(format!(
                "Exceeds the limit ({MAX_DIGITS} digits) for integer string conversion: value has \
                 {whole} digits; use sys.set_int_max_str_digits() to increase the limit"
            ));
        }
        Ok(Value::Int(if text == "-0" { "0".into() } else { text }))
    }
}

fn not_compliant(number: &str) -> String {
    format!("Out of range float values are not JSON compliant: '{number}'")
}

fn text_of(units: &[u16]) -> Text {
    let mut text = Text::default();
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok(c) => text.value.push(c),
            Err(lone) => {
                text.value.push(char::REPLACEMENT_CHARACTER);
                text.surrogate.get_or_insert(lone.unpaired_surrogate());
            }
        }
    }
    text
}

/// Python's `str(float)`: the shortest digits, with an exponent below 1e-4 and from 1e16.
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refusals_have_pythons_words_and_positions() {
        for (text, error) in [
            ("", "Expecting value: line 1 column 1 (char 0)"),
            (" ", "Expecting value: line 1 column 2 (char 1)"),
            (
                r#"{"a":1,}"#,
                "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
            ),
            (r#"{"a" 1}"#, "Expecting ':' delimiter: line 1 column 6 (char 5)"),
            (
                r#"{a:1}"#,
                "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            ),
            (r#"{"a":"\x"}"#, "Invalid \\escape: line 1 column 7 (char 6)"),
            (r#"{"a":"\u12"}"#, "Invalid \\uXXXX escape: line 1 column 8 (char 7)"),
            (r#"{"a":""#, "Unterminated string starting at: line 1 column 6 (char 5)"),
            ("{\"a\":\"\n\"}", "Invalid control character at: line 1 column 7 (char 6)"),
            (r#"{"a":tru}"#, "Expecting value: line 1 column 6 (char 5)"),
            ("[1,]", "Expecting value: line 1 column 4 (char 3)"),
            ("[1 2]", "Expecting ',' delimiter: line 1 column 4 (char 3)"),
            (r#"{"a":1}x"#, "Extra data: line 1 column 8 (char 7)"),
            (r#"{"a":NaN}"#, "Out of range float values are not JSON compliant: 'NaN'"),
            (r#"{"a":-Infinity}"#, "Out of range float values are not JSON compliant: '-Infinity'"),
            (r#"{"a":01}"#, "Expecting ',' delimiter: line 1 column 7 (char 6)"),
            (r#"{"a":-}"#, "Expecting value: line 1 column 6 (char 5)"),
            (
                "\u{feff}{}",
                "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)",
            ),
            (r#"{"a":"\ud800\u"}"#, "Invalid \\uXXXX escape: line 1 column 14 (char 13)"),
            (r#"{"a": "b\"#, "Unterminated string starting at: line 1 column 7 (char 6)"),
            ("{\n \"é\": nope}", "Expecting value: line 2 column 7 (char 8)"),
        ] {
            assert_eq!(parse(text), Err(error.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn numbers_become_pythons_text() {
        for (json, text) in [
            ("12345", Value::Int("12345".into())),
            ("-0", Value::Int("0".into())),
            ("1.50", Value::Float("1.5".into())),
            ("-0.0", Value::Float("-0.0".into())),
            ("1e5", Value::Float("100000.0".into())),
            ("1e16", Value::Float("1e+16".into())),
            ("123456789012345680.0", Value::Float("1.2345678901234568e+17".into())),
            ("0.0001", Value::Float("0.0001".into())),
            ("0.00001", Value::Float("1e-05".into())),
            ("1e400", Value::Float("inf".into())),
        ] {
            assert_eq!(parse(json), Ok(text), "{json}");
        }
        assert!(parse(&"9".repeat(4300)).is_ok());
        assert!(parse(&"9".repeat(4301)).unwrap_err().starts_with("Exceeds the limit"));
    }

    #[test]
    fn the_last_of_doubled_names_counts_and_surrogates_are_noted() {
        let Ok(Value::Object(members)) = parse(r#"{"a":1,"b":"\ud83d\ude00\udc00","a":null}"#)
        else {
            panic!("an object");
        };
        assert_eq!(members.len(), 2);
        assert_eq!(members[1], ("a".into(), Value::Null));
        let text = Text { value: "😀\u{fffd}".into(), surrogate: Some(0xdc00) };
        assert_eq!(members[0], ("b".into(), Value::Text(text)));
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(parse(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
        assert!(parse(&"[".repeat(100_000)).unwrap_err().starts_with("Too deeply nested"));
    }

    proptest! {
        #[test]
        fn what_serde_json_takes_is_taken(text in r#"[\[\]{}",:0-9a-eE.+\\ untrlsf-]{0,24}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            if theirs {
                prop_assert!(parse(&text).is_ok());
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = parse(&text);
        }
    }
}
