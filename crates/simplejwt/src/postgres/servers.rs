//! Which of several servers is used: one that can be written, of the newest timeline.
//!
//! A standby that is promoted begins a timeline, one higher than its primary's. So of two servers
//! that take writes, the one of the lower timeline is a primary that was given up and is there
//! again: what it says is out of date, and what is written to it is lost. Where several servers
//! are named, all of them are looked at when the first connection is made, and each second from
//! then on by [`watch`](super::watch).

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::config::{LoadBalanceHosts, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Connection, Error, SimpleQueryMessage, Socket};

use super::connect::{alone, silence, told};
use super::tls::{self, MakeTls};

type Stream = tls::Stream<Socket>;
type Connected = (Client, Connection<Socket, Stream>);

/// How long one server is waited for before the next is asked beside it.
const STAGGER: Duration = Duration::from_millis(250);
/// How long the others are waited for when one will do.
const LOOK_AROUND: Duration = Duration::from_millis(500);
/// For so long a server that failed is asked last.
const AVOIDED: Duration = Duration::from_secs(10);
/// So long ago at most each of the others has to have been looked at, for the one that is used to
/// be trusted. It isn't where this process, or the machine, slept.
const LOOKED_AT: Duration = Duration::from_secs(3);
/// Connections that were being made while another server was chosen may lead to the old one.
const MARGIN: Duration = Duration::from_millis(200);

/// The timeline, as eight hexadecimal digits. There is none on a standby.
pub(super) const TIMELINE: &str = "(CASE WHEN pg_is_in_recovery() THEN NULL \
    ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END)";
const READS_ONLY: &str =
    "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean";

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) is_writable: bool,
    /// Not where the server doesn't tell: managed ones may not.
    pub(super) history: Option<History>,
}

/// The cluster that a server's data belongs to, and how often a standby of it was promoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History {
    system: String,
    pub(super) timeline: u32,
}

impl History {
    /// Whether this one was given up for the other. Of different clusters nobody can tell.
    fn is_before(&self, other: &Self) -> bool {
        self.system == other.system && self.timeline < other.timeline
    }
}

/// The servers of a URL. Clones share what is known of them.
#[derive(Clone)]
pub(super) struct Servers {
    /// One configuration each.
    each: Arc<[Config]>,
    tls: MakeTls,
    /// How long one may take.
    limit: Duration,
    known: Arc<Mutex<Known>>,
    /// Told when another server is chosen.
    moved: watch::Sender<u64>,
}

#[derive(Default)]
struct Known {
    /// The one that is used.
    current: Option<usize>,
    /// The newest that was seen.
    newest: Option<History>,
    /// When a server failed last.
    failed: Vec<(usize, Instant)>,
    /// When a server was looked at last.
    looked_at: Vec<(usize, Instant)>,
    /// Connections made before aren't used any more.
    moved_at: Option<Instant>,
}

/// A server that was reached.
struct Reached {
    at: usize,
    connected: Connected,
    standing: Standing,
}

impl Servers {
    pub(super) fn new(config: &Config, tls: MakeTls, limit: Duration) -> Self {
        let count = config.get_hosts().len().max(config.get_hostaddrs().len());
        let each = (0..count).map(|at| alone(config, at)).collect();
        Self { each, tls, limit, known: Arc::default(), moved: watch::Sender::new(0) }
    }

    pub(super) fn count(&self) -> usize {
        self.each.len()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told when another server is chosen.
    pub(super) fn moves(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// Whether a connection may lead to a server that was given up.
    pub(super) fn is_outdated(&self, created: std::time::Instant) -> bool {
        if self.count() < 2 {
            return false;
        }
        let known = self.known();
        let of_another = known.moved_at.is_some_and(|at| created < at.into_std() + MARGIN);
        of_another || !known.is_looked_after(self.count())
    }

    /// A server that isn't used was looked at.
    pub(super) fn looked_at(&self, at: usize) {
        self.known().looked_at(at);
    }

    pub(super) fn current(&self) -> Option<usize> {
        self.known().current
    }

    /// The server that is used didn't answer: it is asked last for a while.
    pub(super) fn current_failed(&self) {
        let mut known = self.known();
        if let Some(at) = known.current {
            known.failed(at);
        }
    }

    /// Notes what a server says of itself; whether it is one to be used rather than the one that
    /// is.
    pub(super) fn is_newer(&self, at: usize, standing: &Standing) -> bool {
        let mut known = self.known();
        let (Some(history), true) = (&standing.history, standing.is_writable) else { return false };
        let newer = known.current != Some(at)
            && known.newest.as_ref().is_some_and(|newest| newest.is_before(history));
        if newer {
            known.choose(at, standing);
            drop(known);
            self.moved.send_modify(|moves| *moves += 1);
        }
        newer
    }

    /// A connection to one of the servers.
    pub(super) async fn connect(&self) -> Result<Connected, Error> {
        if let [only] = &*self.each {
            return match timeout(self.limit, tls::open(only, &self.tls)).await {
                Ok(connected) => connected,
                Err(_) => Err(self.failure(silence().await).await),
            };
        }
        let order = self.order();
        let Some(config) = self.each.first() else { return Err(self.failure(None).await) };
        let any = config.get_target_session_attrs() == TargetSessionAttrs::Any;
        let reads = config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly;
        // As long as the others weren't looked at, nobody knows which timeline is the newest.
        let looks = !self.known().is_looked_after(self.count());
        let stagger = if looks { Duration::ZERO } else { STAGGER };
        let look_around = match self.current() {
            Some(_) => LOOK_AROUND.min(self.limit),
            None => self.limit,
        };
        let mut waiting = order.iter().copied();
        let mut asked = JoinSet::new();
        let mut next_at = Some(Instant::now());
        let mut until = None;
        let (mut good, mut readable, mut failed) = (Vec::new(), None, None);
        loop {
            if next_at.is_some_and(|at| at <= Instant::now()) {
                next_at = waiting.next().map(|at| {
                    asked.spawn(self.clone().reach(at));
                    Instant::now() + stagger
                });
                continue;
            }
            let wake = [next_at, until].into_iter().flatten().min();
            let answer = match wake {
                Some(wake) => timeout_at(wake, asked.join_next()).await,
                None => Ok(asked.join_next().await),
            };
            match answer {
                Err(_) if until.is_some_and(|until| until <= Instant::now()) => break,
                Err(_) => {}
                Ok(None) if next_at.is_none() => break,
                Ok(None) => next_at = Some(Instant::now()),
                // One that panicked has no answer.
                Ok(Some(Err(_))) => {}
                Ok(Some(Ok((at, Err(error))))) => {
                    self.known().failed(at);
                    failed = failed.or(error);
                    next_at = next_at.map(|_| Instant::now());
                }
                Ok(Some(Ok((_, Ok(reached))))) if reads => return Ok(self.chosen(reached)),
                Ok(Some(Ok((_, Ok(reached))))) => {
                    next_at = next_at.map(|_| Instant::now());
                    if !reached.standing.is_writable {
                        readable = readable.or(Some(reached));
                    } else if self.is_given_up(&reached.standing) {
                        let cause = "the server is a primary that was given up: another one of \
                                     the URL is on a higher timeline";
                        failed = failed.or(told(cause).await);
                    } else if !looks {
                        return Ok(self.chosen(reached));
                    } else {
                        until = until.or(Some(Instant::now() + look_around));
                        good.push(reached);
                    }
                }
            }
        }
        order.iter().for_each(|at| self.looked_at(*at));
        if let Some(best) = best(good, &order) {
            return Ok(self.chosen(best));
        }
        match readable {
            Some(readable) if any => Ok(readable.connected),
            Some(_) => Err(self.failure(told("the database does not allow writes").await).await),
            None => Err(self.failure(failed).await),
        }
    }

    async fn failure(&self, failed: Option<Error>) -> Error {
        match failed {
            Some(error) => error,
            // There is no server: the driver says so.
            None => match Config::new().connect(self.tls.clone()).await {
                Err(error) => error,
                Ok(_) => unreachable_error().await,
            },
        }
    }

    /// Whether another server is known that is on a higher timeline.
    fn is_given_up(&self, standing: &Standing) -> bool {
        let known = self.known();
        match (&standing.history, &known.newest) {
            (Some(history), Some(newest)) => history.is_before(newest),
            _ => false,
        }
    }

    fn chosen(&self, reached: Reached) -> Connected {
        let Reached { at, connected, standing } = reached;
        let mut known = self.known();
        let moves = known.current.is_some_and(|current| current != at);
        known.failed.retain(|(failed, _)| *failed != at);
        if known.current != Some(at) || standing.history.is_some() {
            known.choose(at, &standing);
        }
        if moves {
            known.moved_at = Some(Instant::now());
            drop(known);
            self.moved.send_modify(|moves| *moves += 1);
        }
        connected
    }

    /// Whichever is used comes first, and who failed lately comes last. Otherwise as they stand
    /// in the URL.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.count()).collect();
        let Some(config) = self.each.first() else { return order };
        if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            order.sort_by_cached_key(|_| crate::random::uuid4_hex());
        }
        let mut known = self.known();
        let now = Instant::now();
        known.failed.retain(|(_, at)| *at + AVOIDED > now);
        order.sort_by_key(|at| {
            let failed = known.failed.iter().any(|(failed, _)| failed == at);
            (failed, known.current != Some(*at))
        });
        order
    }

    /// Connects to one of them and asks how it stands; no error where it was silent and the
    /// driver has none for that.
    async fn reach(self, at: usize) -> (usize, Result<Reached, Option<Error>>) {
        let Some(config) = self.each.get(at) else { return (at, Err(None)) };
        let connecting = async {
            let (client, mut connection) = tls::open(config, &self.tls).await?;
            let standing = driven(&mut connection, standing(&client)).await?;
            Ok(Reached { at, connected: (client, connection), standing })
        };
        match timeout(self.limit, connecting).await {
            Ok(reached) => (at, reached.map_err(Some)),
            Err(_) => (at, Err(silence().await)),
        }
    }

    /// One that is looked at, and isn't used, doesn't answer.
    pub(super) fn failed(&self, at: usize) {
        self.known().failed(at);
    }

    /// A connection to this one, to be kept and asked how it stands.
    pub(super) async fn look(&self, at: usize) -> Option<(Client, JoinHandle<()>)> {
        let mut config = self.each.get(at)?.clone();
        config.target_session_attrs(TargetSessionAttrs::Any);
        let connecting = tls::open(&config, &self.tls);
        let (client, connection) = timeout(self.limit, connecting).await.ok()?.ok()?;
        let task = tokio::spawn(async move {
            // Whoever uses the client is told of an error.
            let _ = connection.await;
        });
        Some((client, task))
    }
}

impl Known {
    fn looked_at(&mut self, at: usize) {
        self.looked_at.retain(|(looked, _)| *looked != at);
        self.looked_at.push((at, Instant::now()));
    }

    /// Whether each server but the one that is used was looked at just now.
    fn is_looked_after(&self, count: usize) -> bool {
        let now = Instant::now();
        let was = |at| self.looked_at.iter().any(|(of, then)| *of == at && *then + LOOKED_AT > now);
        self.current.is_some_and(|current| (0..count).all(|at| at == current || was(at)))
    }

    fn failed(&mut self, at: usize) {
        self.failed.retain(|(failed, _)| *failed != at);
        self.failed.push((at, Instant::now()));
    }

    fn choose(&mut self, at: usize, standing: &Standing) {
        let newer = |known: &History, history: &History| {
            known.system != history.system || known.is_before(history)
        };
        if let Some(history) = &standing.history
            && self.newest.as_ref().is_none_or(|known| newer(known, history))
        {
            if let Some(known) = &self.newest {
                tracing::warn!(
                    event = "server_promoted",
                    timeline_before = known.timeline,
                    timeline = history.timeline,
                    "another PostgreSQL server was promoted: using it"
                );
            }
            self.newest = Some(history.clone());
            self.moved_at = self.current.is_some().then(Instant::now).or(self.moved_at);
        }
        self.current = Some(at);
    }
}

/// The one of the newest timeline; of several, the one that comes first.
fn best(good: Vec<Reached>, order: &[usize]) -> Option<Reached> {
    let place = |reached: &Reached| order.iter().position(|at| *at == reached.at);
    good.into_iter().reduce(|best, other| {
        let newer = |a: &Reached, b: &Reached| match (&a.standing.history, &b.standing.history) {
            (Some(a), Some(b)) => b.is_before(a),
            _ => false,
        };
        let takes = newer(&other, &best) || (!newer(&best, &other) && place(&other) < place(&best));
        if takes { other } else { best }
    })
}

/// How a server stands.
pub(super) async fn standing(client: &Client) -> Result<Standing, Error> {
    let reads_only = first_row(client, READS_ONLY).await?;
    let is_writable = reads_only.first().is_some_and(|value| value == "f");
    if !is_writable {
        return Ok(Standing::default());
    }
    let sql = format!("SELECT {TIMELINE}, system_identifier FROM pg_control_system()");
    let history = match first_row(client, &sql).await {
        Ok(row) => match row.as_slice() {
            [timeline, system] => u32::from_str_radix(timeline, 16)
                .ok()
                .map(|timeline| History { system: system.clone(), timeline }),
            _ => None,
        },
        Err(error) if error.code().is_some() => None,
        Err(error) => return Err(error),
    };
    Ok(Standing { is_writable, history })
}

/// Without a prepared statement, which a pooler might lose.
async fn first_row(client: &Client, sql: &str) -> Result<Vec<String>, Error> {
    for message in client.simple_query(sql).await? {
        if let SimpleQueryMessage::Row(row) = message {
            let value = |at| row.get(at).unwrap_or_default().to_owned();
            return Ok((0..row.len()).map(value).collect());
        }
    }
    Ok(Vec::new())
}

/// The work's outcome, with the connection kept going meanwhile.
async fn driven<T>(
    connection: &mut Connection<Socket, Stream>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    let over = poll_fn(|context| {
        if let Poll::Ready(outcome) = work.as_mut().poll(context) {
            return Poll::Ready(Ok(outcome));
        }
        Pin::new(&mut *connection).poll(context).map(Err)
    });
    match over.await {
        Ok(outcome) => outcome,
        Err(Err(error)) => Err(error),
        Err(Ok(())) => Err(unreachable_error().await),
    }
}

/// The driver's error for a connection that ended early.
async fn unreachable_error() -> Error {
    loop {
        if let Some(error) = told("the server closed the connection").await {
            return error;
        }
    }
}

impl deadpool_postgres::Connect for Servers {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(async move {
            let (client, connection) = Self::connect(self).await?;
            let task = tokio::spawn(async move {
                // Whoever uses the client is told of an error.
                let _ = connection.await;
            });
            Ok((client, task))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(system: &str, timeline: u32) -> Standing {
        let history = History { system: system.into(), timeline };
        Standing { is_writable: true, history: Some(history) }
    }

    #[test]
    fn of_two_timelines_of_one_cluster_the_lower_was_given_up() {
        let history = |system, timeline| standing(system, timeline).history.unwrap();
        assert!(history("a", 1).is_before(&history("a", 2)));
        assert!(!history("a", 2).is_before(&history("a", 2)));
        assert!(!history("a", 10).is_before(&history("a", 9)));
        assert!(!history("a", 1).is_before(&history("b", 2)), "another cluster");
    }

    #[test]
    fn whoever_slept_looks_at_all_of_them_again() {
        let mut known = Known::default();
        assert!(!known.is_looked_after(2), "none is used");
        known.choose(1, &standing("a", 1));
        assert!(!known.is_looked_after(2), "the other one was never looked at");
        known.looked_at(0);
        assert!(known.is_looked_after(2) && !known.is_looked_after(3));
        known.looked_at = vec![(0, Instant::now() - LOOKED_AT)];
        assert!(!known.is_looked_after(2));
    }

    #[test]
    fn the_newest_timeline_is_remembered() {
        let mut known = Known::default();
        let newest = |known: &Known| known.newest.as_ref().map(|history| history.timeline);
        known.choose(0, &standing("a", 2));
        assert_eq!((known.current, newest(&known), known.moved_at), (Some(0), Some(2), None));
        known.choose(1, &standing("a", 3));
        assert_eq!((known.current, newest(&known)), (Some(1), Some(3)));
        assert!(known.moved_at.is_some(), "connections to the other one are closed");
        known.choose(0, &standing("a", 1));
        assert_eq!(newest(&known), Some(3), "it is never forgotten");
        known.choose(0, &standing("b", 1));
        assert_eq!(newest(&known), Some(1), "another cluster begins anew");
        // Where a server doesn't tell, nothing is concluded from it.
        known.choose(1, &Standing { is_writable: true, history: None });
        assert_eq!((known.current, newest(&known)), (Some(1), Some(1)));
    }
}
