//! JSON as Python's `json.dumps` writes it: compact, in ASCII.

pub(super) fn push_member(json: &mut String, name: &str, value: &str) {
    if json.len() > 1 {
        json.push(',');
    }
    push_string(json, name);
    json.push(':');
    push_ascii(json, value);
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
