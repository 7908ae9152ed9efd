//! Clients that rotate from token to token while something fails.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(
    clippy::disallowed_methods,
    reason = "how long a failing server keeps others waiting is measured by the real clock"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use simplejwt::error::StoreErrorKind;
use simplejwt::event::Cause;
use simplejwt::store::OutstandingToken;
use simplejwt::store::session::{
    NewSession, NextToken, RefreshOutcome, RetainUntil, SessionRefresh,
};
use simplejwt::{SessionStore, StoreError, Timestamp};

use super::pause;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);

pub(crate) fn token(jti: &str) -> OutstandingToken {
    OutstandingToken {
        jti: jti.into(),
        token: format!("{jti}.token"),
        user_id: Some("1".into()),
        created_at: NOW,
        expires_at: NOW + Duration::from_secs(3600),
    }
}

pub(crate) fn retain_until() -> RetainUntil {
    let later = NOW + Duration::from_secs(7200);
    RetainUntil { refresh: later, access: later }
}

pub(crate) fn refresh(session: &str, jti: &str, next: NextToken) -> SessionRefresh {
    SessionRefresh {
        token: token(jti),
        next,
        session: NewSession { id: session.into(), user_id: "1".into(), password: None },
        grace: Duration::ZERO,
        tolerance: Duration::ZERO,
        idle: None,
        lifetime: None,
        cause: Cause::at(NOW),
        retain_until: retain_until(),
    }
}

/// The step from one token of a chain to the next.
pub(crate) fn step(chain: usize, number: usize) -> SessionRefresh {
    let jti = |number: usize| format!("chain-{chain}-{number}");
    let next = jti(number + 1);
    let access_jti = format!("{next}-access");
    let next = NextToken::Rotated { token: token(&next), access_jti };
    refresh(&jti(0), &jti(number), next)
}

/// Clients that each go on from token to token, asking again where there was no answer.
pub(crate) struct Traffic {
    going: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    failures: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<usize>>,
}

pub(crate) const CHAINS: usize = 8;

impl Traffic {
    pub(crate) fn start<S: SessionStore + Clone + 'static>(store: &S) -> Self {
        let going = Arc::new(AtomicBool::new(true));
        let (acknowledged, failures) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let clients = (0..CHAINS)
            .map(|chain| {
                let (store, going) = (store.clone(), Arc::clone(&going));
                let acknowledged = Arc::clone(&acknowledged);
                let failures = Arc::clone(&failures);
                tokio::spawn(async move {
                    let mut at = 0;
                    while going.load(Ordering::Relaxed) {
                        match store.refresh(&step(chain, at)).await {
                            Ok(refreshed) => {
                                let outcome = refreshed.outcome;
                                assert_eq!(outcome, RefreshOutcome::Refreshed, "{chain}-{at}");
                                at += 1;
                                acknowledged.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => {
                                assert_unavailable(&error);
                                AtomicUsize::fetch_add(&failures, 1, Ordering::Relaxed);
                                pause().await;
                            }
                        }
                    }
                    at
                })
            })
            .collect();
        Self { going, acknowledged, failures, clients }
    }

    /// Waits until so many more have been acknowledged.
    pub(crate) async fn more(&self, count: usize) {
        let until = self.acknowledged.load(Ordering::Relaxed) + count;
        let wait = async {
            while self.acknowledged.load(Ordering::Relaxed) < until {
                pause().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it goes on");
    }

    /// Ends it; how often there was no answer. Every step that was acknowledged is there, and
    /// nothing else but the steps that were under way.
    /// `count` tells how many tokens a session has.
    pub(crate) async fn end(
        self,
        store: &impl SessionStore,
        count: impl AsyncFn(String) -> usize,
    ) -> usize {
        self.going.store(false, Ordering::Relaxed);
        for (chain, client) in self.clients.into_iter().enumerate() {
            let last = client.await.unwrap();
            for number in 0..last {
                let jti = format!("chain-{chain}-{number}");
                assert!(store.is_blacklisted(&jti).await.unwrap(), "{jti} was spent");
            }
            // The last one is live: it can be spent once more.
            assert_eq!(
                store.refresh(&step(chain, last)).await.unwrap().outcome,
                RefreshOutcome::Refreshed
            );
            let rows = count(format!("chain-{chain}-0")).await;
            assert_eq!(rows, last + 2, "one successor each");
        }
        self.failures.load(Ordering::Relaxed)
    }
}

pub(crate) fn assert_unavailable(error: &StoreError) {
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert!(!format!("{error:?} {error}").contains("simplejwt:simplejwt"), "{error:?}");
}

/// Repeats until it works; how long that took.
pub(crate) async fn recovered(store: &impl SessionStore) -> Duration {
    let begun = Instant::now();
    while let Err(error) = store.ping().await {
        assert_unavailable(&error);
        assert!(begun.elapsed() < Duration::from_secs(30), "{error:?}");
        pause().await;
    }
    begun.elapsed()
}
