//! The queue of jobs that wait for a thread, and the threads' loop.
//!
//! Those who ask take turns: a thread takes one job of each [source](Source) before it takes a
//! second of any. When the queue is full, the source with the most jobs loses its last one to
//! another that has fewer. So whoever floods the queue waits for, and is refused instead of, others.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;

use super::{Hashers, PoolError, PoolOptions, Source};

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
    /// In the order of their turns; none is empty.
    turns: VecDeque<Turn>,
    /// The number of all jobs.
    waiting: usize,
    closed: bool,
}

/// The jobs of one source, the first of them next.
struct Turn {
    source: Option<Source>,
    jobs: VecDeque<Box<dyn Job>>,
}

impl Queue {
    fn push(&mut self, source: Option<Source>, job: Box<dyn Job>) {
        self.waiting += 1;
        match self.turns.iter_mut().find(|turn| turn.source == source) {
            Some(turn) => turn.jobs.push_back(job),
            None => self.turns.push_back(Turn { source, jobs: VecDeque::from([job]) }),
        }
    }

    fn pop(&mut self) -> Option<Box<dyn Job>> {
        let mut turn = self.turns.pop_front()?;
        let job = turn.jobs.pop_front()?;
        self.waiting -= 1;
        if !turn.jobs.is_empty() {
            self.turns.push_back(turn);
        }
        Some(job)
    }

    fn drop_abandoned(&mut self) {
        for turn in &mut self.turns {
            turn.jobs.retain(|job| !job.abandoned());
        }
        self.turns.retain(|turn| !turn.jobs.is_empty());
        self.waiting = self.turns.iter().map(|turn| turn.jobs.len()).sum();
    }

    /// Removes the last job of the source with the most, if a job of this one would still not make
    /// as many.
    fn make_room(&mut self, source: Option<Source>) -> Option<Box<dyn Job>> {
        let own = self.turns.iter().find(|turn| turn.source == source);
        let own = own.map_or(0, |turn| turn.jobs.len());
        let most = self.turns.iter_mut().max_by_key(|turn| turn.jobs.len())?;
        if most.jobs.len() <= own + 1 {
            return None;
        }
        self.waiting -= 1;
        most.jobs.pop_back()
    }
}

/// A job for a thread.
pub(super) trait Job: Send {
    /// `true` if nobody waits for the result any more.
    fn abandoned(&self) -> bool;
    fn run(self: Box<Self>, hashers: &Hashers);
    /// Tells who waits that it won't be run, since the queue is full.
    fn refuse(self: Box<Self>);
}

/// A piece of work, and the channel for its result.
pub(super) struct Pending<W, T> {
    pub(super) work: W,
    pub(super) answer: oneshot::Sender<Result<T, PoolError>>,
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
        let _ = answer.send(outcome.map_err(|_| PoolError::Panicked));
    }

    fn refuse(self: Box<Self>) {
        let _ = self.answer.send(Err(PoolError::Full));
    }
}

impl Shared {
    pub(super) fn new(hashers: Hashers, options: PoolOptions) -> Self {
        Self { hashers, options, queue: Mutex::default(), changed: Condvar::new() }
    }

    /// Returns the number of jobs waiting for a thread.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting
    }

    /// No operation can fail half-way and leave an inconsistent queue.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn submit(
        &self,
        source: Option<Source>,
        job: Box<dyn Job>,
    ) -> Result<(), PoolError> {
        let mut queue = self.lock();
        if queue.waiting >= self.options.waiting {
            queue.drop_abandoned();
        }
        let mut refused = None;
        if queue.waiting >= self.options.waiting {
            refused = Some(queue.make_room(source).ok_or(PoolError::Full)?);
        }
        queue.push(source, job);
        self.changed.notify_one();
        drop(queue);
        if let Some(refused) = refused {
            refused.refuse();
        }
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
            match queue.pop() {
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
        let turns = std::mem::take(&mut queue.turns);
        queue.waiting = 0;
        drop(queue);
        drop(turns);
        self.0.changed.notify_all();
    }
}
