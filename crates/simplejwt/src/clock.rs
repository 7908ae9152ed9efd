//! The only place that reads the time.
//!
//! Everything else is given a [`Clock`], so tests advance time instead of waiting.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A moment in UTC, in microseconds since 1970-01-01T00:00:00Z.
///
/// Tokens carry whole seconds (a NumericDate, RFC 7519 section 2): [`Timestamp::as_secs`].
/// Database rows carry microseconds, as Django's datetimes do.
///
/// ```
/// use simplejwt::Timestamp;
/// use std::time::Duration;
///
/// let issued = Timestamp::from_secs(1_700_000_000);
/// assert_eq!((issued + Duration::from_secs(300)).as_secs(), 1_700_000_300);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Creates the timestamp `seconds` after the Unix epoch; saturates at the ends of the range.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Creates the timestamp `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the whole seconds since the Unix epoch, rounded down: the NumericDate of `exp` and
    /// `iat`.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// Returns the microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs())
        .ok()
        .and_then(|seconds| seconds.checked_mul(MICROS_PER_SECOND))
        .and_then(|micros| micros.checked_add(i64::from(duration.subsec_micros())))
        .unwrap_or(i64::MAX)
}

/// A source of the current time. Implemented by [`SystemClock`] and, for tests, [`ManualClock`].
pub trait Clock: Debug + Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    fn now(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Timestamp(micros(since)),
            Err(before) => Timestamp(-micros(before.duration())),
        }
    }
}

/// Returns the nanoseconds that this thread has computed; where the system doesn't tell, a clock's.
#[cfg(feature = "passwords")]
pub(crate) fn work_nanos() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let time = Duration::try_from(time).unwrap_or_default();
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }
    #[cfg(not(target_os = "linux"))]
    {
        u64::try_from(SystemClock.now().as_micros()).unwrap_or_default().saturating_mul(1000)
    }
}

/// A clock for tests, which stands still until it is moved.
///
/// ```
/// use simplejwt::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
///
/// let clock = ManualClock::at(Timestamp::from_secs(100));
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now(), Timestamp::from_secs(105));
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Creates a clock that stands at `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(micros(by), Ordering::SeqCst);
    }

    /// Sets the clock to `to`, which may be in its past.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_down_on_both_sides_of_the_epoch() {
        assert_eq!(Timestamp::from_micros(1_999_999).as_secs(), 1);
        assert_eq!(Timestamp::from_micros(-1).as_secs(), -1);
    }

    #[test]
    fn arithmetic_saturates() {
        let end = Timestamp::from_secs(i64::MAX);
        assert_eq!(end + Duration::MAX, end);
        assert!(Timestamp::from_secs(i64::MIN) - Duration::MAX < Timestamp::from_secs(0));
    }

    #[test]
    fn the_system_clock_is_past_2025() {
        assert!(SystemClock.now() > Timestamp::from_secs(1_735_689_600));
    }
}
