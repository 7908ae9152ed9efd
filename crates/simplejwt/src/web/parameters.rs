//! Header fields with parameters (`Content-Type`, `Content-Disposition`, entries of `Accept`),
//! parsed as Python's `email` package does, which Django uses.

use std::borrow::Cow;

use super::form::percent_decoded;

/// The parameters in use, sorted. Others are dropped, since there may be a great many.
const KNOWN: [&str; 6] = ["boundary", "charset", "filename", "indent", "name", "q"];

/// The value before the first semicolon in lower case, and the parameters after it.
pub(crate) struct Parameters {
    pub(crate) value: String,
    /// The values, in the order of [`KNOWN`].
    found: [Option<String>; KNOWN.len()],
    has_more_than_q: bool,
}

impl Parameters {
    /// Parses a field. A semicolon within quotes doesn't separate, and a quote after a backslash
    /// doesn't count. A part without an equals sign is a parameter without a value.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = Parts { rest: Some(text) };
        let value = parts.next().unwrap_or_default().trim().to_lowercase();
        let mut plain: [Option<&str>; KNOWN.len()] = [None; KNOWN.len()];
        let (mut last, mut pieces, mut has_more_than_q) = (None, Pieces::default(), false);
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = name.trim();
            let known = match name.split_once('*') {
                _ if name.is_empty() => continue,
                Some((base, rest)) => pieces.add(base, rest, value),
                None => {
                    last = position(name);
                    if let Some(place) = last.and_then(|known| plain.get_mut(known)) {
                        *place = Some(value);
                    }
                    last
                }
            };
            has_more_than_q |= known.and_then(|known| KNOWN.get(known)) != Some(&"q");
        }
        let mut found = plain.map(|value| Some(unquoted(value?.trim()).into_owned()));
        pieces.join(last, &mut found);
        Self { value, found, has_more_than_q }
    }

    /// Returns the last parameter of this name, which must be one of [`KNOWN`].
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.found.get(position(name)?)?.as_deref()
    }

    /// `true` if there is any parameter other than `q`.
    pub(crate) fn has_more_than_q(&self) -> bool {
        self.has_more_than_q
    }
}

/// Returns the position of a name in [`KNOWN`]. No letter outside ASCII becomes one of these
/// letters in lower case.
fn position(name: &str) -> Option<usize> {
    KNOWN.iter().position(|known| known.eq_ignore_ascii_case(name))
}

/// Iterates over the parts between semicolons.
struct Parts<'a> {
    rest: Option<&'a str>,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        let bytes = text.as_bytes();
        let mut in_quotes = false;
        let end = memchr::memchr2_iter(b';', b'"', bytes).find(|&at| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            let is_quote = bytes.get(at) == Some(&b'"');
            in_quotes ^= is_quote && before != Some(&b'\\');
            !is_quote && !in_quotes
        });
        let (part, behind) = match end.and_then(|end| text.split_at_checked(end)) {
            Some((part, behind)) => (part, behind.get(1..)),
            None => (text, None),
        };
        self.rest = behind;
        Some(part)
    }
}

fn unquoted(value: &str) -> Cow<'_, str> {
    let between = |open: char, close: char| value.strip_prefix(open)?.strip_suffix(close);
    match (between('"', '"'), between('<', '>')) {
        (Some(inner), _) if inner.contains('\\') => {
            inner.replace("\\\\", "\\").replace("\\\"", "\"").into()
        }
        (Some(inner), _) | (None, Some(inner)) => inner.into(),
        (None, None) => value.into(),
    }
}

/// Parameters with `*` in their name (RFC 2231), which may split a value into numbered pieces.
#[derive(Default)]
struct Pieces<'a> {
    known: Vec<Piece<'a>>,
    /// The alphabetically first of the other names.
    first_unknown: Option<&'a str>,
}

struct Piece<'a> {
    /// The position in [`KNOWN`].
    name: usize,
    number: u32,
    is_encoded: bool,
    value: &'a str,
}

impl<'a> Pieces<'a> {
    /// Adds a piece, and returns the position of its name.
    fn add(&mut self, base: &'a str, rest: &str, value: &'a str) -> Option<usize> {
        let name = position(base);
        match name {
            Some(name) => {
                let is_encoded = rest.is_empty() || rest.ends_with('*');
                let number = rest.trim_end_matches('*').parse().unwrap_or(0);
                self.known.push(Piece { name, number, is_encoded, value });
            }
            None if self.first_unknown.is_none_or(|first| small(base).lt(small(first))) => {
                self.first_unknown = Some(base);
            }
            None => {}
        }
        name
    }

    /// Joins the pieces of each name, after the parameters without `*`. A numbered piece continues
    /// the parameter before it if that has the same name: `last` is the last parameter's.
    fn join(mut self, last: Option<usize>, found: &mut [Option<String>; KNOWN.len()]) {
        self.known.sort_by_key(|piece| (piece.name, piece.number));
        let first = self.known.first().and_then(|piece| KNOWN.get(piece.name));
        let stands_between = |first| self.first_unknown.is_some_and(|u| small(u).lt(small(first)));
        let mut last = last.filter(|_| !first.is_some_and(|first| stands_between(first)));
        for piece in self.known {
            let Some(place) = found.get_mut(piece.name) else { continue };
            match place {
                Some(whole) if piece.number > 0 && last == Some(piece.name) => {
                    whole.push_str(&piece.decoded());
                }
                _ => *place = Some(piece.decoded().into_owned()),
            }
            last = Some(piece.name);
        }
    }
}

impl<'a> Piece<'a> {
    fn decoded(&self) -> Cow<'a, str> {
        let value = unquoted(self.value.trim());
        match value.splitn(3, '\'').nth(2) {
            Some(text) if self.is_encoded => percent_decoded(text).into(),
            None if self.is_encoded => percent_decoded(&value).into(),
            _ => value,
        }
    }
}

fn small(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_read_as_python_reads_them() {
        for (text, value, name, parameter) in [
            ("Text/Plain", "text/plain", "name", None),
            ("x; NAME=b", "x", "name", Some("b")),
            ("x; name=b; name=c", "x", "name", Some("c")),
            ("x; name = \"b;c\" ; q=e", "x", "name", Some("b;c")),
            ("x; name = \"b;c\" ; q=e", "x", "q", Some("e")),
            (r#"x; name="b\";c"; q=e"#, "x", "name", Some("b\";c")),
            (r#"x; name="C:\\dir\\f""#, "x", "name", Some("C:\\dir\\f")),
            ("x; name=<b>", "x", "name", Some("b")),
            ("x; name=b=c d", "x", "name", Some("b=c d")),
            ("x; name", "x", "name", Some("")),
            ("x;;; name=\"b", "x", "name", Some("\"b")),
            ("x; name*=utf-8''%C3%A9", "x", "name", Some("é")),
            ("x; name*1*=b; name*0*=utf-8''%C3%A9", "x", "name", Some("éb")),
            ("x; NAME*1*=b; name*0*=utf-8''%C3%A9", "x", "name", Some("éb")),
            ("x; name*0=b; name*1=c", "x", "name", Some("bc")),
            ("x; name=a; name*1=c", "x", "name", Some("ac")),
            ("x; name=a; b*1=d; name*1=c", "x", "name", Some("c")),
            ("x; name=a; Z*1=d; name*1=c", "x", "name", Some("ac")),
            ("x; name=a; B*1=d; Z*1=d; name*1=c", "x", "name", Some("c")),
            ("x; name=a; z=d; name*1=c", "x", "name", Some("c")),
            ("x; name=a; charset*1=d; name*1=c", "x", "name", Some("c")),
            ("x; name*0=a; name*0=b; name*2=d; name*1=c", "x", "name", Some("bcd")),
            ("x; name*=a'b; name*1*=%62'c'd", "x", "name", Some("a'bd")),
            (";name=b", "", "name", Some("b")),
        ] {
            let parsed = Parameters::parse(text);
            assert_eq!((parsed.value.as_str(), parsed.get(name)), (value, parameter), "{text}");
        }
    }

    #[test]
    fn what_nobody_asks_for_is_noticed_and_not_kept() {
        for (text, has_more) in [("x", false), ("x; q=1", false), ("x; Q*0=1", false)] {
            assert_eq!(Parameters::parse(text).has_more_than_q(), has_more, "{text}");
        }
        for text in ["x; q=1; a", "x; a*1*=b", "x; q=1; name=b"] {
            assert!(Parameters::parse(text).has_more_than_q(), "{text}");
        }
        assert!(Parameters::parse(&"; a=b".repeat(1000)).found.iter().all(Option::is_none));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            let _ = Parameters::parse(&text);
        }
    }
}
