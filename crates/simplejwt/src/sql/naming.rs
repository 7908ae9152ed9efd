//! The name and address of a new user, as Django's `create_user` stores them.

use unicode_normalization::UnicodeNormalization as _;

use super::manage::{ManageError, NewUser};
use super::table::UserTable;

/// Returns the user as stored: the name in the normalization form NFKC, as in `AbstractBaseUser`,
/// and the domain of an address in lower case.
///
/// # Errors
/// [`ManageError::Inherited`], and [`ManageError::UnusableText`] for text that nobody could type at
/// a login, or that would be displayed as something else.
pub(crate) fn as_django(user: NewUser, table: &UserTable) -> Result<NewUser, ManageError> {
    if let Some(child) = &table.child {
        let (table, child) = (table.table.clone(), child.table.clone());
        return Err(ManageError::Inherited { table, child });
    }
    let mut username: String = user.username.nfkc().collect();
    if table.login.eq_ignore_ascii_case("email") {
        username = normalized(&username);
    }
    check("name", &username)?;
    let email = normalized(&user.email);
    check("e-mail address", &email)?;
    Ok(NewUser { username, email, ..user })
}

/// Django's `normalize_email`: the domain in lower case.
fn normalized(email: &str) -> String {
    match email.trim().rsplit_once('@') {
        Some((name, domain)) => format!("{name}@{}", domain.to_lowercase()),
        None => email.to_owned(),
    }
}

fn check(what: &'static str, text: &str) -> Result<(), ManageError> {
    let problem = if text.chars().any(is_hidden) {
        "has a control character, a line break or a mark that turns the direction of writing"
    } else if text.trim() != text {
        "begins or ends with a blank, which a login leaves out"
    } else {
        return Ok(());
    };
    Err(ManageError::UnusableText { what, text: text.to_owned(), problem })
}

/// Returns `true` for characters that a terminal obeys, and those that make a text look like
/// another: controls, separators of lines and paragraphs, and the marks of the bidirectional
/// algorithm (UAX 9 section 2).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(username: &str, email: &str) -> Result<(String, String), ManageError> {
        let user = NewUser { username: username.into(), email: email.into(), ..Default::default() };
        as_django(user, &UserTable::default()).map(|user| (user.username, user.email))
    }

    #[test]
    fn names_are_normalized_as_django_does() {
        // `unicodedata.normalize("NFKC", name)`
        for (given, expected) in [
            ("alice", "alice"),
            ("Alice", "Alice"),
            ("ﬁn", "fin"),
            ("ａｌｉｃｅ", "alice"),
            ("zoe\u{308}", "zoë"),
            ("№5", "No5"),
            ("Ⅷ²", "VIII2"),
            ("ℌanna", "Hanna"),
            ("名\u{fa5b}", "名者"),
            ("a\u{200d}b", "a\u{200d}b"),
            ("two words", "two words"),
            ("two\u{a0}words", "two words"),
            ("İ", "İ"),
        ] {
            assert_eq!(stored(given, "").unwrap().0, expected, "{given}");
        }
    }

    #[test]
    fn the_domain_of_an_address_is_lower_case() {
        for (given, expected) in [
            ("Ann@Example.COM", "Ann@example.com"),
            (" a@b@C ", "a@b@c"),
            ("nothing", "nothing"),
            ("", ""),
        ] {
            assert_eq!(stored("a", given).unwrap().1, expected, "{given}");
        }
        let table = UserTable { login: "Email".into(), ..UserTable::default() };
        let user = NewUser { username: "Ann@EXAMPLE.org".into(), ..NewUser::default() };
        assert_eq!(as_django(user, &table).unwrap().username, "Ann@example.org");
    }

    #[test]
    fn what_nobody_could_log_in_with_is_refused() {
        for name in [
            " lead",
            "trail ",
            "\u{a0}a",
            "\u{3000}a",
            "new\nline",
            "a\r",
            "tab\tbed",
            "\u{1b}[31mred",
            "nul\0",
            "c1\u{9b}",
            "del\u{7f}",
            "line\u{2028}a",
            "par\u{2029}a",
            "a\u{202e}nimda",
            "a\u{2066}b",
            "a\u{200f}b",
        ] {
            let error = stored(name, "").unwrap_err();
            let told = error.to_string();
            assert!(matches!(error, ManageError::UnusableText { .. }), "{name:?}");
            assert!(!told.chars().any(is_hidden), "{told:?}");
        }
        assert!(stored("a", "a@b\n.c").is_err());
    }
}
