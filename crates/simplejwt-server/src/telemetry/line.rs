//! A line of the log, as text or JSON.

use simplejwt::Timestamp;
use tracing::Level;

use super::escape;
use super::fields::Fields;
use crate::config::LogFormat;

/// The fields that come before all others, if they are present.
const FIRST: [&str; 4] = ["event", "client_address", "request_id", "realm"];

/// A line of the log.
pub(super) struct Line<'a> {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) fields: Fields,
}

impl Line<'_> {
    /// Returns the line, with its line feed.
    pub(super) fn write(mut self, format: LogFormat) -> String {
        let message = self.fields.take_text("message").unwrap_or_default();
        self.fields.put_first(&FIRST);
        let mut line = String::with_capacity(256);
        match format {
            LogFormat::Text => {
                line.push_str(&time(self.at));
                line.push_str(&format!(" {:>5} ", self.level));
                escape::sentence(&mut line, self.target);
                line.push_str(": ");
                escape::sentence(&mut line, &message);
                self.fields.write_text(&mut line);
            }
            LogFormat::Json => {
                line.push_str(&format!(
                    r#"{{"timestamp":"{}","level":"{}","target":"#,
                    time(self.at),
                    self.level
                ));
                escape::json(&mut line, self.target);
                line.push_str(r#","message":"#);
                escape::json(&mut line, &message);
                // A dependency may use any field name.
                self.fields.remove(|name| matches!(name, "timestamp" | "level" | "target"));
                self.fields.write_json(&mut line);
                line.push('}');
            }
        }
        line.push('\n');
        line
    }
}

/// Formats a time by RFC 3339, in UTC with microseconds.
fn time(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
