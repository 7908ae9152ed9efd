//! Escapes characters that would affect the display of a log.

use std::fmt::Write as _;

/// Returns `true` if a character ends a line, moves the cursor, starts an escape sequence, changes
/// the direction of writing or is invisible: Unicode's categories Cc, Cf, Zl and Zp, and the
/// noncharacters.
pub(super) fn is_unprintable(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{feff}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Appends a sentence as it is, with invisible characters escaped.
pub(super) fn sentence(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            c if is_unprintable(c) => unseen(line, c),
            c => line.push(c),
        }
    }
}

/// Appends a value: as it is if its end is unmistakable, otherwise in quotes.
pub(super) fn value(line: &mut String, text: &str) {
    let is_plain = |c: char| {
        !c.is_whitespace() && !matches!(c, '"' | '=' | '\\' | '{' | '}') && !is_unprintable(c)
    };
    if !text.is_empty() && text.chars().all(is_plain) {
        line.push_str(text);
        return;
    }
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if is_unprintable(c) => unseen(line, c),
            c => line.push(c),
        }
    }
    line.push('"');
}

/// Appends an escape such as `\u{202e}`.
fn unseen(line: &mut String, c: char) {
    line.extend(c.escape_unicode());
}

/// Appends a JSON string (RFC 8259 section 7), with invisible characters escaped too.
pub(super) fn json(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if is_unprintable(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
            c => line.push(c),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: &str = "a\0\u{1b}[2J\u{7f}\u{9b}31m\u{85}\u{202e}\u{2066}\u{2028}\u{2029}\u{feff}\u{e0041}\r\n\t\"\\é";

    fn with(append: fn(&mut String, &str), text: &str) -> String {
        let mut line = String::new();
        append(&mut line, text);
        line
    }

    #[test]
    fn nothing_unseen_is_left_in_any_form() {
        for append in [sentence, value, json] {
            let line = with(append, ODD);
            assert!(!line.chars().any(is_unprintable), "{line:?}");
            assert!(line.contains('é'), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
        let read: String = serde_json::from_str(&with(json, ODD)).unwrap();
        assert_eq!(read, ODD, "nothing is lost");
    }

    #[test]
    fn every_character_of_those_categories_is_known() {
        // Whatever else Rust escapes is unassigned, private or a blank, and affects nothing.
        for c in '\0'..=char::MAX {
            if c.is_control() {
                assert!(is_unprintable(c), "{c:?}");
            }
            if is_unprintable(c) {
                let escaped: String = c.escape_debug().collect();
                assert!(escaped.starts_with('\\'), "{c:?} can be seen");
            }
        }
        assert!(
            !['a', 'é', ' ', '\u{a0}', '漢', '🙂', 'ש', '\u{301}']
                .iter()
                .any(|c| is_unprintable(*c))
        );
    }

    #[test]
    fn a_value_ends_where_it_ends() {
        for (text, expected) in [
            ("alice", "alice"),
            ("/api/token/", "/api/token/"),
            ("2001:db8::1", "2001:db8::1"),
            ("Zoë", "Zoë"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a=b", "\"a=b\""),
            ("a\u{a0}b", "\"a\u{a0}b\""),
            ("\"admin\"", "\"\\\"admin\\\"\""),
            ("x client_address=192.0.2.1", "\"x client_address=192.0.2.1\""),
            ("a\nb", "\"a\\nb\""),
            ("\u{202e}", "\"\\u{202e}\""),
        ] {
            assert_eq!(with(value, text), expected);
        }
    }
}
