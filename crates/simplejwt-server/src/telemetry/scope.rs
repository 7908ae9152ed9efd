//! The request and the realm that is being worked on, which every line of the log names.
//!
//! A span of `tracing` would do the same, but its fields are formatted for every request, and most
//! requests log nothing.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use simplejwt::web::request_id::RequestId;

thread_local! {
    static CURRENT: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// The id of a request, its client, and the realm that it is for. A task has only the latter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) id: Option<RequestId>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) realm: Option<Arc<str>>,
}

/// Restores the request before this one when it is dropped.
struct Entered(Option<Scope>);

impl Scope {
    /// Returns the scope of work for a realm that no request asked for.
    pub(crate) fn of_realm(realm: Option<Arc<str>>) -> Self {
        Self { realm, ..Self::default() }
    }

    /// Calls `work`, whose lines in the log name this request.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = Entered(CURRENT.replace(Some(self.clone())));
        work()
    }

    /// Runs a future whose lines in the log name this request, whichever threads poll it.
    pub(crate) async fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|context| self.enter(|| future.as_mut().poll(context))).await
    }

    /// Returns the request that this thread is working on.
    pub(super) fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn scope(id: &'static str) -> Scope {
        let mut headers = HeaderMap::new();
        headers.insert(RequestId::HEADER, http::HeaderValue::from_static(id));
        Scope { id: Some(RequestId::of(&headers)), ..Scope::default() }
    }

    fn current() -> Option<String> {
        Scope::current().map(|scope| scope.id.unwrap().as_str().to_owned())
    }

    #[tokio::test]
    async fn each_future_has_its_own_while_it_is_polled() {
        let seen = |id: &'static str| async move {
            scope(id)
                .run(async {
                    let first = current();
                    tokio::task::yield_now().await;
                    (first, current())
                })
                .await
        };
        let (a, b) = tokio::join!(seen("a"), seen("b"));
        assert_eq!(a, (Some("a".into()), Some("a".into())));
        assert_eq!(b, (Some("b".into()), Some("b".into())));
        assert_eq!(current(), None);
    }

    #[test]
    fn a_panic_ends_it() {
        let panics = || scope("a").enter(|| panic!("on purpose"));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(current(), None);
    }
}
