//! The queue of the writing thread. It has a limit, and takes no memory for writes that don't wait:
//! a bounded channel of the standard library has all its places from the beginning.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{
    Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError, channel,
};

/// The end at which writes are put in.
pub(super) struct Entry<T> {
    jobs: Sender<T>,
    limit: usize,
    waiting: Arc<AtomicUsize>,
}

/// The end at which the thread takes them out.
pub(super) struct Exit<T> {
    jobs: Receiver<T>,
    waiting: Arc<AtomicUsize>,
}

/// Returns both ends of a queue in which at most `limit` jobs wait.
pub(super) fn queue<T>(limit: usize) -> (Entry<T>, Exit<T>) {
    let (sender, receiver) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let entry = Entry { jobs: sender, limit, waiting: Arc::clone(&waiting) };
    (entry, Exit { jobs: receiver, waiting })
}

impl<T> Entry<T> {
    /// Puts a job in, without waiting.
    ///
    /// # Errors
    /// Too many are waiting, or the other end is gone.
    pub(super) fn try_send(&self, job: T) -> Result<(), TrySendError<T>> {
        let one_more = |waiting| (waiting < self.limit).then_some(waiting + 1);
        if self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return Err(TrySendError::Full(job));
        }
        self.jobs.send(job).map_err(|SendError(job)| TrySendError::Disconnected(job))
    }
}

impl<T> Exit<T> {
    /// Waits for the next job.
    ///
    /// # Errors
    /// None is left, and the other end is gone.
    pub(super) fn recv(&self) -> Result<T, RecvError> {
        self.jobs.recv().inspect(|_| self.taken())
    }

    /// Returns the next job if there is one.
    ///
    /// # Errors
    /// There is none, and perhaps the other end is gone.
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        self.jobs.try_recv().inspect(|_| self.taken())
    }

    /// Returns those that are there.
    pub(super) fn try_iter(&self) -> impl Iterator<Item = T> {
        std::iter::from_fn(|| self.try_recv().ok())
    }

    fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_beyond_the_limit_are_refused_until_one_is_taken() {
        let (entry, exit) = queue(2);
        for _ in 0..3 {
            for number in 1..=2 {
                entry.try_send(number).unwrap();
            }
            assert_eq!(entry.try_send(3), Err(TrySendError::Full(3)));
            assert_eq!(exit.recv(), Ok(1));
            entry.try_send(4).unwrap();
            assert_eq!(exit.try_iter().collect::<Vec<_>>(), [2, 4]);
            assert_eq!(exit.try_recv(), Err(TryRecvError::Empty));
        }
        entry.try_send(5).unwrap();
        drop(entry);
        assert_eq!((exit.recv(), exit.recv()), (Ok(5), Err(RecvError)));
        let (entry, _) = queue(1);
        assert_eq!(entry.try_send(6), Err(TrySendError::Disconnected(6)));
    }
}
