//! Tokens in memory: the reference implementation of a store.

mod feed;
mod keys;
mod rows;
mod sessions;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Blacklisting, FlushExpired, Flushed, OutstandingToken, Position, Rotation, TokenStore,
};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Cause, Recorded};
use crate::keys::ring::StoredKey;
use crate::users::UserId;

/// Tokens in this process's memory, for tests, examples and small tools.
///
/// **Not durable**: when the process ends, the blacklist is lost, and every spent token that hasn't
/// expired is valid again. Nor is it shared with other processes. Clones share the tokens.
///
/// It knows no users, so it accepts any user's id.
///
/// ```
/// use simplejwt::store::memory::MemoryStore;
/// use simplejwt::{Timestamp, TokenStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), simplejwt::StoreError> {
/// let store = MemoryStore::default();
/// assert!(!store.is_blacklisted("3b7ce2b2c1e14d0cb0f7b0d9a4c0b8f3").await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    tokens: HashMap<String, Entry>,
    sessions: sessions::Sessions,
    keys: Vec<StoredKey>,
}

struct Entry {
    token: OutstandingToken,
    blacklisted_at: Option<Timestamp>,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("tokens", &self.lock().tokens.len()).finish()
    }
}

impl MemoryStore {
    /// Returns the registered token with this id, and the time at which it was blacklisted, if it
    /// was.
    pub fn get(&self, jti: &str) -> Option<(OutstandingToken, Option<Timestamp>)> {
        self.lock().tokens.get(jti).map(|entry| (entry.token.clone(), entry.blacklisted_at))
    }

    /// No change can fail half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn entry(&mut self, token: &OutstandingToken) -> &mut Entry {
        self.tokens
            .entry(token.jti.clone())
            .or_insert_with(|| Entry { token: token.clone(), blacklisted_at: None })
    }

    fn blacklist(&mut self, token: &OutstandingToken, at: Timestamp) -> Blacklisting {
        let entry = self.entry(token);
        if entry.blacklisted_at.is_some() {
            return Blacklisting::AlreadyBlacklisted;
        }
        entry.blacklisted_at = Some(at);
        Blacklisting::Blacklisted
    }

    fn is_blacklisted(&self, jti: &str) -> bool {
        self.tokens.get(jti).is_some_and(|entry| entry.blacklisted_at.is_some())
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn record(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<()>, StoreError> {
        self.lock().entry(token);
        Ok(act.recorded(()))
    }

    async fn rotate(
        &self,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        cause: &Cause,
    ) -> Result<Recorded<Rotation>, StoreError> {
        let mut state = self.lock();
        let outcome = match state.blacklist(spent, cause.at) {
            Blacklisting::AlreadyBlacklisted => Rotation::Replayed,
            Blacklisting::Blacklisted => {
                state.entry(next);
                Rotation::Rotated
            }
        };
        Ok(outcome.recorded(spent, cause))
    }

    async fn blacklist(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<Blacklisting>, StoreError> {
        Ok(self.lock().blacklist(token, act.cause.at).recorded(act))
    }

    async fn blacklist_all(&self, user_id: &UserId, at: Timestamp) -> Result<u64, StoreError> {
        let mut blacklisted = 0;
        for entry in self.lock().tokens.values_mut() {
            let theirs = entry.token.user_id.as_ref() == Some(user_id);
            if theirs && entry.blacklisted_at.is_none() {
                entry.blacklisted_at = Some(at);
                blacklisted += 1;
            }
        }
        Ok(blacklisted)
    }

    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        Ok(self.lock().is_blacklisted(jti))
    }

    /// Nothing can refer to a token.
    async fn flush_expired(&self, flush: &FlushExpired) -> Result<Flushed, StoreError> {
        let due = flush.retention.due(flush.at);
        let (mut looked_at, mut flushed) = (0, Flushed::default());
        self.lock().tokens.retain(|_, Entry { token, .. }| {
            if token.expires_at > due {
                return true;
            }
            if looked_at == flush.batch {
                flushed.next = Some(Position(String::new()));
                return true;
            }
            looked_at += 1;
            token.expires_at = flush.retention.last_exp_of(&token.token, token.expires_at);
            flushed.deleted += u64::from(token.expires_at <= due);
            token.expires_at > due
        });
        Ok(flushed)
    }

    async fn newest(&self, limit: u32) -> Result<Vec<OutstandingToken>, StoreError> {
        let state = self.lock();
        let mut tokens: Vec<_> = state.tokens.values().map(|entry| entry.token.clone()).collect();
        tokens.sort_by_key(|token| std::cmp::Reverse(token.created_at));
        tokens.truncate(limit as usize);
        Ok(tokens)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_token() {
        let store = MemoryStore::default();
        let at = Timestamp::from_secs(0);
        let token = OutstandingToken {
            jti: "a".into(),
            token: "topsecret".into(),
            user_id: None,
            created_at: at,
            expires_at: at,
        };
        store.lock().entry(&token);
        let shown = format!("{store:?}");
        assert!(shown.contains('1') && !shown.contains("topsecret"), "{shown}");
    }
}
