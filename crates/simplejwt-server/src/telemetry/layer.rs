//! The layer that receives events.

use simplejwt::{Clock as _, SystemClock};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::fields::Fields;
use super::line::Line;
use super::scope::Scope;
use crate::config::LogFormat;

/// Writes a line for each event, with the request that it belongs to.
pub(super) struct LogLayer<W> {
    format: LogFormat,
    write: W,
}

impl<W: Fn(&str)> LogLayer<W> {
    pub(super) fn new(format: LogFormat, write: W) -> Self {
        Self { format, write }
    }
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber,
    W: Fn(&str) + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // A record of the crate `log` has the event's data in fields.
        let target = fields.take_text("log.target");
        fields.remove(|name| name.starts_with("log."));
        if let Some(Scope { id, client, realm }) = Scope::current() {
            if let Some(id) = id {
                fields.add_missing("request_id", id.as_str());
            }
            if let Some(client) = client {
                fields.add_missing("client_address", &client.to_canonical().to_string());
            }
            if let Some(realm) = realm {
                fields.add_missing("realm", &realm);
            }
        }
        let line = Line {
            at: SystemClock.now(),
            level: *event.metadata().level(),
            target: target.as_deref().unwrap_or(event.metadata().target()),
            fields,
        };
        (self.write)(&line.write(self.format));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use simplejwt::web::request_id::RequestId;
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Returns the lines that `log` writes.
    fn logged(format: LogFormat, log: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let write = move |line: &str| kept.lock().unwrap().push(line.to_owned());
        let subscriber = Registry::default().with(LogLayer::new(format, write));
        tracing::subscriber::with_default(subscriber, log);
        let lines = lines.lock().unwrap();
        lines.iter().map(|line| line.strip_suffix('\n').unwrap().to_owned()).collect()
    }

    fn some_events() {
        let mut headers = http::HeaderMap::new();
        headers.insert(RequestId::HEADER, http::HeaderValue::from_static("r-1"));
        let (id, client) = (Some(RequestId::of(&headers)), "192.0.2.1".parse().ok());
        Scope { id, client, realm: Some("acme".into()) }.enter(some_events_of_a_request);
    }

    fn some_events_of_a_request() {
        let (none, ms) = (None::<&str>, 1.5);
        tracing::warn!(
            username = "\"admin\"",
            user_agent = none,
            count = 3,
            ms,
            is_new = true,
            error = %std::io::Error::other("no \"room\"\nleft"),
            event = "login_refused",
            "login refused"
        );
        tracing::info!(client_address = "198.51.100.7", "a\nb\u{202e}");
    }

    #[test]
    fn json_has_values_under_one_name_each() {
        let lines = logged(LogFormat::Json, some_events);
        let read = |line: &String| {
            let mut read: Value = serde_json::from_str(line).unwrap();
            let time = read.as_object_mut().unwrap().remove("timestamp").unwrap();
            assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{time}");
            assert_eq!(time.as_str().unwrap().len(), "2026-01-02T03:04:05.678901Z".len());
            read
        };
        assert_eq!(
            lines.iter().map(read).collect::<Vec<_>>(),
            [
                json!({
                    "level": "WARN", "target": "simplejwt::telemetry::layer::tests",
                    "message": "login refused", "event": "login_refused",
                    "client_address": "192.0.2.1", "request_id": "r-1", "realm": "acme",
                    "username": "\"admin\"",
                    "count": 3, "ms": 1.5, "is_new": true, "error": "no \"room\"\nleft",
                }),
                json!({
                    "level": "INFO", "target": "simplejwt::telemetry::layer::tests",
                    "message": "a\nb\u{202e}", "client_address": "198.51.100.7",
                    "request_id": "r-1", "realm": "acme",
                }),
            ]
        );
    }

    #[test]
    fn text_has_the_same_on_a_line() {
        let lines = logged(LogFormat::Text, some_events);
        let after_time = |line: &String| line.split_once("Z ").unwrap().1.to_owned();
        assert_eq!(
            lines.iter().map(after_time).collect::<Vec<_>>(),
            [
                " WARN simplejwt::telemetry::layer::tests: login refused event=login_refused \
                 client_address=192.0.2.1 request_id=r-1 realm=acme username=\"\\\"admin\\\"\" count=3 ms=1.5 \
                 is_new=true error=\"no \\\"room\\\"\\nleft\"",
                " INFO simplejwt::telemetry::layer::tests: a\\nb\\u{202e} \
                 client_address=198.51.100.7 request_id=r-1 realm=acme",
            ]
        );
    }

    #[test]
    fn no_line_is_long_whatever_is_logged() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let long = "\u{1b}".repeat(60_000);
            let lines = logged(format, || {
                tracing::warn!(username = &*long, path = %long, debug = ?long, "{long}");
                tracing::warn!(username = "é".repeat(151), "x");
            });
            assert!(lines[0].len() < 30_000, "{}", lines[0].len());
            assert!(lines[1].contains(&("é".repeat(150) + "…")), "{}", lines[1]);
            assert!(!lines[1].contains(&"é".repeat(151)), "{}", lines[1]);
        }
    }
}
