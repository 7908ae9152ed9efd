//! The order in which the servers of a URL are asked.

use std::time::Duration;

use tokio::time::Instant;

/// The time that a server has to itself before the next is asked as well.
pub(crate) const STAGGER: Duration = Duration::from_millis(250);
/// The time for which a server that failed is asked last.
const AVOIDED: Duration = Duration::from_secs(10);

/// The servers of a URL, by their places in it: the one in use, and those that failed lately.
#[derive(Debug, Default)]
pub(crate) struct Preference {
    /// The one in use.
    pub(crate) current: Option<usize>,
    failed: Vec<(usize, Instant)>,
}

impl Preference {
    /// Records that a server failed.
    pub(crate) fn failed(&mut self, at: usize) {
        self.answered(at);
        self.failed.push((at, Instant::now()));
    }

    /// Forgets that a server failed.
    pub(crate) fn answered(&mut self, at: usize) {
        self.failed.retain(|(failed, _)| *failed != at);
    }

    /// Sorts the servers: the one in use comes first, those that failed lately come last. The
    /// others keep their order.
    pub(crate) fn sort(&mut self, servers: &mut [usize]) {
        let now = Instant::now();
        self.failed.retain(|(_, at)| *at + AVOIDED > now);
        servers.sort_by_key(|at| {
            let failed = self.failed.iter().any(|(failed, _)| failed == at);
            (failed, self.current != Some(*at))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(known: &mut Preference) -> Vec<usize> {
        let mut servers = vec![0, 1, 2, 3];
        known.sort(&mut servers);
        servers
    }

    #[test]
    fn the_one_that_is_used_comes_first_and_those_that_failed_last() {
        let mut known = Preference::default();
        assert_eq!(sorted(&mut known), [0, 1, 2, 3], "as in the URL");
        known.current = Some(2);
        known.failed(0);
        known.failed(0);
        assert_eq!(sorted(&mut known), [2, 1, 3, 0]);
        known.failed(2);
        assert_eq!(sorted(&mut known), [1, 3, 2, 0], "it failed, too");
        known.answered(0);
        assert_eq!(sorted(&mut known), [0, 1, 3, 2]);
        known.failed = vec![(2, Instant::now() - AVOIDED)];
        assert_eq!(sorted(&mut known), [2, 0, 1, 3], "that was long ago");
    }
}
