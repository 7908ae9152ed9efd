//! Panics of code that isn't ours, caught where they would take more along than their own work.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// What was running has panicked. The panic's own message isn't kept: it may hold values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it failed unexpectedly (a panic)")]
pub struct Panicked;

/// The future's output, or that it panicked. What it shares with others has to bear that: locks
/// are taken over where they are poisoned, and connections are thrown away.
///
/// # Errors
/// [`Panicked`], where it did. The panic's hook has run by then, and told where.
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
            // It isn't polled again.
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
