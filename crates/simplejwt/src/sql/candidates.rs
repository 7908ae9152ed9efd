//! Registered tokens whose column says that they are due, and what the tokens themselves say.

use super::references::Keeping;
use crate::clock::Timestamp;
use crate::store::flush::{FlushExpired, Flushed};

/// A registered token that may be due.
pub(crate) struct Candidate {
    pub(crate) id: i64,
    pub(crate) token: String,
    /// What the column says, where that can be read.
    pub(crate) expires_at: Option<Timestamp>,
    /// The foreign key that keeps it, by its place in the list.
    pub(crate) kept_by: Option<usize>,
}

/// What is to be done about candidates.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) delete: Vec<i64>,
    /// Those whose column is too early: it is put right, so that no purge comes upon them again
    /// before their time.
    pub(crate) put_off: Vec<(i64, Timestamp)>,
}

impl FlushExpired {
    /// Which candidates are due; those that a foreign key keeps are noted.
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
