//! The examples in `docs/http-api.md`.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../../../docs/http-api.md");

/// A block of the page: a request or an answer.
pub(crate) struct Block {
    pub(crate) first: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Block {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let mut lines = head.lines();
        let first = lines.next().expect("a first line").to_owned();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no header: {line}")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { first, headers, body: body.trim_end().to_owned() }
    }
}

pub(crate) fn blocks() -> Vec<Block> {
    PAGE.split("```http\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("a block ends"))
        .map(Block::parse)
        .collect()
}

/// The values of `{refresh}` and other names.
pub(crate) type Names = BTreeMap<String, String>;

/// A part of a text: plain, or a name in braces.
enum Part<'a> {
    Plain(&'a str),
    Name(&'a str),
}

fn parts(mut text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(open) = text.get(from..).and_then(|rest| rest.find('{')).map(|at| at + from) {
        let inner = text.get(open + 1..).unwrap_or_default();
        let name = inner.split('}').next().unwrap_or_default();
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase()) {
            parts.push(Part::Plain(text.get(..open).unwrap_or_default()));
            parts.push(Part::Name(name));
            text = inner.get(name.len() + 1..).unwrap_or_default();
            from = 0;
        } else {
            from = open + 1;
        }
    }
    parts.push(Part::Plain(text));
    parts
}

pub(crate) fn fill(text: &str, names: &Names) -> String {
    parts(text)
        .into_iter()
        .map(|part| match part {
            Part::Plain(plain) => plain,
            Part::Name(name) => names.get(name).unwrap_or_else(|| panic!("no {{{name}}} yet")),
        })
        .collect()
}

/// Returns `true` if `actual` equals `expected`, and stores the values of names in `expected`.
pub(crate) fn matches(expected: &str, actual: &str, names: &mut Names) -> bool {
    let mut rest = actual;
    let mut open: Option<&str> = None;
    for part in parts(expected) {
        match (part, open) {
            (Part::Name(name), None) => open = Some(name),
            (Part::Name(_), Some(_)) => panic!("two names side by side in {expected}"),
            (Part::Plain(plain), None) => match rest.strip_prefix(plain) {
                Some(after) => rest = after,
                None => return false,
            },
            (Part::Plain(plain), Some(name)) => {
                let end = if plain.is_empty() { Some(rest.len()) } else { rest.find(plain) };
                let Some(end) = end else { return false };
                let (value, after) = rest.split_at(end);
                if value.is_empty() {
                    return false;
                }
                names.insert(name.to_owned(), value.to_owned());
                rest = after.strip_prefix(plain).unwrap_or(after);
                open = None;
            }
        }
    }
    rest.is_empty()
}
