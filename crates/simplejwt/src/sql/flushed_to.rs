//! How far the deletion of expired rows has come, for databases in which deleted rows stay in
//! indexes for a while: a step that began with the oldest row would meet all of them again.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The place that the steps with the same limit have reached.
#[derive(Debug, Default)]
pub(crate) struct FlushedTo(Mutex<Option<Reached>>);

#[derive(Clone, Copy, Debug)]
struct Reached {
    before: i64,
    last: i64,
}

impl FlushedTo {
    /// Returns where the next step with this limit begins.
    pub(crate) fn after(&self, before: i64) -> i64 {
        self.lock().filter(|reached| reached.before == before).map_or(i64::MIN, |at| at.last)
    }

    /// Remembers the last row of a step.
    pub(crate) fn reached(&self, before: i64, last: i64) {
        *self.lock() = Some(Reached { before, last });
    }

    /// The next step begins with the oldest row.
    pub(crate) fn forget(&self) {
        *self.lock() = None;
    }

    /// Locks the place, which a panic with the lock held leaves intact.
    fn lock(&self) -> MutexGuard<'_, Option<Reached>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steps_with_the_same_limit_go_on() {
        let place = FlushedTo::default();
        assert_eq!(place.after(100), i64::MIN);
        place.reached(100, 7);
        assert_eq!((place.after(100), place.after(101)), (7, i64::MIN));
        place.reached(101, 3);
        assert_eq!((place.after(100), place.after(101)), (i64::MIN, 3));
        place.forget();
        assert_eq!(place.after(101), i64::MIN);
    }
}
