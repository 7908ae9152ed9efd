//! The timer by which hyper limits the time for a head. hyper asks for a new sleep before each head
//! and drops it afterwards; entering it into the runtime's timers and removing it again is what
//! costs most of it. Here, a connection keeps one sleep, which is only moved.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::Timer;
use tokio::time::Sleep;

/// A timer for one connection, which needs one sleep at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderTimer(Arc<Kept>);

/// The sleep that isn't used at the moment. It may wake the connection, which does no harm.
#[derive(Debug, Default)]
struct Kept(Mutex<Option<Pin<Box<Sleep>>>>);

/// A sleep that is kept when it is dropped.
#[derive(Debug)]
struct Lent {
    sleep: Option<Pin<Box<Sleep>>>,
    kept: Arc<Kept>,
}

impl Kept {
    /// The lock can't be poisoned: nothing fails while it is held.
    fn replace(&self, sleep: Option<Pin<Box<Sleep>>>) -> Option<Pin<Box<Sleep>>> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), sleep)
    }
}

impl Timer for HeaderTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let sleep = match self.0.replace(None) {
            Some(mut sleep) => {
                sleep.as_mut().reset(deadline.into());
                sleep
            }
            None => Box::pin(tokio::time::sleep_until(deadline.into())),
        };
        Box::pin(Lent { sleep: Some(sleep), kept: Arc::clone(&self.0) })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

impl Future for Lent {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(context),
            None => Poll::Ready(()),
        }
    }
}

impl hyper::rt::Sleep for Lent {}

impl Drop for Lent {
    fn drop(&mut self) {
        self.kept.replace(self.sleep.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn kept(timer: &HeaderTimer) -> Option<*const Sleep> {
        timer.0.0.lock().unwrap().as_ref().map(|sleep| &raw const **sleep)
    }

    #[tokio::test]
    async fn one_sleep_is_moved_to_each_deadline() {
        let timer = HeaderTimer::default();
        let mut first = timer.sleep(LONG);
        assert_eq!(kept(&timer), None);
        let polled = std::future::poll_fn(|context| Poll::Ready(first.as_mut().poll(context)));
        assert!(polled.await.is_pending());
        drop(first);
        let sleep = kept(&timer);
        assert!(sleep.is_some());

        // Both earlier and later than before.
        timer.sleep(Duration::ZERO).await;
        assert_eq!(kept(&timer), sleep);
        let (mut late, soon) = (timer.sleep(LONG), timer.sleep(Duration::from_millis(1)));
        soon.await;
        let polled = std::future::poll_fn(|context| Poll::Ready(late.as_mut().poll(context)));
        assert!(polled.await.is_pending());
    }
}
