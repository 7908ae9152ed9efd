//! Header fields with parameters (`Content-Type`, `Content-Disposition`, entries of `Accept`), taken
//! apart as Python's `email` package does it, which Django asks.

use super::form::percent_decoded;

/// The value in front of the first semicolon in lower case, and the parameters behind it.
pub(crate) struct Parameters {
    pub(crate) value: String,
    parameters: Vec<(String, String)>,
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
                let name = name.trim().to_lowercase();
                (!name.is_empty()).then(|| (name, unquoted(value.trim())))
            })
            .collect();
        if parameters.iter().any(|(name, _)| name.contains('*')) {
            parameters = joined(parameters);
        }
        Self { value, parameters }
    }

    /// The last parameter of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().rev().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| name.as_str())
    }
}

fn unquoted(value: &str) -> String {
    let between = |open: char, close: char| value.strip_prefix(open)?.strip_suffix(close);
    match (between('"', '"'), between('<', '>')) {
        (Some(inner), _) => inner.replace("\\\\", "\\").replace("\\\"", "\""),
        (None, Some(inner)) => inner.to_owned(),
        (None, None) => value.to_owned(),
    }
}

/// Parameters with `*` in their name (RFC 2231): encoded ones are decoded, and the pieces of one
/// put together; they come behind the others.
fn joined(parameters: Vec<(String, String)>) -> Vec<(String, String)> {
    let (mut plain, mut pieces) = (Vec::new(), Vec::new());
    for (name, value) in parameters {
        let Some((base, rest)) = name.split_once('*') else {
            plain.push((name, value));
            continue;
        };
        let is_encoded = rest.is_empty() || rest.ends_with('*');
        let number: u32 = rest.trim_end_matches('*').parse().unwrap_or(0);
        let value = match value.splitn(3, '\'').nth(2) {
            Some(text) if is_encoded => percent_decoded(text),
            None if is_encoded => percent_decoded(&value),
            _ => value,
        };
        pieces.push((base.to_owned(), number, value));
    }
    pieces.sort_by(|(a, m, _), (b, n, _)| (a, m).cmp(&(b, n)));
    for (name, number, value) in pieces {
        match plain.last_mut() {
            Some((last, joined)) if number > 0 && *last == name => joined.push_str(&value),
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
            ("Text/Plain", "text/plain", "a", None),
            ("x; A=b", "x", "a", Some("b")),
            ("x; a=b; a=c", "x", "a", Some("c")),
            ("x; a = \"b;c\" ; d=e", "x", "a", Some("b;c")),
            ("x; a = \"b;c\" ; d=e", "x", "d", Some("e")),
            (r#"x; a="b\";c"; d=e"#, "x", "a", Some("b\";c")),
            (r#"x; a="C:\\dir\\f""#, "x", "a", Some("C:\\dir\\f")),
            ("x; a=<b>", "x", "a", Some("b")),
            ("x; a=b=c d", "x", "a", Some("b=c d")),
            ("x; a", "x", "a", Some("")),
            ("x;;; a=\"b", "x", "a", Some("\"b")),
            ("x; a*=utf-8''%C3%A9", "x", "a", Some("é")),
            ("x; a*1*=b; a*0*=utf-8''%C3%A9", "x", "a", Some("éb")),
            ("x; a*0=b; a*1=c", "x", "a", Some("bc")),
            (";a=b", "", "a", Some("b")),
        ] {
            let parsed = Parameters::parse(text);
            assert_eq!((parsed.value.as_str(), parsed.get(name)), (value, parameter), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            let _ = Parameters::parse(&text);
        }
    }
}
