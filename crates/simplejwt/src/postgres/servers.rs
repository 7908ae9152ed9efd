//! Selects one of several servers: a writable one, on the newest timeline.
//!
//! A promoted standby begins a timeline, one higher than its primary's. So of two writable servers,
//! the one on the lower timeline is a former primary that has come back: its data is out of date,
//! and writes to it are lost. If several servers are named, all of them are checked when the first
//! connection is made, and every second from then on by [`watch`](super::watch).

mod standing;
mod view;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::config::{LoadBalanceHosts, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Connection, Error, Socket};

pub(super) use standing::{Standing, TIMELINE, standing};
use view::ClusterView;

use super::connect::{alone, silence, told};
use super::tls::{self, MakeTls};
use crate::sql::servers::STAGGER;

type Stream = tls::Stream<Socket>;
type Connected = (Client, Connection<Socket, Stream>);

/// The time to wait for the other servers when one will do.
const LOOK_AROUND: Duration = Duration::from_millis(500);
/// Connections begun before another server was chosen may lead to the old one.
const MARGIN: Duration = Duration::from_millis(200);

/// The servers of a URL. Clones share their state.
#[derive(Clone)]
pub(super) struct Servers {
    /// A configuration for each.
    each: Arc<[Config]>,
    tls: MakeTls,
    /// The time limit for connecting to one.
    limit: Duration,
    view: Arc<Mutex<ClusterView>>,
    /// Notified when another server is chosen.
    moved: watch::Sender<u64>,
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
        Self { each, tls, limit, view: Arc::default(), moved: watch::Sender::new(0) }
    }

    /// Returns the number of servers.
    pub(super) fn count(&self) -> usize {
        self.each.len()
    }

    fn view(&self) -> MutexGuard<'_, ClusterView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a receiver that changes when another server is chosen.
    pub(super) fn moves(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// Returns `true` if a connection may lead to a former primary.
    pub(super) fn is_outdated(&self, created: std::time::Instant) -> bool {
        if self.count() < 2 {
            return false;
        }
        let view = self.view();
        let of_another = view.moved_at.is_some_and(|at| created < at.into_std() + MARGIN);
        of_another || !view.is_looked_after(self.count())
    }

    /// Records that a server that isn't in use was checked.
    pub(super) fn looked_at(&self, at: usize) {
        self.view().looked_at(at);
    }

    /// Returns the server in use.
    pub(super) fn current(&self) -> Option<usize> {
        self.view().preference.current
    }

    /// Records that the server in use didn't answer: it is asked last for a while.
    pub(super) fn current_failed(&self) {
        let mut view = self.view();
        if let Some(at) = view.preference.current {
            view.preference.failed(at);
        }
    }

    /// Records a server's status, and switches to it if it is on a newer timeline than the one in
    /// use; returns `true` then.
    pub(super) fn is_newer(&self, at: usize, standing: &Standing) -> bool {
        let mut view = self.view();
        let (Some(history), true) = (&standing.history, standing.is_writable) else { return false };
        let newer = view.preference.current != Some(at)
            && view.newest.as_ref().is_some_and(|newest| newest.is_before(history));
        if newer {
            view.choose(at, standing);
            drop(view);
            self.moved.send_modify(|moves| *moves += 1);
        }
        newer
    }

    /// Connects to one of the servers.
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
        // Until the others have been checked, the newest timeline is unknown.
        let looks = !self.view().is_looked_after(self.count());
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
                // A task that panicked has no answer.
                Ok(Some(Err(_))) => {}
                Ok(Some(Ok((at, Err(error))))) => {
                    self.view().preference.failed(at);
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
            // There is no server: the driver reports that.
            None => match Config::new().connect(self.tls.clone()).await {
                Err(error) => error,
                Ok(_) => unreachable_error().await,
            },
        }
    }

    /// Returns `true` if another server is on a higher timeline.
    fn is_given_up(&self, standing: &Standing) -> bool {
        let view = self.view();
        match (&standing.history, &view.newest) {
            (Some(history), Some(newest)) => history.is_before(newest),
            _ => false,
        }
    }

    fn chosen(&self, reached: Reached) -> Connected {
        let Reached { at, connected, standing } = reached;
        let mut view = self.view();
        let moves = view.preference.current.is_some_and(|current| current != at);
        view.preference.answered(at);
        if view.preference.current != Some(at) || standing.history.is_some() {
            view.choose(at, &standing);
        }
        if moves {
            view.moved_at = Some(Instant::now());
            drop(view);
            self.moved.send_modify(|moves| *moves += 1);
        }
        connected
    }

    /// Returns the order in which the servers are asked: that of the URL, or a random one, with the
    /// one in use first and those that failed lately last.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.count()).collect();
        let Some(config) = self.each.first() else { return order };
        if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            order.sort_by_cached_key(|_| crate::random::uuid4_hex());
        }
        self.view().preference.sort(&mut order);
        order
    }

    /// Connects to a server and asks for its status. The error is `None` if it didn't respond and
    /// the driver has no error for that.
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

    /// Records that a server that is checked, and isn't in use, doesn't answer.
    pub(super) fn failed(&self, at: usize) {
        self.view().preference.failed(at);
    }

    /// Returns a connection to this server, to be kept and used to ask for its status.
    pub(super) async fn look(&self, at: usize) -> Option<(Client, JoinHandle<()>)> {
        let mut config = self.each.get(at)?.clone();
        config.target_session_attrs(TargetSessionAttrs::Any);
        let connecting = tls::open(&config, &self.tls);
        let (client, connection) = timeout(self.limit, connecting).await.ok()?.ok()?;
        let task = tokio::spawn(async move {
            // The client's user gets the error.
            let _ = connection.await;
        });
        Some((client, task))
    }
}

/// Returns the one on the newest timeline; of several, the first.
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

/// Returns the work's outcome, driving the connection meanwhile.
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

/// Returns the driver's error for a connection that ended early.
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
                // The client's user gets the error.
                let _ = connection.await;
            });
            Ok((client, task))
        })
    }
}
