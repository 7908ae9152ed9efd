//! Looks at the servers that aren't used, each second, for one that was promoted.
//!
//! A connection to a primary that was frozen, or cut off from its standby, goes on working when
//! that is over. By then a standby may have been promoted: whoever stays with the old primary
//! doesn't hear what is revoked, and what it writes is lost.

use std::sync::Weak;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::servers::{Servers, standing};

const INTERVAL: Duration = Duration::from_secs(1);

/// The tasks that look, one for each server; they end with this.
#[derive(Debug, Default)]
pub(super) struct Watch(Vec<AbortHandle>);

impl Watch {
    /// `forget` closes the connections there are.
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
        // What is used is asked often enough.
        if servers.current() == Some(at) {
            open = None;
            continue;
        }
        if open.is_none() {
            open = servers.look(at).await;
        }
        let Some((client, _)) = &open else {
            servers.failed(at);
            continue;
        };
        match timeout(limit, standing(client)).await {
            Ok(Ok(standing)) if servers.is_newer(at, &standing) => {
                let Some(pool) = pool.upgrade() else { return };
                forget(&pool);
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => {
                servers.failed(at);
                open = None;
            }
        }
    }
}
