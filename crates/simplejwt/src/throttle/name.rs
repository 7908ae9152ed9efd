//! Names of accounts, so that all spellings that a login accepts for one have one counter.

use unicode_normalization::UnicodeNormalization as _;

/// Returns what the spellings of a name have in common. Databases compare names with or without
/// case, accents and characters that aren't printed; here, none of them makes a difference. Names of
/// different accounts that differ in nothing else share a counter, which costs them little.
pub(super) fn folded(name: &str) -> String {
    // `ß` is `ss` in capitals, and what has no small letter stays as it is.
    let name: String = name.nfkd().collect::<String>().to_uppercase().to_lowercase();
    let is_kept = |c: char| {
        c.is_ascii_graphic() || !c.is_ascii() && c.is_alphabetic() && !is_mark(c) && !is_filler(c)
    };
    let mut folded = String::with_capacity(name.len());
    for c in name.nfkd().filter(|c| is_kept(*c)) {
        match c {
            'đ' | 'ð' => folded.push('d'),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'ħ' => folded.push('h'),
            'ı' => folded.push('i'),
            'ŧ' => folded.push('t'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ß' => folded.push_str("ss"),
            'ς' => folded.push('σ'),
            c => folded.push(c),
        }
    }
    folded
}

fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Letters that aren't printed.
fn is_filler(c: char) -> bool {
    matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_name_are_one() {
        for (name, spellings) in [
            (
                "alice",
                &["Alice", "ALICE", " alice ", "ａｌｉｃｅ", "ali\u{200b}ce", "alice\u{ad}"][..],
            ),
            (
                "jose@example.com",
                &["José@Example.com", "jose\u{301}@example.com", "jòsë@example.com"],
            ),
            ("strasse", &["Straße", "STRASSE", "STRAẞE"]),
            ("dorte", &["Đorte", "dørte"]),
            ("ειρηνησ", &["Ειρήνης", "ΕΙΡΗΝΗΣ"]),
            ("i", &["İ", "ı", "I", "í"]),
        ] {
            for spelling in spellings {
                assert_eq!(folded(spelling), folded(name), "{spelling:?}");
            }
        }
    }

    #[test]
    fn different_names_are_different() {
        let names =
            ["alice", "bob", "alice1", "alice2", "a.lice", "a_lice", "али́са", "愛麗絲", "алиса2"];
        for (at, name) in names.iter().enumerate() {
            for other in names.iter().skip(at + 1) {
                assert_ne!(folded(name), folded(other), "{name} {other}");
            }
        }
    }
}
