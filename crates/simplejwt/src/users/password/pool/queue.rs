//! What waits for a thread, and what the threads do.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use futures_channel::oneshot;

use super::{Hashers, PoolError, PoolOptions};

/// What the clones share; the threads hold only the inside, so that this one's drop is the
/// end of the pool.
pub(super) struct Handle(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) hashers: Hashers,
    pub(super) options: PoolOptions,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    closed: bool,
}

/// Something for a thread to do.
pub(super) trait Job: Send {
    /// Whether nobody waits for the answer any more.
    fn abandoned(&self) -> bool;
    fn run(self: Box<Self>, hashers: &Hashers);
}

/// What a job came to; the error is a panic.
pub(super) type Outcome<T> = thread::Result<T>;

/// A piece of work, and where its answer goes.
pub(super) struct Pending<W, T> {
    pub(super) work: W,
    pub(super) answer: oneshot::Sender<Outcome<T>>,
}

impl<W, T> Job for Pending<W, T>
where
    W: FnOnce(&Hashers) -> T + Send,
    T: Send,
{
    fn abandoned(&self) -> bool {
        self.answer.is_canceled()
    }

    fn run(self: Box<Self>, hashers: &Hashers) {
        let Pending { work, answer } = *self;
        // The hashers keep nothing between calls but a counter.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(hashers)));
        // Nobody to take the answer: nothing to do about it.
        let _ = answer.send(outcome);
    }
}

impl Shared {
    pub(super) fn new(hashers: Hashers, options: PoolOptions) -> Self {
        Self { hashers, options, queue: Mutex::default(), changed: Condvar::new() }
    }

    /// How many jobs wait for a thread.
    pub(super) fn waiting(&self) -> usize {
        self.lock().jobs.len()
    }

    /// A panic with the lock held would leave the queue whole: nothing in between fails.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn submit(&self, job: Box<dyn Job>) -> Result<(), PoolError> {
        let mut queue = self.lock();
        if queue.jobs.len() >= self.options.waiting {
            queue.jobs.retain(|job| !job.abandoned());
        }
        if queue.jobs.len() >= self.options.waiting {
            return Err(PoolError::Full);
        }
        queue.jobs.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// What each thread does until the pool is gone.
    pub(super) fn serve(&self) {
        while let Some(job) = self.next() {
            // It catches the panic of its work; one of what is around that ends no thread either,
            // and whoever waits is told, since the answer's sender is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| job.run(&self.hashers)));
        }
    }

    /// Waits for a job that somebody still wants; `None` when the pool is gone.
    fn next(&self) -> Option<Box<dyn Job>> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            match queue.jobs.pop_front() {
                Some(job) if job.abandoned() => {}
                Some(job) => return Some(job),
                None => {
                    queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Drop for Handle {
    /// The threads are let go rather than joined: waiting for a hash would hold up the
    /// runtime's thread that drops the last clone.
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.closed = true;
        queue.jobs.clear();
        drop(queue);
        self.0.changed.notify_all();
    }
}
