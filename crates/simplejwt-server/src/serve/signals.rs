//! The signals that ask a process to stop.

use crate::failure::Failure;

/// A signal that asks the process to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM, from a service manager.
    Terminate,
    /// SIGINT, from a person at the keyboard, who is waiting for the end.
    Interrupt,
}

#[cfg(unix)]
const FILE_LIMIT: i32 = rustix::process::Signal::XFSZ.as_raw();

/// The signals are received from the beginning: one that arrives while nobody waits is returned by
/// the next call.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    /// SIGXFSZ, which ends a process whose file reaches `LimitFSIZE=` or `ulimit -f`. With a
    /// handler, the write fails instead, as on a full disk.
    #[cfg(unix)]
    _file_limit: tokio::signal::unix::Signal,
}

impl Signals {
    /// Installs the handlers. From now on, the signals don't end the process by themselves.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub(crate) fn new() -> Result<Self, Failure> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let waited_for = |kind| {
                let failed = |error| Failure::Failed(format!("can't wait for signals: {error}"));
                signal(kind).map_err(failed)
            };
            Ok(Self {
                terminate: waited_for(SignalKind::terminate())?,
                interrupt: waited_for(SignalKind::interrupt())?,
                _file_limit: waited_for(SignalKind::from_raw(FILE_LIMIT))?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next signal. Several of the same kind between two calls count as one, as they
    /// do for the operating system.
    pub(crate) async fn next(&mut self) -> Signal {
        #[cfg(unix)]
        {
            tokio::select! {
                _ = self.terminate.recv() => Signal::Terminate,
                _ = self.interrupt.recv() => Signal::Interrupt,
            }
        }
        #[cfg(not(unix))]
        {
            let _ = tokio::signal::ctrl_c().await;
            Signal::Interrupt
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use rustix::process::{Signal as Kind, getpid, kill_process};
    use tokio::signal::unix::{SignalKind, signal};

    use super::*;

    #[tokio::test]
    async fn one_that_comes_while_nobody_waits_is_not_missed() {
        let mut signals = Signals::new().unwrap();
        let mut witness = signal(SignalKind::interrupt()).unwrap();
        kill_process(getpid(), Kind::TERM).unwrap();
        assert_eq!(signals.next().await, Signal::Terminate);
        // A signal between two waits is noticed elsewhere.
        kill_process(getpid(), Kind::INT).unwrap();
        witness.recv().await;
        let next = tokio::time::timeout(Duration::from_secs(50), signals.next()).await;
        assert_eq!(next.unwrap(), Signal::Interrupt);
    }
}
