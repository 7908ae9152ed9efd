//! How long an answer stays fresh (RFC 9111 section 4.2).

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderName};
use jiff::fmt::rfc2822;
use simplejwt::Timestamp;

/// The time after which keys are fetched again if an answer may not be kept at all.
const NOT_AT_ALL: Duration = Duration::from_secs(60);
/// The longest time, whatever an answer says: a key that its issuer withdraws is refused after it at
/// the latest.
const LONGEST: Duration = Duration::from_secs(3600);

/// Returns the time for which an answer says that it stays fresh, or one to ask again if it doesn't
/// at all; `None` if it doesn't say.
pub(super) fn fresh_for(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let seconds = match cache_control(headers) {
        Some(lifetime) => {
            let age = text(headers, &AGE).and_then(|age| age.trim().parse().ok()).unwrap_or(0);
            lifetime.saturating_sub(age)
        }
        None => {
            let expires = text(headers, &EXPIRES)?;
            let date = text(headers, &DATE).and_then(date_of).unwrap_or(now.as_secs());
            // A date that can't be read is one in the past.
            let left = date_of(expires).map_or(0, |expires| expires.saturating_sub(date));
            u64::try_from(left).unwrap_or(0)
        }
    };
    Some(match seconds {
        0 => NOT_AT_ALL,
        seconds => Duration::from_secs(seconds).min(LONGEST),
    })
}

/// Returns the number of seconds in `Cache-Control`.
fn cache_control(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut max_age = None;
    for directive in values.flat_map(|value| value.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(0);
        }
        if name.eq_ignore_ascii_case("max-age") && max_age.is_none() {
            let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            // Numbers beyond all bounds are long; anything else counts as stale.
            max_age = Some(if is_number { value.parse().unwrap_or(u64::MAX) } else { 0 });
        }
    }
    max_age
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Reads a date as HTTP has it, in seconds since 1970.
fn date_of(text: &str) -> Option<i64> {
    rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok().map(|time| time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_say_how_long_they_are_fresh() {
        let now = Timestamp::from_secs(784_111_777);
        let minutes = |minutes: u64| Some(Duration::from_secs(minutes * 60));
        for (headers, expected) in [
            (&[][..], None),
            (&[("cache-control", "public")], None),
            (&[("cache-control", "max-age=600")], minutes(10)),
            (&[("cache-control", "public, Max-Age=\"600\"")], minutes(10)),
            (&[("cache-control", "max-age=600"), ("age", "300")], minutes(5)),
            (&[("cache-control", "max-age=600"), ("age", "9999")], minutes(1)),
            (&[("cache-control", "max-age=5")], Some(Duration::from_secs(5))),
            (&[("cache-control", "max-age=0")], minutes(1)),
            (&[("cache-control", "max-age=-1")], minutes(1)),
            (&[("cache-control", "max-age")], minutes(1)),
            (&[("cache-control", "max-age=86400")], minutes(60)),
            (&[("cache-control", "max-age=99999999999999999999999")], minutes(60)),
            (&[("cache-control", "max-age=600, no-cache")], minutes(1)),
            (&[("cache-control", "no-store"), ("cache-control", "max-age=600")], minutes(1)),
            (
                &[("cache-control", "max-age=600"), ("expires", "Sun, 06 Nov 1994 08:59:37 GMT")],
                minutes(10),
            ),
            (&[("expires", "Sun, 06 Nov 1994 09:09:37 GMT")], minutes(20)),
            (
                &[
                    ("date", "Sun, 06 Nov 1994 09:00:00 GMT"),
                    ("expires", "Sun, 06 Nov 1994 09:30:00 GMT"),
                ],
                minutes(30),
            ),
            (&[("expires", "Sun, 06 Nov 1994 08:00:00 GMT")], minutes(1)),
            (&[("expires", "0")], minutes(1)),
            (&[("expires", "-1")], minutes(1)),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(HeaderName::from_static(name), value.parse().unwrap());
            }
            assert_eq!(fresh_for(&map, now), expected, "{headers:?}");
        }
    }
}
