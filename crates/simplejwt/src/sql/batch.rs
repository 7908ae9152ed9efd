//! Concurrent requests, served by one statement.
//!
//! A transaction costs the server about the same for one row as for thirty. So requests that arrive
//! while others are in progress are gathered into a batch. Nothing waits for company: when nothing
//! is in progress, a batch of one starts at once.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_channel::oneshot;

use crate::error::{StoreError, StoreErrorKind};
use crate::panics;

/// The number of batches in progress: while one is being written to the disk, another is worked on.
const CONCURRENT: usize = 2;
/// The largest number of items in a batch.
const LARGEST: usize = 64;
/// The largest number of items that wait. One more is refused.
const WAITING: usize = 10_000;

/// The work of a batch.
#[async_trait]
pub(crate) trait Work: Send + Sync + 'static {
    /// A request.
    type Item: Send + Sync + 'static;
    /// Its answer.
    type Answer: Send + 'static;

    /// The name of the operation, for errors.
    fn operation(&self) -> &'static str;

    /// Returns an item's key. Two items with the same key are never in one batch.
    fn key(item: &Self::Item) -> Option<&str>;

    /// Returns the answers, in the order of the items. An error is everybody's.
    async fn run(&self, items: &[Self::Item]) -> Result<Vec<Self::Answer>, StoreError>;
}

type Answered<W> = Result<<W as Work>::Answer, Arc<StoreError>>;

struct Waiting<W: Work> {
    item: W::Item,
    answer: oneshot::Sender<Answered<W>>,
}

struct Queue<W: Work> {
    waiting: VecDeque<Waiting<W>>,
    running: usize,
}

/// Gathers requests into batches. Clones share the queue.
pub(crate) struct Batches<W: Work>(Arc<Shared<W>>);

struct Shared<W: Work> {
    work: W,
    patience: Duration,
    queue: Mutex<Queue<W>>,
}

impl<W: Work> Clone for Batches<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Work> Batches<W> {
    /// `patience` is the time to wait for an answer.
    pub(crate) fn new(work: W, patience: Duration) -> Self {
        let queue = Mutex::new(Queue { waiting: VecDeque::new(), running: 0 });
        Self(Arc::new(Shared { work, patience, queue }))
    }

    pub(crate) fn work(&self) -> &W {
        &self.0.work
    }

    /// Returns the item's answer. Once its batch has started, the work is done even if nobody waits
    /// for it any more.
    ///
    /// # Errors
    /// The whole batch's; `Busy` if too many are waiting, `Unavailable` after too long a wait.
    pub(crate) async fn run(&self, item: W::Item) -> Result<W::Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.0.queue();
            if queue.waiting.len() >= WAITING {
                let reason = "too many wait for the database";
                return Err(StoreError::new(self.0.work.operation(), StoreErrorKind::Busy, reason));
            }
            queue.waiting.push_back(Waiting { item, answer });
            if queue.running < CONCURRENT {
                queue.running += 1;
                let runner = Runner { shared: Arc::clone(&self.0), is_done: false };
                tokio::spawn(runner.run());
            }
        }
        match tokio::time::timeout(self.0.patience, answered).await {
            Ok(Ok(outcome)) => outcome
                .map_err(|error| StoreError::new(error.operation(), error.kind(), Box::new(error))),
            Ok(Err(oneshot::Canceled)) => {
                Err(StoreError::unavailable(self.0.work.operation(), "the batch was given up"))
            }
            Err(_) => {
                Err(StoreError::unavailable(self.0.work.operation(), "the database took too long"))
            }
        }
    }
}

impl<W: Work> Shared<W> {
    fn queue(&self) -> MutexGuard<'_, Queue<W>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the next batch; `None` if nothing is waiting, which ends a runner. Items with the
    /// key of another are left for later, and those whose callers have gone are dropped.
    fn next(&self) -> Option<Vec<Waiting<W>>> {
        let mut queue = self.queue();
        let mut keys = HashSet::new();
        let (mut batch, mut later) = (Vec::new(), Vec::new());
        while batch.len() < LARGEST
            && let Some(waiting) = queue.waiting.pop_front()
        {
            if waiting.answer.is_canceled() {
                continue;
            }
            let meets_itself =
                W::key(&waiting.item).is_some_and(|key| !keys.insert(key.to_owned()));
            if meets_itself { &mut later } else { &mut batch }.push(waiting);
        }
        for waiting in later.into_iter().rev() {
            queue.waiting.push_front(waiting);
        }
        if batch.is_empty() {
            queue.running -= 1;
            return None;
        }
        Some(batch)
    }
}

/// Runs batches until nothing is waiting.
struct Runner<W: Work> {
    shared: Arc<Shared<W>>,
    is_done: bool,
}

impl<W: Work> Runner<W> {
    async fn run(mut self) {
        while let Some(batch) = self.shared.next() {
            let (items, answers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.item, waiting.answer)).unzip();
            // Callers may have gone. A panic fails only this batch; those that wait continue.
            let outcome = panics::caught(self.shared.work.run(&items)).await;
            let outcome = outcome.unwrap_or_else(|panic| {
                Err(StoreError::unavailable(self.shared.work.operation(), panic))
            });
            match outcome {
                Ok(values) => {
                    for (answer, value) in answers.into_iter().zip(values) {
                        let _ = answer.send(Ok(value));
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    for answer in answers {
                        let _ = answer.send(Err(Arc::clone(&error)));
                    }
                }
            }
        }
        self.is_done = true;
    }
}

/// For a runner that was dropped while it ran, with its runtime.
impl<W: Work> Drop for Runner<W> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut queue = self.shared.queue();
        queue.running -= 1;
        if queue.running == 0 {
            queue.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    /// Answers with the size of the batch, once it is let through.
    struct Sizes {
        gate: Arc<Semaphore>,
    }

    #[async_trait]
    impl Work for Sizes {
        type Item = String;
        type Answer = usize;

        fn operation(&self) -> &'static str {
            "size"
        }

        fn key(item: &String) -> Option<&str> {
            Some(item)
        }

        async fn run(&self, items: &[String]) -> Result<Vec<usize>, StoreError> {
            self.gate.acquire().await.unwrap().forget();
            assert!(items.iter().all(|item| !item.starts_with("panic")), "on purpose");
            match items.iter().any(|item| item == "bad") {
                true => Err(StoreError::unavailable("size", "a bad one")),
                false => Ok(vec![items.len(); items.len()]),
            }
        }
    }

    fn sizes(gate: &Arc<Semaphore>) -> Batches<Sizes> {
        Batches::new(Sizes { gate: Arc::clone(gate) }, Duration::from_secs(10))
    }

    fn asked(
        batches: &Batches<Sizes>,
        item: impl Into<String>,
    ) -> tokio::task::JoinHandle<Result<usize, StoreError>> {
        let (batches, item) = (batches.clone(), item.into());
        tokio::spawn(async move { batches.run(item).await })
    }

    /// On a single thread: every spawned task gets as far as it can.
    async fn settled() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    /// Each is a batch of its own.
    async fn as_many_as_run(
        batches: &Batches<Sizes>,
    ) -> Vec<tokio::task::JoinHandle<Result<usize, StoreError>>> {
        let mut answers = Vec::new();
        for n in 0..CONCURRENT {
            answers.push(asked(batches, format!("early {n}")));
            settled().await;
        }
        answers
    }

    #[tokio::test]
    async fn what_comes_meanwhile_goes_together_and_nothing_waits_for_company() {
        let gate = Arc::new(Semaphore::new(1));
        let batches = sizes(&gate);
        assert_eq!(asked(&batches, "alone").await.unwrap().unwrap(), 1);
        let early = as_many_as_run(&batches).await;
        let mut answers: Vec<_> = early.into_iter().map(|answer| (answer, 1)).collect();
        for n in 0..LARGEST {
            answers.push((asked(&batches, format!("late {n}")), LARGEST));
        }
        answers.push((asked(&batches, "one too many"), 1));
        settled().await;
        gate.add_permits(10);
        for (answer, size) in answers {
            assert_eq!(answer.await.unwrap().unwrap(), size);
        }
    }

    #[tokio::test]
    async fn the_same_key_twice_is_two_batches() {
        let gate = Arc::new(Semaphore::new(0));
        let batches = sizes(&gate);
        let early = as_many_as_run(&batches).await;
        let late = ["twice", "once", "twice"].map(|item| asked(&batches, item));
        settled().await;
        gate.add_permits(10);
        for answer in early {
            assert_eq!(answer.await.unwrap().unwrap(), 1);
        }
        let mut found = Vec::new();
        for answer in late {
            found.push(answer.await.unwrap().unwrap());
        }
        assert_eq!(found, [2, 2, 1]);
    }

    #[tokio::test]
    async fn an_error_is_everybodys_of_its_batch_and_nobody_elses() {
        let gate = Arc::new(Semaphore::new(0));
        let batches = sizes(&gate);
        let early = as_many_as_run(&batches).await;
        let (bad, with_it) = (asked(&batches, "bad"), asked(&batches, "good"));
        settled().await;
        gate.add_permits(10);
        for answer in early {
            answer.await.unwrap().unwrap();
        }
        for answer in [bad, with_it] {
            let error = answer.await.unwrap().unwrap_err();
            assert_eq!((error.operation(), error.kind()), ("size", StoreErrorKind::Unavailable));
        }
        assert_eq!(asked(&batches, "good").await.unwrap().unwrap(), 1);
    }

    #[tokio::test]
    async fn a_panic_is_its_batchs_affair_and_what_waits_is_run() {
        let gate = Arc::new(Semaphore::new(0));
        let batches = sizes(&gate);
        // Each running batch panics, so that no other would take up those that wait.
        let mut panicking = Vec::new();
        for n in 0..CONCURRENT {
            panicking.push(asked(&batches, format!("panic {n}")));
            settled().await;
        }
        let behind = asked(&batches, "good");
        settled().await;
        gate.add_permits(10);
        for answer in panicking {
            let error = answer.await.unwrap().unwrap_err();
            assert_eq!((error.operation(), error.kind()), ("size", StoreErrorKind::Unavailable));
        }
        assert_eq!(behind.await.unwrap().unwrap(), 1);
        settled().await;
        assert_eq!(batches.0.queue().running, 0);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_and_who_has_gone_isnt_asked_for() {
        let gate = Arc::new(Semaphore::new(0));
        let work = Sizes { gate: Arc::clone(&gate) };
        let batches = Batches::new(work, Duration::from_millis(1));
        for n in 0..CONCURRENT + 2 {
            let error = asked(&batches, format!("{n}")).await.unwrap().unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        }
        gate.add_permits(CONCURRENT);
        settled().await;
        assert_eq!(gate.available_permits(), 0);
        assert_eq!(batches.0.queue().running, 0, "what had been given up was not run");
    }

    #[test]
    fn a_runtime_that_ends_takes_its_own_with_it_only() {
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let gate = Arc::new(Semaphore::new(0));
        let batches = sizes(&gate);
        let first = runtime();
        first.block_on(async {
            drop(as_many_as_run(&batches).await);
            drop(["a", "b"].map(|item| asked(&batches, item)));
            settled().await;
        });
        assert_eq!(batches.0.queue().running, CONCURRENT);
        drop(first);
        gate.add_permits(10);
        let answer = runtime().block_on(async { asked(&batches, "later").await.unwrap() });
        assert_eq!(answer.unwrap(), 1);
    }
}
