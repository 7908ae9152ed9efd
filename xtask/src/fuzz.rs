//! `cargo xtask fuzz`: runs the targets of `crates/simplejwt/tests/fuzz` for any length of time.

use anyhow::{Context as _, Result, bail};

use crate::process::{cargo, run as run_command};

/// The default number of seconds per target.
const SECONDS: u64 = 60;

/// Runs the targets, optimised: `[TARGET] [SECONDS]`.
///
/// # Errors
/// An input fails; it is printed as a line to add to the corpus.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let (target, seconds) = asked(words)?;
    let mut tests = cargo(&["test", "--release", "-p", "simplejwt", "--all-features"]);
    tests.args(["--test", "fuzz", "--", "--nocapture", target]);
    tests.env("SIMPLEJWT_TEST_FUZZ", seconds.to_string());
    run_command(tests)
}

fn asked<'a>(words: &[&'a str]) -> Result<(&'a str, u64)> {
    let seconds =
        |text: &str| text.parse().with_context(|| format!("{text} is not a number of seconds"));
    match words {
        [] => Ok(("", SECONDS)),
        [one] => match one.parse() {
            Ok(seconds) => Ok(("", seconds)),
            Err(_) => Ok((one, SECONDS)),
        },
        [target, text] => Ok((target, seconds(text)?)),
        _ => bail!("usage: cargo xtask fuzz [TARGET] [SECONDS]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_a_time_or_both() {
        assert_eq!(asked(&[]).unwrap(), ("", SECONDS));
        assert_eq!(asked(&["7"]).unwrap(), ("", 7));
        assert_eq!(asked(&["urls"]).unwrap(), ("urls", SECONDS));
        assert_eq!(asked(&["urls", "7"]).unwrap(), ("urls", 7));
        assert!(asked(&["urls", "x"]).is_err() && asked(&["a", "1", "b"]).is_err());
    }
}
