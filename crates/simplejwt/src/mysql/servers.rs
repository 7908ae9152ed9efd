//! Selects one of several servers: one that answers, is writable, and is up to date with its
//! cluster.
//!
//! In a Galera cluster, a node takes reads and writes while it is behind the others, or has lost
//! them. So every connection to one waits, before it reads or writes, until the node has applied
//! everything that was committed elsewhere before (`wsrep_sync_wait`). A node that can't keep up
//! with that is left for the next.

mod standing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mysql_async::Conn;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

pub(super) use standing::{Standing, standing};
use standing::{membership, read};

use super::connect::Connector;
use super::explain::ConnectError;
use super::url::{Target, UrlError};
use crate::panics;
use crate::sql::servers::{Preference, STAGGER};

/// The age at which a server's status is asked for again, if there are other servers.
const CHECKED: Duration = Duration::from_secs(1);

/// The server that a connection leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    at: usize,
    pub(super) is_galera: bool,
    checked_at: Instant,
}

/// The servers of a URL.
pub(super) struct Servers {
    connector: Arc<Connector>,
    preference: Mutex<Preference>,
}

impl Servers {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector: Arc::new(connector), preference: Mutex::default() }
    }

    pub(super) fn target(&self) -> &Target {
        &self.connector.target
    }

    pub(super) fn count(&self) -> usize {
        self.target().addresses.len()
    }

    fn preference(&self) -> MutexGuard<'_, Preference> {
        self.preference.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if the server that a connection leads to is the one in use.
    pub(super) fn uses(&self, link: Link) -> bool {
        self.count() < 2 || self.preference().current == Some(link.at)
    }

    /// Records that the server that a connection leads to isn't to be used for a while.
    pub(super) fn failed(&self, link: Link) {
        self.preference().failed(link.at);
    }

    /// Returns `true` if a connection's server may still be used; asks now and then if there is
    /// another.
    pub(super) async fn is_still_good(&self, conn: &mut Conn, link: &mut Link) -> bool {
        let now = Instant::now();
        if self.count() < 2 || link.checked_at + CHECKED > now {
            return true;
        }
        link.checked_at = now;
        let stands = match link.is_galera {
            true => membership(conn).await,
            false => standing(conn).await,
        };
        matches!(stands, Ok(Standing::Good | Standing::Synced))
    }

    /// Connects to one of the servers.
    pub(super) async fn connect(&self) -> Result<(Conn, Link), ConnectError> {
        if self.count() == 1 {
            let (conn, standing) = reach(&self.connector, 0, false).await?;
            return Ok((conn, link(0, standing)));
        }
        let mut waiting = self.order().into_iter();
        let mut asked = JoinSet::new();
        let mut next_at = Some(Instant::now());
        let (mut failed, mut behind) = (None, None);
        loop {
            if next_at.is_some_and(|at| at <= Instant::now()) {
                next_at = waiting.next().map(|at| {
                    let connector = Arc::clone(&self.connector);
                    asked.spawn(async move { (at, reach(&connector, at, true).await) });
                    Instant::now() + STAGGER
                });
                continue;
            }
            let answer = match next_at {
                Some(wake) => timeout_at(wake, asked.join_next()).await,
                None => Ok(asked.join_next().await),
            };
            let (at, answer) = match answer {
                Ok(Some(Ok(answer))) => answer,
                Ok(None) if next_at.is_none() => break,
                Ok(None) => {
                    next_at = Some(Instant::now());
                    continue;
                }
                Err(_) | Ok(Some(Err(_))) => continue,
            };
            match answer {
                Ok((conn, standing @ (Standing::Good | Standing::Synced))) => {
                    let mut preference = self.preference();
                    preference.current = Some(at);
                    preference.answered(at);
                    return Ok((conn, link(at, standing)));
                }
                Ok((conn, Standing::Behind)) => {
                    behind = behind.or(Some((conn, link(at, Standing::Behind))));
                }
                Ok((_, Standing::ReadOnly)) => failed = failed.or(Some(ConnectError::ReadOnly)),
                Ok((_, Standing::Lost)) => failed = failed.or(Some(ConnectError::NotSynced)),
                Err(error) => failed = Some(error),
            }
            self.preference().failed(at);
            next_at = next_at.map(|_| Instant::now());
        }
        // It sends its data to another member, and waits until it has caught up.
        if let Some((conn, link)) = behind {
            self.preference().current = Some(link.at);
            return Ok((conn, link));
        }
        // A URL has at least one host.
        Err(failed.unwrap_or(ConnectError::Url(UrlError::NoHost)))
    }

    /// Returns the order in which the servers are asked: that of the URL, with the one in use first
    /// and those that failed lately last.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.count()).collect();
        self.preference().sort(&mut order);
        order
    }
}

fn link(at: usize, standing: Standing) -> Link {
    Link { at, is_galera: standing.is_galera(), checked_at: Instant::now() }
}

/// Connects to a server within its time limit; one of several, in a cluster, also has to read.
async fn reach(
    connector: &Connector,
    at: usize,
    is_one_of_several: bool,
) -> Result<(Conn, Standing), ConnectError> {
    let Some(address) = connector.target.addresses.get(at) else {
        return Err(ConnectError::Url(UrlError::NoHost));
    };
    let limit = connector.connect_timeout;
    let connecting = async {
        let (mut conn, standing) = connector.connect_to(address).await?;
        if is_one_of_several && matches!(standing, Standing::Synced | Standing::Behind) {
            read(&mut conn)
                .await
                .map_err(|error| ConnectError::of(address, &connector.target, error))?;
        }
        Ok((conn, standing))
    };
    // If the driver panics, it can't connect.
    match timeout(limit, panics::caught(connecting)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(ConnectError::Driver { address: address.to_string() }),
        Err(_) => Err(ConnectError::Timeout { address: address.to_string(), within: limit }),
    }
}
