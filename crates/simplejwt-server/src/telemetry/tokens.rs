//! Tokens that somebody put where they don't belong: into a path, the login field, a user agent.

use std::borrow::Cow;

/// What the base64url of a JSON object's first two characters begins with, and so each token.
const START: &str = "eyJ";
/// Shorter ones are no tokens.
const SHORTEST: usize = 40;

/// The text with `eyJ…` in place of each token, or part of one.
pub(super) fn hidden(text: &str) -> Cow<'_, str> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(hidden(&text), expected);
        }
    }
}
