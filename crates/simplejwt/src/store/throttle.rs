//! Counters of failures, where all processes that share them find them.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;

/// What a counter counts the failures of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counted {
    /// Logins to one account from one address.
    Pair,
    /// Logins to one account.
    Account,
    /// Logins from one address.
    Address,
    /// Logins from one known device.
    Device,
    /// Refreshes from one address.
    Refresh,
    /// Verifications from one address.
    Verify,
    /// Authentications of OAuth clients from one address.
    Client,
}

impl Counted {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Pair,
        Self::Account,
        Self::Address,
        Self::Device,
        Self::Refresh,
        Self::Verify,
        Self::Client,
    ];
}

/// The id of a counter: a keyed hash, from which neither a name nor an address can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CounterId {
    /// What it counts.
    pub counted: Counted,
    /// The hash, which differs for different kinds of counters.
    pub hash: [u8; 16],
}

impl CounterId {
    /// Returns the hash as 32 hexadecimal digits in lower case, for a column of a table.
    ///
    /// ```
    /// use simplejwt::store::throttle::{Counted, CounterId};
    ///
    /// let id = CounterId { counted: Counted::Pair, hash: [0xa5; 16] };
    /// assert_eq!(id.to_hex(), "a5".repeat(16));
    /// ```
    pub fn to_hex(&self) -> String {
        use std::fmt::Write as _;

        self.hash.iter().fold(String::with_capacity(32), |mut text, byte| {
            // Writing to a string can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// A failure to be counted, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The counter.
    pub id: CounterId,
    /// The time that passes until the counter has forgotten this, if it had nothing else to forget.
    pub cost: Duration,
}

/// Returns a time as a number of microseconds for a column.
#[cfg(feature = "sql")]
#[allow(dead_code, reason = "for each database")]
pub(crate) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Keeps counters by the generic cell rate algorithm (GCRA, ITU-T I.371): each is one time, the
/// theoretical arrival time, at which it has forgotten all failures. A failure moves that time
/// further away, and nothing has to be done for it to come nearer.
///
/// # Contract
/// - A counter that was never charged, or was cleared or deleted, has no arrival time.
/// - Charges of any number of tasks, processes and machines add up: none is lost.
/// - [`flush_counters`](Self::flush_counters) deletes only counters that have forgotten everything.
/// - A store whose size is limited may forget counters with little to forget in favour of those
///   with more.
///
/// `store::conformance::throttle` (feature `testing`) tests a store against this contract.
#[async_trait]
pub trait ThrottleStore: Send + Sync + 'static {
    /// Returns the arrival times of these counters, in their order.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    async fn arrivals(&self, ids: &[CounterId]) -> Result<Vec<Option<Timestamp>>, StoreError>;

    /// Charges each counter: its arrival time, or `at` if that is later or there is none, plus the
    /// cost is its next arrival time. No counter occurs twice.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    async fn charge(&self, charges: &[Charge], at: Timestamp) -> Result<(), StoreError>;

    /// Makes a counter forget everything.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    async fn clear(&self, id: CounterId) -> Result<(), StoreError>;

    /// Deletes at most `batch` counters whose arrival time is `before` or earlier. Returns how many
    /// there were.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    async fn flush_counters(&self, before: Timestamp, batch: u32) -> Result<u64, StoreError>;
}
