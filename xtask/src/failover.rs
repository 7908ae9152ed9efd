//! `cargo xtask failover`: database clusters that fail, with three servers and clients on them.
//!
//! Chains of refreshes and logouts continue while a server of the cluster is killed, frozen, cut
//! off or promoted. Violations are counted: ended tokens that are accepted later than a second
//! after the logout was acknowledged, and acknowledged rotations that are lost. It needs Debian's
//! packages `galera-4` and `rsync` besides those of `cargo xtask services`, takes some minutes, and
//! isn't part of CI.

mod galera;
mod http;
mod load;
mod postgres;
mod site;

use std::time::Duration;

use anyhow::{Result, bail};

use crate::process::{announce, cargo, run as run_command};
use load::Outcome;

const USAGE: &str = "usage: cargo xtask failover [postgres|galera]";

/// Runs the scenarios and prints a table of them.
///
/// # Errors
/// A cluster can't be started, or there was a violation.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let (with_postgres, with_galera) = match words {
        [] => (true, true),
        ["postgres"] => (true, false),
        ["galera"] => (false, true),
        _ => bail!("{USAGE}"),
    };
    run_command(cargo(&["build", "-p", "simplejwt-server"]))?;
    let mut outcomes = Vec::new();
    let mut broken = Vec::new();
    let mut versions = Vec::new();
    if with_postgres {
        versions.push(postgres::version()?);
        for scenario in postgres::SCENARIOS {
            announce(scenario.name);
            let outcome = postgres::run(scenario)?;
            println!("{}", row(scenario.name, &outcome));
            broken.extend(verdict(scenario.name, &outcome));
            outcomes.push((scenario.name, outcome));
        }
    }
    if with_galera {
        versions.push(galera::version()?);
        for scenario in galera::SCENARIOS {
            announce(scenario.name);
            let outcome = galera::run(scenario)?;
            println!("{}", row(scenario.name, &outcome));
            broken.extend(verdict(scenario.name, &outcome));
            outcomes.push((scenario.name, outcome));
        }
        announce("Galera: logins of one user at three nodes, three sessions allowed");
        let most = galera::most_sessions()?;
        println!("the most sessions that were live at once, in 10 rounds of 18 logins: {most}");
        if most > 3 {
            broken.push(format!("{most} sessions, but only three are allowed"));
        }
    }
    println!("\n{}\n", versions.join(", "));
    println!(
        "| | rotations acknowledged | of them lost | logged out by mistake | logouts | taken later \
         than a second after | looks at ended tokens | longest without a rotation |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, outcome) in &outcomes {
        println!("{}", row(name, outcome));
    }
    if !broken.is_empty() {
        bail!("{}", broken.join("; "));
    }
    Ok(())
}

fn row(name: &str, outcome: &Outcome) -> String {
    let Outcome { rotations, lost, mistakes, logouts, taken, looks, outage } = outcome;
    let outage = outage.as_secs_f32();
    format!(
        "| {name} | {rotations} | {lost} | {mistakes} | {logouts} | {taken} | {looks} | \
         {outage:.1} s |"
    )
}

fn verdict(name: &str, outcome: &Outcome) -> Option<String> {
    let wrong = outcome.lost > 0 || outcome.taken > 0 || outcome.mistakes > 0;
    let idle = outcome.rotations < 50 || outcome.logouts < 5;
    (wrong || idle).then(|| format!("{name}: {outcome:?}"))
}

/// Lets the clients continue for this time.
#[expect(clippy::disallowed_methods, reason = "processes fail by the real clock")]
fn pass(time: Duration) {
    std::thread::sleep(time);
}
