//! The committed table, and how it differs from another.

use std::cmp::Reverse;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::callgrind::Counts;

/// How far a count may be from the table's, in either direction, in percent.
const TOLERANCE: u64 = 3;
/// The number of functions that are printed for a request, and that are kept in the table.
const PRINTED: usize = 5;
const KEPT: usize = 30;

/// What the names of the functions begin with that compute SHA-2, or more of HMAC with it.
const HASHING: [&str; 2] = ["sha2::", "<sha2::"];

const HEAD: &str = "\
# User-space instructions per request, those of them that compute SHA-2, and the request's name; below
# each request, the instructions of its costliest functions. valgrind hides the processor's SHA
# instructions, so a real request has far fewer of the second number.
# Written by `cargo xtask bench instructions --write`, compared by `--check`.
";

/// A request, and the costs of one of them.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    name: String,
    instructions: u64,
    /// Those of them that compute SHA-2.
    hashing: u64,
    /// The costliest first.
    functions: Vec<(u64, String)>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Table {
    /// The profile by which the server is built.
    pub(super) profile: String,
    /// What the counts depend on beside the source.
    pub(super) tools: Tools,
    pub(super) rows: Vec<Row>,
}

/// The compiler of the program, and what it ran with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tools {
    pub(super) rustc: String,
    pub(super) libc: String,
    pub(super) valgrind: String,
}

impl Row {
    /// Divides what was counted by the number of requests.
    pub(super) fn new(name: &str, requests: u32, counts: Counts) -> Self {
        let requests = u64::from(requests.max(1));
        let instructions = counts.values().sum::<u64>() / requests;
        let is_hashing = |name: &str| HASHING.iter().any(|prefix| name.starts_with(prefix));
        let hashing = counts.iter().filter(|(name, _)| is_hashing(name));
        let hashing = hashing.map(|(_, count)| count).sum::<u64>() / requests;
        let each = counts.into_iter().map(|(name, count)| (count / requests, name));
        let mut functions: Vec<_> = each.collect();
        functions.sort_by_key(|(count, _)| Reverse(*count));
        functions.truncate(KEPT);
        functions.retain(|(count, _)| *count > 0);
        Self { name: name.to_owned(), instructions, hashing, functions }
    }

    /// Returns the functions that cost more in `now`, with by how much; of one that isn't kept here
    /// it is only known that it cost no more than the last that is.
    fn growth<'a>(&self, now: &'a Self) -> Vec<(u64, &'a str)> {
        let least = self.functions.last().map_or(0, |(count, _)| *count);
        let cost = |name: &str| {
            let kept = self.functions.iter().find(|(_, other)| other == name);
            kept.map_or(least, |(count, _)| *count)
        };
        let grown = now
            .functions
            .iter()
            .map(|(count, name)| (count.saturating_sub(cost(name)), name.as_str()));
        let mut grown: Vec<_> = grown.filter(|(more, _)| *more > 0).collect();
        grown.sort_by_key(|(more, _)| Reverse(*more));
        grown.truncate(PRINTED);
        grown
    }
}

impl Table {
    /// Reads what [`write`](Self::write) has written.
    ///
    /// # Errors
    /// It was written by something else.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let mut word = |name: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.map(str::to_owned).with_context(|| format!("the {name} is missing"))
        };
        let profile = word("profile")?;
        let tools =
            Tools { rustc: word("rustc")?, libc: word("libc")?, valgrind: word("valgrind")? };
        let mut rows: Vec<Row> = Vec::new();
        for line in lines {
            let wrong = || format!("`{line}` isn't a number and a name");
            let (number, name) = line.trim_start().split_once(' ').with_context(wrong)?;
            let number = number.parse().with_context(wrong)?;
            match rows.last_mut() {
                Some(row) if line.starts_with(' ') => row.functions.push((number, name.to_owned())),
                _ => {
                    let (hashing, name) = name.split_once(' ').with_context(wrong)?;
                    let hashing = hashing.parse().with_context(wrong)?;
                    let (name, functions) = (name.to_owned(), Vec::new());
                    rows.push(Row { name, instructions: number, hashing, functions });
                }
            }
        }
        Ok(Self { profile, tools, rows })
    }

    /// Returns the text of the committed file.
    pub(super) fn write(&self) -> String {
        let Tools { rustc, libc, valgrind } = &self.tools;
        let mut text = format!(
            "{HEAD}\nprofile {}\nrustc {rustc}\nlibc {libc}\nvalgrind {valgrind}\n",
            self.profile
        );
        for row in &self.rows {
            let _ = writeln!(text, "\n{} {} {}", row.instructions, row.hashing, row.name);
            for (count, function) in &row.functions {
                let _ = writeln!(text, "  {count} {function}");
            }
        }
        text
    }

    /// Returns the table for people.
    pub(super) fn summary(&self) -> String {
        let Tools { rustc, libc, valgrind } = &self.tools;
        let mut text = format!(
            "\nuser-space instructions per request; those for SHA-2 are more than a processor with SHA\n\
             instructions takes, which valgrind hides ({valgrind}, {libc}, rustc {rustc})\n\n\
             {:<24} {:>8} {:>8}\n",
            "request", "total", "SHA-2"
        );
        for row in &self.rows {
            let Row { name, instructions, hashing, .. } = row;
            let _ = writeln!(text, "\n{name:<24} {instructions:>8} {hashing:>8}");
            for (count, function) in row.functions.iter().take(PRINTED) {
                let _ = writeln!(text, "  {count:>7} {function}");
            }
        }
        text
    }

    /// Returns a line for each request that costs more or less in `now`, and for each function that
    /// has made it cost more. Requests that `now` hasn't count as different.
    pub(super) fn compare(&self, now: &Self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let Some(other) = now.rows.iter().find(|other| other.name == row.name) else {
                let _ = writeln!(text, "{}: not counted any more", row.name);
                continue;
            };
            let (was, is) = (row.instructions, other.instructions);
            let without = |row: &Row| row.instructions.saturating_sub(row.hashing);
            if is_near(was, is) && is_near(without(row), without(other)) {
                continue;
            }
            let _ = writeln!(text, "{}: {is} instead of {was}", row.name);
            for (more, function) in row.growth(other) {
                let _ = writeln!(text, "  {more:>+7} {function}");
            }
        }
        for row in &now.rows {
            if !self.rows.iter().any(|other| other.name == row.name) {
                let _ = writeln!(text, "{}: not in the table", row.name);
            }
        }
        text
    }
}

fn is_near(was: u64, is: u64) -> bool {
    was.abs_diff(is) * 100 <= was * TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, functions: &[(&str, u64)]) -> Row {
        let counts = functions.iter().map(|(name, count)| ((*name).to_owned(), count * 10));
        Row::new(name, 10, counts.collect())
    }

    fn table(rows: Vec<Row>) -> Table {
        let tools = Tools { rustc: "1 (a b)".into(), libc: "2".into(), valgrind: "3".into() };
        Table { profile: "dist".into(), tools, rows }
    }

    #[test]
    fn what_is_written_is_read() {
        let functions =
            [("<a as b>::c", 700), ("sha2::d", 200), ("memcpy", 100), ("<sha2::E>::f", 0)];
        let row = row("verify", &functions);
        assert_eq!((row.instructions, row.hashing, row.functions.len()), (1000, 200, 3));
        let written = table(vec![row]);
        assert_eq!(Table::parse(&written.write()).unwrap(), written);
        assert!(Table::parse("nonsense").is_err());
        let head = "profile dist\nrustc 1\nlibc 2\nvalgrind 3\n";
        assert!(Table::parse(&format!("{head}3 2 verify")).is_ok());
        assert!(Table::parse("profile dist\nlibc 2\n").is_err());
        assert!(Table::parse(&format!("{head}many 2 verify")).is_err());
        assert!(Table::parse(&format!("{head}3 verify")).is_err());
    }

    #[test]
    fn three_percent_are_the_same_and_more_isnt() {
        let of = |count| table(vec![row("verify", &[("parse", count), ("memcpy", 100)])]);
        let before = of(900);
        assert_eq!(before.compare(&of(930)), "");
        assert_eq!(before.compare(&of(870)), "");
        let more = before.compare(&of(931));
        assert_eq!(more, "verify: 1031 instead of 1000\n      +31 parse\n");
        assert_eq!(before.compare(&of(869)), "verify: 969 instead of 1000\n");
    }

    #[test]
    fn hashing_hides_no_growth_of_the_rest() {
        let of = |count| table(vec![row("verify", &[("parse", count), ("sha2::d", 5000)])]);
        assert_eq!(of(100).compare(&of(103)), "");
        let more = of(100).compare(&of(104));
        assert_eq!(more, "verify: 5104 instead of 5100\n       +4 parse\n");
    }

    #[test]
    fn a_function_that_is_new_and_a_request_that_is_gone_are_named() {
        let before = table(vec![row("a", &[("f", 100)]), row("b", &[("f", 100)])]);
        let now = table(vec![row("a", &[("f", 100), ("g", 150)]), row("c", &[("f", 1)])]);
        let expected = "a: 250 instead of 100\n      +50 g\nb: not counted any more\n\
                        c: not in the table\n";
        assert_eq!(before.compare(&now), expected);
    }
}
