//! A PostgreSQL primary and its standby.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

use super::load::{Load, Outcome, beside};
use super::pass;
use super::site::{Site, prepare};
use crate::process::{output, this_program};

/// The failure of the cluster.
#[derive(Clone, Copy)]
enum Event {
    /// The primary is killed, the standby is promoted, and the old primary is started again beside
    /// it.
    Killed,
    /// The primary is frozen, the standby is promoted, and the old primary continues beside it.
    Frozen,
    /// The standby is away for a while, so no COMMIT finishes.
    Alone,
    /// The standby loses its connection; the primary continues, is killed, and is started again
    /// beside the promoted standby. One of the servers sleeps in the meantime.
    Behind,
}

/// A scenario.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    event: Event,
}

/// All scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "PostgreSQL, synchronous: primary killed, standby promoted, old primary back",
        event: Event::Killed,
    },
    Scenario {
        name: "PostgreSQL, synchronous: primary frozen, standby promoted, old primary goes on",
        event: Event::Frozen,
    },
    Scenario {
        name: "PostgreSQL, synchronous: standby gone for 12 s, so that no COMMIT ends",
        event: Event::Alone,
    },
    Scenario {
        name: "PostgreSQL, asynchronous: standby behind when promoted, a server asleep, old \
               primary back",
        event: Event::Behind,
    },
];

const NAME: &str = "failover-run";

/// The servers of `cargo xtask services`, under their own name.
struct Cluster {
    primary: String,
    standby: String,
    /// The directory that contains the servers' directories.
    folder: PathBuf,
}

fn services(words: &[&str]) -> Result<String> {
    let mut command = Command::new(this_program()?);
    command.args(["services", "--name", NAME]).args(words);
    output(command)
}

/// Returns the version of the programs.
///
/// # Errors
/// They aren't installed.
pub(super) fn version() -> Result<String> {
    services(&["up", "postgres"])?;
    let cluster = Cluster::find(false)?;
    let version = query(&cluster.primary, "SHOW server_version")?;
    services(&["down"])?;
    Ok(format!("PostgreSQL {}", version.trim()))
}

fn query(url: &str, sql: &str) -> Result<String> {
    let mut psql = Command::new("psql");
    psql.args([url, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
    output(psql)
}

impl Cluster {
    fn find(with_standby: bool) -> Result<Self> {
        let variables = services(&["env"])?;
        let variable = |name: &str| {
            let line = variables.lines().find_map(|line| {
                line.strip_prefix("export ")?.strip_prefix(name)?.strip_prefix('=')
            });
            line.map(|value| value.trim_matches('\'').to_owned())
                .with_context(|| format!("`services env` has no {name}"))
        };
        let socket = PathBuf::from(variable("SIMPLEJWT_TEST_POSTGRES_SOCKET")?);
        let folder = socket.parent().and_then(|folder| folder.parent()).context("no folder")?;
        Ok(Self {
            primary: variable("SIMPLEJWT_TEST_POSTGRES_URL")?,
            standby: match with_standby {
                true => variable("SIMPLEJWT_TEST_POSTGRES_STANDBY_URL")?,
                false => String::new(),
            },
            folder: folder.to_owned(),
        })
    }

    /// Sends a signal to every process of a server.
    fn signal(&self, server: &str, signal: Signal) -> Result<()> {
        let file = self.folder.join(server).join("data/postmaster.pid");
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("can't read {}", file.display()))?;
        let first = text.lines().next().context("no process")?.trim().to_owned();
        let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children"))?;
        for pid in std::iter::once(first.as_str()).chain(children.split_whitespace()) {
            if let Some(pid) = rustix::process::Pid::from_raw(pid.parse()?) {
                // A process that has just ended is not a failure.
                let _ = rustix::process::kill_process(pid, signal);
            }
        }
        Ok(())
    }

    fn reload(url: &str, setting: &str) -> Result<()> {
        query(url, &format!("ALTER SYSTEM SET {setting}"))?;
        query(url, "SELECT pg_reload_conf()").map(drop)
    }
}

/// Runs a scenario on its own servers.
///
/// # Errors
/// They can't be started.
pub(super) fn run(scenario: &Scenario) -> Result<Outcome> {
    services(&["down"])?;
    let outcome = on_new_servers(scenario);
    let _ = services(&["down"]);
    outcome
}

fn on_new_servers(scenario: &Scenario) -> Result<Outcome> {
    services(&["up", "postgres"])?;
    let folder = std::env::temp_dir().join("simplejwt-failover");
    prepare(&Cluster::find(false)?.primary, &folder)?;
    services(&["standby", "up"])?;
    let cluster = Cluster::find(true)?;
    let host = |url: &str| {
        let host = url.split_once('@').and_then(|(_, rest)| rest.split_once('/'));
        host.map(|(host, _)| host.to_owned()).unwrap_or_default()
    };
    let hosts = [host(&cluster.primary), host(&cluster.standby)].join(",");
    let (account, rest) = cluster.primary.split_once('@').context("no account")?;
    let database = rest.split_once('/').context("no database")?.1;
    let url = format!("{account}@{hosts}/{database}?target_session_attrs=read-write");
    let mut site = Site::start(&[url.clone(), url.clone(), url.clone()], &[], &folder)?;
    let promises = !matches!(scenario.event, Event::Behind);
    // A server that starts when the old primary is back.
    let mut fresh = None;
    let stored = || {
        let url = if matches!(scenario.event, Event::Alone) {
            &cluster.primary
        } else {
            &cluster.standby
        };
        let rows = query(url, "SELECT jti FROM simplejwt_session_token")?;
        Ok(rows.lines().map(str::to_owned).collect::<HashSet<_>>())
    };
    let outcome = beside(
        &site,
        promises,
        |load| {
            happen(scenario.event, &cluster, &site, load)?;
            if !matches!(scenario.event, Event::Alone) {
                let site = Site::start(std::slice::from_ref(&url), &[], &folder)?;
                site.addresses.iter().for_each(|address| load.also_ask(*address));
                fresh = Some(site);
            }
            pass(Duration::from_secs(6));
            Ok(())
        },
        stored,
    );
    drop(fresh);
    site.addresses.clear();
    outcome
}

fn happen(event: Event, cluster: &Cluster, site: &Site, load: &Load<'_>) -> Result<()> {
    pass(Duration::from_secs(4));
    match event {
        Event::Killed => {
            services(&["kill", "postgres"])?;
            pass(Duration::from_secs(2));
            services(&["standby", "promote"])?;
            pass(Duration::from_secs(3));
            services(&["start", "postgres"])?;
        }
        Event::Frozen => {
            cluster.signal("postgres", Signal::STOP)?;
            pass(Duration::from_secs(3));
            services(&["standby", "promote"])?;
            pass(Duration::from_secs(4));
            cluster.signal("postgres", Signal::CONT)?;
        }
        Event::Alone => {
            cluster.signal("standby", Signal::STOP)?;
            pass(Duration::from_secs(12));
            cluster.signal("standby", Signal::CONT)?;
        }
        Event::Behind => {
            Cluster::reload(&cluster.primary, "synchronous_standby_names = ''")?;
            pass(Duration::from_secs(2));
            load.forgive();
            Cluster::reload(&cluster.standby, "primary_conninfo = ''")?;
            pass(Duration::from_secs(3));
            site.signal(2, Signal::STOP)?;
            services(&["kill", "postgres"])?;
            services(&["standby", "promote"])?;
            load.forgive_no_more();
            pass(Duration::from_secs(3));
            services(&["start", "postgres"])?;
            site.signal(2, Signal::CONT)?;
        }
    }
    if load.begun.elapsed() > Duration::from_secs(120) {
        bail!("the cluster took too long");
    }
    pass(Duration::from_secs(2));
    Ok(())
}
