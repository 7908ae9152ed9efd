//! Header fields with parameters (`Content-Type`, `Content-Disposition`, entries of `Accept`), taken
//! apart as Python's `email` package does it, which Django asks.

use std::borrow::Cow;

use super::form::percent_decoded;

/// The parameters that anything is done with. Of the others nothing is kept: there may be a great many.
const KNOWN: [&str; 6] = ["boundary", "charset", "filename", "indent", "name", "q"];

/// The value in front of the first semicolon in lower case, and the parameters behind it.
pub(crate) struct Parameters {
    pub(crate) value: String,
    parameters: Vec<(String, String)>,
    has_more_than_q: bool,
}

impl Parameters {
    /// A semicolon between quotes separates nothing; a quote behind a backslash is none. What has
    /// no equals sign is a parameter without a value.
    pub(crate) fn parse(text: &str) -> Self {
        let (mut in_quotes, mut before) = (false, ' ');
        let mut parts = text.split(|c| {
            in_quotes ^= c == '"' && before != '\\';
            before = c;
            c == ';' && !in_quotes
        });
        let value = parts.next().unwrap_or_default().trim().to_lowercase();
        let mut parameters: Vec<_> = parts
            .filter_map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                let name = lower(name.trim());
                (!name.is_empty()).then(|| (name, unquoted(value.trim())))
            })
            .collect();
        if parameters.iter().any(|(name, _)| name.contains('*')) {
            parameters = joined(parameters);
        }
        Self {
            value,
            has_more_than_q: parameters.iter().any(|(name, _)| name != "q"),
            parameters: parameters
                .into_iter()
                .filter(|(name, _)| is_known(name))
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        }
    }

    /// The last parameter of this name, which is one of [`KNOWN`].
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().rev().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether there is any but `q`.
    pub(crate) fn has_more_than_q(&self) -> bool {
        self.has_more_than_q
    }
}

/// Name and value.
type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

fn lower(text: &str) -> Cow<'_, str> {
    match text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.to_lowercase()),
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

/// Parameters with `*` in their name (RFC 2231): encoded ones are decoded, and the pieces of one
/// put together; they come behind the others.
fn joined<'a>(parameters: Vec<Parameter<'a>>) -> Vec<Parameter<'a>> {
    let (mut plain, mut pieces): (Vec<Parameter<'a>>, Vec<_>) = (Vec::new(), Vec::new());
    for (name, value) in parameters {
        let Some((base, rest)) = name.split_once('*') else {
            plain.push((name, value));
            continue;
        };
        let is_encoded = rest.is_empty() || rest.ends_with('*');
        let number: u32 = rest.trim_end_matches('*').parse().unwrap_or(0);
        let value = match value.splitn(3, '\'').nth(2) {
            _ if !is_known(base) => Cow::Borrowed(""),
            Some(text) if is_encoded => percent_decoded(text).into(),
            None if is_encoded => percent_decoded(&value).into(),
            _ => value,
        };
        let base = match &name {
            Cow::Borrowed(name) => Cow::Borrowed(name.get(..base.len()).unwrap_or_default()),
            Cow::Owned(_) => Cow::Owned(base.to_owned()),
        };
        pieces.push((base, number, value));
    }
    pieces.sort_by(|(a, m, _), (b, n, _)| (a, m).cmp(&(b, n)));
    for (name, number, value) in pieces {
        match plain.last_mut() {
            Some((last, joined)) if number > 0 && *last == name => {
                joined.to_mut().push_str(&value);
            }
            _ => plain.push((name, value)),
        }
    }
    plain
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
        assert!(Parameters::parse(&"; a=b".repeat(1000)).parameters.is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            let _ = Parameters::parse(&text);
        }
    }
}
