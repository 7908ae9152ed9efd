//! Which of several processes does a piece of work.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;

/// Leases on pieces of work that one process at a time does for all that share a database, such
/// as the purge.
///
/// A lease saves work; it isn't a lock. Whoever was paused beyond its end may still be at work
/// when another takes it, so that the work itself has to bear being done twice.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Takes or renews the lease of this name, until `until`; whether `holder` has it. Of any
    /// number of holders at most one does. `at` is the current time: one that ended at it or
    /// before can be taken. A lease is given back by renewing it until now.
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;
}
