//! Load for a server: connections that send the same request again and again.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::http::Connection;
use super::load::quantile;
use super::now;

const USAGE: &str = "\
usage: cargo xtask bench repeat ADDRESS verify|get PATH TOKEN CONNECTIONS SECONDS

Posts {\"token\": TOKEN} to PATH, or gets PATH with TOKEN in the header, on each connection again as
soon as it is answered.";

/// What is sent.
#[derive(Clone, Copy)]
enum Ask {
    Verify,
    Get,
}

/// Prints the results as one line of JSON.
pub(super) fn run(words: &[&str]) -> Result<()> {
    let &[address, ask, path, token, connections, seconds] = words else { bail!("{USAGE}") };
    let ask = match ask {
        "verify" => Ask::Verify,
        "get" => Ask::Get,
        _ => bail!("{USAGE}"),
    };
    let connections: u32 = connections.parse().context(USAGE)?;
    let seconds: f64 = seconds.parse().context(USAGE)?;
    let started = now();
    let until = started + Duration::from_secs_f64(seconds);
    let clients: Vec<_> = (0..connections)
        .map(|_| {
            let (address, path, token) = (address.to_owned(), path.to_owned(), token.to_owned());
            thread::spawn(move || repeat(&address, ask, &path, &token, until))
        })
        .collect();
    let mut micros = Vec::new();
    for client in clients {
        let done = client.join().map_err(|_| anyhow::anyhow!("a connection's thread panicked"))?;
        micros.extend(done?);
    }
    let elapsed = now() - started;
    micros.sort_unstable();
    println!(
        "{}",
        json!({
            "requests": micros.len(),
            "seconds": elapsed.as_secs_f64(),
            "p50_us": quantile(&micros, 0.50),
            "p99_us": quantile(&micros, 0.99),
        })
    );
    Ok(())
}

/// Returns the latencies in microseconds.
fn repeat(address: &str, ask: Ask, path: &str, token: &str, until: Instant) -> Result<Vec<u64>> {
    let mut connection = Connection::to(address);
    let body = format!(r#"{{"token":"{token}"}}"#);
    let mut micros = Vec::new();
    loop {
        let sent = now();
        if sent >= until {
            return Ok(micros);
        }
        let (status, answer) = match ask {
            Ask::Verify => connection.post(path, &body)?,
            Ask::Get => connection.get(path, token)?,
        };
        if status != 200 {
            bail!("{status} {answer}");
        }
        micros.push(u64::try_from((now() - sent).as_micros()).unwrap_or(u64::MAX));
    }
}
