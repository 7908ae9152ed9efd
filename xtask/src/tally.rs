//! Adds up the results that the test runners print.

/// The number of tests, by result.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Ignored or skipped tests, which count as a defect.
    pub(crate) skipped: u64,
}

impl Tally {
    /// Counts `test result: ok. 12 passed; 0 failed; 0 ignored; …`, the last line of each of
    /// cargo's test binaries. Other lines are ignored.
    pub(crate) fn cargo_line(&mut self, line: &str) {
        if let Some((_, counts)) =
            line.trim().strip_prefix("test result: ").and_then(|result| result.split_once(". "))
        {
            self.add(counts.split(';'));
        }
    }

    /// Counts `=== 12 passed, 1 skipped in 3.21s ===`, the last line of pytest, which has no `=` in
    /// quiet mode. Other lines are ignored.
    pub(crate) fn pytest_line(&mut self, line: &str) {
        let line = line.trim().trim_matches('=').trim();
        if let Some((counts, time)) = line.rsplit_once(" in ")
            && line.starts_with(|c: char| c.is_ascii_digit())
            && time.starts_with(|c: char| c.is_ascii_digit())
        {
            self.add(counts.split(','));
        }
    }

    fn add<'a>(&mut self, counts: impl Iterator<Item = &'a str>) {
        for count in counts {
            let mut words = count.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" | "error" | "errors" | "xpassed" => self.failed += number,
                "ignored" | "skipped" | "xfailed" | "deselected" => self.skipped += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_closing_lines_are_added_up() {
        let mut tally = Tally::default();
        tally.cargo_line("running 3 tests");
        tally.cargo_line(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.01s",
        );
        tally.cargo_line("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured");
        assert_eq!(tally, Tally { passed: 14, failed: 3, skipped: 1 });
    }

    #[test]
    fn pytest_closing_lines_are_added_up() {
        let mut tally = Tally::default();
        tally.pytest_line("compat/test_vectors.py ..... [100%]");
        tally.pytest_line("12 passed in the first round");
        tally.pytest_line(
            "===== 2 failed, 40 passed, 1 skipped, 3 warnings, 1 error in 3.21s =====",
        );
        assert_eq!(tally, Tally { passed: 40, failed: 3, skipped: 1 });
        tally.pytest_line("2 passed, 1 warning in 65.02s (0:01:05)");
        assert_eq!(tally, Tally { passed: 42, failed: 3, skipped: 1 });
    }
}
