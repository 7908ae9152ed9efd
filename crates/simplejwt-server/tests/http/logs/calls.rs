//! Compares every call of `tracing` in the library and the server with the lists in docs/logs.md.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../../../../docs/logs.md");
const MACROS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

/// A call in the source.
struct Call {
    place: String,
    level: &'static str,
    arguments: Vec<String>,
}

/// The code of both crates without comments and unit tests, by file.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![here.join("src"), here.join("../simplejwt/src")];
    folders.push(here.join("../simplejwt-actix/src"));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
                let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                found.push((path.display().to_string(), lines.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    found
}

/// Returns the arguments of a macro, from after its parenthesis.
fn arguments(text: &str) -> Vec<String> {
    let (mut arguments, mut current) = (Vec::new(), String::new());
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for c in text.chars() {
        let ends = !in_string && depth == 0 && matches!(c, ',' | ')');
        if ends {
            arguments.push(current.trim().to_owned());
            current.clear();
            if c == ')' {
                arguments.retain(|argument| !argument.is_empty());
                return arguments;
            }
            continue;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '(' | '[' | '{' if !in_string => depth += 1,
            ')' | ']' | '}' if !in_string => depth -= 1,
            _ => {}
        }
        current.push(c);
    }
    panic!("a call without an end: {text:.80}")
}

fn calls() -> Vec<Call> {
    let mut calls = Vec::new();
    for (place, code) in sources() {
        for level in MACROS {
            for (at, called) in code.match_indices(&format!("{level}!(")) {
                let before = code[..at].chars().next_back().unwrap_or(' ');
                if before.is_alphanumeric() || before == '_' {
                    continue; // the end of another macro's name
                }
                assert!(code[..at].ends_with("tracing::"), "{place}: write tracing::{level}!");
                let arguments = arguments(&code[at + called.len()..]);
                calls.push(Call { place: place.clone(), level, arguments });
            }
        }
    }
    calls
}

impl Call {
    /// Returns the event's name and the names of the other fields, after checking the rules for
    /// calls.
    fn check(&self) -> (String, BTreeSet<String>) {
        let Self { place, arguments, .. } = self;
        let mut arguments =
            arguments.iter().filter(|argument| !argument.starts_with("target:")).peekable();
        let event = arguments
            .next()
            .and_then(|first| first.strip_prefix("event = \"")?.strip_suffix('"'))
            .unwrap_or_else(|| panic!("{place}: {:?} lacks event first", self.arguments));
        let (mut fields, mut message) = (BTreeSet::new(), None);
        for argument in arguments {
            assert_eq!(message, None, "{place}: {argument} behind the sentence");
            if let Some(text) = argument.strip_prefix('"') {
                message = Some(text.strip_suffix('"').unwrap());
                continue;
            }
            let (name, value) = argument.split_once(" = ").unwrap_or((argument, argument));
            assert!(!value.starts_with('?'), "{place}: {argument}: `Debug` is Rust, not a value");
            fields.insert(name.trim_start_matches('%').to_owned());
        }
        let message = message.unwrap_or_else(|| panic!("{place}: {event} has no sentence"));
        let is_whole = ["{message}", "{warning}"].contains(&message);
        assert!(is_whole || !message.contains('{'), "{place}: {message}: values are fields");
        (event.to_owned(), fields)
    }
}

/// Returns the rows of the tables whose header begins like this, in columns.
fn rows(header: &str) -> Vec<Vec<String>> {
    let tables = PAGE.split(header).skip(1);
    let rows = tables.flat_map(|table| {
        table.lines().skip(2).take_while(|line| line.starts_with('|')).map(|line| {
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
        })
    });
    rows.collect()
}

/// Parses names such as `` `a`, `b` ``.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split(", ")
        .filter(|name| !name.is_empty())
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn every_event_is_on_the_page_with_its_level_and_fields() {
    let mut logged: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for call in calls() {
        let (event, fields) = call.check();
        let known = logged.entry(event).or_default();
        known.0.insert(call.level.to_owned());
        known.1.extend(fields);
    }
    let page: BTreeMap<_, _> = rows("| event | level | fields | when |")
        .into_iter()
        .map(|row| {
            let [event, level, fields, when] = &row[..] else { panic!("{row:?}") };
            assert!(!when.is_empty(), "{event}");
            (event.trim_matches('`').to_owned(), (names(level), names(fields)))
        })
        .collect();
    for (event, said) in &logged {
        assert_eq!(page.get(event), Some(said), "{event} on the page");
    }
    for event in page.keys() {
        assert!(logged.contains_key(event), "{event} isn't logged");
    }
    assert!(logged.len() > 50, "{}", logged.len());
}

#[test]
fn every_field_is_on_the_page() {
    let listed: BTreeSet<String> =
        rows("| field | meaning |").iter().flat_map(|row| names(&row[0])).collect();
    let mut used: BTreeSet<String> = ["event", "request_id"].map(str::to_owned).into();
    used.extend(calls().iter().flat_map(|call| call.check().1));
    assert_eq!(used, listed);
}

/// Lines about security events have the fields that identify the client of a login.
#[test]
fn security_events_say_who() {
    for call in calls() {
        let (event, fields) = call.check();
        let is_about_tokens = ["_presented", "_refused", "login", "logout", "session"]
            .iter()
            .any(|part| event.contains(part));
        if is_about_tokens && event != "wal_mode_refused" {
            for field in ["client_address", "user_agent"] {
                assert!(fields.contains(field), "{event} without {field}");
            }
        }
    }
}
