//! What a purge asks of a store, and what it is told.

use super::retention::Retention;
use crate::clock::Timestamp;

/// A step of the purge, for [`TokenStore::flush_expired`](super::TokenStore::flush_expired).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlushExpired {
    /// The rule that says which tokens can go.
    pub retention: Retention,
    /// The time at which the purge began.
    pub at: Timestamp,
    /// How many tokens are looked at, at most.
    pub batch: u32,
    /// Whether rows of other tables that refer to a token, or to its entry in the blacklist, are
    /// deleted with it, as Django does for `on_delete=CASCADE`. Without it such a token stays.
    pub cascade: bool,
    /// Where the step before came to; `None` for the first.
    pub after: Option<Position>,
}

impl FlushExpired {
    /// The first step of a purge that takes no other table's rows with it.
    pub fn new(retention: Retention, at: Timestamp, batch: u32) -> Self {
        Self { retention, at, batch, cascade: false, after: None }
    }
}

/// How far a purge has come, in the store's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position(pub String);

/// What a step of the purge did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// How many tokens were deleted, with their entries in the blacklist.
    pub deleted: u64,
    /// What stands in the way of others, which stay.
    pub referenced: Vec<Referenced>,
    /// Where to go on; `None` when the purge is through.
    pub next: Option<Position>,
}

/// A foreign key of another table by which tokens are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referenced {
    /// The constraint's name; that of the column where constraints have none (SQLite).
    pub constraint: String,
    /// The table that it belongs to.
    pub table: String,
    /// How many tokens stay for it.
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
