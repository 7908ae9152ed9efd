//! Tasks that run for as long as the process lives, and are restarted when they end.
//!
//! None of them ends unnoticed: a panic, an error or an unexpected end is logged, counted and
//! reported by `/readyz`, and the task is restarted after a delay that grows with each failure.
//! This is the only place that starts tasks, so a task without a supervisor stands out; the
//! library's `tests/library/architecture.rs` checks that.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use simplejwt::panics::{Panicked, caught};
use tokio::time::sleep;

use crate::failure::chain;
use crate::telemetry::Scope;

/// The end of a task. Tasks don't end by themselves, so it is always an error.
pub(crate) type Ended = Result<Infallible, Box<dyn Error + Send + Sync>>;

/// The importance of a task for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Without it, requests aren't answered as they should be: `/readyz` is 503.
    Essential,
    /// Without it, requests are still answered for the time being: `/readyz` only names it.
    Helpful,
}

/// The timing of restarts, and the times after which a task counts as running.
#[derive(Clone, Copy, Debug)]
struct Pace {
    first: Duration,
    longest: Duration,
    /// The time after which a task counts as running.
    settled: Duration,
    /// The time after which its failures are forgotten.
    healthy: Duration,
}

const PACE: Pace = Pace {
    first: Duration::from_millis(100),
    longest: Duration::from_secs(30),
    settled: Duration::from_secs(1),
    healthy: Duration::from_secs(60),
};

/// The tasks of a process. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supervisor {
    tasks: Arc<Mutex<Vec<Arc<Task>>>>,
    /// The realm that further tasks are for.
    realm: Option<Arc<str>>,
}

#[derive(Debug)]
struct Task {
    name: &'static str,
    realm: Option<Arc<str>>,
    need: Need,
    failures: AtomicU64,
    /// `true` after it has ended, until it is known to run again.
    is_down: Mutex<bool>,
}

/// A task that isn't running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) name: &'static str,
    /// The realm that it is for, if there are several.
    pub(crate) realm: Option<Arc<str>>,
    pub(crate) need: Need,
    /// The number of times that it has ended since the process started.
    pub(crate) failures: u64,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, realm, failures, .. } = self;
        if let Some(realm) = realm {
            write!(f, "realm {realm}: ")?;
        }
        let times = if *failures == 1 { "once".to_owned() } else { format!("{failures} times") };
        write!(f, "the task \"{name}\" has failed {times} and is being restarted")
    }
}

impl Supervisor {
    /// Returns the same tasks, to which those of a realm are added.
    pub(crate) fn for_realm(&self, realm: Option<Arc<str>>) -> Self {
        Self { tasks: Arc::clone(&self.tasks), realm }
    }

    /// Starts a task. `run` is called again each time it has ended.
    pub(crate) fn start<Run>(
        &self,
        name: &'static str,
        need: Need,
        run: impl Fn() -> Run + Send + Sync + 'static,
    ) where
        Run: Future<Output = Ended> + Send + 'static,
    {
        self.start_at(PACE, name, need, run);
    }

    fn start_at<Run>(
        &self,
        pace: Pace,
        name: &'static str,
        need: Need,
        run: impl Fn() -> Run + Send + Sync + 'static,
    ) where
        Run: Future<Output = Ended> + Send + 'static,
    {
        let is_down = Mutex::new(false);
        let (failures, realm) = (AtomicU64::new(0), self.realm.clone());
        let scope = Scope::of_realm(realm.clone());
        let task = Arc::new(Task { name, realm, need, failures, is_down });
        self.tasks().push(Arc::clone(&task));
        let running = async move {
            let mut delay = pace.first;
            loop {
                let reason = run_once(pace, &task, &run, &mut delay).await;
                let failures = task.failures.fetch_add(1, Ordering::Relaxed) + 1;
                *task.is_down() = true;
                let again_ms = delay.as_millis();
                let message = match reason {
                    None => "a task panicked",
                    Some(_) => "a task ended",
                };
                tracing::error!(
                    event = "task_failed",
                    task = task.name,
                    failures,
                    again_ms,
                    error = reason,
                    "{message}"
                );
                sleep(delay).await;
                delay = (delay * 2).min(pace.longest);
            }
        };
        tokio::spawn(async move { scope.run(running).await });
    }

    /// Returns the tasks that aren't running at the moment.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        self.tasks()
            .iter()
            .filter(|task| *task.is_down())
            .map(|task| Trouble {
                name: task.name,
                realm: task.realm.clone(),
                need: task.need,
                failures: task.failures.load(Ordering::Relaxed),
            })
            .collect()
    }

    /// The lock can't be poisoned: nothing fails while it is held.
    fn tasks(&self) -> MutexGuard<'_, Vec<Arc<Task>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    fn is_down(&self) -> MutexGuard<'_, bool> {
        self.is_down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the task to its end, and returns the error: `None` for a panic.
async fn run_once<Run>(
    pace: Pace,
    task: &Task,
    run: &impl Fn() -> Run,
    delay: &mut Duration,
) -> Option<String>
where
    Run: Future<Output = Ended>,
{
    // Creating the future may panic, as well as polling it.
    let mut running = pin!(caught(async { run().await }));
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = sleep(pace.settled) => {
            *task.is_down() = false;
            tokio::select! {
                ended = &mut running => ended,
                () = sleep(pace.healthy.saturating_sub(pace.settled)) => {
                    *delay = pace.first;
                    running.await
                }
            }
        }
    };
    match ended {
        Err(Panicked) => None,
        Ok(Err(error)) => Some(chain(&*error)),
        Ok(Ok(never)) => match never {},
    }
}

/// Starts a task that ends when its work is done, such as a connection. A panic in it is logged and
/// affects nothing else.
pub(crate) fn spawn_short(task: impl Future<Output = ()> + Send + 'static) {
    // On the heap, because a future takes twice the memory if another moves it.
    let task = Box::pin(task);
    tokio::spawn(async move {
        // The panic has already been logged.
        let _ = caught(task).await;
    });
}

/// Starts such tasks for hyper: the requests of an HTTP/2 connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortTasks;

impl<F> hyper::rt::Executor<F> for ShortTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        spawn_short(task);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Notify;

    use super::*;

    const QUICK: Pace = Pace {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(4),
        settled: Duration::from_millis(1),
        healthy: Duration::from_millis(20),
    };

    /// Waits for a condition that becomes true by itself.
    async fn until(done: impl Fn() -> bool) {
        let waiting = async {
            while !done() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_panics_or_fails_is_told_and_comes_back() {
        let supervisor = Supervisor::default();
        let (runs, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let task = {
            let (runs, go) = (Arc::clone(&runs), Arc::clone(&go));
            move || {
                let (run, go) = (runs.fetch_add(1, Ordering::SeqCst), Arc::clone(&go));
                assert_ne!(run, 2, "making it fails, too");
                async move {
                    go.notified().await;
                    match run {
                        0 => panic!("on purpose"),
                        _ => Err("no more".into()),
                    }
                }
            }
        };
        supervisor.start_at(QUICK, "feed", Need::Essential, task);
        until(|| runs.load(Ordering::SeqCst) == 1).await;
        assert_eq!(supervisor.troubles(), []);
        for (failures, runs_after) in [(1, 2), (3, 4)] {
            go.notify_one();
            until(|| supervisor.troubles().iter().any(|trouble| trouble.failures == failures))
                .await;
            let [Trouble { name, need, .. }] = supervisor.troubles()[..] else { panic!() };
            assert_eq!((name, need), ("feed", Need::Essential));
            until(|| runs.load(Ordering::SeqCst) == runs_after).await;
            until(|| supervisor.troubles().is_empty()).await;
        }
    }

    #[tokio::test]
    async fn the_pauses_grow_to_a_bound_and_a_healthy_while_ends_that() {
        let task = Task {
            name: "purge",
            realm: None,
            need: Need::Helpful,
            failures: AtomicU64::new(0),
            is_down: Mutex::new(true),
        };
        let mut delay = QUICK.longest;
        let ended = run_once(QUICK, &task, &|| async { Err("at once".into()) }, &mut delay).await;
        assert_eq!((ended.as_deref(), delay), (Some("at once"), QUICK.longest));
        assert!(*task.is_down());
        let run = || async {
            sleep(QUICK.healthy * 2).await;
            panic!("after a while")
        };
        let ended = run_once(QUICK, &task, &run, &mut delay).await;
        assert_eq!((ended, delay), (None, QUICK.first));
        assert!(!*task.is_down());
    }

    #[tokio::test]
    async fn one_that_fails_each_time_isnt_started_all_the_time() {
        let supervisor = Supervisor::default();
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let slow = Pace { first: Duration::from_secs(3600), ..PACE };
        let fails = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Err("again".into()) }
        };
        supervisor.start_at(slow, "keys", Need::Essential, fails);
        until(|| !supervisor.troubles().is_empty()).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        let told = supervisor.troubles()[0].to_string();
        assert_eq!(told, "the task \"keys\" has failed once and is being restarted");
    }
}
