//! Shared parts of the conformance suites: racing tasks, and the way the suites fail.

use std::future::Future;
use std::pin::Pin;

use futures_channel::oneshot;

/// A task that the runtime runs beside the others.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts all tasks before waiting for the first.
pub(crate) async fn together<T: Send + 'static>(
    spawn: &impl Fn(Task),
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let started: Vec<_> = tasks
        .into_iter()
        .map(|task| {
            let (answer, answered) = oneshot::channel();
            spawn(Box::pin(async move {
                // Nobody receives it once the suite has failed.
                let _ = answer.send(task.await);
            }));
            answered
        })
        .collect();
    let mut outcomes = Vec::with_capacity(started.len());
    for answered in started {
        outcomes.push(answered.await.unwrap_or_else(|_| broken("a task of a race panicked")));
    }
    outcomes
}

#[expect(clippy::panic, reason = "a suite's way to fail, inside of a test")]
pub(crate) fn broken(rule: &str) -> ! {
    panic!("{rule}");
}

/// Returns the value of a call that must succeed.
pub(crate) fn good<T>(outcome: Result<T, crate::error::StoreError>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            broken(&format!("{error}: {}", cause.unwrap_or_default()))
        }
    }
}
