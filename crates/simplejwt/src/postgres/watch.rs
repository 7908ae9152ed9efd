//! Checks the servers that aren't in use, every second, for one that was promoted.
//!
//! A connection to a primary that was frozen, or cut off from its standby, works again when that is
//! over. By then a standby may have been promoted: a process that stays with the old primary misses
//! revocations, and its writes are lost.

use std::pin::pin;
use std::sync::Weak;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::servers::{Servers, standing};

const INTERVAL: Duration = Duration::from_secs(1);

/// The tasks that check, one for each server; they end when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Watch(Vec<AbortHandle>);

impl Watch {
    /// `forget` closes the open connections.
    pub(super) fn over<T: Send + Sync + 'static>(
        servers: &Servers,
        limit: Duration,
        pool: &Weak<T>,
        forget: fn(&T),
    ) -> Self {
        let start = |at| {
            let (servers, pool) = (servers.clone(), Weak::clone(pool));
            tokio::spawn(look(servers, at, limit, pool, forget)).abort_handle()
        };
        Self((0..servers.count()).map(start).collect())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

async fn look<T>(servers: Servers, at: usize, limit: Duration, pool: Weak<T>, forget: fn(&T)) {
    let mut open = None;
    loop {
        tokio::time::sleep(INTERVAL).await;
        // The server in use is asked often enough.
        if servers.current() == Some(at) {
            open = None;
            continue;
        }
        let stands = {
            let open = &mut open;
            let servers = &servers;
            let looking = async move {
                if open.is_none() {
                    *open = servers.look(at).await;
                }
                match open {
                    Some((client, _)) => timeout(limit, standing(client)).await.ok()?.ok(),
                    None => None,
                }
            };
            while_silent(looking, || servers.looked_at(at)).await
        };
        let Some(standing) = stands else {
            servers.failed(at);
            servers.looked_at(at);
            open = None;
            continue;
        };
        if servers.is_newer(at, &standing) {
            let Some(pool) = pool.upgrade() else { return };
            forget(&pool);
        }
        servers.looked_at(at);
    }
}

/// Returns the work's outcome, and calls `silent` now and then until it is there; not if the
/// process has slept, since it knows nothing then.
async fn while_silent<T>(work: impl Future<Output = T>, silent: impl Fn()) -> T {
    let mut work = pin!(work);
    loop {
        let begun = Instant::now();
        match timeout(INTERVAL, &mut work).await {
            Ok(outcome) => return outcome,
            Err(_) if begun.elapsed() < 2 * INTERVAL => silent(),
            Err(_) => {}
        }
    }
}
