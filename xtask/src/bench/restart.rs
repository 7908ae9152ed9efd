//! Sends requests through a proxy while the nodes behind it are restarted one after the other, and
//! counts the lost ones.

mod nodes;
mod proxy;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result, bail};

use super::http::{Connection, text_of};
use super::{POSTGRES, now};
use crate::process::{announce, cargo, root, run as run_command};
use crate::services::Up;
use nodes::Nodes;
use proxy::{Proxy, ProxyKind};

const USAGE: &str = "\
usage: cargo xtask bench server restart [requests=NUMBER] [connections=NUMBER]

Starts three nodes on PostgreSQL behind nginx, then behind Caddy, as docs/several-nodes.md has
them, and restarts them in turn while each connection refreshes its token and asks a protected
route in turn. SIMPLEJWT_BIN names a server that is built already.";

const REQUESTS: usize = 200_000;
const CONNECTIONS: usize = 16;

struct Options {
    requests: usize,
    connections: usize,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self { requests: REQUESTS, connections: CONNECTIONS };
        for word in words {
            match word.split_once('=') {
                Some(("requests", number)) => options.requests = number.parse().context(USAGE)?,
                Some(("connections", number)) => {
                    options.connections = number.parse().context(USAGE)?;
                }
                _ => bail!("{USAGE}"),
            }
        }
        Ok(options)
    }
}

/// Runs the benchmark, and fails if a request was lost.
///
/// # Errors
/// A program isn't available, or a request was lost.
pub(super) fn run(words: &[&str]) -> Result<()> {
    let options = Options::parse(words)?;
    proxy::require()?;
    let program = program()?;
    let (_databases, url) = match env::var(POSTGRES) {
        Ok(url) => (None, url),
        Err(_) => {
            let up = Up::anew("restart")?;
            let variables = up.variables()?;
            let url = variables.into_iter().find(|(name, _)| *name == POSTGRES);
            (Some(up), url.context("no PostgreSQL")?.1)
        }
    };
    let folder = env::temp_dir().join(format!("simplejwt-restart-{}", std::process::id()));
    let mut lost = 0;
    for kind in [ProxyKind::Nginx, ProxyKind::Caddy] {
        lost += behind(kind, &options, &program, &url, &folder)?;
    }
    std::fs::remove_dir_all(&folder)?;
    if lost > 0 {
        bail!("{lost} requests were lost");
    }
    Ok(())
}

/// Returns the program that `SIMPLEJWT_BIN` names, or builds one for release.
fn program() -> Result<PathBuf> {
    if let Some(program) = env::var_os("SIMPLEJWT_BIN") {
        return Ok(program.into());
    }
    run_command(cargo(&["build", "--profile", "dist", "-p", "simplejwt-server"]))?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    Ok(target.join("dist/simplejwt"))
}

/// The counts of all connections together.
#[derive(Default)]
struct Counts {
    sent: AtomicUsize,
    lost: AtomicUsize,
    ended: AtomicUsize,
    told: AtomicBool,
}

/// Returns the number of lost requests.
fn behind(
    kind: ProxyKind,
    options: &Options,
    program: &Path,
    url: &str,
    folder: &Path,
) -> Result<usize> {
    announce(&format!("three nodes behind {}, restarted in turn", kind.version()?));
    let mut nodes = Nodes::start(program, url, folder)?;
    let proxy = Proxy::start(kind, &nodes.ports(), folder)?;
    let address = format!("127.0.0.1:{}", proxy.port);
    let counts = Counts::default();
    let began = now();
    let restarts = thread::scope(|scope| -> Result<usize> {
        for _ in 0..options.connections {
            scope.spawn(|| {
                client(&address, options.requests, &counts);
                counts.ended.fetch_add(1, Ordering::SeqCst);
            });
        }
        let mut restarts = 0;
        while counts.ended.load(Ordering::SeqCst) < options.connections {
            // The other threads must stop too.
            if let Err(error) = nodes.restart(restarts % 3) {
                counts.sent.store(options.requests, Ordering::SeqCst);
                return Err(error);
            }
            restarts += 1;
        }
        Ok(restarts)
    })?;
    let seconds = (now() - began).as_secs_f64();
    let lost = counts.lost.load(Ordering::SeqCst);
    println!(
        "{}: {} requests, half of them POSTs, by {} connections in {seconds:.0} s; {restarts} \
         restarts; {lost} lost",
        kind.version()?,
        options.requests,
        options.connections,
    );
    Ok(lost)
}

/// Refreshes and sends requests in turn until all connections together have sent enough.
fn client(address: &str, requests: usize, counts: &Counts) {
    let mut connection = Connection::to(address);
    let mut pair: Option<(String, String)> = None;
    let mut posts = true;
    while counts.sent.fetch_add(1, Ordering::SeqCst) < requests {
        let outcome = match &pair {
            None => connection.post("/api/token/", nodes::LOGIN),
            Some((_, refresh)) if posts => {
                connection.post("/api/token/refresh/", &format!(r#"{{"refresh":"{refresh}"}}"#))
            }
            Some((access, _)) => connection.get("/api/protected/", access),
        };
        let problem = match outcome {
            Ok((200, body)) => {
                if let (Some(access), Some(refresh)) =
                    (text_of(body, "access"), text_of(body, "refresh"))
                {
                    pair = Some((access.to_owned(), refresh.to_owned()));
                }
                None
            }
            Ok((status, body)) => Some(format!("{status} {body}")),
            Err(error) => Some(format!("{error:#}")),
        };
        if let Some(problem) = problem {
            counts.lost.fetch_add(1, Ordering::SeqCst);
            if !counts.told.swap(true, Ordering::SeqCst) {
                println!("the first lost: {problem} (POST: {posts})");
            }
            // The token may be spent.
            pair = None;
        }
        posts = !posts;
    }
}
