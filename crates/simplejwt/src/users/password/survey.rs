//! A survey of the hashes in a table, by a sample of its rows.

use std::fmt;

use super::kind::HashKind;

/// The kind of a stored value in the password column.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredKind {
    /// No password: empty, or one of
    /// [`unusable_password`](super::unusable_password).
    Unusable,
    /// A well-formed hash of an accepted hasher, within the limits.
    Accepted(HashKind),
    /// A hash of an algorithm that isn't accepted, with the name that it begins with if that can be
    /// a name: nobody can log in with it.
    NotAccepted(Option<String>),
    /// It names an accepted hasher, but is corrupt or needs more work than the limits allow: nobody
    /// can log in with it.
    Malformed(super::Hasher),
}

impl fmt::Display for StoredKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoredKind::Unusable => f.write_str("unusable"),
            StoredKind::Accepted(kind) => write!(f, "{kind}"),
            StoredKind::NotAccepted(Some(name)) => f.write_str(name),
            StoredKind::NotAccepted(None) => f.write_str("an unknown kind"),
            StoredKind::Malformed(hasher) => write!(f, "malformed {hasher}"),
        }
    }
}

/// Returns the name that a hash of an unaccepted hasher begins with, if it looks like a name: never
/// a part of a salt or digest.
pub(super) fn name_of(encoded: &str) -> Option<String> {
    const BARE_BCRYPT: [&str; 4] = ["$2a$", "$2b$", "$2x$", "$2y$"];
    if BARE_BCRYPT.iter().any(|start| encoded.starts_with(start)) {
        return Some("bare bcrypt, without Django's \"bcrypt$\" before it".to_owned());
    }
    let (name, rest) = encoded.split_once('$')?;
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = (1..=24).contains(&name.len())
        && name.bytes().all(word)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        // Hexadecimal digits may be part of a digest.
        && !name.bytes().all(|byte| byte.is_ascii_hexdigit())
        && rest.contains('$');
    is_name.then(|| name.to_owned())
}

/// The contents of a table's password column, by a sample of its rows. Contains no hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PasswordSurvey {
    /// The kinds, each with its number of rows in the sample, the most frequent first; equally
    /// frequent ones in the order of the newest rows.
    pub kinds: Vec<(StoredKind, usize)>,
    /// `true` if the table was made by `migrate` and no Django has used the database, so that its
    /// hashes are this program's to rewrite.
    pub made_here: bool,
}

impl PasswordSurvey {
    /// Counts kinds that are given from the newest row to the oldest.
    #[must_use]
    pub fn of(kinds: impl IntoIterator<Item = StoredKind>, made_here: bool) -> Self {
        let mut counted: Vec<(StoredKind, usize)> = Vec::new();
        for kind in kinds {
            match counted.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => counted.push((kind, 1)),
            }
        }
        counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        PasswordSurvey { kinds: counted, made_here }
    }

    /// Returns the kinds of hashes that somebody can log in with, the most frequent first.
    pub fn accepted(&self) -> impl Iterator<Item = (HashKind, usize)> + '_ {
        self.kinds.iter().filter_map(|(kind, count)| match kind {
            StoredKind::Accepted(kind) => Some((*kind, *count)),
            _ => None,
        })
    }

    /// Returns the number of rows in the sample that hold a password at all.
    #[must_use]
    pub fn hashes(&self) -> usize {
        let usable = self.kinds.iter().filter(|(kind, _)| *kind != StoredKind::Unusable);
        usable.map(|(_, count)| count).sum()
    }
}
