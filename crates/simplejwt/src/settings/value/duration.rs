//! Durations as people write them: seconds, `5m`, `1h30m`, `1d`, ISO 8601.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Unit};
use serde_json::Value;

const HOW: &str = "write seconds (300), \"5m\", \"1h30m\", \"1d\", or ISO 8601 (\"PT5M\", \"P1D\")";

/// A duration out of a configuration value. A day has 24 hours and a week seven days; months and
/// years have no fixed length and are refused.
///
/// # Errors
/// It is none, negative, or out of range.
pub fn duration(value: &Value) -> Result<Duration, String> {
    match value {
        Value::Number(number) => seconds(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => parse(text.trim()),
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
    // `inf` and `nan` are floats to Rust, and no durations to anybody.
    if text.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && let Ok(number) = text.parse::<f64>()
    {
        return seconds(number);
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
        ] {
            assert!(duration(&value).is_err(), "{value}");
        }
    }
}
