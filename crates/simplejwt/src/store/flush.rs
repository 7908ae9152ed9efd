//! The request for a step of the purge, and its result.

use super::retention::Retention;
use crate::clock::Timestamp;

/// A step of the purge, for [`TokenStore::flush_expired`](super::TokenStore::flush_expired).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlushExpired {
    /// The rule for which tokens can be deleted.
    pub retention: Retention,
    /// The time at which the purge began.
    pub at: Timestamp,
    /// The maximum number of tokens to look at.
    pub batch: u32,
    /// `true` to also delete rows of other tables that refer to a token or to its blacklist entry,
    /// as Django does for `on_delete=CASCADE`. Otherwise such a token stays.
    pub cascade: bool,
    /// The position that the step before reached; `None` for the first.
    pub after: Option<Position>,
}

impl FlushExpired {
    /// Creates the first step of a purge that deletes no rows of other tables.
    pub fn new(retention: Retention, at: Timestamp, batch: u32) -> Self {
        Self { retention, at, batch, cascade: false, after: None }
    }
}

/// The position that a purge has reached, in the store's own format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position(pub String);

/// The result of a step of the purge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// The number of tokens that were deleted, with their blacklist entries.
    pub deleted: u64,
    /// The foreign keys because of which other tokens stay.
    pub referenced: Vec<Referenced>,
    /// The position to continue from; `None` if the purge is complete.
    pub next: Option<Position>,
}

/// A foreign key of another table that keeps tokens from being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referenced {
    /// The constraint's name; the column's if constraints have none (SQLite).
    pub constraint: String,
    /// The table that it belongs to.
    pub table: String,
    /// The number of tokens that stay because of it.
    pub tokens: u64,
}

impl Flushed {
    /// Counts a token that stays.
    pub fn keep(&mut self, constraint: &str, table: &str) {
        let found = self
            .referenced
            .iter_mut()
            .find(|known| known.constraint == constraint && known.table == table);
        match found {
            Some(known) => known.tokens += 1,
            None => self.referenced.push(Referenced {
                constraint: constraint.to_owned(),
                table: table.to_owned(),
                tokens: 1,
            }),
        }
    }
}
