//! A probe of the database: the reads and writes of a login, and a commit.
//!
//! A task runs one probe at a time, and at most one per second. Requests that arrive in the
//! meantime share its result, so nobody can burden the database by asking often or by
//! disconnecting.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use simplejwt::error::StoreErrorKind;
use simplejwt::sql::manage::ManageUsers;
use simplejwt::{Clock as _, SessionStore, StoreError, SystemClock};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use crate::failure::chain;
use crate::supervisor::{self, Need, Supervisor};

/// The time for which a result is shared.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// The parts that are probed.
#[derive(Clone)]
pub(crate) struct Probed {
    pub(crate) users: Arc<dyn ManageUsers>,
    pub(crate) writes_last_login: bool,
    /// The store, if there is a blacklist.
    pub(crate) store: Option<Arc<dyn SessionStore>>,
    pub(crate) with_sessions: bool,
    /// The time limit for a probe.
    pub(crate) limit: Duration,
}

impl Probed {
    /// Does what a login does in the database, and leaves nothing but a row of the leases.
    ///
    /// # Errors
    /// Errors of the database.
    pub(crate) async fn once(&self) -> Result<(), StoreError> {
        self.users.ping(self.writes_last_login).await?;
        let Some(store) = &self.store else { return Ok(()) };
        store.ping().await?;
        match self.with_sessions {
            true => store.ping_sessions(SystemClock.now()).await,
            false => Ok(()),
        }
    }

    async fn verdict(&self) -> Result<(), Trouble> {
        match timeout(self.limit, supervisor::caught(self.once())).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(Trouble::of(&error)),
            Ok(Err(supervisor::Panicked)) => Err(Trouble::unusable("a panic".to_owned())),
            Err(_) => Err(Trouble::unusable("the database doesn't answer in time".to_owned())),
        }
    }
}

/// The reason why the database can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The sentence for the client.
    pub(crate) sentence: &'static str,
    /// The cause for the log.
    pub(crate) cause: String,
}

impl Trouble {
    fn unusable(cause: String) -> Self {
        Self { sentence: "the database can't be used", cause }
    }

    fn of(error: &StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Incompatible => Self {
                sentence: "the database isn't as it has to be",
                cause: format!("{}: `simplejwt config check` says more", chain(error)),
            },
            _ => Self::unusable(chain(error)),
        }
    }
}

#[derive(Clone, Debug)]
struct Found {
    at: Instant,
    verdict: Result<(), Trouble>,
}

/// Requests probes and waits for their results. Clones share it.
#[derive(Clone)]
pub(crate) struct Probe {
    probed: Arc<Probed>,
    wanted: Arc<Notify>,
    found: Arc<watch::Sender<Option<Found>>>,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

impl Probe {
    pub(crate) fn new(probed: Probed) -> Self {
        Self {
            probed: Arc::new(probed),
            wanted: Arc::default(),
            found: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Starts the task that probes on request.
    pub(crate) fn start(&self, tasks: &Supervisor) {
        let probe = self.clone();
        tasks.start("probe", Need::Essential, move || {
            let probe = probe.clone();
            async move { Ok(probe.serve().await) }
        });
    }

    async fn serve(&self) -> Infallible {
        loop {
            self.wanted.notified().await;
            if self.shared().is_some() {
                continue;
            }
            let verdict = self.probed.verdict().await;
            self.found.send_replace(Some(Found { at: Instant::now(), verdict }));
        }
    }

    fn shared(&self) -> Option<Result<(), Trouble>> {
        let found = self.found.borrow();
        let found = found.as_ref().filter(|found| found.at.elapsed() < SHARED_FOR)?;
        Some(found.verdict.clone())
    }

    /// Checks that the database can be used, by a result of the last second or a new one.
    pub(crate) async fn ask(&self) -> Result<(), Trouble> {
        let mut answers = self.found.subscribe();
        if let Some(verdict) = self.shared() {
            return verdict;
        }
        self.wanted.notify_one();
        // One request for the probe under way, and one for the next.
        let limit = self.probed.limit.saturating_mul(2);
        match timeout(limit, answers.changed()).await {
            Ok(Ok(())) => match answers.borrow().as_ref() {
                Some(found) => found.verdict.clone(),
                None => Err(Trouble::unusable("there is no answer".to_owned())),
            },
            _ => Err(Trouble::unusable("the database doesn't answer in time".to_owned())),
        }
    }
}
