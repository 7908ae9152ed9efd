//! Measures how long after a logout on one node the others still accept that session's access
//! token.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::http::Connection;
use super::load::quantile;
use super::{now, sleep_until};

const USAGE: &str = "\
usage: cargo xtask bench logouts PROTECTED SESSIONS ADDRESS ADDRESS...

Each line of the file SESSIONS is a refresh and an access token. For each: logs out on one of the
nodes in turn, and asks all others for PROTECTED with the access token, again and again until they
answer with 401.";

/// The pause between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);

struct Question {
    token: String,
    answered: Sender<Result<Instant>>,
}

/// Prints the times as one line of JSON.
pub(super) fn run(words: &[&str]) -> Result<()> {
    let [protected, file, nodes @ ..] = words else { bail!("{USAGE}") };
    if nodes.len() < 2 {
        bail!("{USAGE}");
    }
    let file = Path::new(file);
    let text =
        fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    let mut pollers = Vec::new();
    let mut entrances: Vec<Connection> = Vec::new();
    for node in nodes {
        let (ask, questions) = channel();
        let (connection, path) = (Connection::to(node), (*protected).to_owned());
        thread::spawn(move || poll(connection, &path, &questions));
        pollers.push(ask);
        entrances.push(Connection::to(node));
    }

    let mut micros = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (refresh, access) = line.split_once(' ').context(USAGE)?;
        let here = number % nodes.len();
        for entrance in &mut entrances {
            let (status, answer) = entrance.get(protected, access)?;
            if status != 200 {
                bail!("an access token is refused before the logout: {status} {answer}");
            }
        }
        let entrance = entrances.get_mut(here).context(USAGE)?;
        let body = format!(r#"{{"refresh":"{refresh}"}}"#);
        let (status, answer) = entrance.post("/api/token/logout/", &body)?;
        let logged_out = now();
        if status != 200 || !answer.contains("\"ended\":1") {
            bail!("the logout answers {status} {answer}");
        }
        let (answered, answers) = channel();
        for (node, poller) in pollers.iter().enumerate() {
            if node != here {
                let (token, answered) = (access.to_owned(), answered.clone());
                poller.send(Question { token, answered }).context("a poller is gone")?;
            }
        }
        drop(answered);
        for refused in answers {
            let took = refused?.saturating_duration_since(logged_out);
            micros.push(u64::try_from(took.as_micros())?);
        }
    }
    micros.sort_unstable();
    println!(
        "{}",
        json!({
            "measured": micros.len(),
            "p50_us": quantile(&micros, 0.50),
            "p99_us": quantile(&micros, 0.99),
            "max_us": quantile(&micros, 1.0),
        })
    );
    Ok(())
}

fn poll(mut connection: Connection, path: &str, questions: &Receiver<Question>) {
    for Question { token, answered } in questions {
        // The poller may have given up.
        let _ = answered.send(refused(&mut connection, path, &token));
    }
}

/// Waits for the first refusal and returns its time.
fn refused(connection: &mut Connection, path: &str, token: &str) -> Result<Instant> {
    let until = now() + PATIENCE;
    loop {
        let (status, answer) = connection.get(path, token)?;
        let answered = now();
        match status {
            401 => return Ok(answered),
            200 if answered < until => sleep_until(answered + PAUSE),
            _ => bail!("{status} {answer}"),
        }
    }
}
