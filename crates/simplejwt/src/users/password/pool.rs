//! Threads for the hashing, and a bound on what waits for them.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use futures_channel::oneshot;

use super::{EncodeError, Hashers, Password, PasswordSurvey, Verdict};

/// The size of a [`HashingPool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Hashes computed at the same time; at least one thread is started. With Argon2 each
    /// takes its memory (100 MiB by default). Default: the available parallelism.
    pub threads: usize,
    /// Passwords that may wait for a thread; one more is turned away with
    /// [`PoolError::Full`]. Default: 256.
    pub waiting: usize,
}

impl Default for PoolOptions {
    fn default() -> Self {
        PoolOptions {
            threads: thread::available_parallelism().map_or(1, usize::from),
            waiting: 256,
        }
    }
}

/// Why the pool gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// As many passwords wait as may: the caller should answer 503 and ask to come back.
    #[error("too many passwords wait to be hashed")]
    Full,
    /// The hashing failed unexpectedly. The pool goes on.
    #[error("a password hash could not be computed")]
    Panicked,
    /// The password could not be hashed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Computes password hashes on threads of its own.
///
/// Works under any async runtime: the answers come over a channel. Clones share the threads,
/// which end when the last clone is gone and the hash at hand is done. A caller that stops
/// waiting takes its password out of the queue.
///
/// ```
/// use simplejwt::users::password::{Hashers, HashingPool, PoolOptions, Verdict};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hashers = Hashers::from_setting(["md5"])?; // no work: for examples only
/// let pool = HashingPool::new(hashers, PoolOptions::default())?;
/// let stored = pool.encode("secret".to_owned().into()).await?;
/// assert!(pool.verify("secret".to_owned().into(), Some(stored)).await?.is_correct());
/// assert_eq!(pool.verify("secret".to_owned().into(), None).await?, Verdict::Wrong);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HashingPool {
    handle: Arc<Handle>,
}

impl fmt::Debug for HashingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashingPool")
            .field("hashers", self.hashers())
            .field("options", &self.handle.0.options)
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// What the clones share; the threads hold only the inside, so that this one's drop is the
/// end of the pool.
struct Handle(Arc<Shared>);

struct Shared {
    hashers: Hashers,
    options: PoolOptions,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    closed: bool,
}

/// Something for a thread to do.
trait Job: Send {
    /// Whether nobody waits for the answer any more.
    fn abandoned(&self) -> bool;
    fn run(self: Box<Self>, hashers: &Hashers);
}

/// What a job came to; the error is a panic.
type Outcome<T> = thread::Result<T>;

struct Pending<W, T> {
    work: W,
    answer: oneshot::Sender<Outcome<T>>,
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

impl HashingPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// That of the operating system when a thread cannot be started.
    pub fn new(hashers: Hashers, options: PoolOptions) -> io::Result<Self> {
        let handle = Arc::new(Handle(Arc::new(Shared {
            hashers,
            options,
            queue: Mutex::default(),
            changed: Condvar::new(),
        })));
        for number in 0..options.threads.max(1) {
            let shared = Arc::clone(&handle.0);
            thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || shared.serve())?;
        }
        Ok(HashingPool { handle })
    }

    /// The hashers that the pool runs.
    #[must_use]
    pub fn hashers(&self) -> &Hashers {
        &self.handle.0.hashers
    }

    /// Passwords that wait for a thread at this moment.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.handle.0.lock().jobs.len()
    }

    /// [`Hashers::verify`] on a thread of the pool. `encoded` is the stored hash; `None`, for
    /// an unknown user, does [`Hashers::dummy_work`] and is [`Verdict::Wrong`].
    ///
    /// # Errors
    /// [`PoolError::Full`] or [`PoolError::Panicked`].
    pub async fn verify(
        &self,
        password: Password,
        encoded: Option<String>,
    ) -> Result<Verdict, PoolError> {
        self.run(move |hashers| match encoded {
            Some(encoded) => hashers.verify(&password, &encoded),
            None => {
                hashers.dummy_work(&password);
                Verdict::Wrong
            }
        })
        .await
    }

    /// [`Hashers::verify_refused`] on a thread of the pool, for a user who isn't let in whatever
    /// the password is.
    ///
    /// # Errors
    /// [`PoolError::Full`] or [`PoolError::Panicked`].
    pub async fn verify_refused(
        &self,
        password: Password,
        encoded: String,
    ) -> Result<Verdict, PoolError> {
        self.run(move |hashers| hashers.verify_refused(&password, &encoded)).await
    }

    /// [`Hashers::calibrate`] on a thread of the pool.
    ///
    /// # Errors
    /// [`PoolError::Full`] or [`PoolError::Panicked`].
    pub async fn calibrate(&self, survey: PasswordSurvey) -> Result<(), PoolError> {
        self.run(move |hashers| hashers.calibrate(&survey)).await
    }

    /// [`Hashers::encode`] on a thread of the pool.
    ///
    /// # Errors
    /// [`PoolError::Encode`], [`PoolError::Full`] or [`PoolError::Panicked`].
    pub async fn encode(&self, password: Password) -> Result<String, PoolError> {
        Ok(self.run(move |hashers| hashers.encode(&password)).await??)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hashers) -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        match self.start(work)?.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) | Err(oneshot::Canceled) => Err(PoolError::Panicked),
        }
    }

    fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hashers) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<Outcome<T>>, PoolError> {
        let (answer, answered) = oneshot::channel();
        self.handle.0.submit(Box::new(Pending { work, answer }))?;
        Ok(answered)
    }
}

impl Shared {
    /// A panic with the lock held would leave the queue whole: nothing in between fails.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, job: Box<dyn Job>) -> Result<(), PoolError> {
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

    fn serve(&self) {
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::{Hasher, Parameters};
    use super::*;

    fn pool(threads: usize, waiting: usize) -> HashingPool {
        let parameters = Parameters { pbkdf2_iterations: 10, ..Parameters::default() };
        let hashers = Hashers::new([Hasher::Pbkdf2Sha256]).unwrap();
        let hashers = hashers.with_parameters(parameters).unwrap();
        HashingPool::new(hashers, PoolOptions { threads, waiting }).unwrap()
    }

    fn password(text: &str) -> Password {
        text.to_owned().into()
    }

    /// Keeps the only thread of a pool busy until it is dropped.
    struct Busy {
        _release: mpsc::Sender<()>,
        _answer: oneshot::Receiver<Outcome<()>>,
    }

    fn busy(pool: &HashingPool) -> Busy {
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let work = move |_: &Hashers| {
            started.send(()).unwrap();
            // An error: the sender is gone, which is the sign to end.
            let _ = released.recv();
        };
        let answer = pool.start(work).unwrap();
        has_started.recv().unwrap();
        Busy { _release: release, _answer: answer }
    }

    #[tokio::test]
    async fn answers_verify_and_encode() {
        let pool = pool(2, 8);
        let stored = pool.encode(password("secret")).await.unwrap();
        let right = pool.verify(password("secret"), Some(stored.clone())).await.unwrap();
        assert_eq!(right, Verdict::Correct { must_update: false });
        let wrong = pool.verify(password("guess"), Some(stored)).await.unwrap();
        assert_eq!(wrong, Verdict::Wrong);
        let before = pool.hashers().computations();
        assert_eq!(pool.verify(password("secret"), None).await.unwrap(), Verdict::Wrong);
        assert_eq!(pool.hashers().computations() - before, 1);
    }

    #[tokio::test]
    async fn one_more_than_may_wait_is_turned_away() {
        let pool = pool(1, 2);
        let release = busy(&pool);
        let waiting = [pool.start(|_| 1).unwrap(), pool.start(|_| 2).unwrap()];
        assert_eq!(pool.waiting(), 2);
        let turned_away = pool.verify(password("secret"), None).await;
        assert!(matches!(turned_away, Err(PoolError::Full)));
        drop(release);
        for (number, answer) in (1..).zip(waiting) {
            assert_eq!(answer.await.unwrap().unwrap(), number);
        }
        assert_eq!(pool.verify(password("secret"), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn nobody_waits_for_it_nobody_computes_it() {
        let pool = pool(1, 2);
        let release = busy(&pool);
        let before = pool.hashers().computations();
        for _ in 0..2 {
            drop(pool.start(|hashers| hashers.dummy_work("secret")).unwrap());
        }
        let wanted = pool.start(|hashers| hashers.dummy_work("secret")).unwrap();
        assert_eq!(pool.waiting(), 1, "the abandoned ones made room");
        drop(pool.start(|hashers| hashers.dummy_work("secret")).unwrap());
        drop(release);
        wanted.await.unwrap().unwrap();
        pool.start(|_| ()).unwrap().await.unwrap().unwrap();
        assert_eq!(pool.hashers().computations() - before, 1);
    }

    #[tokio::test]
    async fn a_panic_ends_the_job_and_not_the_thread() {
        let pool = pool(1, 8);
        let failed: Result<(), _> = pool.run(|_| panic!("on purpose")).await;
        assert!(matches!(failed, Err(PoolError::Panicked)));
        assert_eq!(pool.verify(password("secret"), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_panic_outside_of_the_work_ends_no_thread_either() {
        struct PanicsWhenDropped;
        impl Drop for PanicsWhenDropped {
            fn drop(&mut self) {
                if !std::thread::panicking() {
                    panic!("on purpose");
                }
            }
        }
        let pool = pool(1, 8);
        let release = busy(&pool);
        // Its answer is dropped by the thread, for want of somebody who waits.
        let (started, running) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let answer = pool
            .start(move |_| {
                started.send(()).unwrap();
                let _ = wait.recv();
                PanicsWhenDropped
            })
            .unwrap();
        drop(release);
        running.recv().unwrap();
        drop(answer);
        drop(go);
        assert_eq!(pool.verify(password("secret"), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn the_last_clone_takes_the_threads_and_the_queue_along() {
        struct SendsWhenTheThreadEnds(mpsc::Sender<()>);
        impl Drop for SendsWhenTheThreadEnds {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        thread_local! {
            static AT_THE_END: std::cell::RefCell<Option<SendsWhenTheThreadEnds>> =
                const { std::cell::RefCell::new(None) };
        }

        let pool = pool(1, 8);
        let (sender, ended) = mpsc::channel();
        let set = move |_: &Hashers| {
            AT_THE_END.with_borrow_mut(|slot| *slot = Some(SendsWhenTheThreadEnds(sender)));
        };
        pool.run(set).await.unwrap();
        let clone = pool.clone();
        drop(pool);
        assert_eq!(clone.verify(password("secret"), None).await.unwrap(), Verdict::Wrong);

        let release = busy(&clone);
        let queued = clone.start(|_| ()).unwrap();
        drop(clone);
        assert!(queued.await.is_err());
        drop(release);
        ended.recv().unwrap();
    }

    #[test]
    fn debug_shows_no_password() {
        let pool = pool(1, 8);
        let release = busy(&pool);
        let held = password("hunter2");
        let _answer = pool.start(move |hashers| hashers.dummy_work(&held)).unwrap();
        let shown = format!("{pool:?}");
        assert!(shown.contains("waiting: 1") && !shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains('$'), "{shown}");
        drop(release);
    }
}
