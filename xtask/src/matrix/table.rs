//! The table in `docs/databases.md`.

use anyhow::Result;

use super::rows::Row;
use super::suites::{Outcome, Suite};
use super::{Done, Missing};

type Line<'a> = (&'a Row, Result<Done>, u64);

/// Formats the rows in Markdown.
pub(super) fn printed(done: &[Line<'_>]) -> String {
    let mut text = "| |".to_owned();
    for suite in Suite::ALL {
        text.push_str(&format!(" {} |", suite.heading()));
    }
    text.push_str(" seconds |\n|---|");
    text.push_str(&"---|".repeat(Suite::ALL.len() + 1));
    for (row, found, seconds) in done {
        text.push_str(&format!("\n| {} ", row.heading));
        match found {
            Ok(done) => {
                text.push_str(&format!("{} |", done.version));
                for suite in Suite::ALL {
                    let outcome = done.columns.get(&suite);
                    text.push_str(&format!(" {} |", outcome.map_or("".into(), cell)));
                }
            }
            Err(error) => {
                text.push_str(&format!("({}) | {error:#} |", row.name).replace('\n', " "));
                text.push_str(&" |".repeat(Suite::ALL.len() - 1));
            }
        }
        text.push_str(&format!(" {seconds} |"));
    }
    text
}

fn cell(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed(count) => format!("{count} passed"),
        Outcome::Failed(names) => format!("**failed**: {}", names.join(", ")),
        Outcome::Without(why) => why.clone(),
    }
}

/// Returns `true` if the row makes the command fail. A version that isn't available doesn't.
pub(super) fn is_failed(found: &Result<Done>) -> bool {
    match found {
        Ok(done) => done.columns.values().any(|outcome| matches!(outcome, Outcome::Failed(_))),
        Err(error) => !error.is::<Missing>(),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::super::rows;
    use super::*;

    fn done(outcome: Outcome) -> Result<Done> {
        Ok(Done { version: "1.2".into(), columns: [(Suite::Races, outcome)].into() })
    }

    #[test]
    fn failures_and_what_is_missing_stand_in_the_table() {
        let rows = rows::all();
        let lines = [
            (&rows[0], done(Outcome::Passed(3)), 1),
            (&rows[1], done(Outcome::Failed(vec!["a::b".into(), "c".into()])), 2),
            (&rows[2], Err(Missing(anyhow!("no npm")).into()), 0),
            (&rows[3], Err(anyhow!("it ended\nat its start")), 0),
        ];
        let text = printed(&lines);
        for part in ["3 passed", "**failed**: a::b, c", "not available: no npm", "ended at its"] {
            assert!(text.contains(part), "{text}");
        }
        let columns: Vec<_> = text.lines().map(|line| line.matches('|').count()).collect();
        assert!(columns.iter().all(|count| *count == columns[0]), "{text}");
        let failed: Vec<_> = lines.iter().map(|(_, found, _)| is_failed(found)).collect();
        assert_eq!(failed, [false, true, false, true]);
    }
}
