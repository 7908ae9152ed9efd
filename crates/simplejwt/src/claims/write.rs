//! JSON as Python's `json.dumps` writes it: compact, in ASCII unless `ensure_ascii` is off.

pub(super) fn push_member(json: &mut String, name: &str, value: &str, ensure_ascii: bool) {
    if json.len() > 1 {
        json.push(',');
    }
    if ensure_ascii {
        push_string(json, name);
        json.push(':');
        push_ascii(json, value);
    } else {
        // A string can always be written as JSON.
        json.push_str(&serde_json::to_string(name).unwrap_or_default());
        json.push(':');
        push_utf8(json, value);
    }
}

pub(super) fn push_string(json: &mut String, text: &str) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        json.push('"');
        json.push_str(text);
        json.push('"');
        return;
    }
    // A string can always be written as JSON.
    push_ascii(json, &serde_json::to_string(text).unwrap_or_default());
}

/// Appends JSON with every character outside printable ASCII as `\uXXXX` and no space between
/// tokens: such characters can stand in strings only.
fn push_ascii(json: &mut String, value: &str) {
    if value.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
        json.push_str(value);
        return;
    }
    let (mut in_string, mut escaped) = (false, false);
    for c in value.chars() {
        match c {
            ' ' | '\t' | '\n' | '\r' if !in_string => {}
            ' '..='~' => json.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    json.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = c == '\\' && !escaped;
    }
}

/// Appends JSON with every character outside ASCII as UTF-8, whether it is escaped in `value` or not,
/// and no space between tokens. Half a surrogate pair stays escaped.
fn push_utf8(json: &mut String, value: &str) {
    if !value.bytes().any(|byte| byte == b'\\' || byte.is_ascii_whitespace()) {
        json.push_str(value);
        return;
    }
    let mut in_string = false;
    let mut rest = value.chars();
    loop {
        let text = rest.as_str();
        match rest.next() {
            Some('\\') => {
                if let Some((c, escape)) = non_ascii(text) {
                    json.push(c);
                    rest = text.get(escape..).unwrap_or_default().chars();
                } else {
                    json.push('\\');
                    json.extend(rest.next());
                }
            }
            Some(' ' | '\t' | '\n' | '\r') if !in_string => {}
            Some(c) => {
                in_string ^= c == '"';
                json.push(c);
            }
            None => return,
        }
    }
}

/// Returns the character outside ASCII that a text begins with as `\uXXXX`, and the length of that.
fn non_ascii(text: &str) -> Option<(char, usize)> {
    const LENGTH: usize = 6;
    let unit = |at: usize| {
        let digits = text.get(at..at + LENGTH)?.strip_prefix("\\u")?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    };
    let units = std::iter::once(unit(0)?).chain(unit(LENGTH));
    let c = char::decode_utf16(units).next()?.ok()?;
    (!c.is_ascii()).then(|| (c, LENGTH * c.len_utf16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ensure_ascii_characters_are_themselves() {
        for (value, written) in [
            (r#""Zo\u00eb""#, r#""Zoë""#),
            (r#""Zoë""#, r#""Zoë""#),
            (r#""\ud83d\uDE00!""#, r#""😀!""#),
            (r#"[ "a b" , {"\u00e9 \u0061" : 1 } ]"#, r#"["a b",{"é \u0061":1}]"#),
            // These aren't escapes of characters outside ASCII.
            (r#""\\u00eb""#, r#""\\u00eb""#),
            (r#""\"\u00eb\"  ""#, r#""\"ë\"  ""#),
            (r#""\u0000\u001f\u007f\u0022\u005c""#, r#""\u0000\u001f\u007f\u0022\u005c""#),
            (r#""\ud83d""#, r#""\ud83d""#),
            (r#""\ud83d\u0041""#, r#""\ud83d\u0041""#),
            (r#""\udE00\ud83d""#, r#""\udE00\ud83d""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ud83d😀""#),
            (r#""\n\t""#, r#""\n\t""#),
            ("1.50e3", "1.50e3"),
        ] {
            let mut json = String::new();
            push_utf8(&mut json, value);
            assert_eq!(json, written, "{value}");
            let (before, after): (Result<serde_json::Value, _>, Result<serde_json::Value, _>) =
                (serde_json::from_str(value), serde_json::from_str(&json));
            assert_eq!(before.ok(), after.ok(), "{value}");
        }
    }

    #[test]
    fn names_are_themselves_too() {
        let mut json = "{".to_owned();
        push_member(&mut json, "größe\u{1}", r#""\u00fc""#, false);
        assert_eq!(json, r#"{"größe\u0001":"ü""#);
        let mut json = "{".to_owned();
        push_member(&mut json, "größe", r#""ü""#, true);
        assert_eq!(json, r#"{"gr\u00f6\u00dfe":"\u00fc""#);
    }
}
