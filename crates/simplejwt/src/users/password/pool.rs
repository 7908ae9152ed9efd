//! A pool of threads for hashing, with a bounded queue.

#[cfg(any(test, feature = "testing"))]
mod hold;
mod queue;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;

use futures_channel::oneshot;

use super::{EncodeError, Hashers, Password, PasswordSurvey, Verdict};
use crate::users::Source;
use queue::{Handle, Pending, Shared};

/// The size of a [`HashingPool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// The number of hashes computed at the same time; at least one thread is started. With Argon2
    /// each takes its memory (100 MiB by default). Default: the available parallelism.
    pub threads: usize,
    /// The number of passwords that may wait for a thread; another one is refused with
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

/// The reason the pool returned no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The queue is full, and nobody has more passwords in it than this source: the caller should
    /// answer 503 and ask the client to retry.
    #[error("too many passwords are waiting to be hashed")]
    Full,
    /// The hashing failed unexpectedly. The pool continues.
    #[error("a password hash could not be computed")]
    Panicked,
    /// The password could not be hashed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Computes password hashes on threads of its own.
///
/// Works under any async runtime: results come over a channel. Clones share the threads, which end
/// when the last clone is dropped and the current hash is done. A caller that stops waiting removes
/// its password from the queue. Those who [ask](Self::on_behalf_of) take turns, so that whoever
/// floods the queue waits for others and not the reverse.
///
/// On Linux the threads have a lower priority than others (nice + 10): a server goes on answering
/// everybody else while they compute.
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
    source: Option<Source>,
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

impl HashingPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// The operating system's error if a thread can't be started.
    pub fn new(hashers: Hashers, options: PoolOptions) -> io::Result<Self> {
        let handle = Arc::new(Handle(Arc::new(Shared::new(hashers, options))));
        for number in 0..options.threads.max(1) {
            let shared = Arc::clone(&handle.0);
            thread::Builder::new().name(format!("password-{number}")).spawn(move || {
                yield_to_others();
                shared.serve();
            })?;
        }
        Ok(HashingPool { handle, source: None })
    }

    /// Returns the same pool for passwords from this source. Without one, passwords wait as if they
    /// came from a source of their own together.
    #[must_use]
    pub fn on_behalf_of(&self, source: Option<Source>) -> Self {
        Self { handle: Arc::clone(&self.handle), source }
    }

    /// Returns the hashers that the pool runs.
    #[must_use]
    pub fn hashers(&self) -> &Hashers {
        &self.handle.0.hashers
    }

    /// Returns the number of passwords currently waiting for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.handle.0.waiting()
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

    /// [`Hashers::verify_refused`] on a thread of the pool, for a user who is refused whatever the
    /// password.
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
            Ok(outcome) => outcome,
            Err(oneshot::Canceled) => Err(PoolError::Panicked),
        }
    }

    fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hashers) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, PoolError>>, PoolError> {
        let (answer, answered) = oneshot::channel();
        self.handle.0.submit(self.source, Box::new(Pending { work, answer }))?;
        Ok(answered)
    }
}

/// Lowers the priority of this thread.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};

        // By its id, since Linux has a priority for each thread. It goes on without if it can't.
        let thread = Some(rustix::thread::gettid());
        let _ = getpriority_process(thread)
            .and_then(|nice| setpriority_process(thread, (nice + 10).min(19)));
    }
}

#[cfg(test)]
mod tests;
