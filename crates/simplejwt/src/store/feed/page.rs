//! A page of the feed, made from what a store has read.

use super::{Mark, Revocation, RevocationSubject, Revocations};
use crate::clock::Timestamp;

/// A row as it is stored.
pub(crate) struct Row {
    pub(crate) sequence: i64,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) revoked_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// The request for a page.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) after: i64,
    pub(crate) limit: u32,
    pub(crate) at: Timestamp,
}

impl Asked {
    /// Returns the page, from the counter and rows in the order of their numbers: at least the one
    /// at the requested number, the first ones after it, and the newest.
    pub(crate) fn answer(self, newest: i64, rows: impl IntoIterator<Item = Row>) -> Revocations {
        let mut found = Revocations { sequence: self.after, ..Revocations::default() };
        let (mut read, mut at_newest) = (0, None);
        for row in rows {
            let mark = Mark::new(&row.kind, &row.subject, row.revoked_at);
            if row.sequence == newest {
                at_newest = Some(mark.clone());
            }
            if row.sequence == self.after {
                found.before = Some(mark);
                continue;
            }
            if row.sequence < self.after || row.expires_at <= self.at || read == self.limit {
                continue;
            }
            read += 1;
            (found.sequence, found.last) = (row.sequence, Some(mark));
            // An unknown kind is of a later version, and doesn't concern this one.
            if let Some(subject) = RevocationSubject::from_words(&row.kind, row.subject) {
                let (revoked_at, expires_at) = (row.revoked_at, row.expires_at);
                found.entries.push(Revocation { subject, revoked_at, expires_at });
            }
        }
        found.complete = read < self.limit;
        // A row that was committed after the counter was read may be beyond it.
        let is_beyond = read > 0 && found.sequence > newest;
        if found.complete && !is_beyond {
            (found.sequence, found.last) = (newest, at_newest);
        } else if read == 0 {
            found.last = found.before.clone();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sequence: i64, subject: &str, expires_at: i64) -> Row {
        Row {
            sequence,
            kind: "session".into(),
            subject: subject.into(),
            revoked_at: Timestamp::from_secs(0),
            expires_at: Timestamp::from_secs(expires_at),
        }
    }

    fn asked(after: i64, limit: u32) -> Asked {
        Asked { after, limit, at: Timestamp::from_secs(10) }
    }

    fn mark(subject: &str) -> Option<Mark> {
        Some(Mark::new("session", subject, Timestamp::from_secs(0)))
    }

    fn names(found: &Revocations) -> Vec<&str> {
        found.entries.iter().map(|entry| entry.subject.words().1).collect()
    }

    #[test]
    fn a_page_tells_what_stands_at_both_of_its_ends() {
        let rows = || [row(3, "c", 5), row(4, "d", 20), row(5, "e", 20), row(7, "g", 5)];
        let whole = asked(3, 10).answer(7, rows());
        assert_eq!(names(&whole), ["d", "e"]);
        assert_eq!((whole.sequence, whole.complete), (7, true));
        assert_eq!((&whole.before, &whole.last), (&mark("c"), &mark("g")));
        // A page that is full earlier doesn't contain the newest.
        let part = asked(3, 1).answer(7, rows());
        assert_eq!(names(&part), ["d"]);
        assert_eq!((part.sequence, part.complete), (4, false));
        assert_eq!((&part.before, &part.last), (&mark("c"), &mark("d")));
    }

    #[test]
    fn nothing_new_and_nothing_there() {
        let same = asked(7, 10).answer(7, [row(7, "g", 5)]);
        assert_eq!((same.sequence, same.complete), (7, true));
        assert_eq!((&same.before, &same.last), (&mark("g"), &mark("g")));
        let purged = asked(7, 10).answer(7, []);
        assert_eq!((purged.sequence, purged.before, purged.last), (7, None, None));
        let earlier = asked(7, 10).answer(5, [row(5, "e", 20)]);
        assert_eq!((earlier.sequence, earlier.complete), (5, true));
        assert_eq!((earlier.entries, earlier.before), (Vec::new(), None));
    }

    #[test]
    fn a_row_beyond_the_counter_that_was_read_counts() {
        let found = asked(3, 10).answer(4, [row(4, "d", 20), row(5, "e", 20)]);
        assert_eq!((found.sequence, found.complete), (5, true));
        assert_eq!(found.last, mark("e"));
    }
}
