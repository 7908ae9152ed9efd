//! Rates in the form of Django REST framework, and the decision by them (GCRA).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::clock::Timestamp;

/// A number of failures in a time: `"10/hour"`, in the form of `DEFAULT_THROTTLE_RATES`.
///
/// So many may come at once; then one is forgotten after each `period / limit`. Whatever the
/// pattern, no more than twice the limit fit into any one period.
///
/// ```
/// use std::time::Duration;
/// use simplejwt::throttle::Rate;
///
/// let rate: Rate = "5/min".parse()?;
/// assert_eq!((rate.limit(), rate.period()), (5, Duration::from_secs(60)));
/// assert_eq!(rate.to_string(), "5/min");
/// # Ok::<_, simplejwt::throttle::RateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    limit: u32,
    period: Period,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Period {
    Second,
    Minute,
    Hour,
    Day,
}

impl Period {
    const fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 60 * 60,
            Self::Day => 24 * 60 * 60,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// A text that isn't a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a rate is a number from 1 to 1000000, a slash and a unit (s, sec, m, min, h, hour, d, day), as \
     in \"10/hour\""
)]
pub struct RateError;

impl Rate {
    /// The largest number of failures in a period.
    pub const MAX_LIMIT: u32 = 1_000_000;

    pub(super) const fn per_hour(limit: u32) -> Self {
        Self { limit, period: Period::Hour }
    }

    /// Returns the number of failures that may come at once, and in a period.
    pub fn limit(self) -> u32 {
        self.limit
    }

    /// Returns the period.
    pub fn period(self) -> Duration {
        Duration::from_secs(self.period.seconds().unsigned_abs())
    }

    /// Returns the time after which one failure is forgotten.
    pub(crate) fn interval(self) -> Duration {
        self.period() / self.limit
    }

    /// Returns the time to wait before the next attempt, if it may not be made now: `attempts` are
    /// under way, and count as failures.
    pub(crate) fn wait(
        self,
        arrival: Option<Timestamp>,
        attempts: u32,
        now: Timestamp,
    ) -> Option<Duration> {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let interval = micros(self.interval());
        let owed = arrival.map_or(0, |arrival| {
            let owed = arrival.as_micros().saturating_sub(now.as_micros());
            // Whoever made more attempts at once, over several servers, or has a clock that is
            // ahead doesn't keep anybody out for longer.
            owed.clamp(0, 2 * micros(self.period()))
        });
        let owed = owed.saturating_add(interval.saturating_mul(i64::from(attempts)));
        let tolerated = interval.saturating_mul(i64::from(self.limit) - 1);
        let wait = owed.saturating_sub(tolerated);
        (wait > 0).then(|| Duration::from_micros(wait.unsigned_abs()))
    }
}

impl FromStr for Rate {
    type Err = RateError;

    /// Reads a rate. As in Django REST framework, which looks at its first letter only, a unit may
    /// be abbreviated; other words with the same first letter are refused.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let (limit, unit) = text.trim().split_once('/').ok_or(RateError)?;
        let period = match unit {
            "s" | "sec" | "second" | "seconds" => Period::Second,
            "m" | "min" | "minute" | "minutes" => Period::Minute,
            "h" | "hour" | "hours" => Period::Hour,
            "d" | "day" | "days" => Period::Day,
            _ => return Err(RateError),
        };
        if !limit.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RateError);
        }
        let limit: u32 = limit.parse().map_err(|_| RateError)?;
        (1..=Self::MAX_LIMIT).contains(&limit).then_some(Self { limit, period }).ok_or(RateError)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.limit, self.period.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    #[test]
    fn rates_are_read_as_django_rest_framework_has_them() {
        for (text, limit, seconds) in [
            ("1/s", 1, 1),
            ("5/min", 5, 60),
            ("5/m", 5, 60),
            (" 0100/hours ", 100, 3600),
            ("1000000/day", 1_000_000, 86_400),
            ("3/second", 3, 1),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.limit(), rate.period()), (limit, Duration::from_secs(seconds)));
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
        for wrong in [
            "", "5", "/min", "5/", "0/min", "-1/min", "+5/min", "1.5/min", "5/week", "5/month",
            "5 /min", "5/Min",
        ] {
            assert_eq!(wrong.parse::<Rate>(), Err(RateError), "{wrong}");
        }
        assert!("1000001/s".parse::<Rate>().is_err() && "5/min/s".parse::<Rate>().is_err());
        assert!("99999999999999999999/s".parse::<Rate>().is_err());
    }

    #[test]
    fn so_many_come_at_once_and_then_one_after_each_interval() {
        let rate: Rate = "4/min".parse().unwrap();
        let mut arrival = NOW;
        for _ in 0..4 {
            assert_eq!(rate.wait(Some(arrival), 0, NOW), None);
            arrival = arrival + rate.interval();
        }
        assert_eq!(rate.wait(Some(arrival), 0, NOW), Some(Duration::from_secs(15)));
        let later = NOW + Duration::from_secs(14);
        assert_eq!(rate.wait(Some(arrival), 0, later), Some(Duration::from_secs(1)));
        assert_eq!(rate.wait(Some(arrival), 0, NOW + Duration::from_secs(15)), None);
        // Attempts under way count as if they had failed.
        assert_eq!(rate.wait(None, 3, NOW), None);
        assert!(rate.wait(None, 4, NOW).is_some());
    }

    #[test]
    fn nothing_keeps_anybody_out_for_longer_than_two_periods() {
        let rate: Rate = "1/min".parse().unwrap();
        let far = Timestamp::from_micros(i64::MAX);
        assert_eq!(rate.wait(Some(far), 0, NOW), Some(Duration::from_secs(120)));
        let past = Timestamp::from_micros(i64::MIN);
        assert_eq!(rate.wait(Some(past), 0, NOW), None);
    }
}
