//! Parses `Forwarded` (RFC 7239) from its end, where the trusted proxies wrote, so that a quote
//! that a client opened and never closed swallows none of their entries.

use http::HeaderMap;

/// Returns the `for` value of the element at `count` from the end, or of the first if there are
/// fewer: an address, with or without a port, or a name.
pub(super) fn client(headers: &HeaderMap, count: usize) -> Option<String> {
    let fields: Vec<_> = headers.get_all("forwarded").iter().collect();
    let from_end = fields.iter().rev().flat_map(|field| split_from_end(field.as_bytes(), b','));
    let element = from_end.take(count).last()?;
    let mut named = split_from_end(element, b';').into_iter().filter_map(|pair| {
        let (name, value) = pair.trim_ascii().split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    });
    match (named.next(), named.next()) {
        (Some(value), None) => unquoted(value),
        // The parameter is missing, or present twice.
        _ => None,
    }
}

/// Splits at separators that aren't quoted, and returns the parts from last to first.
fn split_from_end(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut end, mut quoted) = (text.len(), false);
    for (at, &byte) in text.iter().enumerate().rev() {
        if byte == b'"' && !is_escaped(text, at, quoted) {
            quoted = !quoted;
        } else if byte == separator && !quoted {
            parts.push(text.get(at + 1..end).unwrap_or_default());
            end = at;
        }
    }
    parts.push(text.get(..end).unwrap_or_default());
    parts
}

/// Returns `true` if a quote is escaped, by an odd number of backslashes before it.
fn is_escaped(text: &[u8], at: usize, quoted: bool) -> bool {
    let before = text.get(..at).unwrap_or_default();
    quoted && before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Returns a token, or the content of a quoted string.
fn unquoted(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    let Some(inside) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return (!value.contains('"')).then(|| value.to_owned());
    };
    let mut text = String::new();
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(text)
}
