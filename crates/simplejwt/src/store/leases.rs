//! Leases on work that only one of several processes does.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;

/// Leases on work that one process at a time does for all that share a database, such as the purge.
///
/// A lease saves work; it isn't a lock. A process that was paused past the end of its lease may
/// still be working when another takes it, so it must be harmless to do the work twice.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Takes or renews the lease with this name until `until`. Returns `true` if `holder` has it,
    /// which is the case for at most one of any number of holders. `at` is the current time: a
    /// lease that ended at it or before can be taken. A lease is returned by renewing it until now.
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;
}
