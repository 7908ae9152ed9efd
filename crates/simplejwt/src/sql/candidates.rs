//! Registered tokens that are due by their column, and the verdict by the tokens themselves.

use super::references::Keeping;
use crate::clock::Timestamp;
use crate::store::flush::{FlushExpired, Flushed};

/// A registered token that may be due.
pub(crate) struct Candidate {
    pub(crate) id: i64,
    pub(crate) token: String,
    /// The column's value, if it can be read.
    pub(crate) expires_at: Option<Timestamp>,
    /// The index of the foreign key that prevents its deletion.
    pub(crate) kept_by: Option<usize>,
}

/// The verdict on candidates.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) delete: Vec<i64>,
    /// Those whose column is too early: it is corrected, so that no purge meets them again too
    /// early.
    pub(crate) put_off: Vec<(i64, Timestamp)>,
}

impl FlushExpired {
    /// Decides which candidates are due, and counts those that a foreign key keeps.
    pub(crate) fn judge(
        &self,
        candidates: &[Candidate],
        keys: &[Keeping],
        flushed: &mut Flushed,
    ) -> Verdict {
        let due = self.retention.due(self.at);
        let mut verdict = Verdict::default();
        for candidate in candidates {
            let column = candidate.expires_at.unwrap_or(Timestamp::from_micros(i64::MIN));
            let last = self.retention.last_exp_of(&candidate.token, column);
            if last > due {
                verdict.put_off.push((candidate.id, last));
                continue;
            }
            match candidate.kept_by.and_then(|at| keys.get(at)) {
                Some(key) => flushed.keep(&key.constraint, &key.table),
                None => verdict.delete.push(candidate.id),
            }
        }
        verdict
    }
}
