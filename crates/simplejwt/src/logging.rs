//! The treatment of values in the log, for this library's lines and an application's own: see
//! [docs/logs.md](https://github.com/simplejwt/simplejwt/blob/main/docs/logs.md).

use std::borrow::Cow;
use std::error::Error;

/// The maximum length of a value in a log line, in characters. Longer values are cut.
pub const MAX_VALUE: usize = 150;

/// Cuts a value after [`MAX_VALUE`] characters, marking the cut with `…`, so that nobody can fill
/// the log with a single request.
///
/// ```
/// use simplejwt::logging::cut;
///
/// assert_eq!(cut("alice"), "alice");
/// assert_eq!(cut(&"a".repeat(60_000)).chars().count(), 151);
/// ```
pub fn cut(value: &str) -> Cow<'_, str> {
    cut_at(value, MAX_VALUE)
}

/// Cuts a value after the given number of characters: for sentences, which are longer than names.
///
/// ```
/// assert_eq!(simplejwt::logging::cut_at("ghijk", 3), "ghi…");
/// ```
pub fn cut_at(value: &str, most: usize) -> Cow<'_, str> {
    match value.char_indices().nth(most) {
        None => Cow::Borrowed(value),
        Some((end, _)) => Cow::Owned(format!("{}…", value.get(..end).unwrap_or_default())),
    }
}

/// The first characters of every token: the base64url of the start of a JSON object.
const START: &str = "eyJ";
/// The length of the shortest token; anything shorter isn't one.
const SHORTEST: usize = 40;

/// Replaces each token, or part of one, with `eyJ…`: clients may have put it in the wrong place,
/// such as a path, the login field or a user agent.
///
/// ```
/// use simplejwt::logging::without_tokens;
///
/// let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoiMSJ9.c2lnbmF0dXJl";
/// assert_eq!(without_tokens(&format!("/verify/{token}/")), "/verify/eyJ…/");
/// ```
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(START) else { return Cow::Borrowed(text) };
    let (head, mut rest) = text.split_at(first);
    let mut shown = head.to_owned();
    loop {
        let is_of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let end = rest.find(|c| !is_of_token(c)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        shown.push_str(if token.len() < SHORTEST { token } else { "eyJ…" });
        let Some(next) = after.find(START) else {
            shown.push_str(after);
            return Cow::Owned(shown);
        };
        let (between, next) = after.split_at(next);
        shown.push_str(between);
        rest = next;
    }
}

/// Formats an error and its causes on one line.
///
/// ```
/// use simplejwt::StoreError;
/// use simplejwt::logging::with_causes;
///
/// let error = StoreError::unavailable("rotate", "the disk is full");
/// assert_eq!(with_causes(&error), "rotate failed: the disk is full");
/// ```
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let told = cause.to_string();
        // Transparent wrappers repeat the text of their source.
        if !text.ends_with(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_between_characters() {
        assert_eq!(cut_at("", 0), "");
        assert_eq!(cut_at("äöü", 3), "äöü");
        assert_eq!(cut_at("äöü", 2), "äö…");
        assert!(matches!(cut(&"€".repeat(MAX_VALUE)), Cow::Borrowed(_)));
        assert_eq!(cut(&"€".repeat(MAX_VALUE + 1)), "€".repeat(MAX_VALUE) + "…");
    }

    #[test]
    fn tokens_are_hidden_and_nothing_else() {
        let token = format!("eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9.{}", "s_-".repeat(14));
        for (text, expected) in [
            ("alice".into(), "alice"),
            ("/eyJ/x".into(), "/eyJ/x"),
            ("heyJude".into(), "heyJude"),
            (token.clone(), "eyJ…"),
            (format!("/verify/{token}/"), "/verify/eyJ…/"),
            (format!("{token} {token}"), "eyJ… eyJ…"),
            (format!("a={token}; b=eyJ; c={token}"), "a=eyJ…; b=eyJ; c=eyJ…"),
            (token[..60].to_owned(), "eyJ…"),
            (format!("é{token}é"), "éeyJ…é"),
        ] {
            assert_eq!(without_tokens(&text), expected);
        }
    }
}
