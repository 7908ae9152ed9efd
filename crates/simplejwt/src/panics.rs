//! Panics of foreign code, caught where they would affect more than their own work.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The code that was running has panicked. The panic's own message isn't kept, since it may contain
/// values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it failed unexpectedly (a panic)")]
pub struct Panicked;

/// Returns the future's output, or the fact that it panicked. Anything it shares with others must
/// tolerate that: poisoned locks are taken over, and connections are discarded.
///
/// # Errors
/// [`Panicked`] if it panicked. The panic hook has run by then and reported the place.
///
/// ```
/// use simplejwt::panics::{Panicked, caught};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// assert_eq!(caught(async { 7 }).await, Ok(7));
/// assert_eq!(caught(async { panic!("on purpose") }).await, Err::<(), _>(Panicked));
/// # }
/// ```
pub async fn caught<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            // The future isn't polled again.
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error() {
        assert_eq!(caught(async { 7 }).await, Ok(7));
        let late = async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        };
        assert_eq!(caught(late).await, Err::<(), _>(Panicked));
    }
}
