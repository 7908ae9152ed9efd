//! What becomes of a value in the log, be it this library's or an application's: see
//! [docs/logs.md](https://github.com/simplejwt/simplejwt/blob/main/docs/logs.md).

use std::borrow::Cow;
use std::error::Error;

/// The longest value in a log line, in characters. What is longer is cut.
pub const MAX_VALUE: usize = 150;

/// The value with at most [`MAX_VALUE`] characters, and `…` where it was cut: somebody who may
/// send anything can't fill the log with one line.
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

/// The same with another number of characters: for sentences, which are longer than names.
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

/// An error and what caused it, on one line.
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
        // Transparent wrappers repeat what they wrap.
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
}
