//! `[log]`: the log on standard error.

use simplejwt::settings::value::text;

use super::form::Form;
use super::item::Shown::Default as Def;
use super::item::{Idle, Section, other, switch, word};
use super::level::{self, level};

/// The log on standard error.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: String,
    pub(crate) requests: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into(), requests: false }
    }
}

pub(super) static SECTION: Section<Log> = Section {
    table: "log",
    about: "The log, on standard error.",
    items: &[
        word(
            "format",
            "SIMPLEJWT_LOG_FORMAT",
            Def("\"text\""),
            "\"text\", or \"json\" with one object per line.",
            &[("text", |s| s.format = LogFormat::Text), ("json", |s| s.format = LogFormat::Json)],
        ),
        other(
            "level",
            "SIMPLEJWT_LOG_LEVEL",
            Def("\"info\""),
            "error, warn, info, debug or trace, also by module, as in \"warn,simplejwt=debug\". \
             Python's names are accepted: warning is warn, critical is error. off logs nothing. \
             Libraries log nothing below warn.",
            Form::OneOf(&[Form::Constants(&level::LEVELS), Form::Text]),
            |s, v| {
                s.level = level(&text(v)?)?;
                Ok(())
            },
        ),
        switch(
            "requests",
            "SIMPLEJWT_LOG_REQUESTS",
            Def("false"),
            "Logs one line per request: method, path, status, time, bytes and user agent; no \
             query, body or token.",
            |s| &mut s.requests,
        ),
    ],
    idle: &[Idle {
        names: &["requests"],
        when: |s| s.requests && !level::shows_requests(&s.level),
        why: "level leaves out the lines for requests: add simplejwt::request=info to it",
    }],
};
