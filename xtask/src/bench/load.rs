//! Load for a server: connections that refresh, each with its own chain of tokens.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::http::{Connection, text_of};
use super::{now, sleep_until};

const USAGE: &str = "\
usage: cargo xtask bench load ADDRESS PATH TOKENS SECONDS [RATE]

Posts {\"refresh\": …} to PATH for each line of the file TOKENS on a connection of its own, each
time with the token that was answered before, and writes the last tokens back. Of a line with several
tokens each is used once, and no answered one. If PATH ends with verify/, it posts {\"token\": …}, each
time with the same. RATE: requests per second of all of them together;
latency then counts from when a request was due. Without it each asks again as soon as it is
answered.";

/// Prints the results as one line of JSON.
pub(super) fn run(words: &[&str]) -> Result<()> {
    let (address, path, file, seconds, rate) = match words {
        [address, path, file, seconds] => (address, path, file, seconds, None),
        [address, path, file, seconds, rate] => {
            (address, path, file, seconds, Some(rate.parse::<f64>().context(USAGE)?))
        }
        _ => bail!("{USAGE}"),
    };
    let seconds: f64 = seconds.parse().context(USAGE)?;
    let file = Path::new(file);
    let text =
        fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    let tokens: Vec<String> = text.lines().map(str::to_owned).collect();
    let count = u32::try_from(tokens.len())?.max(1);
    let interval = rate.map(|rate| Duration::from_secs_f64(f64::from(count) / rate));

    let started = now();
    let until = started + Duration::from_secs_f64(seconds);
    let mut chains = Vec::new();
    for (number, token) in (0..count).zip(tokens) {
        let mut chain = Chain::new(Connection::to(address), path, &token);
        // Spread over the interval, so that they don't all arrive at once.
        let first = started + interval.map_or(Duration::ZERO, |i| i * number / count);
        chains.push(thread::spawn(move || {
            chain.run(first, until, interval);
            chain
        }));
    }
    let mut done = Vec::new();
    for chain in chains {
        done.push(chain.join().map_err(|_| anyhow::anyhow!("a connection's thread panicked"))?);
    }
    let elapsed = now() - started;

    let last: String = done.iter().map(|chain| format!("{}\n", chain.token)).collect();
    fs::write(file, last).with_context(|| format!("can't write {}", file.display()))?;
    let mut micros: Vec<u64> = done.iter().flat_map(|chain| &chain.micros).copied().collect();
    micros.sort_unstable();
    let failures: usize = done.iter().map(|chain| chain.failures).sum();
    println!(
        "{}",
        json!({
            "requests": micros.len(),
            "failures": failures,
            "failure": done.iter().find_map(|chain| chain.failure.clone()),
            "seconds": elapsed.as_secs_f64(),
            "p50_us": quantile(&micros, 0.50),
            "p99_us": quantile(&micros, 0.99),
            "max_us": quantile(&micros, 1.0),
        })
    );
    Ok(())
}

/// Returns a quantile of sorted values.
pub(super) fn quantile(sorted: &[u64], share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index is small and not negative"
    )]
    let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

struct Chain {
    connection: Connection,
    path: String,
    token: String,
    /// The tokens that come next; `None` if the answered one does.
    next: Option<VecDeque<String>>,
    /// The latencies of those that succeeded.
    micros: Vec<u64>,
    failures: usize,
    failure: Option<String>,
}

impl Chain {
    fn new(connection: Connection, path: &str, line: &str) -> Self {
        let mut tokens: VecDeque<String> = line.split(' ').map(str::to_owned).collect();
        let token = tokens.pop_front().unwrap_or_default();
        let next = (!tokens.is_empty()).then_some(tokens);
        let path = path.to_owned();
        Self { connection, path, token, next, micros: Vec::new(), failures: 0, failure: None }
    }

    fn run(&mut self, first: Instant, until: Instant, interval: Option<Duration>) {
        let mut due = first;
        loop {
            match interval {
                Some(_) => sleep_until(due),
                None => due = now(),
            }
            if due >= until {
                return;
            }
            match self.ask() {
                Ok(()) => {
                    let micros = (now() - due).as_micros();
                    self.micros.push(u64::try_from(micros).unwrap_or(u64::MAX));
                }
                Err(error) => {
                    self.failures += 1;
                    self.failure.get_or_insert(format!("{error:#}"));
                }
            }
            if let Some(next) = &mut self.next {
                let Some(token) = next.pop_front() else { return };
                self.token = token;
            }
            due += interval.unwrap_or_default();
        }
    }

    fn ask(&mut self) -> Result<()> {
        let verifies = self.path.ends_with("verify/");
        let field = if verifies { "token" } else { "refresh" };
        let body = format!(r#"{{"{field}":"{}"}}"#, self.token);
        let (status, answer) = self.connection.post(&self.path, &body)?;
        if status != 200 {
            bail!("{status} {answer}");
        }
        if verifies {
            return Ok(());
        }
        self.token = text_of(answer, "refresh").context("no refresh token")?.to_owned();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(quantile(&hundred, 0.5), 50);
        assert_eq!(quantile(&hundred, 0.99), 99);
        assert_eq!(quantile(&hundred, 1.0), 100);
        assert_eq!(quantile(&[7], 0.5), 7);
        assert_eq!(quantile(&[], 0.5), 0);
    }
}
