//! The keys of a ring, where all processes that share it find them.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::keys::ring::StoredKey;

/// Keeps the keys of a [ring](crate::keys::ring) for all processes that share it.
///
/// The keys may be encrypted; a store doesn't look into them.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// Returns all keys, in the order of their numbers.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    /// Adds a key unless there is one with its number or key id, and sets the end of those before
    /// it that have none to `others_until`: both or nothing. Returns `true` if it was added, which
    /// is the case for one of any number of keys with the same number.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    async fn add_key(&self, key: &StoredKey, others_until: Timestamp) -> Result<bool, StoreError>;

    /// Sets the end of a key to `at`, unless it ends before. Returns `true` if there is such a key.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    async fn retire_key(&self, kid: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Deletes the keys that ended at `before` or earlier, but never the newest one, so that its
    /// number isn't given again. Returns how many there were.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    async fn delete_keys(&self, before: Timestamp) -> Result<u64, StoreError>;
}
