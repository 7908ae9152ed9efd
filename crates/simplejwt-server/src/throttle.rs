//! The throttle as configured: where failures are counted, and the deletion of counters.

use std::sync::Arc;
use std::time::Duration;

use simplejwt::store::ThrottleStore;
use simplejwt::throttle::Throttle;
use simplejwt::{Clock as _, StoreError, SystemClock};

use crate::config::{Config, CounterStore};
use crate::database::Database;
use crate::supervisor::{Need, Supervisor};

/// The number of counters deleted in one transaction.
const BATCH: u32 = 500;
/// The pause between two transactions.
const PAUSE: Duration = Duration::from_millis(50);
/// The key of counters' ids if the settings have no key that signs.
const WITHOUT_KEY: &[u8] = b"simplejwt without signing_key";

/// A throttle, and the counters that it shares with other processes.
pub(crate) struct Configured {
    pub(crate) throttle: Throttle,
    pub(crate) counters: Option<Arc<dyn ThrottleStore>>,
}

/// Returns the throttle, if it is enabled.
pub(crate) async fn configured(config: &Config, database: &Database) -> Option<Configured> {
    if !config.throttle.enabled {
        return None;
    }
    let limits = config.throttle.limits;
    if !database.counts(config).await {
        if config.throttle.store == CounterStore::Auto {
            tracing::info!(
                event = "throttle_in_memory",
                "the database has no table simplejwt_throttle: this server counts failed logins by \
                 itself until `simplejwt migrate` has run and it is started again"
            );
        }
        return Some(Configured { throttle: Throttle::new(limits), counters: None });
    }
    let counters = database.counters();
    let secret = config.settings.signing_key.as_ref().map(|key| key.as_bytes());
    let secret = secret.unwrap_or(WITHOUT_KEY);
    let throttle = Throttle::shared(limits, Arc::clone(&counters), secret);
    Some(Configured { throttle, counters: Some(counters) })
}

/// Deletes counters that have forgotten everything, at every `interval`. More than one process may
/// do so.
pub(crate) fn start_purge(
    counters: &Arc<dyn ThrottleStore>,
    interval: Duration,
    tasks: &Supervisor,
) {
    let counters = Arc::clone(counters);
    tasks.start("throttle_purge", Need::Helpful, move || {
        let counters = Arc::clone(&counters);
        async move {
            loop {
                purge(&*counters).await?;
                tokio::time::sleep(interval).await;
            }
        }
    });
}

/// Deletes all that have forgotten everything by now, and returns how many there were.
pub(crate) async fn purge(counters: &dyn ThrottleStore) -> Result<u64, StoreError> {
    let before = SystemClock.now();
    let mut deleted = 0;
    loop {
        let batch = counters.flush_counters(before, BATCH).await?;
        deleted += batch;
        if batch < u64::from(BATCH) {
            return Ok(deleted);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
