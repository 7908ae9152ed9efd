//! Datetimes as Django keeps them: `datetime(6)`, in UTC.

use jiff::Timestamp as Moment;
use jiff::tz::Offset;
use mysql_async::Value;

use crate::clock::Timestamp;

/// Returns a time as Django stores it. Outside the years 1 to 9999, it becomes the nearest that can
/// be written, which preserves the order.
pub(crate) fn datetime(at: Timestamp) -> Value {
    const FIRST: i64 = -62_135_596_800_000_000;
    const LAST: i64 = 253_402_207_200_000_000;
    let micros = at.as_micros().clamp(FIRST, LAST);
    // Always within jiff's range after the clamp.
    let moment = Moment::from_microsecond(micros).unwrap_or(Moment::MAX);
    let civil = Offset::UTC.to_datetime(moment);
    Value::Date(
        civil.year().unsigned_abs(),
        civil.month().unsigned_abs(),
        civil.day().unsigned_abs(),
        civil.hour().unsigned_abs(),
        civil.minute().unsigned_abs(),
        civil.second().unsigned_abs(),
        micros.rem_euclid(1_000_000) as u32,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_mysql_takes_them() {
        for (micros, expected) in [
            (0, Value::Date(1970, 1, 1, 0, 0, 0, 0)),
            (1_767_323_045_678_901, Value::Date(2026, 1, 2, 3, 4, 5, 678_901)),
            (-1, Value::Date(1969, 12, 31, 23, 59, 59, 999_999)),
            (i64::MIN, Value::Date(1, 1, 1, 0, 0, 0, 0)),
            (i64::MAX, Value::Date(9999, 12, 30, 22, 0, 0, 0)),
        ] {
            assert_eq!(datetime(Timestamp::from_micros(micros)), expected);
        }
    }
}
