//! `application/x-www-form-urlencoded` text: bodies and query strings.

use std::string::FromUtf8Error;

use super::charset::Charset;

/// The maximum number of fields in a form: Django's `DATA_UPLOAD_MAX_NUMBER_FIELDS`.
pub(crate) const MAX_FIELDS: usize = 1000;

/// `true` if a form has more fields than the maximum, counting empty ones. Scans the bytes once,
/// before anything is decoded.
pub(crate) fn has_too_many_fields(text: &[u8]) -> bool {
    text.iter().filter(|&&byte| byte == b'&').count() >= MAX_FIELDS
}

/// Returns the pairs of `application/x-www-form-urlencoded` text: `+` is a space, invalid percent
/// signs are kept, and invalid UTF-8 becomes U+FFFD.
pub(crate) fn form_pairs(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    raw_pairs(text).map(|(name, value)| (unquote(name), unquote(value)))
}

/// Returns the same pairs with undecoded names and values.
pub(crate) fn raw_pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let mut half = || halves.next().unwrap_or_default();
        (half(), half())
    })
}

/// Returns the wanted fields of a form in this charset, the last one of duplicates. A body that
/// isn't valid in the charset is read as Latin-1, as Django does.
pub(crate) fn fields(body: Vec<u8>, charset: Charset, wanted: &[&str]) -> Vec<(String, String)> {
    let text = match charset {
        Charset::Utf8 => String::from_utf8(body).map_err(FromUtf8Error::into_bytes),
        other => other.decode(body.clone()).map_err(|_| body),
    };
    let text = text.unwrap_or_else(|body| body.into_iter().map(char::from).collect());
    let mut fields: Vec<(String, String)> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = resolved(name, charset);
        if !wanted.contains(&name.as_str()) {
            continue;
        }
        let value = resolved(value, charset);
        match fields.iter_mut().find(|(other, _)| *other == name) {
            Some((_, other)) => *other = value,
            None => fields.push((name, value)),
        }
    }
    fields
}

/// Decodes a name or value whose percent signs are bytes of the charset.
fn resolved(text: &str, charset: Charset) -> String {
    let text = text.replace('+', " ");
    if !text.contains('%') {
        return text;
    }
    let mut resolved = String::with_capacity(text.len());
    for run in text.split_inclusive(|c: char| !c.is_ascii()) {
        let ascii = run.trim_end_matches(|c: char| !c.is_ascii());
        resolved.push_str(&charset.decode_lossy(&percent_bytes(ascii.as_bytes(), b'+')));
        resolved.push_str(run.get(ascii.len()..).unwrap_or_default());
    }
    resolved
}

/// Decodes the percent signs of a text as UTF-8.
pub(crate) fn percent_decoded(text: &str) -> String {
    unquote_path(text.as_bytes())
}

/// Decodes the percent signs of a part of a path.
pub(crate) fn unquote_path(text: &[u8]) -> String {
    resolve(text, b'+')
}

/// Decodes the percent signs and plus signs of a name or value.
pub(crate) fn unquote(text: &[u8]) -> String {
    resolve(text, b' ')
}

fn resolve(text: &[u8], plus: u8) -> String {
    String::from_utf8_lossy(&percent_bytes(text, plus)).into_owned()
}

fn percent_bytes(text: &[u8], plus: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(plus),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (byte, _) => bytes.push(*byte),
        }
    }
    bytes
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
