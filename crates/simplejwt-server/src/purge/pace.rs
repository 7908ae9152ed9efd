//! The pace of the purge: how many rows the next transaction deletes, and the pause before it.
//!
//! Knows no clock: it is told how long things took, and says how long to pause.

use std::time::Duration;

/// The duration that a transaction should have. It is a fifth of the permitted duration, because
/// the next one may be slower for reasons unrelated to its size.
const TARGET: Duration = Duration::from_millis(10);
/// The same at full speed, when there is nobody to wait.
const FULL_TARGET: Duration = Duration::from_millis(40);
/// The smallest batch. A smaller one would not shorten a transaction whose commit alone takes
/// longer than `TARGET`.
const SMALLEST_BATCH: u32 = 25;
/// The pause beside requests, as a multiple of the duration of the transaction before it.
const PAUSES: u32 = 4;
/// The largest factor by which the pause grows, because transactions take longer than they did or
/// because requests wait.
const MOST_CROWDED: u32 = 4;
/// The longest pause: with the smallest batch, it ensures that the purge ends.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// The time without a request after which the purge stops pausing.
const CALM: Duration = Duration::from_secs(5);
/// The pause when requests are waiting at the moment at which a transaction would begin.
const GIVE_WAY: Duration = Duration::from_millis(1);
/// The number of such pauses in a row after which it begins all the same.
const MOST_GIVEN: u32 = 20;

/// How much the purge leaves to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speed {
    /// It pauses while requests come to this process.
    BesideRequests,
    /// It always pauses, since requests come to other processes.
    BesideOthers,
    /// It never pauses.
    Full,
}

/// The pace of one kind of transaction.
#[derive(Debug)]
pub(super) struct Pace {
    most: u32,
    batch: u32,
    speed: Speed,
    /// The shortest duration of late, for each power of two of the number of rows.
    best: [Option<Duration>; 32],
    /// The time since a request was last seen.
    calm: Duration,
    /// The number of times in a row that it has given way.
    given: u32,
}

impl Pace {
    /// Creates a pace. Until it is known that no requests come, it pauses for them.
    pub(super) fn new(speed: Speed, most: u32) -> Self {
        Self {
            most,
            // The speed of the database isn't known yet.
            batch: SMALLEST_BATCH.min(most),
            speed,
            best: [None; 32],
            calm: Duration::ZERO,
            given: 0,
        }
    }

    /// Returns the number of rows for the next transaction.
    pub(super) fn batch(&self) -> u32 {
        self.batch
    }

    /// Returns the number of rows for the next transaction, and the pause before it. The last one
    /// took `took`, and `waiting` requests wait for the database now.
    pub(super) fn next(&mut self, took: Duration, waiting: usize) -> (u32, Duration) {
        let crowded = self.crowded(took, waiting);
        let smallest = SMALLEST_BATCH.min(self.most);
        let (target, growth) = match self.speed {
            Speed::Full => (FULL_TARGET, self.batch),
            Speed::BesideRequests | Speed::BesideOthers => (TARGET, self.batch / 8),
        };
        if took > target {
            self.batch = (self.batch / 2).max(smallest);
        } else if took < target / 2 {
            self.batch = self.batch.saturating_add(growth.max(1)).min(self.most);
        }
        self.given = 0;
        self.seen(waiting, took);
        let times = match self.speed {
            Speed::Full => 0,
            // Others may be busy with the same database.
            Speed::BesideRequests if self.calm >= CALM => crowded - 1,
            Speed::BesideRequests | Speed::BesideOthers => PAUSES * crowded,
        };
        let pause = took.saturating_mul(times).min(LONGEST_PAUSE);
        self.calm = self.calm.saturating_add(pause);
        (self.batch, pause)
    }

    /// Returns how much longer to pause, at the moment at which a transaction would begin: while
    /// requests wait, but not forever.
    pub(super) fn give_way(&mut self, waiting: usize) -> Option<Duration> {
        self.seen(waiting, Duration::ZERO);
        if self.speed == Speed::Full || waiting == 0 || self.given == MOST_GIVEN {
            return None;
        }
        self.given += 1;
        Some(GIVE_WAY)
    }

    fn seen(&mut self, waiting: usize, took: Duration) {
        self.calm = if waiting > 0 { Duration::ZERO } else { self.calm.saturating_add(took) };
    }

    /// Returns a factor from 1 to `MOST_CROWDED`: how much slower the database is than it has been,
    /// and how many requests wait.
    fn crowded(&mut self, took: Duration, waiting: usize) -> u32 {
        let class = self.batch.max(1).ilog2() as usize;
        let Some(best) = self.best.get_mut(class) else { return 1 };
        // What was quick long ago, perhaps with other rows, is forgotten by and by.
        let usual = best.map_or(took, |best| best.saturating_add(best / 32)).min(took);
        *best = Some(usual);
        let slower = took.as_micros() / usual.as_micros().max(1);
        let slower = u32::try_from(slower).unwrap_or(u32::MAX).max(1);
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        slower.saturating_add(waiting).min(MOST_CROWDED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A pace that has reached this batch.
    fn at(batch: u32, most: u32) -> Pace {
        Pace { batch, ..Pace::new(Speed::BesideRequests, most) }
    }

    fn batch_after(batch: u32, most: u32, took: Duration) -> u32 {
        at(batch, most).next(took, 0).0
    }

    #[test]
    fn batches_grow_slowly_and_are_halved_when_they_take_too_long() {
        assert_eq!(Pace::new(Speed::BesideRequests, 500).batch(), 25);
        assert_eq!(batch_after(25, 500, ms(1)), 28);
        assert_eq!(batch_after(80, 500, ms(4)), 90);
        assert_eq!(batch_after(80, 500, ms(5)), 80);
        assert_eq!(batch_after(80, 500, ms(10)), 80);
        assert_eq!(batch_after(80, 500, ms(11)), 40);
        assert_eq!(batch_after(499, 500, ms(0)), 500);
        assert_eq!(batch_after(500, 500, ms(0)), 500);
        assert_eq!(batch_after(40, 500, ms(11)), 25);
        assert_eq!(batch_after(25, 500, ms(3000)), 25);
    }

    #[test]
    fn a_batch_is_never_larger_than_configured() {
        for most in [1, 2, 7, 24, 25, 26] {
            let mut pace = Pace::new(Speed::BesideRequests, most);
            assert_eq!(pace.batch(), most.min(25));
            for _ in 0..100 {
                assert!((1..=most).contains(&pace.next(ms(0), 0).0));
            }
            assert_eq!(pace.batch(), most);
            assert_eq!(pace.next(ms(100), 0).0, most.min(25));
        }
    }

    #[test]
    fn a_batch_settles_where_it_takes_as_long_as_it_should() {
        // Two milliseconds, and 50 microseconds for each row.
        let took = |batch: u32| ms(2) + Duration::from_micros(50) * batch;
        let mut pace = Pace::new(Speed::BesideRequests, 10_000);
        for step in 0..200 {
            let took = took(pace.batch());
            assert!(step < 20 || (ms(5)..ms(11)).contains(&took), "{took:?}");
            pace.next(took, 1);
        }
    }

    #[test]
    fn the_pause_is_a_multiple_of_what_the_transaction_took() {
        assert_eq!(at(25, 25).next(ms(2), 0).1, ms(8));
        assert_eq!(at(25, 25).next(ms(25), 0).1, ms(100));
        assert_eq!(at(25, 25).next(ms(26), 0).1, LONGEST_PAUSE);
    }

    #[test]
    fn it_is_longer_while_requests_wait() {
        let pauses = [0, 1, 2, 3, 4, usize::MAX].map(|waiting| at(25, 25).next(ms(2), waiting).1);
        assert_eq!(pauses, [8, 16, 24, 32, 32, 32].map(ms));
    }

    #[test]
    fn it_is_longer_while_transactions_take_longer_than_the_best() {
        let mut pace = at(25, 25);
        assert_eq!(pace.next(ms(2), 0).1, ms(8));
        assert_eq!(pace.next(ms(3), 0).1, ms(12));
        assert_eq!(pace.next(ms(5), 0).1, ms(5 * 4 * 2));
        assert_eq!(pace.next(ms(9), 0).1, LONGEST_PAUSE);
        assert_eq!(pace.next(ms(2), 0).1, ms(8));
        // What was best is forgotten in time.
        for _ in 0..100 {
            pace.next(ms(9), 1);
        }
        assert_eq!(pace.next(ms(9), 0).1, ms(36));
    }

    #[test]
    fn batches_of_another_size_are_compared_with_their_like() {
        let mut pace = at(25, 500);
        pace.next(ms(1), 0);
        pace.batch = 400;
        assert_eq!(pace.next(ms(8), 0).1, ms(32));
    }

    #[test]
    fn without_requests_there_is_no_pause_after_a_while() {
        let mut pace = at(25, 25);
        let mut passed = ms(0);
        while passed < CALM {
            let pause = pace.next(ms(2), 0).1;
            assert!(pause > ms(0) || passed + ms(2) >= CALM, "{passed:?}");
            passed += ms(2) + pause;
        }
        assert_eq!(pace.next(ms(2), 0).1, ms(0));
        assert_eq!(pace.give_way(0), None);
        // The first that comes ends the calm, whenever it is seen.
        assert_eq!(pace.next(ms(2), 1).1, ms(16));
        let mut pace = Pace { calm: CALM, ..at(25, 25) };
        assert_eq!(pace.give_way(1), Some(GIVE_WAY));
        assert_eq!(pace.next(ms(2), 0).1, ms(8));
    }

    #[test]
    fn a_database_that_others_slow_down_gets_pauses_even_then() {
        let mut pace = Pace { calm: CALM, ..at(25, 25) };
        let pauses = [2, 2, 3, 5, 7, 20].map(|took| pace.next(ms(took), 0).1);
        assert_eq!(pauses, [0, 0, 0, 5, 14, 60].map(ms));
    }

    #[test]
    fn beside_others_there_is_always_a_pause() {
        let mut pace = Pace { calm: CALM, ..Pace::new(Speed::BesideOthers, 25) };
        for _ in 0..1000 {
            assert_eq!(pace.next(ms(2), 0).1, ms(8));
        }
    }

    #[test]
    fn it_gives_way_to_those_who_wait_but_not_forever() {
        let mut pace = at(25, 25);
        assert_eq!(pace.give_way(0), None);
        for _ in 0..2 {
            for _ in 0..MOST_GIVEN {
                assert_eq!(pace.give_way(3), Some(GIVE_WAY));
            }
            assert_eq!(pace.give_way(3), None);
            pace.next(ms(1), 3);
        }
    }

    #[test]
    fn at_full_speed_it_leaves_nothing_to_others() {
        let mut pace = Pace::new(Speed::Full, 1000);
        for took in 0..100 {
            assert_eq!(pace.next(ms(took % 12), 100).1, ms(0));
            assert_eq!(pace.give_way(100), None);
        }
        assert_eq!(pace.batch(), 1000);
        assert_eq!(pace.next(ms(40), 0).0, 1000);
        assert_eq!(pace.next(ms(41), 0).0, 500);
        assert_eq!(pace.next(ms(19), 0).0, 1000);
    }

    /// Whatever happens, it deletes at least so many rows a second.
    #[test]
    fn it_cannot_starve() {
        let durations = [0, 1, 2, 5, 9, 10, 11, 40, 200, 5000].map(ms);
        for first in durations {
            for second in durations {
                for waiting in [0, 1, 5, 4096, usize::MAX] {
                    let mut pace = Pace::new(Speed::BesideRequests, 500);
                    for step in 0..200 {
                        let took = if step % 2 == 0 { first } else { second };
                        let (batch, mut pause) = pace.next(took, waiting);
                        while let Some(longer) = pace.give_way(waiting) {
                            pause += longer;
                        }
                        assert!((25..=500).contains(&batch));
                        assert!(pause <= ms(120), "{pause:?}");
                    }
                }
            }
        }
    }
}
