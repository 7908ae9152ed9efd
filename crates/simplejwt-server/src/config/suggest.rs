//! Suggestions for misspelt names: "did you mean …?"

/// Returns the known name most similar to `unknown`, if one is similar enough to be meant. Upper
/// and lower case count as the same.
pub(crate) fn nearest<'n>(
    unknown: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    // A third of the name may be wrong; beyond that it is another name.
    let limit = (unknown.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(&unknown.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Returns `; did you mean …?`, or an empty string.
pub(crate) fn did_you_mean<'n>(unknown: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    nearest(unknown, known).map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

/// Returns the Levenshtein distance: the fewest characters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((to, above), diagonal) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            let replaced = diagonal + usize::from(from != *to);
            next.push(replaced.min(left + 1).min(above + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["ACCESS_TOKEN_LIFETIME", "ALGORITHM", "AUDIENCE"];
        assert_eq!(nearest("algoritm", known), Some("ALGORITHM"));
        assert_eq!(nearest("ACCES_TOKEN_LIFE_TIME", known), Some("ACCESS_TOKEN_LIFETIME"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(did_you_mean("AUDIENC", known), "; did you mean AUDIENCE?");
    }
}
