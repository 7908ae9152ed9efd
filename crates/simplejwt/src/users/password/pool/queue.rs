//! The queue of jobs that wait for a thread, and the threads' loop.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use futures_channel::oneshot;

use super::{Hashers, PoolError, PoolOptions};

/// The part that the clones share. The threads hold only the inside, so dropping this ends the
/// pool.
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

/// A job for a thread.
pub(super) trait Job: Send {
    /// `true` if nobody waits for the result any more.
    fn abandoned(&self) -> bool;
    fn run(self: Box<Self>, hashers: &Hashers);
}

/// The result of a job; an error is a panic.
pub(super) type Outcome<T> = thread::Result<T>;

/// A piece of work, and the channel for its result.
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
        // Between calls the hashers keep only counters and observed kinds.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(hashers)));
        // If nobody waits for the result, it is dropped.
        let _ = answer.send(outcome);
    }
}

impl Shared {
    pub(super) fn new(hashers: Hashers, options: PoolOptions) -> Self {
        Self { hashers, options, queue: Mutex::default(), changed: Condvar::new() }
    }

    /// Returns the number of jobs waiting for a thread.
    pub(super) fn waiting(&self) -> usize {
        self.lock().jobs.len()
    }

    /// No operation can fail half-way and leave an inconsistent queue.
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

    /// The loop of each thread, until the pool is gone.
    pub(super) fn serve(&self) {
        while let Some(job) = self.next() {
            // The job catches panics of its work. A panic around it doesn't end the thread either,
            // and the caller is notified, since the sender of the result is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| job.run(&self.hashers)));
        }
    }

    /// Waits for a job whose caller still waits; `None` when the pool is gone.
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
    /// The threads are detached rather than joined: waiting for a hash would block the runtime's
    /// thread that drops the last clone.
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.closed = true;
        queue.jobs.clear();
        drop(queue);
        self.0.changed.notify_all();
    }
}
