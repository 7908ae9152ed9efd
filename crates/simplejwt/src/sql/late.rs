//! Rotations that are still in progress after their callers stopped waiting.
//!
//! A COMMIT can take longer than an operation may: the synchronous standby is gone, or the cluster
//! slows down its writers. The client gets an error, tries again, and finds its token spent as soon
//! as the COMMIT ends, long after the date of the rotation. So the rotation is dated again, with
//! the end of the COMMIT, when it becomes visible; and a token that was still good when it was
//! presented wasn't spent before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The number followed at a time, each with a connection; the end of any more isn't noticed.
const MOST: usize = 8;
/// The time for which each of them is followed.
pub(crate) const LONGEST: Duration = Duration::from_secs(600);

/// The tokens whose rotation is still in progress. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Late {
    most: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    followed: usize,
    tokens: HashMap<String, usize>,
}

impl Late {
    /// At most half of the connections are used for them.
    pub(crate) fn new(connections: usize) -> Self {
        Self { most: (connections / 2).min(MOST), state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if any rotation is in progress whose caller has stopped waiting.
    pub(crate) fn is_any(&self) -> bool {
        self.state().followed > 0
    }

    /// Returns `true` if this token's rotation is one of them.
    pub(crate) fn knows(&self, jti: &str) -> bool {
        self.state().tokens.contains_key(jti)
    }

    /// Follows the rotation of these tokens until the value is dropped; `None` if too many are
    /// followed already.
    pub(crate) fn follow(&self, tokens: Vec<String>) -> Option<Followed> {
        let mut state = self.state();
        if state.followed >= self.most {
            return None;
        }
        state.followed += 1;
        for jti in &tokens {
            *state.tokens.entry(jti.clone()).or_default() += 1;
        }
        Some(Followed { late: self.clone(), tokens })
    }
}

/// Rotations being followed.
pub(crate) struct Followed {
    late: Late,
    tokens: Vec<String>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        let mut state = self.late.state();
        state.followed -= 1;
        for jti in &self.tokens {
            if let Some(count) = state.tokens.get_mut(jti) {
                *count -= 1;
                if *count == 0 {
                    state.tokens.remove(jti);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_as_long_as_any_rotation_of_it_is_followed() {
        let late = Late::new(16);
        assert!(!late.is_any() && !late.knows("a"));
        let first = late.follow(vec!["a".into(), "b".into()]);
        let second = late.follow(vec!["a".into()]);
        drop(first);
        assert!(late.is_any() && late.knows("a") && !late.knows("b"));
        drop(second);
        assert!(!late.is_any() && !late.knows("a"));
    }

    #[test]
    fn no_more_than_so_many_are_followed() {
        assert!(Late::new(1).follow(Vec::new()).is_none());
        let late = Late::new(100);
        let followed: Vec<_> = (0..MOST).map(|n| late.follow(vec![n.to_string()])).collect();
        assert!(followed.iter().all(Option::is_some));
        assert!(late.follow(vec!["more".into()]).is_none() && !late.knows("more"));
    }
}
