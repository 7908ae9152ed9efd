//! A process's view of the servers of a URL: the one in use, those that failed or were checked, and
//! the newest timeline.

use std::time::Duration;

use tokio::time::Instant;

use super::standing::{History, Standing};
use crate::sql::servers::Preference;

/// The time within which each of the others has to have been checked for the one in use to be
/// trusted. They haven't been if this process, or the machine, slept.
const LOOKED_AT: Duration = Duration::from_secs(3);

#[derive(Default)]
pub(super) struct ClusterView {
    pub(super) preference: Preference,
    /// The newest history seen.
    pub(super) newest: Option<History>,
    /// The servers, with the last time that each was checked.
    looked_at: Vec<(usize, Instant)>,
    /// Connections made before this time are no longer used.
    pub(super) moved_at: Option<Instant>,
}

impl ClusterView {
    /// Records that a server was checked.
    pub(super) fn looked_at(&mut self, at: usize) {
        self.looked_at.retain(|(looked, _)| *looked != at);
        self.looked_at.push((at, Instant::now()));
    }

    /// Returns `true` if each server but the one in use was checked just now.
    pub(super) fn is_looked_after(&self, count: usize) -> bool {
        let now = Instant::now();
        let was = |at| self.looked_at.iter().any(|(of, then)| *of == at && *then + LOOKED_AT > now);
        self.preference.current.is_some_and(|current| (0..count).all(|at| at == current || was(at)))
    }

    /// Switches to a server.
    pub(super) fn choose(&mut self, at: usize, standing: &Standing) {
        let newer = |known: &History, history: &History| {
            known.system != history.system || known.is_before(history)
        };
        if let Some(history) = &standing.history
            && self.newest.as_ref().is_none_or(|known| newer(known, history))
        {
            if let Some(known) = &self.newest {
                tracing::warn!(
                    event = "server_promoted",
                    timeline_before = known.timeline,
                    timeline = history.timeline,
                    "another PostgreSQL server was promoted: using it"
                );
            }
            self.newest = Some(history.clone());
            self.moved_at = self.preference.current.is_some().then(Instant::now).or(self.moved_at);
        }
        self.preference.current = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(system: &str, timeline: u32) -> Standing {
        let history = History { system: system.into(), timeline };
        Standing { is_writable: true, history: Some(history) }
    }

    #[test]
    fn whoever_slept_looks_at_all_of_them_again() {
        let mut view = ClusterView::default();
        assert!(!view.is_looked_after(2), "none is used");
        view.choose(1, &standing("a", 1));
        assert!(!view.is_looked_after(2), "the other one was never looked at");
        view.looked_at(0);
        assert!(view.is_looked_after(2) && !view.is_looked_after(3));
        view.looked_at = vec![(0, Instant::now() - LOOKED_AT)];
        assert!(!view.is_looked_after(2));
    }

    #[test]
    fn the_newest_timeline_is_remembered() {
        let mut view = ClusterView::default();
        let newest = |view: &ClusterView| view.newest.as_ref().map(|history| history.timeline);
        view.choose(0, &standing("a", 2));
        assert_eq!(
            (view.preference.current, newest(&view), view.moved_at),
            (Some(0), Some(2), None)
        );
        view.choose(1, &standing("a", 3));
        assert_eq!((view.preference.current, newest(&view)), (Some(1), Some(3)));
        assert!(view.moved_at.is_some(), "connections to the other one are closed");
        view.choose(0, &standing("a", 1));
        assert_eq!(newest(&view), Some(3), "it is never forgotten");
        view.choose(0, &standing("b", 1));
        assert_eq!(newest(&view), Some(1), "another cluster begins anew");
        // If a server doesn't report it, nothing is concluded.
        view.choose(1, &Standing { is_writable: true, history: None });
        assert_eq!((view.preference.current, newest(&view)), (Some(1), Some(1)));
    }
}
