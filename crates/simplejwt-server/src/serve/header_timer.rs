//! The timer by which the time for a head is limited. hyper asks for a new sleep before each head
//! and drops it afterwards; entering it into the runtime's timers and removing it again is what
//! costs most of it. Here, a connection keeps one sleep, which is only moved. The same sleep finds
//! out that a connection is idle.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Timer;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer for one connection, which needs one sleep at a time.
#[derive(Clone, Debug)]
pub(super) struct HeaderTimer(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    /// The time by which a connection is idle before a head's time is up.
    early: Duration,
    /// `true` while hyper waits for a head.
    is_waiting: AtomicBool,
    /// `true` if it has waited without a result until the connection was idle.
    is_idle: AtomicBool,
    next: Mutex<Next>,
}

#[derive(Debug)]
struct Next {
    /// The end of the time for the head that is waited for.
    deadline: Instant,
    /// The sleep, if it isn't used at the moment. It may wake the connection, which does no harm.
    sleep: Option<Pin<Box<Sleep>>>,
}

/// A sleep that is kept when it is dropped.
#[derive(Debug)]
pub(super) struct Lent {
    deadline: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    kept: Arc<Kept>,
}

impl HeaderTimer {
    /// Creates a timer for a connection whose heads may take `time`, and which is idle after
    /// `idle` without any.
    pub(super) fn new(time: Duration, idle: Duration) -> Self {
        let next = Mutex::new(Next { deadline: Instant::now() + time, sleep: None });
        let early = time.saturating_sub(idle);
        let (is_waiting, is_idle) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Kept { early, is_waiting, is_idle, next }))
    }

    /// Waits for the end of the time for the present head, or for the first.
    pub(super) fn deadline(&self) -> Lent {
        let deadline = self.0.next().deadline;
        self.lend(deadline, deadline)
    }

    /// Returns `true` if hyper waits for a head.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.is_waiting.load(Ordering::Relaxed)
    }

    /// Returns `true` if hyper waits for a head and the connection is idle.
    pub(super) fn is_idle(&self) -> bool {
        self.0.is_idle.load(Ordering::Relaxed)
    }

    /// Lends the sleep, which wakes the connection at `first`.
    fn lend(&self, first: Instant, deadline: Instant) -> Lent {
        let mut next = self.0.next();
        next.deadline = deadline;
        let sleep = match next.sleep.take() {
            Some(mut sleep) => {
                sleep.as_mut().reset(first);
                sleep
            }
            None => Box::pin(sleep_until(first)),
        };
        drop(next);
        Lent { deadline, sleep: Some(sleep), kept: Arc::clone(&self.0) }
    }
}

impl Kept {
    /// The lock can't be poisoned: nothing fails while it is held.
    fn next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timer for HeaderTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let deadline = Instant::from(deadline);
        let first = deadline.checked_sub(self.0.early).unwrap_or(deadline);
        self.0.is_waiting.store(true, Ordering::Relaxed);
        Box::pin(self.lend(first, deadline))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }
}

impl Future for Lent {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Some(sleep) = &mut this.sleep else { return Poll::Ready(()) };
        ready!(sleep.as_mut().poll(context));
        if sleep.deadline() >= this.deadline {
            return Poll::Ready(());
        }
        this.kept.is_idle.store(true, Ordering::Relaxed);
        sleep.as_mut().reset(this.deadline);
        sleep.as_mut().poll(context)
    }
}

impl hyper::rt::Sleep for Lent {}

impl Drop for Lent {
    fn drop(&mut self) {
        self.kept.is_waiting.store(false, Ordering::Relaxed);
        self.kept.is_idle.store(false, Ordering::Relaxed);
        self.kept.next().sleep = self.sleep.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn kept(timer: &HeaderTimer) -> Option<*const Sleep> {
        timer.0.next().sleep.as_ref().map(|sleep| &raw const **sleep)
    }

    /// Polls once.
    async fn polled<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
    }

    #[tokio::test(start_paused = true)]
    async fn one_sleep_is_moved_to_each_deadline() {
        let timer = HeaderTimer::new(LONG, LONG);
        let mut first = timer.sleep(LONG);
        assert_eq!(kept(&timer), None);
        assert!(polled(&mut first).await.is_pending());
        drop(first);
        let sleep = kept(&timer);
        assert!(sleep.is_some());

        // Both earlier and later than before.
        timer.sleep(Duration::ZERO).await;
        assert_eq!(kept(&timer), sleep);
        let (mut late, soon) = (timer.sleep(LONG), timer.sleep(Duration::from_millis(1)));
        soon.await;
        assert!(polled(&mut late).await.is_pending());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_before_its_time_is_up() {
        let timer = HeaderTimer::new(LONG, Duration::from_secs(1));
        let begin = Instant::now();
        let mut head = timer.sleep(LONG);
        for (seconds, is_idle) in [(0, false), (1, true), (10, true)] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert!(polled(&mut head).await.is_pending());
            assert_eq!(timer.is_idle(), is_idle, "{seconds}");
        }
        // A head comes, or hyper is left.
        drop(head);
        assert!(!timer.is_idle());
        timer.deadline().await;
        assert!(!timer.is_idle());
        // The runtime's timers go by milliseconds.
        assert!(begin.elapsed() - LONG <= Duration::from_millis(1), "{:?}", begin.elapsed());

        let short = HeaderTimer::new(Duration::from_secs(1), LONG);
        short.sleep(Duration::from_secs(1)).await;
        assert!(!short.is_idle());
    }
}
