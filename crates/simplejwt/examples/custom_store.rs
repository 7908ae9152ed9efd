//! Issued and blacklisted tokens in a custom store, tested with the suite that every store here
//! passes. This one is a map behind a lock: replace it with your database.
//!
//! ```sh
//! cargo run --example custom_store --features testing
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

use simplejwt::async_trait;
use simplejwt::event::{Act, Cause, Recorded};
use simplejwt::store::{
    Blacklisting, FlushExpired, Flushed, OutstandingToken, Position, Rotation, conformance,
};
use simplejwt::{Auth, Settings, StoreError, Timestamp, TokenStore, Tokens, UserId};

/// All registered tokens by id, each with `true` if it is blacklisted.
#[derive(Debug, Default)]
struct MapStore(Mutex<BTreeMap<String, (OutstandingToken, bool)>>);

type Rows<'a> = MutexGuard<'a, BTreeMap<String, (OutstandingToken, bool)>>;

impl MapStore {
    /// The lock is this store's transaction.
    fn begin(&self) -> Rows<'_> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns `true` if it wasn't blacklisted before.
fn blacklist(rows: &mut Rows<'_>, token: &OutstandingToken) -> bool {
    let (_, blacklisted) = rows.entry(token.jti.clone()).or_insert_with(|| (token.clone(), false));
    !std::mem::replace(blacklisted, true)
}

#[async_trait]
impl TokenStore for MapStore {
    async fn record(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<()>, StoreError> {
        self.begin().entry(token.jti.clone()).or_insert_with(|| (token.clone(), false));
        Ok(act.recorded(()))
    }

    async fn rotate(
        &self,
        spent: &OutstandingToken,
        next: &OutstandingToken,
        cause: &Cause,
    ) -> Result<Recorded<Rotation>, StoreError> {
        let mut rows = self.begin();
        if !blacklist(&mut rows, spent) {
            return Ok(Rotation::Replayed.recorded(spent, cause));
        }
        rows.insert(next.jti.clone(), (next.clone(), false));
        Ok(Rotation::Rotated.recorded(spent, cause))
    }

    async fn blacklist(
        &self,
        token: &OutstandingToken,
        act: &Act,
    ) -> Result<Recorded<Blacklisting>, StoreError> {
        let outcome = match blacklist(&mut self.begin(), token) {
            true => Blacklisting::Blacklisted,
            false => Blacklisting::AlreadyBlacklisted,
        };
        Ok(outcome.recorded(act))
    }

    async fn blacklist_all(&self, user: &UserId, _: Timestamp) -> Result<u64, StoreError> {
        let mut count = 0;
        for (token, blacklisted) in self.begin().values_mut() {
            if token.user_id.as_ref() == Some(user) && !*blacklisted {
                *blacklisted = true;
                count += 1;
            }
        }
        Ok(count)
    }

    async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        Ok(self.begin().get(jti).is_some_and(|(_, blacklisted)| *blacklisted))
    }

    async fn flush_expired(&self, flush: &FlushExpired) -> Result<Flushed, StoreError> {
        let mut rows = self.begin();
        let due = flush.retention.due(flush.at);
        let mut candidates: Vec<_> = rows
            .values()
            .filter(|(token, _)| token.expires_at <= due)
            .map(|(token, _)| token.jti.clone())
            .take(flush.batch as usize + 1)
            .collect();
        // One more than the batch means that there is more to do.
        let more = candidates.len() > flush.batch as usize;
        candidates.truncate(flush.batch as usize);
        let mut flushed =
            Flushed { next: more.then(|| Position("more".into())), ..Flushed::default() };
        for jti in candidates {
            let Some((token, _)) = rows.get_mut(&jti) else { continue };
            // The token's own expiry, if the stored one is too early.
            token.expires_at = flush.retention.last_exp_of(&token.token, token.expires_at);
            if token.expires_at <= due {
                rows.remove(&jti);
                flushed.deleted += 1;
            }
        }
        Ok(flushed)
    }

    async fn newest(&self, limit: u32) -> Result<Vec<OutstandingToken>, StoreError> {
        let mut tokens: Vec<_> = self.begin().values().map(|(token, _)| token.clone()).collect();
        tokens.sort_by_key(|token| std::cmp::Reverse(token.created_at));
        tokens.truncate(limit as usize);
        Ok(tokens)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In your project, this is a test.
    let spawn = |task| drop(tokio::spawn(task));
    conformance::all(|| async { MapStore::default() }, spawn).await;
    println!("the store keeps the contract");

    let settings = Settings {
        signing_key: Some("the key of an example, which everybody knows".into()),
        token_blacklist: true,
        ..Settings::default()
    };
    let auth = Auth::new(Tokens::new(settings)?).with_store(MapStore::default());
    auth.check()?;
    Ok(())
}
