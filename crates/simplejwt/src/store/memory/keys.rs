//! The keys of a ring in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::keys::ring::StoredKey;
use crate::store::keys::KeyStore;

#[async_trait]
impl KeyStore for MemoryStore {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(self.lock().keys.clone())
    }

    async fn add_key(&self, key: &StoredKey, others_until: Timestamp) -> Result<bool, StoreError> {
        let keys = &mut self.lock().keys;
        if keys.iter().any(|other| other.number == key.number || other.kid == key.kid) {
            return Ok(false);
        }
        for other in keys.iter_mut().filter(|other| other.number < key.number) {
            other.verifies_until.get_or_insert(others_until);
        }
        keys.push(key.clone());
        keys.sort_by_key(|key| key.number);
        Ok(true)
    }

    async fn retire_key(&self, kid: &str, at: Timestamp) -> Result<bool, StoreError> {
        let keys = &mut self.lock().keys;
        let Some(key) = keys.iter_mut().find(|key| key.kid == kid) else { return Ok(false) };
        key.verifies_until = Some(key.verifies_until.map_or(at, |until| until.min(at)));
        Ok(true)
    }

    async fn delete_keys(&self, before: Timestamp) -> Result<u64, StoreError> {
        let keys = &mut self.lock().keys;
        let (count, newest) = (keys.len(), keys.last().map(|key| key.number));
        keys.retain(|key| {
            Some(key.number) == newest || key.verifies_until.is_none_or(|until| until > before)
        });
        Ok((count - keys.len()) as u64)
    }
}
