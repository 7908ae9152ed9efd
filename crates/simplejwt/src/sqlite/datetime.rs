//! Datetimes as Django keeps them in SQLite.

use jiff::Timestamp as Moment;
use jiff::tz::Offset;

use crate::clock::Timestamp;

/// Returns `2026-01-02 03:04:05.678901` in UTC, without the fraction if it is zero.
///
/// Django supports the years 1 to 9999; a time outside them (or on the last day) becomes the
/// nearest that can be written, which preserves the order. The texts sort by time.
pub(crate) fn text(at: Timestamp) -> String {
    const FIRST: i64 = -62_135_596_800_000_000;
    const LAST: i64 = 253_402_207_200_000_000;
    let micros = at.as_micros().clamp(FIRST, LAST);
    // Always within jiff's range after the clamp; too late an expiry would be harmless.
    let moment = Moment::from_microsecond(micros).unwrap_or(Moment::MAX);
    let civil = Offset::UTC.to_datetime(moment);
    let mut text = String::with_capacity("2026-01-02 03:04:05.678901".len());
    push(&mut text, i64::from(civil.year()), 4);
    for (before, part) in [
        ('-', civil.month()),
        ('-', civil.day()),
        (' ', civil.hour()),
        (':', civil.minute()),
        (':', civil.second()),
    ] {
        text.push(before);
        push(&mut text, i64::from(part), 2);
    }
    let fraction = micros.rem_euclid(1_000_000);
    if fraction > 0 {
        text.push('.');
        push(&mut text, fraction, 6);
    }
    text
}

/// Appends a number that isn't negative, with this many digits. A rotation writes three times:
/// `strftime` takes as long as a statement.
fn push(text: &mut String, number: i64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 10_i64.pow(place) % 10;
        text.push(char::from_digit(digit as u32, 10).unwrap_or('0'));
    }
}

/// Parses such a text; returns `None` for any other.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let moment = Offset::UTC.to_timestamp(civil).ok()?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_django_writes_them() {
        for (micros, expected) in [
            (0, "1970-01-01 00:00:00"),
            (1, "1970-01-01 00:00:00.000001"),
            (1_767_323_045_678_901, "2026-01-02 03:04:05.678901"),
            (1_767_323_045_500_000, "2026-01-02 03:04:05.500000"),
            (-1, "1969-12-31 23:59:59.999999"),
            (i64::MIN, "0001-01-01 00:00:00"),
            (i64::MAX, "9999-12-30 22:00:00"),
        ] {
            assert_eq!(text(Timestamp::from_micros(micros)), expected);
        }
    }

    #[test]
    fn they_are_read_as_they_are_written() {
        for micros in [0, 1, 1_767_323_045_678_901, 1_767_323_045_500_000, -1] {
            let at = Timestamp::from_micros(micros);
            assert_eq!(moment(&text(at)), Some(at));
        }
        for text in ["", "yesterday", "2026-13-01 00:00:00", "1767323045"] {
            assert_eq!(moment(text), None, "{text:?}");
        }
    }

    #[test]
    fn texts_sort_as_the_moments_do() {
        let moments = [i64::MIN, -1, 0, 1, 999_999, 1_000_000, 1_000_001, i64::MAX];
        let texts = moments.map(|micros| text(Timestamp::from_micros(micros)));
        assert!(texts.is_sorted(), "{texts:?}");
    }
}
