//! Which of several servers is used: one that answers, that can be written, and that knows what
//! its cluster knows.
//!
//! On a Galera cluster a node takes reads and writes while it is behind the others, or has lost
//! them. So every connection to one waits, before it reads or writes, until the node has applied
//! what was committed anywhere before (`wsrep_sync_wait`). A node that can't keep up with that is
//! left for the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Row};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::connect::Connector;
use super::explain::ConnectError;
use super::url::{Target, UrlError};
use crate::panics;

/// How long one server is waited for before the next is asked beside it.
const STAGGER: Duration = Duration::from_millis(250);
/// For so long a server that failed is asked last.
const AVOIDED: Duration = Duration::from_secs(10);
/// How often a connection's server is asked how it stands, where there are several.
const CHECKED: Duration = Duration::from_secs(1);

const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
    ('read_only', 'innodb_read_only', 'wsrep_on', 'wsrep_reject_queries')";
const STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN \
    ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_local_state')";
/// Reads, updates and deletions, inserts; the first of a transaction.
const CAUSAL: &str = "SET SESSION wsrep_sync_wait = 7";
/// Waits for what the cluster has committed, wherever that table is missing, too.
const READ: &str = "SELECT count(*) FROM simplejwt_sequence";
const NO_SUCH_TABLE: u16 = 1146;
const TABLE_ACCESS_DENIED: u16 = 1142;

/// How a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is alone, or replicates to others.
    Good,
    /// A member of a Galera cluster, in touch with the others.
    Synced,
    /// A member of a Galera cluster that is behind, or gives its data to another member.
    Behind,
    /// A member of a Galera cluster that has lost the others.
    Lost,
    /// Somebody else's writes come here.
    ReadOnly,
}

impl Standing {
    fn is_galera(self) -> bool {
        matches!(self, Self::Synced | Self::Behind | Self::Lost)
    }
}

/// How the connection's server stands. That of a Galera cluster reads causally from then on.
pub(super) async fn standing(conn: &mut Conn) -> Result<Standing, Error> {
    let variables = pairs(conn, VARIABLES).await?;
    let is = |name: &str, value: &[&str]| {
        variables.iter().any(|(found, is)| found == name && value.contains(&is.as_str()))
    };
    // MariaDB has more words for a server that only reads than ON.
    let writes = |name| variables.iter().all(|(found, is)| found != name || is == "OFF");
    if is("wsrep_on", &["ON", "1"]) {
        conn.query_drop(CAUSAL).await?;
        let rejects = !is("wsrep_reject_queries", &["NONE", ""]);
        let standing = if rejects { Standing::Lost } else { membership(conn).await? };
        if standing == Standing::Synced && !(writes("read_only") && writes("innodb_read_only")) {
            return Ok(Standing::ReadOnly);
        }
        return Ok(standing);
    }
    Ok(match writes("read_only") && writes("innodb_read_only") {
        true => Standing::Good,
        false => Standing::ReadOnly,
    })
}

/// How the node of a Galera cluster stands.
async fn membership(conn: &mut Conn) -> Result<Standing, Error> {
    let status = pairs(conn, STATUS).await?;
    let is = |name: &str, value: &str| {
        status.iter().any(|(found, is)| found == name && is.eq_ignore_ascii_case(value))
    };
    if !is("wsrep_ready", "ON") || !is("wsrep_cluster_status", "Primary") {
        return Ok(Standing::Lost);
    }
    Ok(if is("wsrep_local_state", "4") { Standing::Synced } else { Standing::Behind })
}

async fn pairs(conn: &mut Conn, sql: &str) -> Result<Vec<(String, String)>, Error> {
    let rows: Vec<Row> = conn.query(sql).await?;
    let text =
        |row: &Row, at| row.get_opt::<String, _>(at).and_then(Result::ok).unwrap_or_default();
    Ok(rows.iter().map(|row| (text(row, 0).to_ascii_lowercase(), text(row, 1))).collect())
}

/// A read that waits until the node has applied what the cluster has committed.
async fn read(conn: &mut Conn) -> Result<(), Error> {
    match conn.query_drop(READ).await {
        Err(Error::Server(error)) if [NO_SUCH_TABLE, TABLE_ACCESS_DENIED].contains(&error.code) => {
            Ok(())
        }
        read => read,
    }
}

/// Where a connection leads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    at: usize,
    pub(super) is_galera: bool,
    checked_at: Instant,
}

/// The servers of a URL.
pub(super) struct Servers {
    connector: Arc<Connector>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The one that is used.
    current: Option<usize>,
    /// When a server failed last.
    failed: Vec<(usize, Instant)>,
}

impl Servers {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector: Arc::new(connector), known: Mutex::default() }
    }

    pub(super) fn target(&self) -> &Target {
        &self.connector.target
    }

    pub(super) fn count(&self) -> usize {
        self.target().addresses.len()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server that a connection leads to is the one that is used.
    pub(super) fn uses(&self, link: Link) -> bool {
        self.count() < 2 || self.known().current == Some(link.at)
    }

    /// The server that a connection leads to isn't to be used for a while.
    pub(super) fn failed(&self, link: Link) {
        self.known().failed(link.at);
    }

    /// Whether a connection's server is still one to be used; looked at now and then where there
    /// is another.
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

    /// A connection to one of the servers.
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
                    let mut known = self.known();
                    known.current = Some(at);
                    known.failed.retain(|(failed, _)| *failed != at);
                    return Ok((conn, link(at, standing)));
                }
                Ok((conn, Standing::Behind)) => {
                    behind = behind.or(Some((conn, link(at, Standing::Behind))));
                }
                Ok((_, Standing::ReadOnly)) => failed = failed.or(Some(ConnectError::ReadOnly)),
                Ok((_, Standing::Lost)) => failed = failed.or(Some(ConnectError::NotSynced)),
                Err(error) => failed = Some(error),
            }
            self.known().failed(at);
            next_at = next_at.map(|_| Instant::now());
        }
        // It gives its data to another member, and waits for what it has to know.
        if let Some((conn, link)) = behind {
            self.known().current = Some(link.at);
            return Ok((conn, link));
        }
        // A URL has at least one host.
        Err(failed.unwrap_or(ConnectError::Url(UrlError::NoHost)))
    }

    /// Whichever is used comes first, and who failed lately comes last. Otherwise as they stand
    /// in the URL.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.count()).collect();
        let mut known = self.known();
        let now = Instant::now();
        known.failed.retain(|(_, at)| *at + AVOIDED > now);
        order.sort_by_key(|at| {
            let failed = known.failed.iter().any(|(failed, _)| failed == at);
            (failed, known.current != Some(*at))
        });
        order
    }
}

impl Known {
    fn failed(&mut self, at: usize) {
        self.failed.retain(|(failed, _)| *failed != at);
        self.failed.push((at, Instant::now()));
    }
}

fn link(at: usize, standing: Standing) -> Link {
    Link { at, is_galera: standing.is_galera(), checked_at: Instant::now() }
}

/// Connects to one of them within its time; one of several that is in a cluster has to read, too.
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
    // A driver that panics is one that can't connect.
    match timeout(limit, panics::caught(connecting)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(ConnectError::Driver { address: address.to_string() }),
        Err(_) => Err(ConnectError::Timeout { address: address.to_string(), within: limit }),
    }
}
