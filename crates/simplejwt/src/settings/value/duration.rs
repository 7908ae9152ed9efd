//! Durations as people write them: seconds, `5m`, `1h30m`, `1d`, ISO 8601, Python's `timedelta`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Unit};
use serde_json::Value;

const HOW: &str = "write seconds (300), \"5m\", \"1h30m\", \"1d\", or ISO 8601 (\"PT5M\", \"P1D\")";

/// Reads a duration. A day has 24 hours and a week seven days; months and years have no fixed
/// length and are refused.
///
/// # Errors
/// The value isn't a duration, is negative, or out of range.
pub fn duration(value: &Value) -> Result<Duration, String> {
    match value {
        Value::Number(number) => seconds(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => parse(text.trim()),
        // Python's arguments, as in { minutes = 5 }.
        Value::Object(parts) if !parts.is_empty() => {
            let part = |(unit, number): (&String, &Value)| {
                let unit = unit_seconds(unit)?;
                Some(unit * number.as_f64()?)
            };
            let sum: Option<f64> = parts.iter().map(part).sum();
            sum.map_or_else(|| Err(format!("is not a duration: {HOW}")), seconds)
        }
        _ => Err(format!("is not a duration: {HOW}")),
    }
}

fn seconds(seconds: f64) -> Result<Duration, String> {
    if seconds < 0.0 {
        return Err(format!("is negative: {HOW}"));
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("is out of range: {HOW}"))
}

fn parse(text: &str) -> Result<Duration, String> {
    if let Ok(whole) = text.parse::<u64>() {
        return Ok(Duration::from_secs(whole));
    }
    // Rust parses `inf` and `nan` as floats, but they aren't durations.
    if text.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && let Ok(number) = text.parse::<f64>()
    {
        return seconds(number);
    }
    if let Some(arguments) = python(text) {
        let sum = arguments.split(',').map(str::trim).filter(|part| !part.is_empty()).enumerate();
        let sum: Option<f64> = sum.map(|(at, part)| argument(at, part)).sum();
        return sum.map_or_else(|| Err(format!("is not a duration: {HOW}")), seconds);
    }
    let span: Span = text.parse().map_err(|_| format!("is not a duration: {HOW}"))?;
    if span.is_negative() {
        return Err(format!("is negative: {HOW}"));
    }
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err("is in months or years, whose length varies: write days, as in \"30d\"".into());
    }
    let nanoseconds = span
        .total((Unit::Nanosecond, SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| format!("is out of range: {HOW}"))?;
    seconds(nanoseconds / 1e9)
}

/// Returns the arguments of `timedelta(…)`, with or without its module.
fn python(text: &str) -> Option<&str> {
    let text = text.strip_prefix("datetime.").unwrap_or(text);
    text.strip_prefix("timedelta(")?.trim_end_matches(',').strip_suffix(')')
}

/// Returns an argument of Python's `timedelta` in seconds: `minutes=5`, `hours=24 * 7`, or a
/// positional one.
fn argument(at: usize, part: &str) -> Option<f64> {
    const PLACES: [&str; 7] =
        ["days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"];
    let (unit, number) = match part.split_once('=') {
        Some((unit, number)) => (unit.trim(), number),
        None => (*PLACES.get(at)?, part),
    };
    let factor = |text: &str| text.trim().replace('_', "").parse::<f64>().ok();
    let number: Option<f64> = number.split('*').map(factor).product();
    Some(unit_seconds(unit)? * number.filter(|number| number.is_finite())?)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "weeks" => 604_800.0,
        "days" => 86_400.0,
        "hours" => 3_600.0,
        "minutes" => 60.0,
        "seconds" => 1.0,
        "milliseconds" => 1e-3,
        "microseconds" => 1e-6,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_duration_may_look_like() {
        for (value, expected) in [
            (json!(300), 300.0),
            (json!(0), 0.0),
            (json!(0.5), 0.5),
            (json!(1e3), 1000.0),
            (json!("300"), 300.0),
            (json!(" 300 "), 300.0),
            (json!("1.5"), 1.5),
            (json!("5m"), 300.0),
            (json!("5 min"), 300.0),
            (json!("5 minutes"), 300.0),
            (json!("1h30m"), 5400.0),
            (json!("1h 30m"), 5400.0),
            (json!("90s"), 90.0),
            (json!("500ms"), 0.5),
            (json!("1d"), 86_400.0),
            (json!("7 days"), 604_800.0),
            (json!("2w"), 1_209_600.0),
            (json!("1d 12h"), 129_600.0),
            (json!("PT5M"), 300.0),
            (json!("P1D"), 86_400.0),
            (json!("P1W"), 604_800.0),
            (json!("P1DT2H3M4S"), 93_784.0),
            (json!("PT1.5S"), 1.5),
            // As Python prints or writes a duration.
            (json!("0:05:00"), 300.0),
            (json!("7 days, 0:00:00"), 604_800.0),
            (json!("1 day, 12:00:00"), 129_600.0),
            (json!("timedelta(minutes=5)"), 300.0),
            (json!("datetime.timedelta(days=1, seconds=3600)"), 90_000.0),
            (json!("timedelta(hours=24 * 7),"), 604_800.0),
            (json!("timedelta(1)"), 86_400.0),
            (json!("timedelta(0, 90)"), 90.0),
            (json!("timedelta(milliseconds=1_500)"), 1.5),
            (json!({"minutes": 5}), 300.0),
            (json!({"days": 1, "hours": 12}), 129_600.0),
        ] {
            let parsed = duration(&value).map(|duration| duration.as_secs_f64());
            assert_eq!(parsed, Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_it_may_not_look_like() {
        for value in [
            json!(-1),
            json!("-5m"),
            json!("-PT5M"),
            json!("-1"),
            json!(1e300),
            json!("5 parsecs"),
            json!("inf"),
            json!("nan"),
            json!(""),
            json!("1mo"),
            json!("P1Y"),
            json!("2 years"),
            json!(true),
            json!(null),
            json!(["5m"]),
            json!({}),
            json!({"minutes": "5"}),
            json!({"fortnights": 1}),
            json!("timedelta(minutes=JWT_MINUTES)"),
            json!("timedelta(minutes=-5)"),
            json!("timedelta(minutes=int(os.environ['M']))"),
            json!("timedelta(minutes=nan)"),
            json!("timedelta(months=1)"),
            json!("timedelta("),
        ] {
            assert!(duration(&value).is_err(), "{value}");
        }
    }
}
