//! Passwords too weak to be set, by Django's four default `AUTH_PASSWORD_VALIDATORS`.
//!
//! `common.bin` contains the first five bytes of the SHA-256 of each common password that Django
//! 5.2 ships (its sources are under the BSD licence; Royce Williams compiled the list), sorted.
//! `compat/make_common_passwords.py` writes it. Of a hundred million other passwords, about two are
//! mistaken for a common one.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest as _, Sha256};

const COMMON: &[u8] = include_bytes!("common.bin");
const PREFIX: usize = 5;
/// The minimum length of Django's `MinimumLengthValidator`, in characters.
const SHORTEST: usize = 8;
/// The maximum similarity of Django's `UserAttributeSimilarityValidator`.
const MAX_SIMILARITY: f64 = 0.7;

/// The reason a password is too weak.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weakness {
    /// It is similar to something that others know about the user
    /// (`UserAttributeSimilarityValidator`).
    Similar {
        /// The name of the attribute.
        attribute: String,
    },
    /// It has fewer than eight characters (`MinimumLengthValidator`).
    Short,
    /// It is a common password (`CommonPasswordValidator`).
    Common,
    /// It consists of digits only (`NumericPasswordValidator`).
    Numeric,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Similar { attribute } => write!(f, "it is too similar to the {attribute}"),
            Self::Short => write!(f, "it has fewer than {SHORTEST} characters"),
            Self::Common => f.write_str("it is too common"),
            Self::Numeric => f.write_str("it consists of digits only"),
        }
    }
}

/// Returns the objections of Django's four default validators to a password; none if they accept
/// it. `attributes` are attributes of the user, by name: Django uses `username`, `first_name`,
/// `last_name` and `email`.
///
/// Numeric characters that aren't digits (`Ⅷ`, `½`) count as digits here, but not in Django.
///
/// ```
/// use simplejwt::users::password::{Weakness, weaknesses};
///
/// let alice = [("username", "alice"), ("email", "alice.liddell@example.org")];
/// assert!(weaknesses("down-the-rabbit-hole", alice).is_empty());
/// assert_eq!(weaknesses("12345", alice), [Weakness::Short, Weakness::Common, Weakness::Numeric]);
/// let similar = Weakness::Similar { attribute: "email".into() };
/// assert_eq!(weaknesses("Liddell.Alice", alice), [similar]);
/// ```
pub fn weaknesses<'a>(
    password: &str,
    attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<Weakness> {
    let mut found = Vec::new();
    let lower = password.to_lowercase();
    let is_near = |(_, value): &(&str, &str)| is_similar(&lower, &value.to_lowercase());
    if let Some((name, _)) = attributes.into_iter().find(is_near) {
        found.push(Weakness::Similar { attribute: name.to_owned() });
    }
    if password.chars().count() < SHORTEST {
        found.push(Weakness::Short);
    }
    if is_common(trimmed(&lower)) {
        found.push(Weakness::Common);
    }
    if !password.is_empty() && password.chars().all(char::is_numeric) {
        found.push(Weakness::Numeric);
    }
    found
}

/// Trims a text as Python's `strip`, which strips four control characters that Unicode doesn't
/// consider white space.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
}

fn is_common(password: &str) -> bool {
    let digest = Sha256::digest(password.as_bytes());
    let (known, _) = COMMON.as_chunks::<PREFIX>();
    let wanted = digest.first_chunk::<PREFIX>();
    wanted.is_some_and(|wanted| known.binary_search(wanted).is_ok())
}

/// `true` if a password is similar to a value, or to a part of it.
fn is_similar(password: &str, value: &str) -> bool {
    let is_near = |part: &str| {
        let (length, other) = (password.chars().count(), part.chars().count());
        #[expect(clippy::cast_precision_loss, reason = "lengths of names and passwords")]
        let (length_f, other_f) = (length as f64, other as f64);
        // A text that is much shorter can't be similar.
        let is_apart = length >= 10 * other && other_f < MAX_SIMILARITY / 2.0 * length_f;
        !is_apart && ratio(password, part) >= MAX_SIMILARITY
    };
    // Python's split leaves an empty part at either end, but none between two separators.
    let at_an_end = value.starts_with(|c| !is_word(c)) || value.ends_with(|c| !is_word(c));
    let parts = value.split(|c| !is_word(c)).filter(|part| !part.is_empty());
    !value.is_empty() && parts.chain([value]).chain(at_an_end.then_some("")).any(is_near)
}

/// `true` for characters that match Python's `\w`: letters, numbers and the underscore, but not
/// marks.
fn is_word(c: char) -> bool {
    // Alphabetic in Unicode, but symbols by category.
    let is_symbol = matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}');
    let is_mark = unicode_normalization::char::is_combining_mark(c);
    c == '_' || (c.is_alphanumeric() && !is_symbol && !is_mark)
}

/// Returns the similarity of two texts, regardless of order: `quick_ratio` of Python's difflib.
fn ratio(a: &str, b: &str) -> f64 {
    let mut counts: BTreeMap<char, isize> = BTreeMap::new();
    for c in b.chars() {
        *counts.entry(c).or_default() += 1;
    }
    let mut common = 0_usize;
    let mut all = b.chars().count();
    for c in a.chars() {
        all += 1;
        if let Some(left) = counts.get_mut(&c).filter(|left| **left > 0) {
            *left -= 1;
            common += 1;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "lengths of names and passwords")]
    let ratio = 2.0 * common as f64 / all as f64;
    // Two empty texts are alike.
    if all == 0 { 1.0 } else { ratio }
}
